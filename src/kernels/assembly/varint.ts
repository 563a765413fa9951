// Whole numbers as LEB128, as indexes and records have them: seven bits a byte, the lowest first; signed ones zigzag.

let cursor: usize = 0;
let limit: usize = 0;
let isCut: bool = false;

/** Reads from here on, no further than to `end`. */
export function readNumbers(at: usize, end: usize): void {
  cursor = at;
  limit = end;
  isCut = false;
}

/** The first byte that is not read yet. */
export function numbersEnd(): usize {
  return cursor;
}

/** Whether a number was asked for of which not all is there; it was given as 0. */
export function wasNumberCut(): bool {
  return isCut;
}

export function uvarint(): u64 {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 64; shift += 7) {
    if (cursor >= limit) break;
    const byte = <u64>load<u8>(cursor++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  isCut = true;
  return 0;
}

// prettier-ignore
@inline
export function varint(): i64 {
  const zigzag = uvarint();
  return <i64>(zigzag >>> 1) ^ -(<i64>(zigzag & 1));
}

/** @returns behind what was written */
// prettier-ignore
@inline
export function putUvarint(at: usize, value: u64): usize {
  for (; value >= 0x80; value >>>= 7) store<u8>(at++, <u8>value | 0x80);
  store<u8>(at++, <u8>value);
  return at;
}

// prettier-ignore
@inline
export function putVarint(at: usize, value: i64): usize {
  return putUvarint(at, <u64>((value << 1) ^ (value >> 63)));
}
