// The window kernels: range functions over one series' columns, instant look-up, and the accumulators of aggregations.
//
// Columns are float64 or, for window bounds, int32; `kinds` is a byte a step: 0 absent, 1 a float. A window k holds the
// samples lo[k] ≤ i < hi[k]. Where Prometheus sums with compensation (Neumaier), so does this, in the same order, unless
// every value is a whole number and the sum stays below 2^53: then any order gives the same digits.

@inline function at(p: usize, i: i32): f64 { return load<f64>(p + (<usize>i << 3)); }
@inline function put(p: usize, i: i32, v: f64): void { store<f64>(p + (<usize>i << 3), v); }
@inline function int(p: usize, i: i32): i32 { return load<i32>(p + (<usize>i << 2)); }
@inline function putInt(p: usize, i: i32, v: i32): void { store<i32>(p + (<usize>i << 2), v); }
@inline function kind(p: usize, i: i32): u32 { return load<u8>(p + <usize>i); }
@inline function putKind(p: usize, i: i32, v: u32): void { store<u8>(p + <usize>i, <u8>v); }

const MAX_FLOAT: f64 = f64.MAX_VALUE;
const EXACT: f64 = 9007199254740992.0;
const STALE: u64 = 0x7ff0000000000002;

// ── windows ──

/**
 * The first index from `from` on whose time is greater than `time`, `n` if there is none. Steps as far as the last time
 * (`stride`) first: samples mostly come evenly, and then two looks are enough.
 */
@inline
function firstAfter(times: usize, n: i32, from: i32, stride: i32, time: f64): i32 {
  let low = from;
  let reach = stride;
  let high = low + reach;
  // Gallops until what is looked for lies in [low, high].
  while (high < n && at(times, high) <= time) {
    low = high + 1;
    reach = (reach << 1) | 1;
    high = low + reach;
  }
  if (high > n) high = n;
  // One less than where it was the last time is the commonest of all.
  if (high > low && at(times, high - 1) <= time) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(times, middle) <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Bounds of the left-open windows (end − range, end], end = first + k·step. Gives how many samples all windows hold. */
export function windowBounds(times: usize, n: i32, first: f64, step: f64, count: i32, range: f64, lo: usize, hi: usize): f64 {
  let l = 0, h = 0, strideL = 0, strideH = 0;
  let total: f64 = 0;
  for (let k = 0; k < count; k++) {
    const end = first + <f64>k * step;
    const nextH = firstAfter(times, n, h, strideH, end);
    const nextL = firstAfter(times, nextH, l, strideL, end - range);
    strideH = nextH - h;
    strideL = nextL - l;
    h = nextH;
    l = nextL;
    putInt(lo, k, l);
    putInt(hi, k, h);
    total += <f64>(h - l);
  }
  return total;
}

/** For each step the newest sample in (end − lookback, end], or −1. */
export function newestWithin(times: usize, n: i32, first: f64, step: f64, count: i32, lookback: f64, index: usize): void {
  let h = 0, stride = 0;
  for (let k = 0; k < count; k++) {
    const end = first + <f64>k * step;
    const next = firstAfter(times, n, h, stride, end);
    stride = next - h;
    h = next;
    putInt(index, k, h > 0 && at(times, h - 1) > end - lookback ? h - 1 : -1);
  }
}

/** Picks `values[index[k]]` for each step, but for −1 and staleness markers. Gives how many steps hold a value. */
export function gather(values: usize, index: usize, count: i32, out: usize, kinds: usize): i32 {
  let hits = 0;
  for (let k = 0; k < count; k++) {
    const i = int(index, k);
    if (i < 0) {
      putKind(kinds, k, 0);
      continue;
    }
    const bits = load<u64>(values + (<usize>i << 3));
    if (bits == STALE) {
      putKind(kinds, k, 0);
      continue;
    }
    store<u64>(out + (<usize>k << 3), bits);
    putKind(kinds, k, 1);
    hits++;
  }
  return hits;
}

export function sameColumn(a: usize, b: usize, n: i32): i32 {
  const pairs = n & ~1;
  for (let i = 0; i < pairs; i += 2) {
    const o = <usize>i << 3;
    if (v128.any_true(v128.xor(v128.load(a + o), v128.load(b + o)))) return 0;
  }
  if (pairs < n && load<u64>(a + (<usize>pairs << 3)) != load<u64>(b + (<usize>pairs << 3))) return 0;
  return 1;
}

/** 1 if times do not ascend, plus 2 if a staleness marker is among the values. */
export function inspectColumns(times: usize, values: usize, n: i32): i32 {
  const marker = i64x2.splat(<i64>STALE);
  let stale = i64x2.splat(0);
  let ascending = i64x2.splat(-1);
  let i = 0;
  for (; i + 2 <= n; i += 2) {
    const o = <usize>i << 3;
    stale = v128.or(stale, i64x2.eq(v128.load(values + o), marker));
    if (i > 0) ascending = v128.and(ascending, f64x2.gt(v128.load(times + o), v128.load(times + o - 8)));
  }
  let flags = v128.any_true(stale) ? 2 : 0;
  if (!i64x2.all_true(ascending)) flags |= 1;
  if (n > 1 && !(at(times, 1) > at(times, 0))) flags |= 1;
  if (i < n) {
    if (load<u64>(values + (<usize>i << 3)) == STALE) flags |= 2;
    if (i > 0 && !(at(times, i) > at(times, i - 1))) flags |= 1;
  }
  return flags;
}

/** Takes staleness markers out of a pair of columns, in place. Gives how many samples remain. */
export function dropStale(times: usize, values: usize, n: i32): i32 {
  const marker = i64x2.splat(<i64>STALE);
  let i = 0;
  // Most columns hold none: look at four at a time until the first.
  for (; i + 4 <= n; i += 4) {
    const o = values + (<usize>i << 3);
    if (v128.any_true(v128.or(i64x2.eq(v128.load(o), marker), i64x2.eq(v128.load(o, 16), marker)))) break;
  }
  let kept = i;
  for (; i < n; i++) {
    const bits = load<u64>(values + (<usize>i << 3));
    if (bits == STALE) continue;
    if (kept != i) {
      put(times, kept, at(times, i));
      store<u64>(values + (<usize>kept << 3), bits);
    }
    kept++;
  }
  return kept;
}

// ── rate, increase, delta ──

/**
 * What the extrapolation of each window takes from the timestamps alone. `rangeSeconds` 0 leaves out the division.
 *
 *   factors: count × f64 │ reaches: count × f64 │ count × (sampled interval, way to the start, way to the end)
 *
 * The factor extends a change to the whole window. A reach is the way to the window's start over the sampled interval: by
 * it the common case is told, with what lies behind it at hand for the other.
 */
export function extrapolation(times: usize, lo: usize, hi: usize, first: f64, step: f64, count: i32, range: f64, rangeSeconds: f64, table: usize): void {
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h - l < 2) continue;
    const end = first + <f64>k * step;
    const start = end - range;
    const tFirst = at(times, l), tLast = at(times, h - 1);
    const sampled = (tLast - tFirst) / 1000;
    const average = sampled / <f64>(h - l - 1);
    const threshold = average * 1.1;
    let toStart = (tFirst - start) / 1000;
    let toEnd = (end - tLast) / 1000;
    if (toStart >= threshold) toStart = average / 2;
    if (toEnd >= threshold) toEnd = average / 2;
    let factor = sampled != 0 ? (sampled + toStart + toEnd) / sampled : 1;
    if (rangeSeconds > 0) factor /= rangeSeconds;
    put(table, k, factor);
    put(table, count + k, toStart / sampled);
    const row = table + (<usize>count << 4) + <usize>k * 24;
    store<f64>(row, sampled);
    store<f64>(row, toStart, 8);
    store<f64>(row, toEnd, 16);
  }
}

