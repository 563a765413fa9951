// Records of samples in the log → slots, a few samples a series, so that a series' samples are appended together.
//
//   record:  u8 type │ u64 first reference │ i64 first time, big-endian │ entry …
//   entry:   varint reference - first │ varint time - first │ value, 8 bytes big-endian
//
// Slot, 120 bytes, by the number of a series: ten entries of a time u32 (ms since the start of the range that is taken)
// and a value, 64 bits. How many there are is in a column of bytes.
//
// References up to 2^32 are looked up in leaves of 4096 numbers each, which are found by a table; 0 is unknown.
//
// Report: 0 next entry u32   4 number u32   8 reference f64   16 time f64   24 value, 64 bits

import { swapBytes } from "./swap-bytes";

const SLOT_SAMPLES: u32 = 10;
const SLOT_BYTES: u32 = 120;
const LEAF_SHIFT: u32 = 12;
const LEAF_MASK: u32 = 0xfff;
const HEADER_BYTES: u32 = 17;
const STALE: u64 = 0x7ff0000000000002;
/** A longer number is left to those who know what to say of it. */
const LONGEST_VARINT: u32 = 9;

// What `takeSamples` came to.
const ALL_TAKEN: u32 = 0;
const SLOT_FULL: u32 = 1;
const NOT_TAKEN: u32 = 2;

let leaves: usize = 0;
let counts: usize = 0;
let slots: usize = 0;
let slotCount: u32 = 0;
let report: usize = 0;
let rangeStart: i64 = 0;
let rangeLength: u64 = 0;
let leastTime: i64 = 0;
let firstRef: u64 = 0;
let firstTime: i64 = 0;

/** Says where things lie: the table of leaves, slots for the series below `count` and what is in them, the report. */
export function placeSlots(
  leavesAt: usize,
  countsAt: usize,
  slotsAt: usize,
  count: u32,
  reportAt: usize,
): void {
  leaves = leavesAt;
  counts = countsAt;
  slots = slotsAt;
  slotCount = count;
  report = reportAt;
}

/** Samples from `start` on, `length` ms long, go to slots; those before `least` are dropped. */
export function takeRange(start: f64, length: f64, least: f64): void {
  rangeStart = <i64>start;
  rangeLength = <u64>length;
  leastTime = <i64>least;
}

/** @returns behind the number at `at`, or 0 where it is cut or too long */
// prettier-ignore
@inline
function behindVarint(at: usize, end: usize): usize {
  const last = min(end, at + LONGEST_VARINT);
  while (at < last) if (load<u8>(at++) < 0x80) return at;
  return 0;
}

/** Begins a record whose entries are all whole. @returns the first entry, or 0 if it is not such a record */
export function beginSamples(at: usize, end: usize): usize {
  if (at + HEADER_BYTES > end) return 0;
  firstRef = bswap(load<u64>(at, 1));
  firstTime = bswap(load<i64>(at, 9));
  const first = at + HEADER_BYTES;
  at = first;
  while (at < end) {
    // Fast path: both numbers are of one byte.
    if (at + 10 <= end && (load<u16>(at) & 0x8080) == 0) {
      at += 10;
      continue;
    }
    at = behindVarint(at, end);
    if (at == 0) return 0;
    at = behindVarint(at, end);
    if (at == 0 || at + 8 > end) return 0;
    at += 8;
  }
  return first;
}

/**
 * Puts samples into slots, from the entry at `at` of the record that was begun: all of them; or those before one
 * whose slot is full, which is the next entry then; or all before one that someone has to look at (no number, no slot,
 * outside the range, a staleness marker), which is reported.
 */
export function takeSamples(at: usize, end: usize): u32 {
  while (at < end) {
    const entry = at;
    let zigzag = <u64>load<u8>(at++);
    if (zigzag >= 0x80) {
      zigzag &= 0x7f;
      for (let shift: u64 = 7; ; shift += 7) {
        const byte = <u64>load<u8>(at++);
        zigzag |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
    }
    const ref = firstRef + <u64>(<i64>(zigzag >>> 1) ^ -(<i64>(zigzag & 1)));
    zigzag = <u64>load<u8>(at++);
    if (zigzag >= 0x80) {
      zigzag &= 0x7f;
      for (let shift: u64 = 7; ; shift += 7) {
        const byte = <u64>load<u8>(at++);
        zigzag |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
    }
    const time = firstTime + (<i64>(zigzag >>> 1) ^ -(<i64>(zigzag & 1)));
    const value = swapBytes(load<u64>(at));
    at += 8;
    if (time < leastTime) continue;

    let series: u32 = 0;
    if (ref >>> 32 == 0) {
      const leaf = <usize>load<u32>(leaves + ((<usize>ref >>> LEAF_SHIFT) << 2));
      if (leaf != 0) series = load<u32>(leaf + ((<usize>ref & LEAF_MASK) << 2));
    }
    const since = <u64>(time - rangeStart);
    if (series == 0 || series >= slotCount || since >= rangeLength || value == STALE) {
      store<u32>(report, <u32>at);
      store<u32>(report, series, 4);
      store<f64>(report, <f64>ref, 8);
      store<f64>(report, <f64>time, 16);
      store<u64>(report, value, 24);
      return NOT_TAKEN;
    }
    const count = <u32>load<u8>(counts + series);
    if (count == SLOT_SAMPLES) {
      store<u32>(report, <u32>entry);
      store<u32>(report, series, 4);
      return SLOT_FULL;
    }
    const place = slots + <usize>series * SLOT_BYTES + 12 * count;
    store<u32>(place, <u32>since);
    store<u64>(place, value, 4);
    store<u8>(counts + series, <u8>(count + 1));
  }
  return ALL_TAKEN;
}
