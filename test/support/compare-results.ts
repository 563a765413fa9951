import type { HistogramPoint, Series } from "./api-client.ts";

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
    const ourHistograms = mine.histograms ?? (mine.histogram ? [mine.histogram] : []);
    const theirHistograms = other.histograms ?? (other.histogram ? [other.histogram] : []);
    if (ourHistograms.length !== theirHistograms.length) {
      found.push(`${key}: ${ourHistograms.length} histograms, Prometheus has ${theirHistograms.length}`);
      continue;
    }
    const differing = ourHistograms.findIndex(
      (point, i) => !isCloseHistogram(point, theirHistograms[i]!, relativeError),
    );
    if (differing >= 0) {
      found.push(
        `${key}: ${JSON.stringify(ourHistograms[differing])}, Prometheus has ${JSON.stringify(theirHistograms[differing])}`,
      );
    }
  }
  return found;
}

function isCloseHistogram(a: HistogramPoint, b: HistogramPoint, relativeError: number): boolean {
  const [ours, theirs] = [a[1].buckets ?? [], b[1].buckets ?? []];
  return (
    a[0] === b[0] &&
    isClose(a[1].count, b[1].count, relativeError) &&
    isClose(a[1].sum, b[1].sum, relativeError) &&
    ours.length === theirs.length &&
    ours.every((bucket, i) =>
      bucket.every((field, j) => isClose(String(field), String(theirs[i]![j]), relativeError)),
    )
  );
}

function isClose(a: string, b: string, relativeError: number): boolean {
  if (a === b) return true;
  const x = Number(a);
  const y = Number(b);
  return Math.abs(x - y) <= relativeError * Math.max(Math.abs(x), Math.abs(y));
}