/** Writes the indices i, first < i < n, with v[i] < v[i−1] to `drops`; gives how many. */
function findDrops(values: usize, first: i32, n: i32, drops: usize): i32 {
  let found = 0;
  if (n <= first) return 0;
  // Most stretches have none: look at four pairs at a time until the first.
  let i = first + 1;
  for (; i + 4 <= n; i += 4) {
    const o = values + (<usize>i << 3);
    const a = f64x2.lt(v128.load(o), v128.load(o - 8));
    const b = f64x2.lt(v128.load(o, 16), v128.load(o - 8, 16));
    if (v128.any_true(v128.or(a, b))) break;
  }
  let previous = at(values, i - 1);
  for (; i < n; i++) {
    const v = at(values, i);
    if (v < previous) putInt(drops, found++, i);
    previous = v;
  }
  return found;
}

/** rate and increase. `drops` is room for n int32. Gives how many steps hold a value. */
export function counterIncrease(values: usize, lo: usize, hi: usize, count: i32, table: usize, drops: usize, rangeSeconds: f64, out: usize, kinds: usize): i32 {
  const dropCount = findDrops(values, int(lo, 0), int(hi, count - 1), drops);
  let from = 0, to = 0, hits = 0;
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h - l < 2) {
      putKind(kinds, k, 0);
      continue;
    }
    const initial = at(values, l);
    let v = at(values, h - 1) - initial;
    if (dropCount > 0) {
      while (from < dropCount && int(drops, from) <= l) from++;
      if (to < from) to = from;
      while (to < dropCount && int(drops, to) < h) to++;
      for (let d = from; d < to; d++) v += at(values, int(drops, d) - 1);
    }
    let factor = at(table, k);
    // A counter cannot have been below zero: the window is not extended past the point where it would be. The reach
    // decides without dividing; what is near, or too small to tell, goes the exact way.
    if (v > 0 && initial >= 0 && !(initial > at(table, count + k) * v * 1.000001 && initial > 1e-290)) {
      const row = table + (<usize>count << 4) + <usize>k * 24;
      const sampled = load<f64>(row);
      const toZero = sampled * (initial / v);
      if (toZero < load<f64>(row, 8)) {
        factor = sampled != 0 ? (sampled + toZero + load<f64>(row, 16)) / sampled : 1;
        if (rangeSeconds > 0) factor /= rangeSeconds;
      }
    }
    put(out, k, v * factor);
    putKind(kinds, k, 1);
    hits++;
  }
  return hits;
}

export function gaugeDelta(values: usize, lo: usize, hi: usize, count: i32, table: usize, out: usize, kinds: usize): i32 {
  let hits = 0;
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h - l < 2) {
      putKind(kinds, k, 0);
      continue;
    }
    put(out, k, (at(values, h - 1) - at(values, l)) * at(table, k));
    putKind(kinds, k, 1);
    hits++;
  }
  return hits;
}

