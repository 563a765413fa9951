/** Sums, differences, multiples and comparisons of native histograms. None changes its arguments. */
import { customBound, exponentialBound, forEachIndex, hasCustomBuckets } from "./histogram-buckets.ts";
import type { CounterResetHint, FloatHistogram, Span } from "./histogram.ts";
import {
  type AdditionOutcome,
  addCompensated,
  addPlainly,
  BucketSide,
  commonBounds,
  haveEqualBounds,
  mergeHints,
  reachesInto,
  widenZeroBucket,
  WorkingHistogram,
} from "./working-histogram.ts";

/** A sum or difference, and what should be said of it. */
export interface CombinedHistogram {
  readonly histogram: FloatHistogram;
  /** One said that its counter was reset, the other that it wasn't. */
  readonly collision: boolean;
  /** The custom buckets had different bounds; the result has those in common. */
  readonly reconciled: boolean;
}

/** `a + b`, not compacted; null where one has exponential and the other custom buckets. */
export function addHistograms(a: FloatHistogram, b: FloatHistogram): CombinedHistogram | null {
  return combine(a, b, 1);
}

/** `a - b`, not compacted, the hint merged as for a sum; null where one has exponential and the other custom buckets. */
export function subtractHistograms(a: FloatHistogram, b: FloatHistogram): CombinedHistogram | null {
  return combine(a, b, -1);
}

function combine(a: FloatHistogram, b: FloatHistogram, sign: 1 | -1): CombinedHistogram | null {
  if (haveEqualLayout(a, b)) return combineAlike(a, b, sign);
  const working = new WorkingHistogram(a);
  const outcome = working.add(b, sign, addPlainly);
  return outcome === "incompatible" ? null : { histogram: working.histogram(), ...outcome };
}

/** The fast path: the histograms of one series seldom change their buckets. */
function combineAlike(a: FloatHistogram, b: FloatHistogram, sign: 1 | -1): CombinedHistogram {
  const { hint, collision } = mergeHints(a.counterResetHint, b.counterResetHint);
  const histogram: FloatHistogram = {
    ...a,
    isInteger: false,
    isStale: false,
    counterResetHint: hint,
    zeroCount: a.zeroCount + sign * b.zeroCount,
    count: a.count + sign * b.count,
    sum: a.sum + sign * b.sum,
    positiveBuckets: addCounts(a.positiveBuckets, b.positiveBuckets, sign),
    negativeBuckets: addCounts(a.negativeBuckets, b.negativeBuckets, sign),
  };
  return { histogram, collision, reconciled: false };
}

function addCounts(a: Float64Array, b: Float64Array, sign: 1 | -1): Float64Array {
  const sums = new Float64Array(a.length);
  for (let i = 0; i < sums.length; i++) sums[i] = a[i]! + sign * b[i]!;
  return sums;
}

/** Whether two histograms have the very same buckets, none of them within their zero buckets. */
function haveEqualLayout(a: FloatHistogram, b: FloatHistogram): boolean {
  return (
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    haveEqualBounds(a.customValues, b.customValues) &&
    haveEqualSpans(a.positiveSpans, b.positiveSpans) &&
    haveEqualSpans(a.negativeSpans, b.negativeSpans) &&
    (hasCustomBuckets(a) ||
      !(
        reachesInto(a.zeroThreshold, a.positiveSpans, a.schema) ||
        reachesInto(a.zeroThreshold, a.negativeSpans, a.schema)
      ))
  );
}

/** Every count times `factor`; a negative factor makes a gauge. */
export function multiplyHistogram(histogram: FloatHistogram, factor: number): FloatHistogram {
  const product = scaleCounts(histogram, (value) => value * factor);
  return factor < 0 ? withHint(product, "gauge") : product;
}

/** Every count divided by `divisor`; a negative one makes a gauge, and zero leaves no buckets. */
export function divideHistogram(histogram: FloatHistogram, divisor: number): FloatHistogram {
  const quotient = scaleCounts(histogram, (value) => value / divisor);
  if (divisor === 0) return { ...quotient, ...NO_BUCKETS };
  return divisor < 0 ? withHint(quotient, "gauge") : quotient;
}

const NO_BUCKETS = {
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: new Float64Array(0),
  negativeBuckets: new Float64Array(0),
} as const;

function scaleCounts(histogram: FloatHistogram, scale: (value: number) => number): FloatHistogram {
  return {
    ...histogram,
    isInteger: false,
    zeroCount: scale(histogram.zeroCount),
    count: scale(histogram.count),
    sum: scale(histogram.sum),
    positiveBuckets: histogram.positiveBuckets.map(scale),
    negativeBuckets: histogram.negativeBuckets.map(scale),
  };
}

