// Series on their way from some blocks into one: entries of their indexes → rows of numbers → entries of the new one,
// their chunks copied as they lie in the files.
//
//   input:   u32 chunks │ symbols │ window, its bytes, offset, file │ summed from, to, sum │ ranks, first symbol, their
//            count │ columns: ranks of the symbols (u32), first and last times (i64), references (u64)
//   output:  u32 bytes at, used, capacity │ chunks, their greatest number │ columns: first and last times, references │
//            u64 reference of the first byte │ f64 samples: floats, histograms │ u32 next chunk │ bytes it needs
//
// A frame is a chunk with its size before it and its checksum behind it: uvarint size, u8 encoding, data, u32 checksum.
import { crc32c, joinChecksums } from "./checksum";
import { numbersEnd, putUvarint, putVarint, readNumbers, uvarint, varint, wasNumberCut } from "./varint";

const MAX_SYMBOLS: u64 = 1 << 16;
const MAX_CHUNKS: u64 = 1 << 18;
const MAX_CHUNK_BYTES: u64 = 1 << 26;

const DAMAGED: i32 = -1;

const DONE: i32 = 0;
const NEEDS_WINDOW: i32 = 1;
const NEEDS_ROOM: i32 = 2;
const NEEDS_COMPARING: i32 = 3;
const IS_DAMAGED: i32 = 4;

const ENCODING_XOR: u32 = 1;
const ENCODING_XOR2: u32 = 4;
const FIRST_ENCODING_WITH_FLAGS: u32 = 5;

// prettier-ignore
@inline
function u32BigEndian(at: usize): u32 {
  return bswap<u32>(load<u32>(at));
}

/**
 * Reads a series of the index.
 * @param at its entry, of which bytes are there up to `end`
 * @returns 0, or how many bytes must be there, or -1 for a damaged one
 */
export function readSeriesRow(input: usize, at: usize, end: usize): i32 {
  readNumbers(at, min(end, at + 10));
  const size = uvarint();
  if (wasNumberCut()) return end >= at + 10 ? DAMAGED : 10;
  if (size > 1 << 30) return DAMAGED;
  const body = numbersEnd();
  const bodyEnd = body + <usize>size;
  if (bodyEnd + 4 > end) return <i32>(bodyEnd + 4 - at);
  if ((crc32c(body, bodyEnd, 0xffffffff) ^ 0xffffffff) != u32BigEndian(bodyEnd)) return DAMAGED;
  readNumbers(body, bodyEnd);

  const symbols = uvarint() << 1;
  if (symbols > MAX_SYMBOLS) return DAMAGED;
  const rankTable = <usize>load<u32>(input, 36);
  const first = <u64>load<u32>(input, 40);
  const rankCount = <u64>load<u32>(input, 44);
  let ranks = <usize>load<u32>(input, 48);
  for (let left = symbols; left != 0; left--) {
    const symbol = uvarint() - first;
    if (wasNumberCut() || symbol >= rankCount) return DAMAGED;
    store<u32>(ranks, load<u32>(rankTable + (<usize>symbol << 2)));
    ranks += 4;
  }
  store<u32>(input, <u32>symbols, 4);

  const chunks = uvarint();
  if (chunks > MAX_CHUNKS) return DAMAGED;
  store<u32>(input, <u32>chunks);
  let minTimes = <usize>load<u32>(input, 52);
  let maxTimes = <usize>load<u32>(input, 56);
  let refs = <usize>load<u32>(input, 60);
  let time: i64 = 0;
  let ref: i64 = 0;
  for (let i: u64 = 0; i < chunks; i++) {
    const minTime = i == 0 ? varint() : time + <i64>uvarint();
    time = minTime + <i64>uvarint();
    ref = i == 0 ? <i64>uvarint() : ref + varint();
    store<i64>(minTimes, minTime);
    store<i64>(maxTimes, time);
    store<i64>(refs, ref);
    minTimes += 8;
    maxTimes += 8;
    refs += 8;
  }
  return wasNumberCut() ? DAMAGED : 0;
}

/** The order of the label sets of two inputs: negative, 0 or positive. */
export function compareSeriesRows(a: usize, b: usize): i32 {
  const countA = load<u32>(a, 4);
  const countB = load<u32>(b, 4);
  let ranksA = <usize>load<u32>(a, 48);
  let ranksB = <usize>load<u32>(b, 48);
  for (let left = min(countA, countB); left != 0; left--) {
    const rankA = load<u32>(ranksA);
    const rankB = load<u32>(ranksB);
    if (rankA != rankB) return rankA < rankB ? -1 : 1;
    ranksA += 4;
    ranksB += 4;
  }
  return countA == countB ? 0 : countA < countB ? -1 : 1;
}

/** Whether the chunks of some inputs lie behind each other, input behind input. @param inputs a list of u32 */
export function areChunksApart(inputs: usize, count: i32): bool {
  let end: i64 = i64.MIN_VALUE;
  let isFirst = true;
  for (let i = 0; i < count; i++) {
    const input = <usize>load<u32>(inputs + (<usize>i << 2));
    let minTimes = <usize>load<u32>(input, 52);
    let maxTimes = <usize>load<u32>(input, 56);
    for (let left = load<u32>(input); left != 0; left--) {
      if (!isFirst && load<i64>(minTimes) <= end) return false;
      isFirst = false;
      end = load<i64>(maxTimes);
      minTimes += 8;
      maxTimes += 8;
    }
  }
  return true;
}

