import { compactHistogram } from "../../model/histogram-arithmetic.ts";
import {
  customBound,
  exponentialBound,
  forEachIndex,
  hasCustomBuckets,
} from "../../model/histogram-buckets.ts";
import type { FloatHistogram, Span } from "../../model/histogram.ts";
import { fractionBelow } from "./histogram-interpolation.ts";

/** What is left of a bucket, and the value its observations are taken to have. */
interface Rest {
  readonly kept: number;
  readonly middle: number;
}

const NOTHING: Rest = { kept: 0, middle: 0 };

/**
 * The part of a histogram below (`</`) or above (`>/`) a value, by interpolation within the bucket the value lies in.
 * Count and sum are estimated anew from what is left; a histogram that loses nothing stays as it is.
 */
export function trimHistogram(op: "</" | ">/", histogram: FloatHistogram, value: number): FloatHistogram {
  const isCustom = hasCustomBuckets(histogram);
  const keepsBelow = op === "</";
  const { schema, customValues } = histogram;
  let changed = false;
  let count = 0;
  let sum = 0;
  const take = (before: number, rest: Rest): number => {
    if (rest.kept !== before) changed = true;
    count += rest.kept;
    if (rest.kept !== 0) sum += rest.middle * rest.kept;
    return rest.kept;
  };
  const trimSide = (spans: readonly Span[], buckets: Float64Array, side: 1 | -1): Float64Array => {
    const trimmed = buckets.slice();
    forEachIndex(spans, (index, position) => {
      const inHand = buckets[position]!;
      if (inHand === 0) return;
      let lower: number;
      let upper: number;
      if (isCustom) {
        lower = customBound(index - 1, customValues);
        upper = customBound(index, customValues);
      } else {
        const inner = side * exponentialBound(index - 1, schema);
        const outer = side * exponentialBound(index, schema);
        lower = Math.min(inner, outer);
        upper = Math.max(inner, outer);
      }
      trimmed[position] = take(inHand, trimBucket(keepsBelow, lower, upper, inHand, value, isCustom));
    });
    return trimmed;
  };
  const positiveBuckets = trimSide(histogram.positiveSpans, histogram.positiveBuckets, 1);
  const negativeBuckets = trimSide(histogram.negativeSpans, histogram.negativeBuckets, -1);
  const zeroCount =
    histogram.zeroCount > 0
      ? take(histogram.zeroCount, trimZeroBucket(keepsBelow, histogram, value))
      : histogram.zeroCount;
  if (!changed) return histogram;
  return compactHistogram({
    ...histogram,
    isInteger: false,
    zeroCount,
    count,
    sum,
    positiveBuckets,
    negativeBuckets,
  });
}

function trimBucket(
  keepsBelow: boolean,
  lower: number,
  upper: number,
  count: number,
  value: number,
  isCustom: boolean,
): Rest {
  const isInside = keepsBelow ? upper <= value : lower >= value;
  if (isInside) return { kept: count, middle: middleOf(lower, upper, isCustom) };
  if (!(lower < value && value < upper)) return NOTHING;
  if (lower === -Infinity) return trimLowest(keepsBelow, upper, count, value);
  if (upper === Infinity) return keepsBelow ? NOTHING : { kept: count, middle: value };
  const below = count * fractionBelow(value, lower, upper, isCustom);
  return keepsBelow
    ? { kept: below, middle: middleOf(lower, value, isCustom) }
    : { kept: count - below, middle: middleOf(value, upper, isCustom) };
}

/** A custom bucket without a lower bound is taken to begin at zero where its upper bound is positive. */
function trimLowest(keepsBelow: boolean, upper: number, count: number, value: number): Rest {
  const startsAtZero = upper > 0 && upper < Infinity;
  if (keepsBelow) {
    if (upper <= 0) return { kept: count, middle: value };
    return value > 0 && startsAtZero ? { kept: (count * value) / upper, middle: value / 2 } : NOTHING;
  }
  return value >= 0 && startsAtZero
    ? { kept: count * (1 - value / upper), middle: (value + upper) / 2 }
    : NOTHING;
}

function trimZeroBucket(keepsBelow: boolean, histogram: FloatHistogram, value: number): Rest {
  const { zeroThreshold, zeroCount } = histogram;
  const isPopulated = (buckets: Float64Array) => buckets.some((count) => count !== 0);
  const hasPositive = isPopulated(histogram.positiveBuckets);
  const hasNegative = isPopulated(histogram.negativeBuckets);
  const lower = hasPositive && !hasNegative ? 0 : -zeroThreshold;
  const upper = hasNegative && !hasPositive ? 0 : zeroThreshold;
  const all = { kept: zeroCount, middle: (lower + upper) / 2 };
  if (keepsBelow) {
    if (value <= lower) return NOTHING;
    if (value >= upper) return all;
    return { kept: (zeroCount * (value - lower)) / (upper - lower), middle: (lower + value) / 2 };
  }
  if (value >= upper) return NOTHING;
  if (value <= lower) return all;
  return { kept: (zeroCount * (upper - value)) / (upper - lower), middle: (value + upper) / 2 };
}

function middleOf(lower: number, upper: number, isCustom: boolean): number {
  if (lower === -Infinity) return upper === Infinity ? 0 : upper > 0 ? upper / 2 : upper;
  if (upper === Infinity) return lower;
  if (isCustom) return (lower + upper) / 2;
  const middle = Math.sqrt(Math.abs(lower * upper));
  return lower < 0 ? -middle : middle;
}
