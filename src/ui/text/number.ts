const LARGE_SUFFIXES = ["", "k", "M", "G", "T", "P", "E"];

/** A number for an axis or a tile: at most `digits` significant digits and a suffix from k to E. */
export function formatCompact(value: number, digits = 4): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || size === 0) return String(value);
  if (size < 1e-4 || size >= 1e21) return value.toExponential(2).replace(/\.?0+e/, "e");
  let exponent = 0;
  let scaled = value;
  while (Math.abs(scaled) >= 1000 && exponent < LARGE_SUFFIXES.length - 1) {
    scaled /= 1000;
    exponent++;
  }
  return `${Number(scaled.toPrecision(digits))}${LARGE_SUFFIXES[exponent]}`;
}

/** A whole number with thin groups of thousands, for tables: `12 345 678`. */
export function formatCount(value: number): string {
  return value.toLocaleString("en-US").replaceAll(",", "\u202f");
}

const BYTE_SUFFIXES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function formatBytes(bytes: number): string {
  let exponent = 0;
  let scaled = bytes;
  while (Math.abs(scaled) >= 1024 && exponent < BYTE_SUFFIXES.length - 1) {
    scaled /= 1024;
    exponent++;
  }
  return `${Number(scaled.toPrecision(3))} ${BYTE_SUFFIXES[exponent]}`;
}
