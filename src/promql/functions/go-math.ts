/**
 * The mathematics of Go where its last digit differs from V8's: logarithms and powers, written from their definitions
 * (the reduction to mantissa and exponent is what decides the last digit).
 */

const scratch = new DataView(new ArrayBuffer(8));

/** x = mantissa · 2^exponent with 0.5 ≤ |mantissa| < 1; zero and what is not finite stay with exponent 0. */
export function frexp(x: number): { mantissa: number; exponent: number } {
  if (x === 0 || !Number.isFinite(x)) return { mantissa: x, exponent: 0 };
  let exponent = 0;
  if (Math.abs(x) < 2 ** -1022) {
    x *= 2 ** 52;
    exponent = -52;
  }
  scratch.setFloat64(0, x);
  const high = scratch.getUint32(0);
  exponent += ((high >>> 20) & 0x7ff) - 1022;
  scratch.setUint32(0, (high & ~0x7ff00000) | (1022 << 20));
  return { mantissa: scratch.getFloat64(0), exponent };
}

/** mantissa · 2^exponent, rounded once. */
export function ldexp(mantissa: number, exponent: number): number {
  if (mantissa === 0 || !Number.isFinite(mantissa)) return mantissa;
  const parts = frexp(mantissa);
  exponent += parts.exponent;
  if (exponent < -1075) return mantissa < 0 ? -0 : 0;
  if (exponent > 1024) return mantissa < 0 ? -Infinity : Infinity;
  // Two steps, so that a subnormal result is rounded only by the last.
  if (exponent < -1021) return parts.mantissa * 2 ** (exponent + 60) * 2 ** -60;
  return parts.mantissa * 2 * 2 ** (exponent - 1);
}

export function log2(x: number): number {
  const { mantissa, exponent } = frexp(x);
  if (mantissa === 0.5) return exponent - 1;
  return Math.log(mantissa) * (1 / Math.LN2) + exponent;
}

export function log10(x: number): number {
  return Math.log(x) * 0.4342944819032518;
}

export function pow(x: number, y: number): number {
  if (y === 0 || x === 1) return 1;
  if (y === 1) return x;
  if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
  if (x === 0 || !Number.isFinite(x) || !Number.isFinite(y)) {
    // C's special cases, which are JavaScript's but for |x| = 1 with an infinite y.
    if (x === -1 && !Number.isFinite(y)) return 1;
    return x ** y;
  }
  if (y === 0.5) return Math.sqrt(x);
  if (y === -0.5) return 1 / Math.sqrt(x);
  let whole = Math.trunc(Math.abs(y));
  let fraction = Math.abs(y) - whole;
  if (fraction !== 0 && x < 0) return NaN;
  if (whole >= 2 ** 63) {
    if (x === -1) return 1;
    return Math.abs(x) < 1 === y > 0 ? 0 : Infinity;
  }
  let result = 1;
  let exponent = 0;
  if (fraction !== 0) {
    if (fraction > 0.5) {
      fraction--;
      whole++;
    }
    result = Math.exp(fraction * Math.log(x));
  }
  // x^whole by binary squaring, the exponent kept apart so that nothing overflows on the way.
  let { mantissa, exponent: xExponent } = frexp(x);
  for (let i = whole; i !== 0; i = Math.floor(i / 2)) {
    if (xExponent < -(2 ** 12) || xExponent > 2 ** 12) {
      exponent += xExponent;
      break;
    }
    if (i % 2 === 1) {
      result *= mantissa;
      exponent += xExponent;
    }
    mantissa *= mantissa;
    xExponent *= 2;
    if (mantissa < 0.5) {
      mantissa += mantissa;
      xExponent--;
    }
  }
  if (y < 0) {
    result = 1 / result;
    exponent = -exponent;
  }
  return ldexp(result, exponent);
}
