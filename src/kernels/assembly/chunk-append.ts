// Samples of one batch → XOR bits at the tail of each series' chunk, inside a head generation's memory.
//
// Series record, 64 bytes, one cache line (times are ms since the generation's start):
//    0 last time u32        4 last delta u32        8 last value, 64 bits
//   16 page u32            20 bit u16              22 samples in chunk u8   23 leading u8
//   24 trailing u8         25 encoding u8          26 (unused by kernels)
//   28 first chunk u32     32 tail chunk u32       36 samples u32
//   40 samples before the commit below u32         44 last commit u32
//   48… labels, hash, out-of-order: not ours        60 commit before the last u32
//
// Page, 64 bytes, known by its number (address / 64). The first page of a chunk spends 16 bytes on a header,
// the others 4; the rest is the chunk's bit stream.
//    0 next page u32   4 next chunk u32   8 samples u16, bytes used in last page u8, encoding u8   12 first time u32
// As long as a chunk is open, its encoding is 0 and the rest of that word says how many samples come before it.
// Behind the bits of a full chunk, if its last page has room for it at the next multiple of four: ~ its last time u32.
//
// Readers in other threads look while we write: whatever a count promises was stored before the count.

const PAGE_BITS: u32 = 512;
/** Where in a page its last eight bytes begin. */
const LAST_WORD: u32 = 56;
const FIRST_PAGE_DATA_BIT: u32 = 128;
const PAGE_DATA_BIT: u32 = 32;
const SAMPLES_PER_CHUNK: u32 = 120;
const ENCODING_XOR: u32 = 1;
const UNSET_LEADING: u32 = 255;
const MAX_SAMPLES_BEFORE: u32 = 0xffffff;

// Outcomes, as in model/storage.ts.
const APPENDED: u8 = 0;
const REPEATED: u8 = 1;
const DUPLICATE: u8 = 2;
const OUT_OF_ORDER: u8 = 3;

import { swapBytes } from "./swap-bytes";

// The place where bits go next.
let page: u32 = 0;
let bit: u32 = 0;
let nextFreePage: u32 = 0;

/** Adds the lowest `width` bits of `value`, which has no others set. */
// prettier-ignore
@inline
function put(value: u64, width: u32): void {
  const byte = bit >>> 3;
  const end = (bit & 7) + width;
  // Fast path: eight bytes of the page take all of it.
  if (byte <= LAST_WORD && end <= 64) {
    mix((<usize>page << 6) + byte, value << (64 - end));
    bit += width;
    return;
  }
  putAcross(value, width);
}

/** Sets bits in the eight bytes at `address`, the first byte's on top. What is not set yet is zero. */
// prettier-ignore
@inline
function mix(address: usize, bits: u64): void {
  store<u64>(address, load<u64>(address) | swapBytes(bits));
}

/** As `put`, for bits that reach the page's end, or are too many for one word. */
function putAcross(value: u64, width: u32): void {
  const byte = bit >>> 3;
  if (byte <= LAST_WORD) {
    const spill = (bit & 7) + width;
    if (spill <= 64) {
      mix((<usize>page << 6) + byte, value << (64 - spill));
      bit += width;
    } else {
      putAcross(value >>> 32, width - 32);
      putAcross(value & 0xffffffff, 32);
    }
    return;
  }
  const end = (<usize>page << 6) + LAST_WORD;
  const free = PAGE_BITS - bit;
  if (width <= free) {
    mix(end, value << (free - width));
    bit += width;
    return;
  }
  const rest = width - free;
  if (free > 0) mix(end, value >>> rest);
  store<u32>(<usize>page << 6, nextFreePage);
  page = nextFreePage++;
  bit = PAGE_DATA_BIT;
  putAcross(rest == 64 ? value : value & ((<u64>1 << rest) - 1), rest);
}

function putUvarint(value: u64): void {
  while (value > 127) {
    put((value & 127) | 128, 8);
    value >>>= 7;
  }
  put(value, 8);
}

