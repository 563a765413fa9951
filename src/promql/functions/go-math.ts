/**
 * The mathematics of Go where its last digit differs from V8's: the same approximations (Cephes for trigonometry, the
 * classic FreeBSD ones for logarithms), evaluated in the same order. Their constants are the published coefficients.
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

const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;

/** Natural logarithm: reduced to [√½, √2), then an odd polynomial in f / (2 + f). */
export function ln(x: number): number {
  if (Number.isNaN(x) || x < 0) return NaN;
  if (x === 0) return -Infinity;
  if (x === Infinity) return x;
  let { mantissa, exponent } = frexp(x);
  if (mantissa < Math.SQRT1_2) {
    mantissa *= 2;
    exponent--;
  }
  const f = mantissa - 1;
  const s = f / (2 + f);
  const s2 = s * s;
  const s4 = s2 * s2;
  const odd =
    s2 *
    (6.66666666666673513e-1 +
      s4 * (2.857142874366239149e-1 + s4 * (1.818357216161805012e-1 + s4 * 1.479819860511658591e-1)));
  const even = s4 * (3.999999999940941908e-1 + s4 * (2.222219843214978396e-1 + s4 * 1.531383769920937332e-1));
  const rest = odd + even;
  const half = 0.5 * f * f;
  return exponent * LN2_HIGH - (half - (s * (half + rest) + exponent * LN2_LOW) - f);
}

export function log2(x: number): number {
  const { mantissa, exponent } = frexp(x);
  if (mantissa === 0.5) return exponent - 1;
  return ln(mantissa) * (1 / Math.LN2) + exponent;
}

export function log10(x: number): number {
  return ln(x) * 0.4342944819032518;
}

// ── trigonometry ──

/** Beyond this a product with π/4 in three parts no longer reduces exactly. */
const REDUCTION_LIMIT = 2 ** 29;

/** x ≥ 0 as j octants and the rest. j is even, and below 8. */
function octants(x: number): { j: number; z: number } {
  let j = Math.floor(x * (4 / Math.PI));
  if (j % 2 === 1) j++;
  const z =
    x - j * 7.85398125648498535156e-1 - j * 3.77489470793079817668e-8 - j * 2.69515142907905952645e-15;
  return { j: j % 8, z };
}

function sineOf(z: number): number {
  const zz = z * z;
  return (
    z +
    z *
      zz *
      (((((1.5896230157654656806e-10 * zz - 2.50507477628578072866e-8) * zz + 2.75573136213857245213e-6) *
        zz -
        1.98412698295895385996e-4) *
        zz +
        8.33333333332211858878e-3) *
        zz -
        1.66666666666666307295e-1)
  );
}

function cosineOf(z: number): number {
  const zz = z * z;
  return (
    1 -
    0.5 * zz +
    zz *
      zz *
      (((((-1.135853652138768173e-11 * zz + 2.08757008419747316778e-9) * zz - 2.75573141792967388112e-7) *
        zz +
        2.48015872888517045348e-5) *
        zz -
        1.38888888888730564116e-3) *
        zz +
        4.16666666666665929218e-2)
  );
}

export function sin(x: number): number {
  if (x === 0 || !Number.isFinite(x) || Math.abs(x) >= REDUCTION_LIMIT) return Math.sin(x);
  const { j, z } = octants(Math.abs(x));
  const isNegative = x < 0 !== j > 3;
  const octant = j % 4;
  const y = octant === 1 || octant === 2 ? cosineOf(z) : sineOf(z);
  return isNegative ? -y : y;
}

export function cos(x: number): number {
  if (!Number.isFinite(x) || Math.abs(x) >= REDUCTION_LIMIT) return Math.cos(x);
  const { j, z } = octants(Math.abs(x));
  const octant = j % 4;
  const isNegative = j > 3 !== octant > 1;
  const y = octant === 1 || octant === 2 ? sineOf(z) : cosineOf(z);
  return isNegative ? -y : y;
}

