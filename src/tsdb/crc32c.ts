import { loadOptionalModule } from "./optional-module.ts";

/** The reflected Castagnoli polynomial. */
const POLYNOMIAL = 0x82f63b78;

/** From this size on the native function wins over a call's overhead; measured crossing near 4 KiB. */
const NATIVE_FROM_BYTES = 4096;

/** Eight tables of 256: table k advances a byte by k further zero bytes, so eight bytes fold in one step. */
const tables = makeTables();

function makeTables(): Uint32Array {
  const table = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
  }
  for (let i = 256; i < table.length; i++) {
    const previous = table[i - 256]!;
    table[i] = (previous >>> 8) ^ table[previous & 0xff]!;
  }
  return table;
}

type NativeCrc = (input: Uint8Array, initialState?: number) => number;

let native: NativeCrc | null | undefined;

function nativeCrc(): NativeCrc | null {
  if (native === undefined) {
    const module = loadOptionalModule("@node-rs/crc32") as { crc32c?: NativeCrc } | null;
    native = module?.crc32c ?? null;
  }
  return native;
}

/**
 * CRC-32C of `bytes[start..end)`, the checksum of every file of the database. Pass the checksum of what came before
 * as `seed` to continue it.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  if (end - start >= NATIVE_FROM_BYTES && !(bytes.buffer instanceof SharedArrayBuffer)) {
    const fast = nativeCrc();
    if (fast) return fast(bytes.subarray(start, end), seed) >>> 0;
  }
  return crc32cBySlices(bytes, start, end, seed);
}

/** The portable implementation, eight bytes a step. */
export function crc32cBySlices(bytes: Uint8Array, start: number, end: number, seed: number): number {
  const table = tables;
  let crc = ~seed;
  let i = start;
  for (const last = end - 8; i <= last; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      table[0x700 | (crc & 0xff)]! ^
      table[0x600 | ((crc >>> 8) & 0xff)]! ^
      table[0x500 | ((crc >>> 16) & 0xff)]! ^
      table[0x400 | (crc >>> 24)]! ^
      table[0x300 | bytes[i + 4]!]! ^
      table[0x200 | bytes[i + 5]!]! ^
      table[0x100 | bytes[i + 6]!]! ^
      table[bytes[i + 7]!]!;
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}
