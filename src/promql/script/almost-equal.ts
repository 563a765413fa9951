import { compactHistogram } from "../../model/histogram-arithmetic.ts";
import type { FloatHistogram } from "../../model/histogram.ts";

/** How far two values may lie apart, relative to their size, and still count as equal. */
const TOLERANCE = 1e-6;

const SMALLEST_NORMAL = 2 ** -1022;

/** Whether two results are the same but for rounding; any NaN equals any other. */
export function almostEqual(a: number, b: number): boolean {
  if (Number.isNaN(a) && Number.isNaN(b)) return true;
  if (a === b) return true;
  const difference = Math.abs(a - b);
  const magnitude = Math.abs(a) + Math.abs(b);
  if (a === 0 || b === 0 || magnitude < SMALLEST_NORMAL) return difference < TOLERANCE * SMALLEST_NORMAL;
  return difference / Math.min(magnitude, Number.MAX_VALUE) < TOLERANCE;
}

/** The same for native histograms, empty buckets left out; the hint counts only where one is asked for. */
export function almostEqualHistograms(
  expected: FloatHistogram,
  actual: FloatHistogram,
  compareHint: boolean,
): boolean {
  const a = compactHistogram(expected);
  const b = compactHistogram(actual);
  const sameSpans = (side: "positiveSpans" | "negativeSpans") =>
    a[side].length === b[side].length &&
    a[side].every((span, i) => span.offset === b[side][i]!.offset && span.length === b[side][i]!.length);
  const sameCounts = (x: Float64Array, y: Float64Array) =>
    x.length === y.length && x.every((count, i) => almostEqual(count, y[i]!));
  return (
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    a.customValues.length === b.customValues.length &&
    a.customValues.every((bound, i) => bound === b.customValues[i]) &&
    sameSpans("positiveSpans") &&
    sameSpans("negativeSpans") &&
    almostEqual(a.count, b.count) &&
    almostEqual(a.sum, b.sum) &&
    almostEqual(a.zeroCount, b.zeroCount) &&
    sameCounts(a.positiveBuckets, b.positiveBuckets) &&
    sameCounts(a.negativeBuckets, b.negativeBuckets) &&
    (!compareHint || a.counterResetHint === b.counterResetHint)
  );
}
