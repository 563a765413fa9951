// XOR chunks → columns. A chunk is a bit stream filled from the top bit of each byte:
//
//   varint t0 │ 64 bits v0 │ uvarint t1-t0 │ xor v1 │ then per sample: delta of delta of t, xor v
//
// Reads go eight bytes at a time, so up to 16 bytes behind a chunk are looked at (and not used).

// prettier-ignore
@inline
function bigEndian(pointer: usize): u64 {
  return bswap<u64>(load<u64>(pointer));
}

/** 57 bits or more of the stream from bit `position` on, at the top of the word. */
// prettier-ignore
@inline
function peek(base: usize, position: u32): u64 {
  return bigEndian(base + (position >>> 3)) << (position & 7);
}

/** Entry of a chunk list: pointer to the bits (behind the count), size in bytes, samples to decode. */
const LIST_ENTRY_BYTES: usize = 12;

/**
 * Decodes `chunkCount` chunks one behind the other and writes the samples whose time lies in [minTime, maxTime].
 * One sample beyond the last written one may be scribbled on: the caller gives room for every listed sample.
 *
 * @returns how many samples were written, or -1 - index of the first chunk whose bits end too early
 */
export function decodeXorChunks(
  list: usize,
  chunkCount: i32,
  times: usize,
  values: usize,
  minTime: f64,
  maxTime: f64,
): i32 {
  const firstTime = times;
  for (let c = 0; c < chunkCount; c++) {
    const bits = <usize>load<u32>(list);
    const size = load<u32>(list, 4);
    const count = load<u32>(list, 8);
    list += LIST_ENTRY_BYTES;
    if (count == 0) continue;

    let pointer = bits;
    let end = bits + size;
    if (end < bits) return -1 - c;
    let raw: u64 = 0;
    let shift: u64 = 0;
    let byte: u64;
    do {
      if (pointer >= end || shift > 63) return -1 - c;
      byte = load<u8>(pointer++);
      raw |= (byte & 127) << shift;
      shift += 7;
    } while (byte > 127);
    let time: i64 = <i64>(raw >>> 1) ^ -(<i64>(raw & 1));
    if (pointer + 8 > end) return -1 - c;
    let value = bigEndian(pointer);
    pointer += 8;
    let floatTime = <f64>time;
    if (floatTime > maxTime) break;
    store<f64>(times, floatTime);
    store<u64>(values, value);
    let kept: usize = select<usize>(8, 0, floatTime >= minTime);
    times += kept;
    values += kept;
    if (count == 1) continue;

    raw = 0;
    shift = 0;
    do {
      if (pointer >= end || shift > 63) return -1 - c;
      byte = load<u8>(pointer++);
      raw |= (byte & 127) << shift;
      shift += 7;
    } while (byte > 127);
    let delta = <i64>raw;
    const bitCount = <u32>(end - pointer) << 3;
    let position: u32 = 0;
    let significant: u64 = 0;
    // Counted from the left end of the value: 64 - leading - significant is the shift to its place.
    let place: u64 = 0;
    for (let i: u32 = 1; i < count; i++) {
      let word = peek(pointer, position);
      if (i > 1) {
        if (<i64>word >= 0) {
          position++;
          word <<= 1;
        } else {
          let deltaOfDelta: i64;
          if (!(word & 0x4000000000000000)) {
            deltaOfDelta = <i64>((word >>> 48) & 0x3fff);
            if (deltaOfDelta > 8192) deltaOfDelta -= 16384;
            position += 16;
          } else if (!(word & 0x2000000000000000)) {
            deltaOfDelta = <i64>((word >>> 44) & 0x1ffff);
            if (deltaOfDelta > 65536) deltaOfDelta -= 131072;
            position += 20;
          } else if (!(word & 0x1000000000000000)) {
            deltaOfDelta = <i64>((word >>> 40) & 0xfffff);
            if (deltaOfDelta > 524288) deltaOfDelta -= 1048576;
            position += 24;
          } else {
            if (position > bitCount) return -1 - c;
            deltaOfDelta = <i64>(
              ((peek(pointer, position + 4) & 0xffffffff00000000) | (peek(pointer, position + 36) >>> 32))
            );
            position += 68;
          }
          delta += deltaOfDelta;
          if (position > bitCount) return -1 - c;
          word = peek(pointer, position);
        }
      }
      time += delta;
      if (<i64>word >= 0) {
        position++;
      } else {
        if (!(word & 0x4000000000000000)) {
          position += 2;
          word <<= 2;
        } else {
          const leading = (word >>> 57) & 31;
          significant = (word >>> 51) & 63;
          if (significant == 0) significant = 64;
          // A window wider than the word can only come from a corrupt chunk.
          if (leading + significant > 64) return -1 - c;
          place = 64 - leading - significant;
          position += 13;
          word <<= 13;
        }
        if (significant <= 40) {
          if (significant == 0) return -1 - c;
          value ^= (word >>> (64 - significant)) << place;
        } else {
          if (position > bitCount) return -1 - c;
          const high = peek(pointer, position) & 0xffffffff00000000;
          const low = peek(pointer, position + 32) >>> 32;
          value ^= ((high | low) >>> (64 - significant)) << place;
        }
        position += <u32>significant;
      }
      if (position > bitCount) return -1 - c;
      floatTime = <f64>time;
      if (floatTime > maxTime) break;
      store<f64>(times, floatTime);
      store<u64>(values, value);
      kept = select<usize>(8, 0, floatTime >= minTime);
      times += kept;
      values += kept;
    }
  }
  return <i32>((times - firstTime) >>> 3);
}