export function tan(x: number): number {
  if (x === 0 || !Number.isFinite(x) || Math.abs(x) >= REDUCTION_LIMIT) return Math.tan(x);
  const { j, z } = octants(Math.abs(x));
  const zz = z * z;
  let y = z;
  if (zz > 1e-14) {
    const p = (-1.30936939181383734205e4 * zz + 1.1535166483858741614e6) * zz - 1.79565251976484877988e7;
    const q =
      (((zz + 1.36812963470692954678e4) * zz - 1.32089234440210967447e6) * zz + 2.50083801823357915839e7) *
        zz -
      5.38695755929454629881e7;
    y = z + z * ((zz * p) / q);
  }
  if (j % 4 === 2) y = -1 / y;
  return x < 0 ? -y : y;
}

/** atan on [0, 0.66]. */
function smallAtan(x: number): number {
  const z = x * x;
  const p =
    (((-8.750608600031904122785e-1 * z - 1.615753718733365076637e1) * z - 7.50085579231470466734e1) * z -
      1.22886668449013617341e2) *
      z -
    6.485021904942025371773e1;
  const q =
    ((((z + 2.485846490142306297962e1) * z + 1.650270098316988542046e2) * z + 4.328810604912902668951e2) * z +
      4.853903996359136964868e2) *
      z +
    1.945506571482613964425e2;
  return x * ((z * p) / q) + x;
}

/** What π/2 as a float lacks. */
const HALF_PI_REST = 6.12323399573676588613e-17;

function positiveAtan(x: number): number {
  if (x <= 0.66) return smallAtan(x);
  if (x > 2.4142135623730950488) return Math.PI / 2 - smallAtan(1 / x) + HALF_PI_REST;
  return Math.PI / 4 + smallAtan((x - 1) / (x + 1)) + 0.5 * HALF_PI_REST;
}

export function atan(x: number): number {
  if (x === 0) return x;
  return x > 0 ? positiveAtan(x) : -positiveAtan(-x);
}

export function asin(x: number): number {
  if (x === 0) return x;
  const size = Math.abs(x);
  if (!(size <= 1)) return NaN;
  const other = Math.sqrt(1 - size * size);
  const y = size > 0.7 ? Math.PI / 2 - positiveAtan(other / size) : positiveAtan(size / other);
  return x < 0 ? -y : y;
}

export function acos(x: number): number {
  return Math.PI / 2 - asin(x);
}

export function atan2(y: number, x: number): number {
  if (x === 0 || y === 0 || !Number.isFinite(x) || !Number.isFinite(y)) return Math.atan2(y, x);
  const q = atan(y / x);
  if (x > 0) return q;
  return q <= 0 ? q + Math.PI : q - Math.PI;
}

// ── hyperbolic ──

export function sinh(x: number): number {
  const size = Math.abs(x);
  let y: number;
  if (size > 21) y = exp(size) * 0.5;
  else if (size > 0.5) {
    const e = exp(size);
    y = (e - 1 / e) * 0.5;
  } else {
    const sq = size * size;
    const p =
      ((-0.2630563213397497062819489e2 * sq - 0.2894211355989563807284660366e4) * sq -
        0.8991272022039509355398013511e5) *
        sq -
      0.6307673640497716991184787251e6;
    const q =
      ((sq - 0.173678953558233699533450911e3) * sq + 0.1521517378790019070696485176e5) * sq -
      0.6307673640497716991212077277e6;
    y = (p * size) / q;
  }
  return x < 0 ? -y : x === 0 ? x : y;
}

export function cosh(x: number): number {
  const size = Math.abs(x);
  if (size > 21) return exp(size) * 0.5;
  const e = exp(size);
  return (e + 1 / e) * 0.5;
}

export function tanh(x: number): number {
  const size = Math.abs(x);
  if (x === 0 || Number.isNaN(x)) return x;
  if (size > 0.5 * 8.8029691931113054295988e1) return x < 0 ? -1 : 1;
  if (size >= 0.625) {
    const y = 1 - 2 / (exp(2 * size) + 1);
    return x < 0 ? -y : y;
  }
  const s = x * x;
  const p = (-9.64399179425052238628e-1 * s - 9.92877231001918586564e1) * s - 1.61468768441708447952e3;
  const q = ((s + 1.12811678491632931402e2) * s + 2.23548839060100448583e3) * s + 4.84406305325125486048e3;
  return x + (x * s * p) / q;
}

