// CRC-32C, eight bytes a step. Seeds and results of `crc32c` are without the complement at either end.
const POLYNOMIAL: u32 = 0x82f63b78;
const TABLE_ENTRIES: u32 = 2048;
/** For runs of up to 2^27 bytes. */
const ZERO_POWERS: u32 = 27;
let table: usize = 0;
let zeroTables: usize = 0;

// prettier-ignore
@inline
function entry(row: u32, byte: u32): u32 {
  return load<u32>(table + (((row << 8) | byte) << 2));
}

/** Makes the tables of the checksum, 8 KiB. To be called before anything is summed. */
export function makeChecksumTables(at: usize): void {
  table = at;
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    store<u32>(table + (byte << 2), crc);
  }
  for (let i: u32 = 256; i < TABLE_ENTRIES; i++) {
    const previous = load<u32>(table + ((i - 256) << 2));
    store<u32>(table + (i << 2), (previous >>> 8) ^ entry(0, previous & 0xff));
  }
}

// prettier-ignore
@inline
export function crcByte(crc: u32, byte: u32): u32 {
  return (crc >>> 8) ^ entry(0, (crc ^ byte) & 0xff);
}

export function crc32c(from: usize, to: usize, seed: u32): u32 {
  let crc = seed;
  for (; from + 8 <= to; from += 8) {
    const a = load<u32>(from) ^ crc;
    const b = load<u32>(from, 4);
    crc =
      entry(7, a & 0xff) ^
      entry(6, (a >>> 8) & 0xff) ^
      entry(5, (a >>> 16) & 0xff) ^
      entry(4, a >>> 24) ^
      entry(3, b & 0xff) ^
      entry(2, (b >>> 8) & 0xff) ^
      entry(1, (b >>> 16) & 0xff) ^
      entry(0, b >>> 24);
  }
  for (; from < to; from++) crc = (crc >>> 8) ^ entry(0, (crc ^ load<u8>(from)) & 0xff);
  return crc;
}

/**
 * Makes the tables of `joinChecksums`, 108 KiB: by power, what each byte of a sum becomes through 2^power zero bytes.
 * To be called after `makeChecksumTables`.
 */
export function makeZeroTables(at: usize): void {
  zeroTables = at;
  for (let power: u32 = 0; power < ZERO_POWERS; power++) {
    const half = at - 4096;
    for (let i: u32 = 0; i < 1024; i++) {
      const crc = (i & 0xff) << ((i >>> 8) << 3);
      const through =
        power == 0 ? (crc >>> 8) ^ entry(0, crc & 0xff) : throughZeros(half, throughZeros(half, crc));
      store<u32>(at + (i << 2), through);
    }
    at += 4096;
  }
}

// prettier-ignore
@inline
function throughZeros(zeros: usize, crc: u32): u32 {
  return (
    load<u32>(zeros + ((crc & 0xff) << 2)) ^
    load<u32>(zeros + (((crc >>> 8) & 0xff) << 2), 1024) ^
    load<u32>(zeros + (((crc >>> 16) & 0xff) << 2), 2048) ^
    load<u32>(zeros + ((crc >>> 24) << 2), 3072)
  );
}

/** The checksum, complements and all, of two runs of bytes behind each other, from that of each. */
export function joinChecksums(first: u32, second: u32, secondBytes: u32): u32 {
  let zeros = zeroTables;
  for (; secondBytes != 0; secondBytes >>>= 1) {
    if (secondBytes & 1) first = throughZeros(zeros, first);
    zeros += 4096;
  }
  return first ^ second;
}