/**
 * Judges samples against the newest one of their series and keeps those that can be appended, moved together to
 * the front of the columns. Entries whose reference is 0 are dropped with outcome 0.
 *
 * @param outcomes a byte for each of the `count` samples
 * @returns how many were kept
 */
export function checkFloats(
  records: usize,
  refs: usize,
  values: usize,
  times: usize,
  count: u32,
  outcomes: usize,
): u32 {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const ref = load<u32>(refs + (i << 2));
    if (ref == 0) {
      store<u8>(outcomes + i, APPENDED);
      continue;
    }
    const record = records + (<usize>ref << 6);
    const time = load<u32>(times + (i << 2));
    const value = load<u64>(values + (i << 3));
    const lastTime = load<u32>(record);
    if (time > lastTime || load<u32>(record, 36) == 0) {
      store<u32>(refs + (kept << 2), ref);
      store<u64>(values + (kept << 3), value);
      store<u32>(times + (kept << 2), time);
      store<u8>(outcomes + i, APPENDED);
      kept++;
    } else if (time < lastTime) {
      store<u8>(outcomes + i, OUT_OF_ORDER);
    } else {
      const same = load<u64>(record, 8) == value && load<u8>(record, 25) == ENCODING_XOR;
      store<u8>(outcomes + i, same ? REPEATED : DUPLICATE);
    }
  }
  return kept;
}

/**
 * Appends samples to their series, each after the same check as in `checkFloats`: the last refusals are silent.
 *
 * @param start the generation's first millisecond
 * @param counters u32 words: [0] next free page (in and out), [1] first page beyond the memory, [2] chunks begun
 *   (added to), [3] least and [4] greatest time (in and out)
 * @returns how many were appended, or -1 - how many were dealt with when the memory ran out
 */
export function appendFloats(
  records: usize,
  refs: usize,
  values: usize,
  times: usize,
  count: u32,
  commit: u32,
  start: f64,
  counters: usize,
): i32 {
  nextFreePage = load<u32>(counters);
  const pageLimit = load<u32>(counters, 4);
  let chunks = load<u32>(counters, 8);
  let minTime = load<u32>(counters, 12);
  let maxTime = load<u32>(counters, 16);
  const startTime = <i64>start;
  let appended: i32 = 0;
  let i: u32 = 0;
  for (; i < count; i++) {
    // A sample takes at most two pages: a chunk's first, and a further one.
    if (nextFreePage + 2 > pageLimit) break;
    const record = records + (<usize>load<u32>(refs + (i << 2)) << 6);
    const time = load<u32>(times + (i << 2));
    const value = load<u64>(values + (i << 3));
    const lastTime = load<u32>(record);
    const total = load<u32>(record, 36);
    if (time <= lastTime && total != 0) continue;

    const lastCommit = load<u32>(record, 44);
    if (lastCommit != commit) {
      store<u32>(record, lastCommit, 60);
      store<u64>(record, ((<u64>commit) << 32) | total, 40);
    }
    page = load<u32>(record, 16);
    bit = load<u16>(record, 20);
    let inChunk = <u32>load<u8>(record, 22);
    const isXor = load<u8>(record, 25) == ENCODING_XOR;
    if (isXor && inChunk != 0 && inChunk < SAMPLES_PER_CHUNK) {
      const delta = time - lastTime;
      let pending: u64 = 0;
      let width: u32 = 0;
      if (inChunk == 1) {
        putUvarint(delta);
      } else {
        const deltaOfDelta = <i64>delta - <i64>load<u32>(record, 4);
        if (deltaOfDelta == 0) {
          width = 1;
        } else if (deltaOfDelta >= -8191 && deltaOfDelta <= 8192) {
          pending = 0x8000 | (deltaOfDelta & 0x3fff);
          width = 16;
        } else if (deltaOfDelta >= -65535 && deltaOfDelta <= 65536) {
          pending = 0xc0000 | (deltaOfDelta & 0x1ffff);
          width = 20;
        } else if (deltaOfDelta >= -524287 && deltaOfDelta <= 524288) {
          pending = 0xe00000 | (deltaOfDelta & 0xfffff);
          width = 24;
        } else {
          put(15, 4);
          put(deltaOfDelta, 64);
        }
      }
      store<u32>(record, delta, 4);
      const xor = value ^ load<u64>(record, 8);
      if (xor == 0) {
        put(pending << 1, width + 1);
      } else {
        let leading = <u32>clz(xor);
        if (leading > 31) leading = 31;
        const trailing = <u32>ctz(xor);
        const oldLeading = <u32>load<u8>(record, 23);
        const oldTrailing = <u32>load<u8>(record, 24);
        if (oldLeading != UNSET_LEADING && leading >= oldLeading && trailing >= oldTrailing) {
          const significant = 64 - oldLeading - oldTrailing;
          const bits = xor >>> oldTrailing;
          if (significant + width + 2 <= 64) {
            put((((pending << 2) | 2) << significant) | bits, width + 2 + significant);
          } else {
            put((pending << 2) | 2, width + 2);
            put(bits, significant);
          }
        } else {
          store<u8>(record, <u8>leading, 23);
          store<u8>(record, <u8>trailing, 24);
          const significant = 64 - leading - trailing;
          const head = (((pending << 2) | 3) << 11) | (leading << 6) | (significant & 63);
          const bits = xor >>> trailing;
          if (significant + width + 13 <= 64) {
            put((head << significant) | bits, width + 13 + significant);
          } else {
            put(head, width + 13);
            put(bits, significant);
          }
        }
      }
      inChunk++;
    } else {
      beginChunk(record, time, value, lastTime, total, startTime);
      chunks++;
      inChunk = 1;
    }
    store<u32>(record, time);
    store<u64>(record, value, 8);
    store<u32>(record, page, 16);
    store<u16>(record, <u16>bit, 20);
    store<u8>(record, <u8>inChunk, 22);
    store<u32>(record, total + 1, 36);
    if (time < minTime) minTime = time;
    if (time > maxTime) maxTime = time;
    appended++;
  }
  store<u32>(counters, nextFreePage);
  store<u32>(counters, chunks, 8);
  store<u32>(counters, minTime, 12);
  store<u32>(counters, maxTime, 16);
  return i < count ? -1 - <i32>i : appended;
}

