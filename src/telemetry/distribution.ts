import type { Registry } from "prom-client";

/**
 * How often values fell into which bucket: plain data that may cross to another thread, where `add` joins it to what
 * is known there.
 */
export interface BucketCounts {
  /** Upper bounds, ascending; one more bucket, without a bound, follows. */
  readonly bounds: readonly number[];
  /** Not cumulative. */
  readonly counts: number[];
  sum: number;
}

export function emptyBuckets(bounds: readonly number[]): BucketCounts {
  return { bounds, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
}

/** `count` bounds, each `factor` times the one before. */
export function exponentialBounds(first: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first * factor ** i);
}

export function observe(buckets: BucketCounts, value: number): void {
  let bucket = 0;
  while (bucket < buckets.bounds.length && value > buckets.bounds[bucket]!) bucket++;
  buckets.counts[bucket]!++;
  buckets.sum += value;
}

/** Adds what was counted elsewhere, in the same buckets. */
export function addBuckets(buckets: BucketCounts, more: BucketCounts): void {
  for (let i = 0; i < buckets.counts.length; i++) buckets.counts[i]! += more.counts[i]!;
  buckets.sum += more.sum;
}

/** Counts with the labels they are shown with. */
export type LabelledBuckets = readonly [labels: Readonly<Record<string, string>>, buckets: BucketCounts];

/** Shows counts as a histogram without labels. They are read when the page is asked for. */
export function exportBuckets(registry: Registry, name: string, help: string, buckets: BucketCounts): void {
  exportLabelledBuckets(registry, name, help, () => [[{}, buckets]]);
}

/** Shows counts as a histogram, `read` when the page is asked for. */
export function exportLabelledBuckets(
  registry: Registry,
  name: string,
  help: string,
  read: () => Iterable<LabelledBuckets>,
): void {
  const get = () => {
    const values: { metricName: string; labels: Record<string, number | string>; value: number }[] = [];
    for (const [labels, buckets] of read()) {
      let total = 0;
      for (const [i, count] of buckets.counts.entries()) {
        total += count;
        const le = buckets.bounds[i] ?? "+Inf";
        values.push({ metricName: `${name}_bucket`, labels: { le, ...labels }, value: total });
      }
      values.push({ metricName: `${name}_sum`, labels, value: buckets.sum });
      values.push({ metricName: `${name}_count`, labels, value: total });
    }
    return Promise.resolve({ name, help, type: "histogram", values, aggregator: "sum" });
  };
  registry.registerMetric({ name, help, get } as never);
}
