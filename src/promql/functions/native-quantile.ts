import {
  BucketsUpwards,
  bucketsUpwards,
  type HistogramBucket,
  hasCustomBuckets,
} from "../../model/histogram-buckets.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import { fractionBelow, valueAtFraction } from "./histogram-interpolation.ts";

/** What observations of NaN did to a result; they count in no bucket and make the sum NaN. */
export type NanEffect = "result is NaN" | "result is skewed higher" | "excluded";

export interface NativeResult {
  readonly value: number;
  readonly nanEffect: NanEffect | null;
}

const plain = (value: number): NativeResult => ({ value, nanEffect: null });

/** The quantile of a native histogram, by interpolation within the bucket it lies in. */
export function nativeQuantile(q: number, histogram: FloatHistogram): NativeResult {
  if (q < 0) return plain(-Infinity);
  if (q > 1) return plain(Infinity);
  const { count, sum } = histogram;
  if (count === 0 || Number.isNaN(q)) return plain(NaN);
  const hasNan = Number.isNaN(sum);
  // From whichever end is nearer; with NaN observed only the lower end is sure.
  const upwards = hasNan || q < 0.5;
  const buckets = new BucketsUpwards(histogram);
  const { size } = buckets;
  const positionOf = (walked: number) => (upwards ? walked : size - 1 - walked);
  let rank = upwards ? q * count : (1 - q) * count;
  let cumulative = 0;
  let walked = 0;
  while (walked < size) {
    const inBucket = buckets.countAt(positionOf(walked++));
    if (inBucket === 0) continue;
    cumulative += inBucket;
    if (cumulative >= rank) break;
  }
  let bucket = walked === 0 ? EMPTY_BUCKET : buckets.at(positionOf(walked - 1));
  const isCustom = hasCustomBuckets(histogram);
  if (isCustom) {
    if (bucket.lower === -Infinity) {
      if (bucket.upper <= 0) return plain(bucket.upper);
      bucket = { ...bucket, lower: 0 };
    } else if (bucket.upper === Infinity) return plain(bucket.lower);
  } else if (bucket.lower < 0 && bucket.upper > 0) bucket = narrowed(bucket, histogram);
  if (cumulative > count) cumulative = count;
  if (cumulative < rank) {
    return hasNan ? { value: NaN, nanEffect: "result is NaN" } : plain(bucket.upper);
  }
  rank = upwards ? rank - (cumulative - bucket.count) : cumulative - rank;
  let nanEffect: NanEffect | null = null;
  if (hasNan) {
    let total = cumulative;
    // As in the reference, the last bucket looked at is the one interpolated in.
    if (walked < size) bucket = buckets.at(size - 1);
    for (; walked < size; walked++) total += buckets.countAt(walked);
    if (total < count) nanEffect = "result is skewed higher";
  }
  const { lower, upper } = bucket;
  const isLinear = isCustom || (lower <= 0 && upper >= 0);
  return { value: valueAtFraction(rank / bucket.count, lower, upper, isLinear), nanEffect };
}

const EMPTY_BUCKET: HistogramBucket = {
  lower: 0,
  upper: 0,
  lowerInclusive: false,
  upperInclusive: false,
  count: 0,
};

/** A bucket around zero, cut at zero where the histogram has buckets on one side alone. */
function narrowed(bucket: HistogramBucket, histogram: FloatHistogram): HistogramBucket {
  const hasNegative = histogram.negativeBuckets.length > 0;
  const hasPositive = histogram.positiveBuckets.length > 0;
  if (hasPositive && !hasNegative) return { ...bucket, lower: 0 };
  if (hasNegative && !hasPositive) return { ...bucket, upper: 0 };
  return bucket;
}

/** Which part of a native histogram's observations lies between two values. */
export function nativeFraction(low: number, high: number, histogram: FloatHistogram): NativeResult {
  const { count, sum } = histogram;
  if (count === 0 || Number.isNaN(low) || Number.isNaN(high)) return plain(NaN);
  if (low >= high) return plain(0);
  const isCustom = hasCustomBuckets(histogram);
  const buckets = bucketsUpwards(histogram);
  let rank = 0;
  let lowRank: number | null = null;
  let highRank: number | null = null;
  for (const stored of buckets) {
    const isAroundZero = stored.lower <= 0 && stored.upper >= 0;
    const { lower, upper, count: inBucket } = isAroundZero ? narrowed(stored, histogram) : stored;
    const rankAt = (x: number): number | null => {
      if (lower >= x) return rank;
      if (!(upper > x)) return null;
      if (lower === -Infinity) return rank + inBucket;
      return rank + inBucket * fractionBelow(x, lower, upper, isCustom || isAroundZero);
    };
    lowRank ??= rankAt(low);
    highRank ??= rankAt(high);
    if (lowRank !== null && highRank !== null) break;
    rank += inBucket;
  }
  let total = count;
  let nanEffect: NanEffect | null = null;
  if (Number.isNaN(sum)) {
    total = buckets.reduce((observed, bucket) => observed + bucket.count, 0);
    if (total < count) nanEffect = "excluded";
  }
  const within = (value: number | null) => (value === null || value > total ? total : value);
  return { value: (within(highRank) - within(lowRank)) / count, nanEffect };
}
