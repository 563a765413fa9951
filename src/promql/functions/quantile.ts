/**
 * The q-quantile of `values[0 … count)` with linear interpolation; sorts them in place. NaN sorts first, as Prometheus
 * has it. Without values, or for q NaN: NaN; below 0: −Inf; above 1: +Inf.
 */
export function quantile(q: number, values: Float64Array, count: number): number {
  if (count === 0 || Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const sorted = values.subarray(0, count).sort();
  // The typed array's own order puts NaN last.
  let nans = 0;
  while (nans < count && Number.isNaN(sorted[count - 1 - nans]!)) nans++;
  const at = (i: number) => (i < nans ? NaN : sorted[i - nans]!);
  const rank = q * (count - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(count - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return at(lower) * (1 - weight) + at(upper) * weight;
}

/** The warning for a quantile that is none, or null. */
export function invalidQuantile(q: number): boolean {
  return !(q >= 0 && q <= 1);
}