/** irate (`perSecond` 1) and idelta (0): the last two samples of each window. */
export function lastTwo(times: usize, values: usize, lo: usize, hi: usize, count: i32, perSecond: i32, out: usize, kinds: usize): i32 {
  let hits = 0;
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h - l < 2 || at(times, h - 1) == at(times, h - 2)) {
      putKind(kinds, k, 0);
      continue;
    }
    const last = at(values, h - 1), previous = at(values, h - 2);
    let v: f64;
    if (perSecond) {
      v = last < previous ? last : last - previous;
      v /= (at(times, h - 1) - at(times, h - 2)) / 1000;
    } else {
      v = last - previous;
    }
    put(out, k, v);
    putKind(kinds, k, 1);
    hits++;
  }
  return hits;
}

/** resets (`changes` 0) or changes (1): events between neighbours, counted once and subtracted. `prefix`: n int32. */
export function countEvents(values: usize, lo: usize, hi: usize, count: i32, changes: i32, prefix: usize, out: usize, kinds: usize): i32 {
  let events = 0;
  const first = int(lo, 0), n = int(hi, count - 1);
  for (let i = first; i < n; i++) {
    if (i > first) {
      const v = at(values, i), p = at(values, i - 1);
      if (changes) {
        if (v != p && !(v != v && p != p)) events++;
      } else if (v < p) events++;
    }
    putInt(prefix, i, events);
  }
  let hits = 0;
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h <= l) {
      putKind(kinds, k, 0);
      continue;
    }
    put(out, k, <f64>(int(prefix, h - 1) - int(prefix, l)));
    putKind(kinds, k, 1);
    hits++;
  }
  return hits;
}

// ── … over time ──

/** Running sums, prefix[first] = 0, of values before n, if all are whole and the sum of their sizes stays exact; else gives 0. */
function wholeSums(values: usize, first: i32, n: i32, prefix: usize): i32 {
  let sum: f64 = 0, size: f64 = 0;
  put(prefix, first, 0);
  for (let i = first; i < n; i++) {
    const v = at(values, i);
    if (!(Math.floor(v) == v)) return 0;
    sum += v;
    size += Math.abs(v);
    put(prefix, i + 1, sum);
  }
  return size < EXACT ? 1 : 0;
}

/** sum (`mean` 0) or avg (1) over time. `prefix` is room for n + 1 float64. */
export function sumOverTime(values: usize, lo: usize, hi: usize, count: i32, mean: i32, prefix: usize, out: usize, kinds: usize): i32 {
  let hits = 0;
  const whole = wholeSums(values, int(lo, 0), int(hi, count - 1), prefix);
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h <= l) {
      putKind(kinds, k, 0);
      continue;
    }
    // Four windows at a time where they are long enough to be worth it.
    if (!whole && k + 4 <= count && h - l >= 8 && sumFour(values, lo, hi, k, mean, out)) {
      store<u32>(kinds + <usize>k, 0x01010101);
      hits += 4;
      k += 3;
      continue;
    }
    let v: f64;
    if (whole) {
      v = at(prefix, h) - at(prefix, l);
      if (mean) v /= <f64>(h - l);
    } else {
      v = mean ? meanOf(values, l, h) : sumOf(values, l, h);
    }
    put(out, k, v);
    putKind(kinds, k, 1);
    hits++;
  }
  return hits;
}

@inline function pair(a: usize, b: usize): v128 { return v128.load_lane<f64>(b, v128.load_splat<f64>(a), 1); }

/** One compensation step: what the sum t = s + x lost. */
@inline function lost(s: v128, x: v128, t: v128): v128 {
  const sIsLarger = f64x2.ge(f64x2.abs(s), f64x2.abs(x));
  const larger = v128.bitselect(s, x, sIsLarger);
  const smaller = v128.bitselect(x, s, sIsLarger);
  return f64x2.add(f64x2.sub(larger, t), smaller);
}

/**
 * The same in fewer steps, where t = s + x stays in the range of floats (Knuth's two-sum): what is lost is a float, and
 * both find it exactly. At the very end of the range it may give NaN or infinity instead, which whoever uses it looks for.
 */
@inline function rest(s: v128, x: v128, t: v128): v128 {
  const y = f64x2.sub(t, s);
  return f64x2.add(f64x2.sub(s, f64x2.sub(t, y)), f64x2.sub(x, y));
}

/**
 * Sums or averages windows k … k + 3, each in its own order, the four chains side by side. Gives 0, and nothing
 * written, where one is short or its sum leaves the range of floats: those go one by one.
 */