/** Adds histograms with compensation and can turn to a running mean when the sum leaves the range of floats. */
export class HistogramSum {
  private total: WorkingHistogram;
  private count = 1;
  private isMean = false;

  constructor(first: FloatHistogram) {
    this.total = new WorkingHistogram(first);
  }

  /** Adds one more, for a sum. */
  add(histogram: FloatHistogram): AdditionOutcome {
    this.count++;
    return this.total.add(histogram, 1, addCompensated);
  }

  /** Adds one more, for an average. */
  addForAverage(histogram: FloatHistogram): AdditionOutcome {
    const n = this.count + 1;
    if (!this.isMean) {
      const sum = this.total.copy();
      const outcome = sum.add(histogram, 1, addCompensated);
      if (outcome === "incompatible") return outcome;
      if (!sum.hasOverflow) {
        this.total = sum;
        this.count = n;
        return outcome;
      }
      this.isMean = true;
      this.total.scale((value) => value / (n - 1));
    }
    const share = (n - 1) / n;
    const mean = this.total.copy().scale((value) => value * share);
    const outcome = mean.add(divideHistogram(histogram, n), 1, addCompensated);
    if (outcome === "incompatible") return outcome;
    this.total = mean;
    this.count = n;
    return outcome;
  }

  /** The sum of all that was added, not compacted. */
  sum(): FloatHistogram {
    return this.total.histogram();
  }

  /** The average of all that was added for one, not compacted. */
  average(): FloatHistogram {
    if (this.isMean) return this.total.histogram();
    return this.total
      .copy()
      .scale((value) => value / this.count)
      .histogram();
  }
}

/** Without empty buckets, but for runs of up to `maxEmpty` of them between populated ones. */
export function compactHistogram(histogram: FloatHistogram, maxEmpty = 0): FloatHistogram {
  const [positiveSpans, positiveBuckets] = compactSide(
    histogram.positiveSpans,
    histogram.positiveBuckets,
    maxEmpty,
  );
  const [negativeSpans, negativeBuckets] = compactSide(
    histogram.negativeSpans,
    histogram.negativeBuckets,
    maxEmpty,
  );
  return { ...histogram, positiveSpans, negativeSpans, positiveBuckets, negativeBuckets };
}

function compactSide(
  spans: readonly Span[],
  buckets: Float64Array,
  maxEmpty: number,
): [readonly Span[], Float64Array] {
  if (maxEmpty === 0 && isCompact(spans, buckets)) return [spans, buckets];
  const counts: number[] = [];
  const compacted: { offset: number; length: number }[] = [];
  let end = 0;
  forEachIndex(spans, (index, position) => {
    const count = buckets[position]!;
    if (count === 0) return;
    const last = compacted.at(-1);
    if (last === undefined || index - end > maxEmpty) compacted.push({ offset: index - end, length: 1 });
    else {
      for (let i = end; i < index; i++) counts.push(0);
      last.length += index - end + 1;
    }
    counts.push(count);
    end = index + 1;
  });
  return [compacted, Float64Array.from(counts)];
}

/** Whether there is nothing to cut and nothing to merge. */
function isCompact(spans: readonly Span[], buckets: Float64Array): boolean {
  for (let i = 0; i < spans.length; i++) {
    if (spans[i]!.length === 0 || (i > 0 && spans[i]!.offset === 0)) return false;
  }
  for (let i = 0; i < buckets.length; i++) if (buckets[i] === 0) return false;
  return true;
}

export function withHint(histogram: FloatHistogram, counterResetHint: CounterResetHint): FloatHistogram {
  return { ...histogram, counterResetHint };
}

/**
 * The histogram with the wider buckets of `schema`, its hint then unknown; itself where that is its schema already.
 * Only from finer to coarser, and not for custom buckets.
 */
export function copyToSchema(histogram: FloatHistogram, schema: number): FloatHistogram {
  if (schema === histogram.schema) return histogram;
  return new WorkingHistogram(histogram).reduceTo(schema).setHint("unknown").histogram();
}

/** Whether two histograms are the same bit by bit, hints aside. */
export function equalHistograms(a: FloatHistogram, b: FloatHistogram): boolean {
  return (
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    a.isStale === b.isStale &&
    a.zeroThreshold === b.zeroThreshold &&
    Object.is(a.zeroCount, b.zeroCount) &&
    haveEqualBounds(a.customValues, b.customValues) &&
    haveEqualSpans(a.positiveSpans, b.positiveSpans) &&
    haveEqualSpans(a.negativeSpans, b.negativeSpans) &&
    haveEqualCounts(a.positiveBuckets, b.positiveBuckets) &&
    haveEqualCounts(a.negativeBuckets, b.negativeBuckets)
  );
}

