import { compactHistogram } from "../../model/histogram-arithmetic.ts";
import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram } from "../../model/histogram.ts";
import { type Labels, LabelsBuilder, METRIC_NAME } from "../../model/labels.ts";
import { tryParseNumber } from "./number-notation.ts";

/** One float sample of a classic histogram's series. */
export interface ClassicSample {
  readonly labels: Labels;
  readonly timeMs: number;
  readonly value: number;
}

export interface CustomBucketsSample {
  readonly labels: Labels;
  readonly timeMs: number;
  readonly histogram: FloatHistogram;
}

/** What is known of one classic histogram at one time. */
interface ClassicHistogram {
  readonly labels: Labels;
  readonly timeMs: number;
  readonly buckets: Map<number, number>;
  count: number | null;
  sum: number | null;
}

/**
 * Native histograms with custom buckets out of the series `_bucket`, `_sum` and `_count` of classic ones: one per
 * label set without `le` and time, ascending in time within each series.
 *
 * @throws Error where bucket counts aren't cumulative or don't agree with the count
 */
export function customBucketsOf(samples: readonly ClassicSample[]): CustomBucketsSample[] {
  const histograms = new Map<string, ClassicHistogram>();
  for (const { labels, timeMs, value } of samples) {
    const match = /^(.*)_(bucket|sum|count)$/.exec(labels.metricName);
    if (match === null) continue;
    const [, name, part] = match as unknown as [string, string, string];
    const base = new LabelsBuilder(labels).set(METRIC_NAME, name).delete("le").labels();
    const bound = part === "bucket" ? tryParseNumber(labels.get("le")) : 0;
    if (bound === null) continue;
    const key = `${timeMs} ${base.key}`;
    let histogram = histograms.get(key);
    if (histogram === undefined) {
      histogram = { labels: base, timeMs, buckets: new Map(), count: null, sum: null };
      histograms.set(key, histogram);
    }
    if (part === "bucket") histogram.buckets.set(bound, value);
    else if (part === "sum") histogram.sum = value;
    else histogram.count = value;
  }
  return [...histograms.values()]
    .sort((a, b) => a.timeMs - b.timeMs)
    .map((classic) => ({ labels: classic.labels, timeMs: classic.timeMs, histogram: convert(classic) }));
}

function convert({ buckets, count, sum, labels }: ClassicHistogram): FloatHistogram {
  const bounds = [...buckets.keys()].filter((bound) => bound !== Infinity).sort((a, b) => a - b);
  const finite = bounds.map((bound) => buckets.get(bound)!);
  const total = count ?? buckets.get(Infinity) ?? finite.at(-1) ?? 0;
  const cumulative = [...finite, buckets.get(Infinity) ?? total];
  const counts = cumulative.map((value, i) => value - (cumulative[i - 1] ?? 0));
  if (counts.some((bucket) => bucket < 0)) {
    throw new Error(`cannot convert histogram ${labels.metricName}: bucket counts are not cumulative`);
  }
  if (cumulative.at(-1) !== total) {
    throw new Error(
      `cannot convert histogram ${labels.metricName}: count ${total} is not that of its buckets`,
    );
  }
  const isInteger = [total, ...counts].every(Number.isInteger);
  return compactHistogram(
    {
      isInteger: false,
      counterResetHint: "unknown",
      schema: CUSTOM_BUCKETS_SCHEMA,
      zeroThreshold: 0,
      zeroCount: 0,
      count: total,
      sum: sum ?? 0,
      isStale: false,
      positiveSpans: [{ offset: 0, length: counts.length }],
      negativeSpans: [],
      positiveBuckets: Float64Array.from(counts),
      negativeBuckets: new Float64Array(),
      customValues: Float64Array.from(bounds),
    },
    isInteger ? 2 : 0,
  );
}