function sumFour(values: usize, lo: usize, hi: usize, k: i32, mean: i32, out: usize): i32 {
  const l0 = int(lo, k), l1 = int(lo, k + 1), l2 = int(lo, k + 2), l3 = int(lo, k + 3);
  const n0 = int(hi, k) - l0, n1 = int(hi, k + 1) - l1, n2 = int(hi, k + 2) - l2, n3 = int(hi, k + 3) - l3;
  const n = min(min(n0, n1), min(n2, n3));
  if (n < 8) return 0;
  let p0 = values + (<usize>l0 << 3), p1 = values + (<usize>l1 << 3);
  let p2 = values + (<usize>l2 << 3), p3 = values + (<usize>l3 << 3);
  const end = p0 + (<usize>n << 3);
  let sA = f64x2.splat(0), sB = f64x2.splat(0), cA = f64x2.splat(0), cB = f64x2.splat(0);
  while (p0 < end) {
    const xA = pair(p0, p1), xB = pair(p2, p3);
    const tA = f64x2.add(sA, xA), tB = f64x2.add(sB, xB);
    cA = f64x2.add(cA, rest(sA, xA, tA));
    cB = f64x2.add(cB, rest(sB, xB, tB));
    sA = tA;
    sB = tB;
    p0 += 8; p1 += 8; p2 += 8; p3 += 8;
  }
  // An infinite sum stays infinite or becomes NaN, and takes the compensation along: all that is finite was so throughout.
  const ok = f64x2.le(f64x2.abs(f64x2.add(f64x2.add(sA, cA), f64x2.add(sB, cB))), f64x2.splat(MAX_FLOAT));
  if (!i64x2.all_true(ok)) return 0;
  store<f64>(tail, f64x2.extract_lane(sA, 0)); store<f64>(tail, f64x2.extract_lane(cA, 0), 8);
  store<f64>(tail, f64x2.extract_lane(sA, 1), 16); store<f64>(tail, f64x2.extract_lane(cA, 1), 24);
  store<f64>(tail, f64x2.extract_lane(sB, 0), 32); store<f64>(tail, f64x2.extract_lane(cB, 0), 40);
  store<f64>(tail, f64x2.extract_lane(sB, 1), 48); store<f64>(tail, f64x2.extract_lane(cB, 1), 56);
  for (let w = 0; w < 4; w++) {
    const length = int(hi, k + w) - int(lo, k + w);
    let s = load<f64>(tail + (<usize>w << 4)), c = load<f64>(tail + (<usize>w << 4), 8);
    for (let i = int(lo, k + w) + n; i < int(hi, k + w); i++) {
      const x = at(values, i);
      const t = s + x;
      if (Math.abs(s) >= Math.abs(x)) c += (s - t) + x;
      else c += (x - t) + s;
      s = t;
    }
    if (!(Math.abs(s) <= MAX_FLOAT)) return 0;
    put(out, k + w, mean ? s / <f64>length + c / <f64>length : s + c);
  }
  return 1;
}

/** Room for the four sums and compensations between the two halves of `sumFour`. */
const tail: usize = memory.data(64, 16);

function sumOf(values: usize, l: i32, h: i32): f64 {
  let s: f64 = 0, c: f64 = 0;
  for (let i = l; i < h; i++) {
    const x = at(values, i);
    const t = s + x;
    if (Math.abs(t) > MAX_FLOAT) c = 0;
    else if (Math.abs(s) >= Math.abs(x)) c += (s - t) + x;
    else c += (x - t) + s;
    s = t;
  }
  return Math.abs(s) > MAX_FLOAT ? s : s + c;
}

function meanOf(values: usize, l: i32, h: i32): f64 {
  let s = at(values, l), c: f64 = 0, n: f64 = 1;
  let i = l + 1;
  for (; i < h; i++) {
    const x = at(values, i);
    const t = s + x;
    if (Math.abs(t) > MAX_FLOAT) break;
    if (Math.abs(s) >= Math.abs(x)) c += (s - t) + x;
    else c += (x - t) + s;
    s = t;
    n += 1;
  }
  if (i == h) return s / n + c / n;
  // The sum would overflow: go on with a running mean.
  let mean = s / n;
  c /= n;
  for (; i < h; i++) {
    n += 1;
    const q = (n - 1) / n;
    const x = at(values, i) / n;
    const a = q * mean;
    c = q * c;
    const t = x + a;
    if (Math.abs(t) > MAX_FLOAT) c = 0;
    else if (Math.abs(a) >= Math.abs(x)) c += (a - t) + x;
    else c += (x - t) + a;
    mean = t;
  }
  return mean + c;
}

/**
 * min (`max` 0) or max (1) over time. `deque` is room for n int32: candidates in ascending time, each strictly better than
 * those after it, so the front is the window's answer and among equals the oldest.
 */
export function extremeOverTime(values: usize, lo: usize, hi: usize, count: i32, max: i32, deque: usize, out: usize, kinds: usize): i32 {
  let front = 0, back = 0, next = 0, hits = 0;
  const sign: f64 = max ? 1 : -1;
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h <= l) {
      putKind(kinds, k, 0);
      continue;
    }
    if (next < l) {
      next = l;
      front = back = 0;
    }
    for (; next < h; next++) {
      const v = at(values, next);
      if (v != v) continue;
      while (back > front && at(values, int(deque, back - 1)) * sign < v * sign) back--;
      putInt(deque, back++, next);
    }
    while (front < back && int(deque, front) < l) front++;
    // Nothing but NaN in the window.
    put(out, k, front < back ? at(values, int(deque, front)) : at(values, l));
    putKind(kinds, k, 1);
    hits++;
  }
  return hits;
}

/** count (what 0), present (1), last (2) or first (3) over time. */
export function pickOverTime(values: usize, lo: usize, hi: usize, count: i32, what: i32, out: usize, kinds: usize): i32 {
  let hits = 0;
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h <= l) {
      putKind(kinds, k, 0);
      continue;
    }
    put(out, k, what == 0 ? <f64>(h - l) : what == 1 ? 1 : at(values, what == 2 ? h - 1 : l));
    putKind(kinds, k, 1);
    hits++;
  }
  return hits;
}