/**
 * Seals the chunk of a series, if it has one, and begins another with a sample. What the record says of the place (page
 * and bit) and of the samples in the chunk is left to the caller, as is the sample itself.
 */
function beginChunk(record: usize, time: u32, value: u64, lastTime: u32, total: u32, startTime: i64): void {
  const chunk = nextFreePage++;
  const address = <usize>chunk << 6;
  store<u32>(address, time, 12);
  // Without an encoding: the chunk is open.
  store<u32>(address, min(total, MAX_SAMPLES_BEFORE), 8);
  const tail = load<u32>(record, 32);
  if (tail != 0) {
    const encoding = <u32>load<u8>(record, 25);
    const used = (bit + 7) >>> 3;
    const behind = (used + 3) & ~3;
    if (behind + 4 <= PAGE_BITS / 8) store<u32>((<usize>page << 6) + behind, ~lastTime);
    store<u32>(<usize>tail << 6, <u32>load<u8>(record, 22) | (used << 16) | (encoding << 24), 8);
  }
  page = chunk;
  bit = FIRST_PAGE_DATA_BIT;
  const absolute = startTime + <i64>time;
  putUvarint((absolute << 1) ^ (absolute >> 63));
  put(value >>> 32, 32);
  put(value & 0xffffffff, 32);
  store<u8>(record, <u8>UNSET_LEADING, 23);
  store<u8>(record, <u8>ENCODING_XOR, 25);
  store<u32>(record, chunk, 32);
  if (tail != 0) store<u32>(<usize>tail << 6, chunk, 4);
  else store<u32>(record, chunk, 28);
}

// ───────────────────────────────── several samples of a series at once ─────────────────────────────────

const RUN_BYTES: u32 = 120;
/** Room for the bits of a run: a sample has 145 at most; eight bytes and one are stored with each put. */
const staged = memory.data(256, 64);

