// Bytes ↔ snappy blocks, which the log's records are kept in.
//
//   length of the bytes as a varint │ element │ element …
//   element, by the lowest two bits of its first byte (the tag):
//     0 literal   upper six bits: length - 1 if < 60, else 60 + k says that k + 1 bytes with it follow; then the bytes
//     1 copy      3 bits length - 4, 3 bits on top of the offset, one byte below
//     2 copy      6 bits length - 1, two bytes offset
//     3 copy      6 bits length - 1, four bytes offset
//
// What is written looks back no further than to the start of its 64 KiB, so that places fit 16 bits.

const FRAGMENT_BYTES: u32 = 65536;
const MOST_TABLE_BITS: u32 = 14;
/** Behind the last place a match is looked for at: eight bytes may be read from it, and from the one after. */
const MARGIN_BYTES: u32 = 16;
/** 2 to the 32 by the golden ratio: spreads what it is multiplied with over the upper bits. */
const HASH_FACTOR: u32 = 0x9e3779b1;

/** @returns where the block ends. `table` has room for 2^14 places; behind the bytes 16 more may be read. */
export function snappyCompress(input: usize, size: u32, output: usize, table: usize): usize {
  let rest = size;
  while (rest >= 128) {
    store<u8>(output++, <u8>(rest | 128));
    rest >>>= 7;
  }
  store<u8>(output++, <u8>rest);
  for (let from: u32 = 0; from < size; from += FRAGMENT_BYTES) {
    output = compressFragment(input + from, min(size - from, FRAGMENT_BYTES), output, table);
  }
  return output;
}

function compressFragment(start: usize, size: u32, output: usize, table: usize): usize {
  const end = start + size;
  let literal = start;
  if (size > MARGIN_BYTES) {
    // A small table for little input: clearing it would take longer than the rest.
    let bits: u32 = 8;
    while (bits < MOST_TABLE_BITS && ((<u32>1) << bits) < size) bits++;
    const shift = 32 - bits;
    memory.fill(table, 0, (<usize>2) << bits);
    const last = end - MARGIN_BYTES;
    let at = start + 1;
    while (at <= last) {
      // Look further apart the longer nothing was found: what can't be compressed is soon passed.
      let misses: u32 = 32;
      let candidate: usize = 0;
      let word: u32 = 0;
      for (;;) {
        word = load<u32>(at);
        const slot = table + ((<usize>((word * HASH_FACTOR) >>> shift)) << 1);
        candidate = start + load<u16>(slot);
        store<u16>(slot, <u16>(at - start));
        if (load<u32>(candidate) == word) break;
        at += misses++ >>> 5;
        if (at > last) return putLiteral(literal, end, output);
      }
      if (at > literal) output = putLiteral(literal, at, output);
      const length = 4 + matchLength(candidate + 4, at + 4, end);
      output = putCopy(<u32>(at - candidate), length, output);
      at += length;
      literal = at;
      if (at > last) break;
      // The place before the next one may be what a later match begins with.
      const before = load<u32>(at - 1);
      store<u16>(table + ((<usize>((before * HASH_FACTOR) >>> shift)) << 1), <u16>(at - 1 - start));
    }
  }
  return literal < end ? putLiteral(literal, end, output) : output;
}

/** How many bytes are the same from both places on, the later one ending at `end`. */
// prettier-ignore
@inline
function matchLength(earlier: usize, later: usize, end: usize): u32 {
  const from = later;
  while (later + 8 <= end) {
    const difference = load<u64>(earlier) ^ load<u64>(later);
    if (difference != 0) return <u32>(later - from) + (<u32>ctz(difference) >>> 3);
    earlier += 8;
    later += 8;
  }
  while (later < end && load<u8>(earlier) == load<u8>(later)) {
    earlier++;
    later++;
  }
  return <u32>(later - from);
}

function putLiteral(from: usize, to: usize, output: usize): usize {
  const size = <u32>(to - from);
  const rest = size - 1;
  if (rest < 60) store<u8>(output++, <u8>(rest << 2));
  else if (rest < 256) {
    store<u8>(output, 60 << 2);
    store<u8>(output + 1, <u8>rest);
    output += 2;
  } else {
    // Fragments have no more than 2^16 bytes.
    store<u8>(output, 61 << 2);
    store<u16>(output + 1, <u16>rest);
    output += 3;
  }
  if (size <= 16) {
    // Both may go beyond: behind the input is room, and what is written there is written over.
    store<u64>(output, load<u64>(from));
    store<u64>(output + 8, load<u64>(from + 8));
  } else memory.copy(output, from, size);
  return output + size;
}

function putCopy(offset: u32, length: u32, output: usize): usize {
  // The last one takes at least four bytes, so that it may be of the short kind.
  while (length >= 68) {
    output = putWideCopy(offset, 64, output);
    length -= 64;
  }
  if (length > 64) {
    output = putWideCopy(offset, 60, output);
    length -= 60;
  }
  if (length >= 12 || offset >= 2048) return putWideCopy(offset, length, output);
  store<u8>(output, <u8>(1 | ((length - 4) << 2) | ((offset >>> 8) << 5)));
  store<u8>(output + 1, <u8>offset);
  return output + 2;
}

// prettier-ignore
@inline
function putWideCopy(offset: u32, length: u32, output: usize): usize {
  store<u8>(output, <u8>(2 | ((length - 1) << 2)));
  store<u16>(output + 1, <u16>offset);
  return output + 3;
}

/**
 * Takes apart the elements of a block, the length before them left out.
 * @param size how many bytes they must give; behind their place 16 more may be written, behind the input as many read
 * @returns 1, or 0 where they are not such elements
 */
export function snappyDecompress(input: usize, inputEnd: usize, output: usize, size: u32): u32 {
  const first = output;
  const end = output + size;
  while (input < inputEnd) {
    const tag = <u32>load<u8>(input++);
    let length: u32 = 0;
    let offset: u32 = 0;
    if ((tag & 3) == 0) {
      length = tag >>> 2;
      if (length >= 60) {
        const bytes = length - 59;
        // The upper bytes of the word are not its own.
        length = load<u32>(input) & (<u32>0xffffffff >>> (32 - 8 * bytes));
        input += bytes;
      }
      if (input > inputEnd || length >= <u32>(inputEnd - input) || length >= <u32>(end - output)) return 0;
      length++;
      if (length <= 16) {
        store<u64>(output, load<u64>(input));
        store<u64>(output + 8, load<u64>(input + 8));
      } else memory.copy(output, input, length);
      input += length;
      output += length;
      continue;
    }
    if ((tag & 3) == 1) {
      length = 4 + ((tag >>> 2) & 7);
      offset = ((tag >>> 5) << 8) | <u32>load<u8>(input++);
    } else {
      length = 1 + (tag >>> 2);
      if ((tag & 3) == 2) {
        offset = <u32>load<u16>(input);
        input += 2;
      } else {
        offset = load<u32>(input);
        input += 4;
      }
    }
    if (input > inputEnd || offset == 0 || offset > <u32>(output - first) || length > <u32>(end - output)) return 0;
    let from = output - offset;
    const to = output + length;
    if (offset >= 8) {
      while (output < to) {
        store<u64>(output, load<u64>(from));
        output += 8;
        from += 8;
      }
      output = to;
    } else {
      // It overlaps what it writes: a pattern that goes on.
      while (output < to) store<u8>(output++, load<u8>(from++));
    }
  }
  return <u32>(output == end);
}