/** stdvar (`root` 0) or stddev (1) over time: Welford with compensation, anew for each window. */
export function varianceOverTime(values: usize, lo: usize, hi: usize, count: i32, root: i32, out: usize, kinds: usize): i32 {
  let hits = 0;
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h <= l) {
      putKind(kinds, k, 0);
      continue;
    }
    if (k + 4 <= count && h - l >= 8 && varianceFour(values, lo, hi, k, root, out)) {
      store<u32>(kinds + <usize>k, 0x01010101);
      hits += 4;
      k += 3;
      continue;
    }
    put(out, k, varianceFrom(values, l, l, h, root, 0, 0, 0, 0));
    putKind(kinds, k, 1);
    hits++;
  }
  return hits;
}

/** Goes on from sample `i` of the window [l, h) with the state so far. */
function varianceFrom(values: usize, l: i32, i: i32, h: i32, root: i32, mean: f64, cMean: f64, aux: f64, cAux: f64): f64 {
  for (; i < h; i++) {
    const f = at(values, i);
    const d = f - (mean + cMean);
    let x = d / <f64>(i - l + 1);
    let t = mean + x;
    if (Math.abs(t) > MAX_FLOAT) cMean = 0;
    else if (Math.abs(mean) >= Math.abs(x)) cMean += (mean - t) + x;
    else cMean += (x - t) + mean;
    mean = t;
    x = d * (f - (mean + cMean));
    t = aux + x;
    if (Math.abs(t) > MAX_FLOAT) cAux = 0;
    else if (Math.abs(aux) >= Math.abs(x)) cAux += (aux - t) + x;
    else cAux += (x - t) + aux;
    aux = t;
  }
  const v = (aux + cAux) / <f64>(h - l);
  return root ? Math.sqrt(v) : v;
}

/** Windows k … k + 3 side by side, as `sumFour`. */
function varianceFour(values: usize, lo: usize, hi: usize, k: i32, root: i32, out: usize): i32 {
  const l0 = int(lo, k), l1 = int(lo, k + 1), l2 = int(lo, k + 2), l3 = int(lo, k + 3);
  const n = min(min(int(hi, k) - l0, int(hi, k + 1) - l1), min(int(hi, k + 2) - l2, int(hi, k + 3) - l3));
  if (n < 8) return 0;
  let p0 = values + (<usize>l0 << 3), p1 = values + (<usize>l1 << 3);
  let p2 = values + (<usize>l2 << 3), p3 = values + (<usize>l3 << 3);
  const zero = f64x2.splat(0);
  let mA = zero, mB = zero, cmA = zero, cmB = zero, sA = zero, sB = zero, csA = zero, csB = zero;
  for (let i = 1; i <= n; i++) {
    const size = f64x2.splat(<f64>i);
    const fA = pair(p0, p1), fB = pair(p2, p3);
    const dA = f64x2.sub(fA, f64x2.add(mA, cmA)), dB = f64x2.sub(fB, f64x2.add(mB, cmB));
    let xA = f64x2.div(dA, size), xB = f64x2.div(dB, size);
    let tA = f64x2.add(mA, xA), tB = f64x2.add(mB, xB);
    cmA = f64x2.add(cmA, rest(mA, xA, tA));
    cmB = f64x2.add(cmB, rest(mB, xB, tB));
    mA = tA;
    mB = tB;
    xA = f64x2.mul(dA, f64x2.sub(fA, f64x2.add(mA, cmA)));
    xB = f64x2.mul(dB, f64x2.sub(fB, f64x2.add(mB, cmB)));
    tA = f64x2.add(sA, xA);
    tB = f64x2.add(sB, xB);
    csA = f64x2.add(csA, rest(sA, xA, tA));
    csB = f64x2.add(csB, rest(sB, xB, tB));
    sA = tA;
    sB = tB;
    p0 += 8; p1 += 8; p2 += 8; p3 += 8;
  }
  // What is not finite once is not finite in the end: in the sums of squares, or in the means they are made of.
  const total = f64x2.add(f64x2.add(f64x2.add(sA, csA), f64x2.add(sB, csB)), f64x2.add(f64x2.add(mA, cmA), f64x2.add(mB, cmB)));
  if (!i64x2.all_true(f64x2.le(f64x2.abs(total), f64x2.splat(MAX_FLOAT)))) return 0;
  put(out, k, varianceFrom(values, l0, l0 + n, int(hi, k), root, f64x2.extract_lane(mA, 0), f64x2.extract_lane(cmA, 0), f64x2.extract_lane(sA, 0), f64x2.extract_lane(csA, 0)));
  put(out, k + 1, varianceFrom(values, l1, l1 + n, int(hi, k + 1), root, f64x2.extract_lane(mA, 1), f64x2.extract_lane(cmA, 1), f64x2.extract_lane(sA, 1), f64x2.extract_lane(csA, 1)));
  put(out, k + 2, varianceFrom(values, l2, l2 + n, int(hi, k + 2), root, f64x2.extract_lane(mB, 0), f64x2.extract_lane(cmB, 0), f64x2.extract_lane(sB, 0), f64x2.extract_lane(csB, 0)));
  put(out, k + 3, varianceFrom(values, l3, l3 + n, int(hi, k + 3), root, f64x2.extract_lane(mB, 1), f64x2.extract_lane(cmB, 1), f64x2.extract_lane(sB, 1), f64x2.extract_lane(csB, 1)));
  return 1;
}

