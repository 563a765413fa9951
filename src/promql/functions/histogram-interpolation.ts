import { exp2, log2 } from "./go-math.ts";

/**
 * Which part of a bucket's observations lies below `x`, a value inside the bucket. Custom buckets and those around
 * zero are taken as evenly filled, the others as evenly filled on a logarithmic scale.
 */
export function fractionBelow(x: number, lower: number, upper: number, isLinear: boolean): number {
  if (isLinear) return (x - lower) / (upper - lower);
  if (x > 0) {
    const logLower = log2(lower);
    return (log2(x) - logLower) / (log2(upper) - logLower);
  }
  const logLower = log2(-lower);
  const logUpper = log2(-upper);
  return 1 - (log2(-x) - logUpper) / (logLower - logUpper);
}

/** The value below which this part of a bucket's observations lies. */
export function valueAtFraction(fraction: number, lower: number, upper: number, isLinear: boolean): number {
  if (isLinear) return lower + (upper - lower) * fraction;
  if (lower > 0) {
    const logLower = log2(lower);
    return exp2(logLower + (log2(upper) - logLower) * fraction);
  }
  const logLower = log2(-lower);
  const logUpper = log2(-upper);
  return -exp2(logUpper + (logLower - logUpper) * (1 - fraction));
}