/**
 * Copies the frames of an input's series to the output, from chunk `from` on, and lists them there. What the checksums
 * say of all bytes looked at is kept in the input, to be compared with the sum of these bytes.
 *
 * @returns why it ended; the output says at which chunk, and how many bytes its frame has, if that is known
 */
export function copyFrames(input: usize, output: usize, from: u32): i32 {
  const count = load<u32>(input);
  const window = <usize>load<u32>(input, 8);
  const windowEnd = window + load<u32>(input, 12);
  const windowOffset = load<u32>(input, 16);
  const file = load<u32>(input, 20);
  const refs = <usize>load<u32>(input, 60);
  const base = load<u64>(output, 32);
  store<u32>(output, 0, 60);
  for (let i = from; i < count; i++) {
    store<u32>(output, i, 56);
    const ref = load<u64>(refs + (<usize>i << 3));
    const offset = <u32>ref;
    if (<u32>(ref >>> 32) != file || offset < windowOffset) return NEEDS_WINDOW;
    const start = window + (offset - windowOffset);
    readNumbers(start, min(windowEnd, start + 5));
    const size = uvarint();
    if (wasNumberCut()) return windowEnd >= start + 5 ? IS_DAMAGED : NEEDS_WINDOW;
    if (size > MAX_CHUNK_BYTES) return IS_DAMAGED;
    const dataStart = numbersEnd() + 1;
    const dataEnd = dataStart + <usize>size;
    const end = dataEnd + 4;
    const frameBytes = <u32>(end - start);
    store<u32>(output, frameBytes, 60);
    if (end > windowEnd) return NEEDS_WINDOW;
    const used = load<u32>(output, 4);
    const listed = load<u32>(output, 12);
    if (used + frameBytes > load<u32>(output, 8) || listed == load<u32>(output, 16)) return NEEDS_ROOM;
    const summedTo = load<u32>(input, 28);
    if (summedTo != <u32>start) {
      if (summedTo != load<u32>(input, 24)) return NEEDS_COMPARING;
      store<u32>(input, <u32>start, 24);
      store<u32>(input, 0, 32);
    }

    const sum = crc32c(start, dataStart - 1, ~load<u32>(input, 32)) ^ 0xffffffff;
    const stored = crc32c(dataEnd, end, ~u32BigEndian(dataEnd)) ^ 0xffffffff;
    store<u32>(input, joinChecksums(sum, stored, <u32>(end - dataStart + 1)), 32);
    store<u32>(input, <u32>end, 28);

    memory.copy(<usize>load<u32>(output) + used, start, frameBytes);
    const encoding = <u32>load<u8>(dataStart - 1);
    let samples = (<u32>load<u8>(dataStart) << 8) | load<u8>(dataStart, 1);
    if (encoding >= FIRST_ENCODING_WITH_FLAGS) samples &= 0x3fff;
    if (encoding == ENCODING_XOR || encoding == ENCODING_XOR2)
      store<f64>(output, load<f64>(output, 40) + <f64>samples, 40);
    else store<f64>(output, load<f64>(output, 48) + <f64>samples, 48);
    const at = <usize>listed << 3;
    store<i64>(load<u32>(output, 20) + at, load<i64>(load<u32>(input, 52) + (<usize>i << 3)));
    store<i64>(load<u32>(output, 24) + at, load<i64>(load<u32>(input, 56) + (<usize>i << 3)));
    store<u64>(load<u32>(output, 28) + at, base + used);
    store<u32>(output, used + frameBytes, 4);
    store<u32>(output, listed + 1, 12);
  }
  return DONE;
}

/**
 * Writes the series whose chunks the output lists as a record: uvarint size │ uvarint size of the label pairs │ label
 * pairs │ chunks.
 * @param pairs numbers of its label pairs, u32 @returns the record's size
 */
export function putSeriesRecord(output: usize, pairs: usize, count: u32, target: usize): u32 {
  const body = target + 20;
  let at = putUvarint(body, count);
  for (; count != 0; count--) {
    at = putUvarint(at, load<u32>(pairs));
    pairs += 4;
  }
  const labelsSize = at - body;
  const chunks = load<u32>(output, 12);
  let minTimes = <usize>load<u32>(output, 20);
  let maxTimes = <usize>load<u32>(output, 24);
  let refs = <usize>load<u32>(output, 28);
  at = putUvarint(at, chunks);
  let time: i64 = 0;
  let ref: i64 = 0;
  for (let i: u32 = 0; i < chunks; i++) {
    const minTime = load<i64>(minTimes);
    at = i == 0 ? putVarint(at, minTime) : putUvarint(at, minTime - time);
    time = load<i64>(maxTimes);
    at = putUvarint(at, time - minTime);
    const next = load<i64>(refs);
    at = i == 0 ? putUvarint(at, next) : putVarint(at, next - ref);
    ref = next;
    minTimes += 8;
    maxTimes += 8;
    refs += 8;
  }
  const size = at - body;
  const to = putUvarint(putUvarint(target, size), labelsSize);
  memory.copy(to, body, size);
  return <u32>(to + size - target);
}