/**
 * What least-squares lines take from the times alone: for each window the sums of x and of x², as two float64. x is in
 * seconds from the first sample of the window (`fixed` 0), or from first + k · step (1).
 */
export function lineSums(times: usize, lo: usize, hi: usize, count: i32, fixed: i32, first: f64, step: f64, table: usize): void {
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h - l < 2) continue;
    const origin = fixed ? first + <f64>k * step : at(times, l);
    let s = f64x2.splat(0), c = f64x2.splat(0);
    for (let i = l; i < h; i++) {
      const x = (at(times, i) - origin) / 1000;
      const both = f64x2.mul(f64x2.splat(x), f64x2.replace_lane(f64x2.splat(1), 1, x));
      const t = f64x2.add(s, both);
      c = v128.andnot(f64x2.add(c, lost(s, both, t)), infinite(t));
      s = t;
    }
    v128.store(table + (<usize>k << 4), f64x2.add(s, c));
  }
}

/**
 * The slope of the least-squares line through each window (`durations` 0), or the line's value that many seconds after
 * first + k · step (`durations` a column of count float64). Without durations x counts from the first sample. `sums` are
 * those of `lineSums`.
 */
export function lineOverTime(times: usize, values: usize, lo: usize, hi: usize, count: i32, first: f64, step: f64, durations: usize, sums: usize, out: usize, kinds: usize): i32 {
  let hits = 0;
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h - l < 2) {
      putKind(kinds, k, 0);
      continue;
    }
    if (k + 4 <= count && h - l >= 8 && lineFour(times, values, lo, hi, k, first, step, durations, sums, out)) {
      store<u32>(kinds + <usize>k, 0x01010101);
      hits += 4;
      k += 3;
      continue;
    }
    const origin = durations ? first + <f64>k * step : at(times, l);
    put(out, k, lineFrom(times, values, l, l, h, origin, 1, f64x2.splat(0), f64x2.splat(0), sums + (<usize>k << 4), durations ? durations + (<usize>k << 3) : 0));
    putKind(kinds, k, 1);
    hits++;
  }
  return hits;
}

/** Goes on from sample `i` of the window [l, h) with the sums of y and x·y so far; `constant` says whether all y were the same. */
function lineFrom(times: usize, values: usize, l: i32, i: i32, h: i32, origin: f64, constant: i32, s: v128, c: v128, sums: usize, duration: usize): f64 {
  const initial = at(values, l);
  for (; i < h; i++) {
    const y = at(values, i);
    if (y != initial) constant = 0;
    const x = (at(times, i) - origin) / 1000;
    const both = f64x2.mul(f64x2.splat(y), f64x2.replace_lane(f64x2.splat(1), 1, x));
    const t = f64x2.add(s, both);
    c = v128.andnot(f64x2.add(c, lost(s, both, t)), infinite(t));
    s = t;
  }
  let slope: f64, intercept: f64;
  if (constant) {
    const isFinite = Math.abs(initial) <= MAX_FLOAT;
    slope = isFinite ? 0 : NaN;
    intercept = isFinite ? initial : NaN;
  } else {
    const a = f64x2.add(s, c);
    const n = <f64>(h - l);
    const x = load<f64>(sums), xx = load<f64>(sums, 8);
    const y = f64x2.extract_lane(a, 0), xy = f64x2.extract_lane(a, 1);
    const covariance = xy - (x * y) / n;
    const variance = xx - (x * x) / n;
    slope = covariance / variance;
    intercept = y / n - (slope * x) / n;
  }
  return duration ? slope * load<f64>(duration) + intercept : slope;
}

