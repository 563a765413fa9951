/**
 * Samples are columns: times in milliseconds since the epoch as float64, values as float64 *bits*.
 *
 * A NaN that passes through a JavaScript number may lose its payload, and the payload is what tells a staleness
 * marker from an ordinary NaN. So markers are written and compared as two 32-bit words where they lie.
 */

/** The staleness marker is the NaN 0x7ff0000000000002: the series ended here. */
export const STALE_HIGH_WORD = 0x7ff00000;
export const STALE_LOW_WORD = 0x00000002;

/** The NaN that every scraped or computed NaN becomes in storage: 0x7ff8000000000001. */
export const NORMAL_NAN_HIGH_WORD = 0x7ff80000;
export const NORMAL_NAN_LOW_WORD = 0x00000001;

/** Whether the value at `index` is a staleness marker. `valueWords` is the value column as little-endian words. */
export function isStaleMarker(valueWords: Uint32Array, index: number): boolean {
  return valueWords[2 * index] === STALE_LOW_WORD && valueWords[2 * index + 1] === STALE_HIGH_WORD;
}

/** Writes a staleness marker at `index` of the value column seen as little-endian words. */
export function setStaleMarker(valueWords: Uint32Array, index: number): void {
  valueWords[2 * index] = STALE_LOW_WORD;
  valueWords[2 * index + 1] = STALE_HIGH_WORD;
}

/** Writes the ordinary NaN at `index` of the value column seen as little-endian words. */
export function setNormalNaN(valueWords: Uint32Array, index: number): void {
  valueWords[2 * index] = NORMAL_NAN_LOW_WORD;
  valueWords[2 * index + 1] = NORMAL_NAN_HIGH_WORD;
}
