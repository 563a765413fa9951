import { loadOptionalModule } from "../model/optional-module.ts";

/** The reflected Castagnoli polynomial. */
const POLYNOMIAL = 0x82f63b78;

/** From this size on the native function wins over a call's overhead; measured crossing near 500 bytes. */
const NATIVE_FROM_BYTES = 512;

/** Sixteen tables of 256: table k advances a byte by k further zero bytes, so sixteen bytes fold in one step. */
const tables = makeTables();

function makeTables(): Int32Array {
  const table = new Int32Array(16 * 256);
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
  if (end - start >= NATIVE_FROM_BYTES) {
    const fast = nativeCrc();
    if (fast) return fast(bytes.subarray(start, end), seed) >>> 0;
  }
  return crc32cBySlices(bytes, start, end, seed);
}

/** The bytes looked at last, for reading four at a time: one buffer after the other is summed in many parts. */
let viewed: Uint8Array | null = null;
let view: DataView = new DataView(new ArrayBuffer(0));

/** The portable implementation, sixteen bytes a step. */
export function crc32cBySlices(bytes: Uint8Array, start: number, end: number, seed: number): number {
  const table = tables;
  let crc = ~seed;
  let i = start;
  const last = end - 16;
  if (i <= last) {
    if (viewed !== bytes) {
      viewed = bytes;
      view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    const words = view;
    for (; i <= last; i += 16) {
      const a = crc ^ words.getInt32(i, true);
      const b = words.getInt32(i + 4, true);
      const c = words.getInt32(i + 8, true);
      const d = words.getInt32(i + 12, true);
      crc =
        table[0xf00 | (a & 0xff)]! ^
        table[0xe00 | ((a >>> 8) & 0xff)]! ^
        table[0xd00 | ((a >>> 16) & 0xff)]! ^
        table[0xc00 | (a >>> 24)]! ^
        table[0xb00 | (b & 0xff)]! ^
        table[0xa00 | ((b >>> 8) & 0xff)]! ^
        table[0x900 | ((b >>> 16) & 0xff)]! ^
        table[0x800 | (b >>> 24)]! ^
        table[0x700 | (c & 0xff)]! ^
        table[0x600 | ((c >>> 8) & 0xff)]! ^
        table[0x500 | ((c >>> 16) & 0xff)]! ^
        table[0x400 | (c >>> 24)]! ^
        table[0x300 | (d & 0xff)]! ^
        table[0x200 | ((d >>> 8) & 0xff)]! ^
        table[0x100 | ((d >>> 16) & 0xff)]! ^
        table[d >>> 24]!;
    }
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}