/** Windows k … k + 3 side by side, as `sumFour`. */
function lineFour(times: usize, values: usize, lo: usize, hi: usize, k: i32, first: f64, step: f64, durations: usize, sums: usize, out: usize): i32 {
  const l0 = int(lo, k), l1 = int(lo, k + 1), l2 = int(lo, k + 2), l3 = int(lo, k + 3);
  const n = min(min(int(hi, k) - l0, int(hi, k + 1) - l1), min(int(hi, k + 2) - l2, int(hi, k + 3) - l3));
  if (n < 8) return 0;
  const o0 = durations ? first + <f64>k * step : at(times, l0);
  const o1 = durations ? first + <f64>(k + 1) * step : at(times, l1);
  const o2 = durations ? first + <f64>(k + 2) * step : at(times, l2);
  const o3 = durations ? first + <f64>(k + 3) * step : at(times, l3);
  const originA = f64x2.replace_lane(f64x2.splat(o0), 1, o1), originB = f64x2.replace_lane(f64x2.splat(o2), 1, o3);
  const thousand = f64x2.splat(1000), zero = f64x2.splat(0);
  const p0 = <usize>l0 << 3, p1 = <usize>l1 << 3, p2 = <usize>l2 << 3, p3 = <usize>l3 << 3;
  const initialA = pair(values + p0, values + p1), initialB = pair(values + p2, values + p3);
  let yA = zero, yB = zero, cyA = zero, cyB = zero, xyA = zero, xyB = zero, cxyA = zero, cxyB = zero, otherA = zero, otherB = zero;
  for (let i: usize = 0, end = <usize>n << 3; i < end; i += 8) {
    const t = times + i, v = values + i;
    const fA = pair(v + p0, v + p1), fB = pair(v + p2, v + p3);
    otherA = v128.or(otherA, f64x2.ne(fA, initialA));
    otherB = v128.or(otherB, f64x2.ne(fB, initialB));
    let nextA = f64x2.add(yA, fA), nextB = f64x2.add(yB, fB);
    cyA = f64x2.add(cyA, rest(yA, fA, nextA));
    cyB = f64x2.add(cyB, rest(yB, fB, nextB));
    yA = nextA;
    yB = nextB;
    const gA = f64x2.mul(f64x2.div(f64x2.sub(pair(t + p0, t + p1), originA), thousand), fA);
    const gB = f64x2.mul(f64x2.div(f64x2.sub(pair(t + p2, t + p3), originB), thousand), fB);
    nextA = f64x2.add(xyA, gA);
    nextB = f64x2.add(xyB, gB);
    cxyA = f64x2.add(cxyA, rest(xyA, gA, nextA));
    cxyB = f64x2.add(cxyB, rest(xyB, gB, nextB));
    xyA = nextA;
    xyB = nextB;
  }
  // What is not finite once is not finite in the end.
  const total = f64x2.add(f64x2.add(f64x2.add(yA, cyA), f64x2.add(yB, cyB)), f64x2.add(f64x2.add(xyA, cxyA), f64x2.add(xyB, cxyB)));
  if (!i64x2.all_true(f64x2.le(f64x2.abs(total), f64x2.splat(MAX_FLOAT)))) return 0;
  const d0 = durations ? durations + (<usize>k << 3) : 0;
  const d1 = durations ? d0 + 8 : 0, d2 = durations ? d0 + 16 : 0, d3 = durations ? d0 + 24 : 0;
  const row = sums + (<usize>k << 4);
  put(out, k, lineFrom(times, values, l0, l0 + n, int(hi, k), o0, <i32>(i64x2.extract_lane(otherA, 0) == 0), firsts(yA, xyA), firsts(cyA, cxyA), row, d0));
  put(out, k + 1, lineFrom(times, values, l1, l1 + n, int(hi, k + 1), o1, <i32>(i64x2.extract_lane(otherA, 1) == 0), seconds(yA, xyA), seconds(cyA, cxyA), row + 16, d1));
  put(out, k + 2, lineFrom(times, values, l2, l2 + n, int(hi, k + 2), o2, <i32>(i64x2.extract_lane(otherB, 0) == 0), firsts(yB, xyB), firsts(cyB, cxyB), row + 32, d2));
  put(out, k + 3, lineFrom(times, values, l3, l3 + n, int(hi, k + 3), o3, <i32>(i64x2.extract_lane(otherB, 1) == 0), seconds(yB, xyB), seconds(cyB, cxyB), row + 48, d3));
  return 1;
}

@inline function firsts(a: v128, b: v128): v128 { return i64x2.shuffle(a, b, 0, 2); }
@inline function seconds(a: v128, b: v128): v128 { return i64x2.shuffle(a, b, 1, 3); }

@inline function infinite(t: v128): v128 { return f64x2.gt(f64x2.abs(t), f64x2.splat(MAX_FLOAT)); }

/** The quantile of each window, `quantiles` a column of numbers from 0 to 1. `room` is for n float64. NaN is the least. */
export function quantileOverTime(values: usize, lo: usize, hi: usize, count: i32, quantiles: usize, room: usize, out: usize, kinds: usize): i32 {
  let hits = 0;
  for (let k = 0; k < count; k++) {
    const l = int(lo, k), h = int(hi, k);
    if (h <= l) {
      putKind(kinds, k, 0);
      continue;
    }
    let nans = 0, numbers = 0;
    for (let i = l; i < h; i++) {
      const v = at(values, i);
      if (v != v) nans++;
      else put(room, numbers++, v);
    }
    const n = h - l;
    const rank = at(quantiles, k) * <f64>(n - 1);
    const lower = max(0, <i32>Math.floor(rank));
    const upper = min(n - 1, lower + 1);
    const weight = rank - Math.floor(rank);
    let a: f64 = NaN, b: f64 = NaN;
    if (lower >= nans) a = select(room, numbers, lower - nans);
    if (upper >= nans) {
      // What lies behind the selected element is not below it: the next is the least of that.
      if (upper == lower) b = a;
      else if (lower >= nans) {
        b = at(room, upper - nans);
        for (let i = upper - nans + 1; i < numbers; i++) if (at(room, i) < b) b = at(room, i);
      } else b = select(room, numbers, upper - nans);
    }
    if (a == 0) a = zeroAt(values, l, h, lower - nans);
    if (b == 0) b = zeroAt(values, l, h, upper - nans);
    put(out, k, a * (1 - weight) + b * weight);
    putKind(kinds, k, 1);
    hits++;
  }
  return hits;
}

/** The k-th least of samples l to h, which is a zero: of zeros with and without a sign the older is taken for the lesser. */
function zeroAt(values: usize, l: i32, h: i32, k: i32): f64 {
  for (let i = l; i < h; i++) if (at(values, i) < 0) k--;
  for (let i = l; i < h; i++) if (at(values, i) == 0 && k-- == 0) return at(values, i);
  return 0;
}

