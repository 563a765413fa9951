/** What becomes of a chunk of histograms when the next one comes: it fits, the chunk is recoded, or a new one starts. */
import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type Span } from "../../model/histogram.ts";
import { CounterReset } from "./histogram-layout.ts";

export type HistogramAppendPlan =
  /** Append `histogram`: the new one, widened to the layout of the chunk. */
  | { readonly action: "append"; readonly histogram: FloatHistogram }
  /** Bring every histogram of the chunk to the layout of `histogram` first (see `widenTo`), then append that. */
  | { readonly action: "recode"; readonly histogram: FloatHistogram }
  /** Begin a chunk with these flags. */
  | { readonly action: "cut"; readonly flags: CounterReset };

/**
 * @param isGaugeChunk whether the chunk's flags say gauge
 * @param last its newest histogram, in the chunk's layout; of the same kind (integer or float) as `next`
 */
export function planHistogramAppend(
  isGaugeChunk: boolean,
  last: FloatHistogram,
  next: FloatHistogram,
): HistogramAppendPlan {
  return next.counterResetHint === "gauge"
    ? planGauge(isGaugeChunk, last, next)
    : planCounter(isGaugeChunk, last, next);
}

function cut(flags: CounterReset): HistogramAppendPlan {
  return { action: "cut", flags };
}

function planGauge(isGaugeChunk: boolean, last: FloatHistogram, next: FloatHistogram): HistogramAppendPlan {
  if (!isGaugeChunk) return cut(CounterReset.gauge);
  if (next.isStale) return { action: "append", histogram: next };
  if (last.isStale || !hasSameScale(last, next) || !hasSameBounds(last, next)) return cut(CounterReset.gauge);
  return fit(last, next);
}

function planCounter(isGaugeChunk: boolean, last: FloatHistogram, next: FloatHistogram): HistogramAppendPlan {
  if (isGaugeChunk) return cut(next.isInteger ? CounterReset.notReset : CounterReset.unknown);
  if (next.counterResetHint === "reset") return cut(CounterReset.reset);
  if (next.isStale) return { action: "append", histogram: next };
  if (last.isStale) return cut(CounterReset.unknown);
  if (next.count < last.count) return cut(CounterReset.reset);
  if (!hasSameScale(last, next)) return cut(CounterReset.unknown);
  if (!hasSameBounds(last, next)) return cut(CounterReset.reset);
  if (
    next.zeroCount < last.zeroCount ||
    hasFallen(last.positiveSpans, last.positiveBuckets, next.positiveSpans, next.positiveBuckets) ||
    hasFallen(last.negativeSpans, last.negativeBuckets, next.negativeSpans, next.negativeBuckets)
  ) {
    return cut(CounterReset.reset);
  }
  return fit(last, next);
}

function hasSameScale(a: FloatHistogram, b: FloatHistogram): boolean {
  return a.schema === b.schema && a.zeroThreshold === b.zeroThreshold;
}

function hasSameBounds(a: FloatHistogram, b: FloatHistogram): boolean {
  if (a.schema !== CUSTOM_BUCKETS_SCHEMA) return true;
  if (a.customValues.length !== b.customValues.length) return false;
  return a.customValues.every((bound, i) => bound === b.customValues[i]);
}

function fit(last: FloatHistogram, next: FloatHistogram): HistogramAppendPlan {
  const positive = unionSpans(last.positiveSpans, next.positiveSpans);
  const negative = unionSpans(last.negativeSpans, next.negativeSpans);
  const grows =
    totalLength(positive) > last.positiveBuckets.length ||
    totalLength(negative) > last.negativeBuckets.length;
  if (!grows) return { action: "append", histogram: widenTo(last, next) };
  const widened = { ...next, positiveSpans: positive, negativeSpans: negative };
  return { action: "recode", histogram: widenTo(widened, next) };
}

/** The histogram with the buckets of `layout`, which has all of its own; those it lacks are empty. */
export function widenTo(
  layout: Pick<FloatHistogram, "positiveSpans" | "negativeSpans">,
  histogram: FloatHistogram,
): FloatHistogram {
  if (histogram.isStale) return histogram;
  return {
    ...histogram,
    positiveSpans: layout.positiveSpans,
    negativeSpans: layout.negativeSpans,
    positiveBuckets: spread(histogram.positiveSpans, histogram.positiveBuckets, layout.positiveSpans),
    negativeBuckets: spread(histogram.negativeSpans, histogram.negativeBuckets, layout.negativeSpans),
  };
}

/** Bucket indices of spans, ascending. */
function* bucketIndices(spans: readonly Span[]): Generator<number> {
  let index = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++) yield index++;
  }
}

function totalLength(spans: readonly Span[]): number {
  return spans.reduce((sum, { length }) => sum + length, 0);
}

function spread(spans: readonly Span[], buckets: Float64Array, target: readonly Span[]): Float64Array {
  const counts = new Map<number, number>();
  let i = 0;
  for (const index of bucketIndices(spans)) counts.set(index, buckets[i++]!);
  return Float64Array.from(bucketIndices(target), (index) => counts.get(index) ?? 0);
}

function hasFallen(
  lastSpans: readonly Span[],
  lastBuckets: Float64Array,
  nextSpans: readonly Span[],
  nextBuckets: Float64Array,
): boolean {
  return spread(nextSpans, nextBuckets, lastSpans).some((count, i) => count < lastBuckets[i]!);
}

function unionSpans(a: readonly Span[], b: readonly Span[]): Span[] {
  const indices = [...new Set([...bucketIndices(a), ...bucketIndices(b)])].sort((x, y) => x - y);
  const spans: { offset: number; length: number }[] = [];
  let end = 0;
  for (const index of indices) {
    const last = spans[spans.length - 1];
    if (last && index === end) last.length++;
    else spans.push({ offset: index - end, length: 1 });
    end = index + 1;
  }
  return spans;
}