function haveEqualCounts(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((count, i) => Object.is(count, b[i]));
}

function haveEqualSpans(a: readonly Span[], b: readonly Span[]): boolean {
  if (a === b) return true;
  const left = withoutEmptySpans(a);
  const right = withoutEmptySpans(b);
  return (
    left.length === right.length &&
    left.every((span, i) => span.offset === right[i]!.offset && span.length === right[i]!.length)
  );
}

function withoutEmptySpans(spans: readonly Span[]): readonly Span[] {
  if (spans.every((span) => span.length > 0)) return spans;
  const populated: Span[] = [];
  let skipped = 0;
  for (const span of spans) {
    skipped += span.offset;
    if (span.length === 0) continue;
    populated.push({ offset: skipped, length: span.length });
    skipped = 0;
  }
  return populated;
}

/** Whether the counter behind `current` was reset since `previous`. */
export function detectReset(current: FloatHistogram, previous: FloatHistogram): boolean {
  if (current.counterResetHint === "reset") return true;
  if (current.counterResetHint === "not-reset") return false;
  if (current.count < previous.count) return true;
  if (hasCustomBuckets(current)) {
    if (!hasCustomBuckets(previous)) return true;
    if (!haveEqualBounds(current.customValues, previous.customValues)) {
      return hasShrunkBetweenBounds(current, previous);
    }
  }
  if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold) return true;
  if (haveEqualLayout(current, previous)) {
    return (
      current.zeroCount < previous.zeroCount ||
      someSmaller(current.positiveBuckets, previous.positiveBuckets) ||
      someSmaller(current.negativeBuckets, previous.negativeBuckets)
    );
  }
  const before = new Sides(previous);
  if (!hasCustomBuckets(current)) {
    const widened = widenZeroBucket(
      { threshold: previous.zeroThreshold, count: previous.zeroCount, compensation: 0 },
      current.zeroThreshold,
      before.positive,
      before.negative,
      previous.schema,
    );
    if (widened.threshold !== current.zeroThreshold || current.zeroCount < widened.count) return true;
  }
  const now = new Sides(current);
  return (
    hasShrunk(current, now.positive, before.positive, previous.schema) ||
    hasShrunk(current, now.negative, before.negative, previous.schema)
  );
}

function someSmaller(now: Float64Array, before: Float64Array): boolean {
  for (let i = 0; i < now.length; i++) if (now[i]! < before[i]!) return true;
  return false;
}

class Sides {
  readonly positive: BucketSide;
  readonly negative: BucketSide;

  constructor(histogram: FloatHistogram) {
    this.positive = BucketSide.of(histogram.positiveSpans, histogram.positiveBuckets);
    this.negative = BucketSide.of(histogram.negativeSpans, histogram.negativeBuckets);
  }
}

/** Whether a bucket above the zero bucket holds less than it did, at the resolution of `current`. */
function hasShrunk(
  current: FloatHistogram,
  now: BucketSide,
  before: BucketSide,
  previousSchema: number,
): boolean {
  const levels = previousSchema - current.schema;
  const then = levels > 0 ? before.reduced(levels, addPlainly) : before;
  const isCustom = hasCustomBuckets(current);
  let i = 0;
  for (let j = 0; j < then.size; j++) {
    const index = then.indices[j]!;
    if (!isCustom && exponentialBound(index, current.schema) <= current.zeroThreshold) continue;
    while (i < now.size && now.indices[i]! < index) i++;
    const count = now.indices[i] === index ? now.counts[i]! : 0;
    if (count < then.counts[j]!) return true;
  }
  return false;
}

/** The same for custom buckets with different bounds: counts between the bounds they share. */
function hasShrunkBetweenBounds(current: FloatHistogram, previous: FloatHistogram): boolean {
  const shared = commonBounds(current.customValues, previous.customValues);
  const rolledUp = (histogram: FloatHistogram): number[] => {
    const counts = new Array<number>(shared.length + 1).fill(0);
    let target = 0;
    forEachIndex(histogram.positiveSpans, (index, position) => {
      const upper = customBound(index, histogram.customValues);
      while (target < shared.length && shared[target]! < upper) target++;
      counts[target]! += histogram.positiveBuckets[position]!;
    });
    return counts;
  };
  const now = rolledUp(current);
  return rolledUp(previous).some((count, i) => now[i]! < count);
}
