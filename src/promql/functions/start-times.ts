/**
 * Start timestamps: when the counter behind a sample began, 0 where unknown. They reveal resets that values hide.
 */

/** Whether the counter began anew between two samples. */
export function startsAnew(
  startMs: number,
  timeMs: number,
  previousStartMs: number,
  previousTimeMs: number,
): boolean {
  if (startMs === 0 || startMs >= timeMs || startMs < previousTimeMs) return false;
  if (startMs > previousTimeMs) return true;
  return previousStartMs <= previousTimeMs && previousStartMs !== 0 && previousStartMs !== previousTimeMs;
}

/** Whether a sample claims to have begun before the one before it was taken, and not because they share a beginning. */
export function overlaps(startMs: number, previousStartMs: number, previousTimeMs: number): boolean {
  return startMs !== 0 && startMs < previousTimeMs && startMs !== previousStartMs;
}
