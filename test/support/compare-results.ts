import type { Series } from "./api-client.ts";

/**
 * What differs between two servers' answers to one query: series by their labels, points by time, values by relative
 * error. Empty where they agree.
 */
export function differences(
  ours: readonly Series[],
  theirs: readonly Series[],
  relativeError = 1e-12,
): string[] {
  const found: string[] = [];
  const keyOf = (series: Series) => JSON.stringify(Object.entries(series.metric).sort());
  const oursByKey = new Map(ours.map((series) => [keyOf(series), series]));
  const theirsByKey = new Map(theirs.map((series) => [keyOf(series), series]));
  for (const key of theirsByKey.keys()) if (!oursByKey.has(key)) found.push(`only Prometheus has ${key}`);
  for (const [key, mine] of oursByKey) {
    const other = theirsByKey.get(key);
    if (!other) {
      found.push(`only Narthex has ${key}`);
      continue;
    }
    const a = mine.values ?? (mine.value ? [mine.value] : []);
    const b = other.values ?? (other.value ? [other.value] : []);
    if (a.length !== b.length) {
      found.push(`${key}: ${a.length} points, Prometheus has ${b.length}`);
      continue;
    }
    for (let i = 0; i < a.length; i++) {
      if (a[i]![0] !== b[i]![0] || !isClose(a[i]![1], b[i]![1], relativeError)) {
        found.push(`${key}: ${a[i]!.join(" ")}, Prometheus has ${b[i]!.join(" ")}`);
        break;
      }
    }
  }
  return found;
}

function isClose(a: string, b: string, relativeError: number): boolean {
  if (a === b) return true;
  const x = Number(a);
  const y = Number(b);
  return Math.abs(x - y) <= relativeError * Math.max(Math.abs(x), Math.abs(y));
}