/** Moves what is staged, up to `used` bits of the byte at `at`, to where it belongs: the rest of the page, further ones. */
function unstage(at: usize, used: u32): void {
  const last = at + (used != 0);
  let from = staged;
  let offset = bit >>> 3;
  for (;;) {
    const left = <u32>(last - from);
    const room: u32 = (PAGE_BITS >>> 3) - offset;
    copyBytes((<usize>page << 6) + offset, from, min(left, room));
    if (left <= room) {
      bit = ((offset + <u32>(at - from)) << 3) + used;
      return;
    }
    from += room;
    store<u32>(<usize>page << 6, nextFreePage);
    page = nextFreePage++;
    offset = PAGE_DATA_BIT >>> 3;
  }
}

// prettier-ignore
@inline
function copyBytes(to: usize, from: usize, count: u32): void {
  if (count >= 8) {
    // The last eight may overlap those before.
    const last = count - 8;
    for (let i: u32 = 0; i < last; i += 8) store<u64>(to + i, load<u64>(from + i));
    store<u64>(to + last, load<u64>(from + last));
  } else for (let i: u32 = 0; i < count; i++) store<u8>(to + i, load<u8>(from + i));
}

/** Has the byte where bits go next begin what is staged. @returns its bits that are taken, on top of a word */
// prettier-ignore
@inline
function stage(): u64 {
  const taken = <u32>load<u8>((<usize>page << 6) + ((bit & 511) >>> 3)) & (0xff00 >>> (bit & 7)) & 0xff;
  store<u8>(staged, <u8>taken);
  return <u64>taken << 56;
}

/**
 * As `appendFloats`, for runs: up to ten samples of a series behind each other, laid out as slots are in `log-samples`.
 * Whatever is written is the same.
 *
 * @param counts how many samples each run has, a byte each
 * @param refs the series of each run
 * @returns how many samples were appended, or -1 - how many runs were dealt with when the memory ran out
 */