const LARGE = 2 ** 28;

export function asinh(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const size = Math.abs(x);
  let y = size;
  if (size > LARGE) y = ln(size) + Math.LN2;
  else if (size > 2) y = ln(2 * size + 1 / (Math.sqrt(size * size + 1) + size));
  else if (size >= 1 / LARGE) y = Math.log1p(size + (size * size) / (1 + Math.sqrt(1 + size * size)));
  return x < 0 ? -y : y;
}

export function acosh(x: number): number {
  if (!(x >= 1)) return NaN;
  if (x >= LARGE) return ln(x) + Math.LN2;
  if (x > 2) return ln(2 * x - 1 / (x + Math.sqrt(x * x - 1)));
  const t = x - 1;
  return Math.log1p(t + Math.sqrt(2 * t + t * t));
}

export function atanh(x: number): number {
  const size = Math.abs(x);
  if (!(size <= 1)) return NaN;
  if (size === 1 || size < 1 / LARGE) return size === 1 ? x * Infinity : x;
  const twice = size + size;
  const y =
    size < 0.5 ? 0.5 * Math.log1p(twice + (twice * size) / (1 - size)) : 0.5 * Math.log1p(twice / (1 - size));
  return x < 0 ? -y : y;
}

// ── powers ──

/** a · b + c, rounded once as far as double arithmetic can tell. */
function fma(a: number, b: number, c: number): number {
  const product = a * b;
  const productRest = productError(a, b, product);
  const sum = product + c;
  const back = sum - product;
  const sumRest = product - (sum - back) + (c - back);
  return sum + (sumRest + productRest);
}

/** What rounding took from a · b. */
function productError(a: number, b: number, product: number): number {
  const aHigh = upperHalf(a);
  const bHigh = upperHalf(b);
  const aLow = a - aHigh;
  const bLow = b - bHigh;
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

function upperHalf(x: number): number {
  const scaled = x * 134217729;
  return scaled - (scaled - x);
}

/** Coefficients 1/8! … 1/2!, 1 of the series of e^x − 1 over x. */
const EXP_SERIES = [
  2.4801587301587301587e-5, 1.984126984126984127e-4, 1.3888888888888888889e-3, 8.3333333333333333333e-3,
  4.1666666666666666667e-2, 1.6666666666666666667e-1, 0.5, 1,
];

/**
 * e^x as on amd64 with fused multiply-add: reduced by whole multiples of ln 2, then by 16, a short series, and four
 * squarings of e^r − 1.
 */
export function exp(x: number): number {
  if (Number.isNaN(x) || x === Infinity) return x;
  if (x < -745.1332191019411) return 0;
  if (x > 709.782712893384) return Infinity;
  const n = roundToEven(x * 1.4426950408889634);
  let r = fma(-n, 0.69314718055966295651160180568695068359375, x);
  r = fma(-n, 0.28235290563031577122588448175013436025525412068e-12, r);
  r *= 0.0625;
  let y = EXP_SERIES[0]!;
  for (let i = 1; i < EXP_SERIES.length; i++) y = fma(y, r, EXP_SERIES[i]!);
  y *= r;
  for (let i = 0; i < 3; i++) y *= y + 2;
  return ldexp(fma(y, y + 2, 1), n);
}

/** 2^x: whole part aside, by the rational approximation of e^r. */
export function exp2(x: number): number {
  if (Number.isNaN(x) || x === Infinity) return x;
  if (x > 1023.9999999999999) return Infinity;
  if (x < -1074) return 0;
  const whole = Math.trunc(x > 0 ? x + 0.5 : x - 0.5);
  const t = x - whole;
  const high = t * LN2_HIGH;
  const low = -t * LN2_LOW;
  const r = high - low;
  const rr = r * r;
  const c =
    r -
    rr *
      (1.66666666666666657415e-1 +
        rr *
          (-2.77777777770155933842e-3 +
            rr *
              (6.61375632143793436117e-5 +
                rr * (-1.6533902205465251539e-6 + rr * 4.13813679705723846039e-8))));
  return ldexp(1 - (low - (r * c) / (2 - c) - high), whole);
}

function roundToEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
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
    result = exp(fraction * ln(x));
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