/** Hoare's selection: afterwards element k is the k-th least, none before it greater, none after it less. */
function select(p: usize, n: i32, k: i32): f64 {
  let l = 0, r = n - 1;
  while (l < r) {
    const pivot = at(p, (l + r) >> 1);
    let i = l, j = r;
    while (i <= j) {
      while (at(p, i) < pivot) i++;
      while (at(p, j) > pivot) j--;
      if (i <= j) {
        const v = at(p, i);
        put(p, i++, at(p, j));
        put(p, j--, v);
      }
    }
    if (k <= j) r = j;
    else if (k >= i) l = i;
    else break;
  }
  return at(p, k);
}

// ── aggregation: a group's columns take in one series ──
// `seen` counts the floats of the group at each step, as int32.

/** sum: state is the running sum and its compensation. */
export function accumulateSum(values: usize, kinds: usize, count: i32, sum: usize, compensation: usize, seen: usize): void {
  let k = 0;
  for (; k + 2 <= count; k += 2) {
    const o = <usize>k << 3;
    const both = load<u64>(seen + (<usize>k << 2));
    // Two steps at once where both hold a float and neither is the first.
    if (load<u16>(kinds + <usize>k) == 0x0101 && <u32>both != 0 && both >> 32 != 0) {
      const s = v128.load(sum + o), x = v128.load(values + o);
      const t = f64x2.add(s, x);
      const c = f64x2.add(v128.load(compensation + o), lost(s, x, t));
      v128.store(sum + o, t);
      v128.store(compensation + o, v128.andnot(c, infinite(t)));
      store<u64>(seen + (<usize>k << 2), both + 0x100000001);
    } else {
      addToSum(values, kinds, k, sum, compensation, seen);
      addToSum(values, kinds, k + 1, sum, compensation, seen);
    }
  }
  if (k < count) addToSum(values, kinds, k, sum, compensation, seen);
}

@inline function addToSum(values: usize, kinds: usize, k: i32, sum: usize, compensation: usize, seen: usize): void {
  if (kind(kinds, k) != 1) return;
  const x = at(values, k);
  const n = int(seen, k);
  putInt(seen, k, n + 1);
  if (n == 0) {
    put(sum, k, x);
    put(compensation, k, 0);
    return;
  }
  const s = at(sum, k);
  const t = s + x;
  if (Math.abs(t) > MAX_FLOAT) put(compensation, k, 0);
  else if (Math.abs(s) >= Math.abs(x)) put(compensation, k, at(compensation, k) + ((s - t) + x));
  else put(compensation, k, at(compensation, k) + ((x - t) + s));
  put(sum, k, t);
}

/** avg: as sum, until the sum would overflow; from then on (`mode` byte 1) a running mean. */
export function accumulateAvg(values: usize, kinds: usize, count: i32, sum: usize, compensation: usize, seen: usize, mode: usize): void {
  for (let k = 0; k < count; k++) {
    if (kind(kinds, k) != 1) continue;
    let x = at(values, k);
    const n = int(seen, k) + 1;
    putInt(seen, k, n);
    if (n == 1) {
      put(sum, k, x);
      put(compensation, k, 0);
      continue;
    }
    let s = at(sum, k), c = at(compensation, k);
    if (kind(mode, k) == 0) {
      const t = s + x;
      if (!(Math.abs(t) > MAX_FLOAT)) {
        if (Math.abs(s) >= Math.abs(x)) c += (s - t) + x;
        else c += (x - t) + s;
        put(sum, k, t);
        put(compensation, k, c);
        continue;
      }
      putKind(mode, k, 1);
      s /= <f64>(n - 1);
      c /= <f64>(n - 1);
    }
    const q = <f64>(n - 1) / <f64>n;
    x /= <f64>n;
    s *= q;
    c *= q;
    const t = x + s;
    if (Math.abs(t) > MAX_FLOAT) c = 0;
    else if (Math.abs(s) >= Math.abs(x)) c += (s - t) + x;
    else c += (x - t) + s;
    put(sum, k, t);
    put(compensation, k, c);
  }
}

/** min (`max` 0) or max (1). */
export function accumulateExtreme(values: usize, kinds: usize, count: i32, max: i32, extreme: usize, seen: usize): void {
  for (let k = 0; k < count; k++) {
    if (kind(kinds, k) != 1) continue;
    const x = at(values, k);
    const n = int(seen, k);
    putInt(seen, k, n + 1);
    if (n == 0) {
      put(extreme, k, x);
      continue;
    }
    const m = at(extreme, k);
    if ((max ? m < x : m > x) || m != m) put(extreme, k, x);
  }
}

/** count: whatever is there, histograms too. */
export function accumulateCount(kinds: usize, count: i32, seen: usize): void {
  for (let k = 0; k < count; k++) {
    if (kind(kinds, k) != 0) putInt(seen, k, int(seen, k) + 1);
  }
}

/** stddev and stdvar: Welford without compensation. */
export function accumulateVariance(values: usize, kinds: usize, count: i32, mean: usize, aux: usize, seen: usize): void {
  for (let k = 0; k < count; k++) {
    if (kind(kinds, k) != 1) continue;
    const x = at(values, k);
    const n = int(seen, k) + 1;
    putInt(seen, k, n);
    if (n == 1) {
      put(mean, k, x);
      put(aux, k, x != x || Math.abs(x) > MAX_FLOAT ? NaN : 0);
      continue;
    }
    let m = at(mean, k);
    const d = x - m;
    m += d / <f64>n;
    put(mean, k, m);
    put(aux, k, at(aux, k) + d * (x - m));
  }
}