export function appendRuns(
  records: usize,
  runs: usize,
  counts: usize,
  refs: usize,
  count: u32,
  commit: u32,
  start: f64,
  counters: usize,
): i32 {
  nextFreePage = load<u32>(counters);
  const pageLimit = load<u32>(counters, 4);
  let chunks = load<u32>(counters, 8);
  let minTime = load<u32>(counters, 12);
  let maxTime = load<u32>(counters, 16);
  const startTime = <i64>start;
  let appended: u32 = 0;
  let run: u32 = 0;
  for (; run < count; run++, runs += RUN_BYTES) {
    const samples = <u32>load<u8>(counts + run);
    if (samples == 0) continue;
    if (nextFreePage + 2 * samples > pageLimit) break;
    const record = records + (<usize>load<u32>(refs + (run << 2)) << 6);
    const before = load<u32>(record, 36);
    let total = before;
    let lastTime = load<u32>(record);
    let lastDelta = load<u32>(record, 4);
    let lastValue = load<u64>(record, 8);
    page = load<u32>(record, 16);
    bit = load<u16>(record, 20);
    let inChunk = <u32>load<u8>(record, 22);
    let windowLeading = <u32>load<u8>(record, 23);
    let windowTrailing = <u32>load<u8>(record, 24);
    let isOpen = load<u8>(record, 25) == ENCODING_XOR && inChunk != 0;
    // What is put gathers in `staged` first: the next byte of it, and the bits of that which are taken, on top of `bits`.
    let at: usize = staged;
    let used: u32 = bit & 7;
    let bits: u64 = stage();
    for (let entry = runs, end = runs + 12 * samples; entry < end; entry += 12) {
      const time = load<u32>(entry);
      const value = load<u64>(entry, 4);
      if (time <= lastTime && total != 0) continue;
      if (isOpen && inChunk < SAMPLES_PER_CHUNK) {
        const delta = time - lastTime;
        let part: u64 = 0;
        let width: u32 = 0;
        const deltaOfDelta = <i64>delta - <i64>lastDelta;
        if (inChunk == 1 || deltaOfDelta < -524287 || deltaOfDelta > 524288) {
          unstage(at, used);
          if (inChunk == 1) putUvarint(delta);
          else {
            put(15, 4);
            put(deltaOfDelta, 64);
          }
          at = staged;
          used = bit & 7;
          bits = stage();
        } else if (deltaOfDelta == 0) {
          width = 1;
        } else if (deltaOfDelta >= -8191 && deltaOfDelta <= 8192) {
          part = 0x8000 | (deltaOfDelta & 0x3fff);
          width = 16;
        } else if (deltaOfDelta >= -65535 && deltaOfDelta <= 65536) {
          part = 0xc0000 | (deltaOfDelta & 0x1ffff);
          width = 20;
        } else {
          part = 0xe00000 | (deltaOfDelta & 0xfffff);
          width = 24;
        }
        lastDelta = delta;
        // What kind of value it is changes from sample to sample without a rule, and jumps that cannot be foreseen take
        // longer than all the rest: so there are masks, all ones where it is so, instead.
        const xor = value ^ lastValue;
        const differs: u32 = 0 - <u32>(xor != 0);
        const leading = min(<u32>clz(xor), 31);
        const trailing = <u32>ctz(xor);
        // An unset window is greater than any `leading`.
        const isOutside: u32 =
          differs & (0 - (<u32>(leading < windowLeading) | <u32>(trailing < windowTrailing)));
        windowLeading ^= (windowLeading ^ leading) & isOutside;
        windowTrailing ^= (windowTrailing ^ trailing) & isOutside;
        const significant: u32 = 64 - windowLeading - windowTrailing;
        // One bit for the same value, two for one in the window, thirteen else.
        const kind = 1 + (differs & 1) + (isOutside & 11);
        const header =
          ((differs & ~isOutside) & 2) | (isOutside & (0x1800 | (leading << 6) | (significant & 63)));
        part = (part << kind) | header;
        width += kind;
        let rest = xor >>> windowTrailing;
        let restWidth = significant & differs;
        if (width + restWidth <= 64) {
          part = (part << restWidth) | rest;
          width += restWidth;
          restWidth = 0;
        }
        for (;;) {
          const end = used + width;
          const aligned = part << (64 - width);
          bits |= aligned >>> used;
          const spill = (aligned << (8 - used)) & 0xff;
          store<u64>(at, swapBytes(bits));
          store<u8>(at, <u8>spill, 8);
          const whole: u64 = 0 - <u64>(end >>> 6);
          bits = ((bits << (end & 0x38)) & ~whole) | ((spill << 56) & whole);
          at += end >>> 3;
          used = end & 7;
          if (restWidth == 0) break;
          part = rest;
          width = restWidth;
          restWidth = 0;
        }
        inChunk++;
      } else {
        if (isOpen) unstage(at, used);
        store<u8>(record, <u8>inChunk, 22);
        beginChunk(record, time, value, lastTime, total, startTime);
        at = staged;
        used = bit & 7;
        bits = stage();
        chunks++;
        isOpen = true;
        inChunk = 1;
        windowLeading = UNSET_LEADING;
      }
      lastTime = time;
      lastValue = value;
      total++;
      if (time < minTime) minTime = time;
      if (time > maxTime) maxTime = time;
    }
    if (total == before) continue;
    unstage(at, used);
    const lastCommit = load<u32>(record, 44);
    if (lastCommit != commit) {
      store<u32>(record, lastCommit, 60);
      store<u64>(record, ((<u64>commit) << 32) | before, 40);
    }
    store<u32>(record, lastTime);
    store<u32>(record, lastDelta, 4);
    store<u64>(record, lastValue, 8);
    store<u32>(record, page, 16);
    store<u16>(record, <u16>bit, 20);
    store<u8>(record, <u8>inChunk, 22);
    store<u8>(record, <u8>windowLeading, 23);
    store<u8>(record, <u8>windowTrailing, 24);
    store<u32>(record, total, 36);
    appended += total - before;
  }
  store<u32>(counters, nextFreePage);
  store<u32>(counters, chunks, 8);
  store<u32>(counters, minTime, 12);
  store<u32>(counters, maxTime, 16);
  return run < count ? -1 - <i32>run : <i32>appended;
}
