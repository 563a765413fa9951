// The shortest digits that read back as the same double, and of those the nearest: Schubfach, after R. Giulietti.
//
// `powers` holds, for each k from −292 to 324, 10^k as a fraction of 128 bits, rounded up: high word, low word.

const LEAST_POWER: i32 = -292;

/** The high 64 bits of a product of two 64-bit numbers. */
// prettier-ignore
@inline
function highProduct(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff, a1 = a >>> 32, b0 = b & 0xffffffff, b1 = b >>> 32;
  const low = a0 * b0;
  const middle = a1 * b0 + (low >>> 32);
  const other = a0 * b1 + (middle & 0xffffffff);
  return a1 * b1 + (middle >>> 32) + (other >>> 32);
}

/** The product's high bits, its last one set if anything was cut off. */
// prettier-ignore
@inline
function roundToOdd(high: u64, low: u64, factor: u64): u64 {
  const carried = highProduct(low, factor);
  const rest = high * factor + carried;
  const top = highProduct(high, factor) + u64(rest < carried);
  return top | u64(rest > 1);
}

/** Writes `digits`, which is not 0, ending before `end`. @returns where they begin */
function putDigits(digits: u64, end: usize): usize {
  while (digits > 0xffffffff) {
    const next = digits / 100000000;
    let part = <u32>(digits - next * 100000000);
    for (let i = 0; i < 8; i++) {
      const rest = part / 10;
      store<u8>(--end, <u8>(48 + part - rest * 10));
      part = rest;
    }
    digits = next;
  }
  let small = <u32>digits;
  while (small != 0) {
    const rest = small / 10;
    store<u8>(--end, <u8>(48 + small - rest * 10));
    small = rest;
  }
  return end;
}

/** Writes a finite number that is not 0 as JavaScript does, but for exponents: those have two digits at least. */
export function printFloat(value: f64, powers: usize, out: usize): i32 {
  const bits = reinterpret<u64>(value);
  const fraction = bits & 0x000fffffffffffff;
  const biased = <i32>((bits >>> 52) & 0x7ff);
  const first = out;
  if (<i64>bits < 0) store<u8>(out++, 45);

  const c = biased != 0 ? fraction | 0x0010000000000000 : fraction;
  const q = (biased != 0 ? biased : 1) - 1075;
  const even = u64(c & 1);
  // Below a power of two the next number is half as far away as above it.
  const closer = fraction == 0 && biased > 1;
  let k = (q * 1262611 - (closer ? 524031 : 0)) >> 22;
  const h = q + ((-k * 1741647) >> 19) + 1;
  const power = powers + (<usize>(-k - LEAST_POWER) << 4);
  const high = load<u64>(power), low = load<u64>(power, 8);
  const lower = roundToOdd(high, low, ((c << 2) - 2 + u64(closer)) << h) + even;
  const middle = roundToOdd(high, low, (c << 2) << h);
  const upper = roundToOdd(high, low, ((c << 2) + 2) << h) - even;
  let digits = middle >>> 2;
  let found = false;
  if (digits >= 10) {
    const shorter = digits / 10;
    const isLow = lower <= 40 * shorter;
    const isHigh = 40 * shorter + 40 <= upper;
    if (isLow != isHigh) {
      digits = shorter + u64(isHigh);
      k++;
      found = true;
    }
  }
  if (!found) {
    const isLow = lower <= 4 * digits;
    const isHigh = 4 * digits + 4 <= upper;
    if (isLow != isHigh) digits += u64(isHigh);
    else {
      const half = 4 * digits + 2;
      digits += u64(middle > half || (middle == half && (digits & 1) != 0));
    }
  }
  for (let next = digits / 10; next * 10 == digits; next = digits / 10) {
    digits = next;
    k++;
  }

  // The digits are put where there is room in any case, then moved to their place.
  const end = first + 64;
  const begin = putDigits(digits, end);
  const count = <i32>(end - begin);
  const point = count + k;
  if (point > 0 && point <= 21) {
    const whole = min(count, point);
    memory.copy(out, begin, whole);
    out += whole;
    if (point > count) {
      memory.fill(out, 48, point - count);
      out += point - count;
    } else if (count > point) {
      store<u8>(out++, 46);
      memory.copy(out, begin + whole, count - whole);
      out += count - whole;
    }
  } else if (point > -6 && point <= 0) {
    store<u8>(out++, 48);
    store<u8>(out++, 46);
    memory.fill(out, 48, -point);
    out += -point;
    memory.copy(out, begin, count);
    out += count;
  } else {
    store<u8>(out++, load<u8>(begin));
    if (count > 1) {
      store<u8>(out++, 46);
      memory.copy(out, begin + 1, count - 1);
      out += count - 1;
    }
    store<u8>(out++, 101);
    let exponent = point - 1;
    store<u8>(out++, exponent < 0 ? 45 : 43);
    exponent = abs(exponent);
    if (exponent >= 100) {
      store<u8>(out++, <u8>(48 + exponent / 100));
      exponent %= 100;
    }
    store<u8>(out++, <u8>(48 + exponent / 10));
    store<u8>(out++, <u8>(48 + (exponent % 10)));
  }
  return <i32>(out - first);
}
