/** A classic histogram at one step: the first `size` entries are ascending upper bounds and cumulative counts. */
export class ClassicBuckets {
  readonly bounds: Float64Array;
  readonly counts: Float64Array;
  size = 0;

  constructor(capacity: number) {
    this.bounds = new Float64Array(capacity);
    this.counts = new Float64Array(capacity);
  }

  add(bound: number, count: number): void {
    this.bounds[this.size] = bound;
    this.counts[this.size++] = count;
  }
}

/** How counts had to be raised so that none is below the one before. */
export interface MonotonicityFix {
  readonly lowestBound: number;
  readonly highestBound: number;
  readonly largestDifference: number;
}

/** Counts this close, relative to their size, differ by rounding alone. */
const ROUNDING = 1e-12;
const SMALLEST_NORMAL = 2 ** -1022;

/** Whether there is an infinite bucket, without which nothing can be said; equal bounds are merged on the way. */
export function mergeEqualBounds(buckets: ClassicBuckets): boolean {
  const { bounds, counts, size } = buckets;
  if (size === 0 || bounds[size - 1] !== Infinity) return false;
  let last = 0;
  for (let i = 1; i < size; i++) {
    if (bounds[i] === bounds[last]) counts[last]! += counts[i]!;
    else {
      last++;
      bounds[last] = bounds[i]!;
      counts[last] = counts[i]!;
    }
  }
  buckets.size = last + 1;
  return true;
}

/** Raises counts that are below the one before; differences that rounding explains are mended without a word. */
export function ensureMonotonic({ bounds, counts, size }: ClassicBuckets): MonotonicityFix | null {
  let lowestBound = Infinity;
  let highestBound = -Infinity;
  let largestDifference = 0;
  let previous = counts[0]!;
  for (let i = 1; i < size; i++) {
    const count = counts[i]!;
    // Nearly always a bucket holds a good deal more than the one before.
    if (previous >= 0 && count < Infinity && count - previous > 4 * ROUNDING * count) previous = count;
    else if (count === previous) continue;
    else if (isRounding(previous, count)) counts[i] = previous;
    else if (count < previous) {
      lowestBound = Math.min(lowestBound, bounds[i]!);
      highestBound = Math.max(highestBound, bounds[i]!);
      largestDifference = Math.max(largestDifference, previous - count);
      counts[i] = previous;
    } else previous = count;
  }
  return lowestBound <= highestBound ? { lowestBound, highestBound, largestDifference } : null;
}

function isRounding(a: number, b: number): boolean {
  const difference = Math.abs(a - b);
  const magnitude = Math.abs(a) + Math.abs(b);
  if (a === 0 || b === 0 || magnitude < SMALLEST_NORMAL) return difference < ROUNDING * SMALLEST_NORMAL;
  return difference / Math.min(magnitude, Number.MAX_VALUE) < ROUNDING;
}

/** The quantile of monotonic buckets with an infinite last bound; `q` from 0 to 1. */
export function classicQuantile(q: number, { bounds, counts, size }: ClassicBuckets): number {
  const last = size - 1;
  const total = counts[last]!;
  if (last < 1 || total === 0) return NaN;
  let rank = q * total;
  let bucket = 0;
  while (bucket < last && !(counts[bucket]! >= rank)) bucket++;
  if (bucket === last) return bounds[last - 1]!;
  const upper = bounds[bucket]!;
  if (bucket === 0 && upper <= 0) return upper;
  let lower = 0;
  let count = counts[bucket]!;
  if (bucket > 0) {
    lower = bounds[bucket - 1]!;
    count -= counts[bucket - 1]!;
    rank -= counts[bucket - 1]!;
  }
  return lower + (upper - lower) * (rank / count);
}

/** Which part of the observations lies between two values; the last bound is infinite. */
export function classicFraction(low: number, high: number, { bounds, counts, size }: ClassicBuckets): number {
  const total = counts[size - 1]!;
  if (total === 0 || Number.isNaN(low) || Number.isNaN(high)) return NaN;
  if (low >= high) return 0;
  let rank = 0;
  let lowRank: number | null = null;
  let highRank: number | null = null;
  let lower = bounds[0]! > 0 ? 0 : -Infinity;
  for (let i = 0; i < size && (lowRank === null || highRank === null); i++) {
    const upper = bounds[i]!;
    const count = counts[i]!;
    const rankAt = (x: number): number | null => {
      if (lower >= x) return rank;
      if (!(upper > x)) return null;
      return lower === -Infinity ? count : rank + ((count - rank) * (x - lower)) / (upper - lower);
    };
    lowRank ??= rankAt(low);
    highRank ??= rankAt(high);
    rank = count;
    lower = upper;
  }
  const within = (value: number | null) => (value === null || value > total ? total : value);
  return (within(highRank) - within(lowRank)) / total;
}
