// The chunks of a series, scattered over pages → one behind the other, as they lie in the chunk file of a block.
//
// For series that take no more samples. See chunk-append.ts for records and pages.
import { crc32c, crcByte } from "./checksum";
import { decodeXorChunks } from "./chunk-decode";

const PAGE_BYTES: usize = 64;
const FIRST_PAGE_HEADER: usize = 16;
const PAGE_HEADER: usize = 4;
const ENCODING_XOR: u32 = 1;

/** Entry of the list: pointer, size, encoding, first and last time (u32 since the generation's start), checksum. */
const LIST_ENTRY_BYTES: usize = 24;
const UNKNOWN_TIME: u32 = 0xffffffff;

/** Samples that are decoded where the last time of a chunk is not noted behind it, and what that takes. */
const MAX_DECODED: u32 = 255;
const DECODE_BYTES: usize = 16 + 16 * (<usize>MAX_DECODED + 1);
/** How far behind a chunk decoding looks. */
const PADDING_BYTES: usize = 16;

/**
 * Copies the chunks of a series to `out`, as they lie in a chunk file, and lists them: uvarint size, u8 encoding, u16
 * sample count, bits, u32 checksum. What is listed begins with the sample count.
 *
 * @param start the generation's first millisecond
 * @param room bytes at `out`; the last few thousand are worked in
 * @returns how many chunks, or -1 if `room` or `maxChunks` are too few
 */
export function gatherChunks(
  record: usize,
  start: f64,
  out: usize,
  room: usize,
  list: usize,
  maxChunks: i32,
): i32 {
  const work = out + room - DECODE_BYTES;
  if (room < DECODE_BYTES) return -1;
  let left = load<u32>(record, 36);
  let page = <usize>load<u32>(record, 28) << 6;
  let chunks: i32 = 0;
  while (left > 0) {
    if (chunks == maxChunks) return -1;
    const next = load<u32>(page, 4);
    const sealed = load<u32>(page, 8);
    const firstTime = load<u32>(page, 12);
    const isSealed = sealed >>> 24 != 0;
    const count = next != 0 ? sealed & 0xffff : left;
    const encoding = isSealed ? sealed >>> 24 : <u32>load<u8>(record, 25);
    const used: u32 = isSealed ? (sealed >>> 16) & 0xff : (<u32>load<u16>(record, 20) + 7) >>> 3;

    if (out + 2 * PAGE_BYTES + PADDING_BYTES > work) return -1;
    const frame = out;
    // Behind its size, which nearly always takes two bytes, and its encoding.
    const begin = (out += 3);
    store<u8>(out, <u8>(count >>> 8));
    store<u8>(out, <u8>count, 1);
    out += 2;
    let from = page + FIRST_PAGE_HEADER;
    let last = page;
    for (let following = load<u32>(page); following != 0; following = load<u32>(last)) {
      const size = last + PAGE_BYTES - from;
      if (out + 2 * PAGE_BYTES + PADDING_BYTES > work) return -1;
      copyPage(out, from);
      out += size;
      last = <usize>following << 6;
      from = last + PAGE_HEADER;
    }
    copyPage(out, from);
    out += last + used - from;

    const size = <u32>(out - begin);
    let lastTime = UNKNOWN_TIME;
    if (next == 0) lastTime = load<u32>(record);
    else if (encoding == ENCODING_XOR) lastTime = lastTimeOf(last, used, begin, size, count, start, work);
    const crc = crc32c(begin, out, crcByte(0xffffffff, encoding)) ^ 0xffffffff;
    const data = putSize(frame, size) + 1;
    if (data != begin) memory.copy(data, begin, size);
    store<u8>(data - 1, <u8>encoding);
    out = data + size;
    store<u32>(out, bswap<u32>(crc));
    out += 4;
    store<u32>(list, <u32>data);
    store<u32>(list, size, 4);
    store<u32>(list, encoding, 8);
    store<u32>(list, firstTime, 12);
    store<u32>(list, lastTime, 16);
    store<u32>(list, crc, 20);
    list += LIST_ENTRY_BYTES;
    chunks++;
    left -= min(count, left);
    page = <usize>next << 6;
  }
  return chunks;
}

function putSize(at: usize, size: u32): usize {
  for (; size >= 0x80; size >>>= 7) store<u8>(at++, <u8>size | 0x80);
  store<u8>(at++, <u8>size);
  return at;
}

/**
 * Brings the pages of some series into the cache. A page is only found by way of the one before it, so a walk along one
 * series waits for memory at each step; the walks along many series at once wait together.
 *
 * @param cursors two words for each of the `count` series
 */
export function fetchChunks(records: usize, refs: usize, count: i32, cursors: usize): void {
  for (let i = 0; i < count; i++) {
    const first = load<u32>(records + (<usize>load<u32>(refs + (<usize>i << 2)) << 6), 28);
    store<u32>(cursors + (<usize>i << 3), first);
    store<u32>(cursors + (<usize>i << 3), first, 4);
  }
  for (let isWalking = true; isWalking;) {
    isWalking = false;
    for (let i = 0; i < count; i++) {
      const cursor = cursors + (<usize>i << 3);
      const page = load<u32>(cursor);
      if (page == 0) continue;
      isWalking = true;
      let next = load<u32>(<usize>page << 6);
      if (next == 0) {
        // The chunk's end: on with the next one.
        next = load<u32>(<usize>load<u32>(cursor, 4) << 6, 4);
        store<u32>(cursor, next, 4);
      }
      store<u32>(cursor, next);
    }
  }
}

/** Copies a page's data, and some bytes behind it. */
// prettier-ignore
@inline
function copyPage(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}

/** The last time of a full chunk: noted behind it where its last page had room for that, else decoded. */
function lastTimeOf(
  page: usize,
  used: u32,
  chunk: usize,
  size: u32,
  count: u32,
  start: f64,
  work: usize,
): u32 {
  const behind: usize = (used + 3) & ~3;
  if (behind + 4 <= PAGE_BYTES) {
    const noted = load<u32>(page + behind);
    if (noted != 0) return ~noted;
  }
  if (count > MAX_DECODED) return UNKNOWN_TIME;
  store<u32>(work, <u32>chunk + 2);
  store<u32>(work, size - 2, 4);
  store<u32>(work, count, 8);
  const times = work + 16;
  const decoded = decodeXorChunks(work, 1, times, times + 8 * (MAX_DECODED + 1), -Infinity, Infinity);
  if (decoded != count) return UNKNOWN_TIME;
  return <u32>(load<f64>(times + 8 * (count - 1)) - start);
}
