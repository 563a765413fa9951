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

/** Writes whole numbers below 2^53. @returns where they end */
// prettier-ignore
function putWhole(value: u64, out: usize): usize {
  let count: usize = 1;
  for (let power: u64 = 10; power <= value; power *= 10) count++;
  let at = out + count;
  while (value > 0xffffffff) {
    const next = value / 10;
    store<u8>(--at, <u8>(48 + value - next * 10));
    value = next;
  }
  let small = <u32>value;
  while (at > out) {
    const next = small / 10;
    store<u8>(--at, <u8>(48 + small - next * 10));
    small = next;
  }
  return out + count;
}

/** Writes any number as the API does, up to 32 bytes, and may scribble on 64 more. @returns where it ends */
// prettier-ignore
function putValue(value: f64, powers: usize, out: usize): usize {
  const size = Math.abs(value);
  if (size < 1e15) {
    if (Math.floor(size) == size) {
      if (<i64>reinterpret<u64>(value) < 0) store<u8>(out++, 45);
      return putWhole(<u64>size, out);
    }
    if (size < 1e10 && size >= 1e-4) {
      // Up to four decimals: only if they are all there is does dividing give the very same number.
      const scaled = Math.floor(size * 1e4 + 0.5);
      if (scaled / 1e4 == size) {
        if (value < 0) store<u8>(out++, 45);
        const whole = <u64>scaled / 10000;
        let rest = <u32>(<u64>scaled - whole * 10000);
        out = putWhole(whole, out);
        let places: usize = 4;
        while (rest % 10 == 0) {
          rest /= 10;
          places--;
        }
        store<u8>(out, 46);
        for (let i = places; i > 0; i--) {
          store<u8>(out + i, <u8>(48 + (rest % 10)));
          rest /= 10;
        }
        return out + places + 1;
      }
    }
  }
  if (value != value) {
    store<u32>(out, 0x4e614e);
    return out + 3;
  }
  if (size == Infinity) {
    store<u32>(out, value > 0 ? 0x666e492b : 0x666e492d);
    return out + 4;
  }
  return out + printFloat(value, powers, out);
}

/**
 * Writes `count` points. Text k, at most 32 bytes that end before `ends[k]`, stands before the value of point k − from,
 * `"]` behind it; the comma that texts begin with is left out of the first. @returns how many bytes
 */
// prettier-ignore
export function printPoints(texts: usize, ends: usize, from: i32, count: i32, values: usize, powers: usize, isFirst: i32, out: usize): i32 {
  const begin = out;
  let start = from > 0 ? <usize>load<u32>(ends + (<usize>(from - 1) << 2)) : 0;
  for (let i = 0; i < count; i++) {
    const end = <usize>load<u32>(ends + (<usize>(from + i) << 2));
    const skipped: usize = isFirst && i == 0 ? 1 : 0;
    const text = texts + start + skipped;
    v128.store(out, v128.load(text));
    v128.store(out, v128.load(text, 16), 16);
    out += end - start - skipped;
    start = end;
    out = putValue(load<f64>(values + (<usize>i << 3)), powers, out);
    store<u16>(out, 0x5d22);
    out += 2;
  }
  return <i32>(out - begin);
}
