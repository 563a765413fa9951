import * as zlib from "node:zlib";
import snappyjs from "snappyjs";
import { MAX_SNAPPY_BYTES, SnappyKernel } from "../../kernels/index.ts";
import { CorruptionError } from "../corruption-error.ts";

/** How records are compressed: the names of the server's flag. */
export type WalCompression = "none" | "snappy" | "zstd";

/** No writer makes records near this; a claimed size above it is a broken record, not a reason to allocate. */
const MAX_RECORD_BYTES = 1 << 30;

// Node gained zstd in 22.15.
const zstd = zlib as unknown as {
  zstdCompressSync?: (input: Uint8Array) => Uint8Array;
  zstdDecompressSync?: (input: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
};

/** This thread's; it comes with the first record. */
let kernel: SnappyKernel | null = null;

/** Whether this Node can read and write records of this kind. */
export function canCompress(compression: WalCompression): boolean {
  return compression !== "zstd" || zstd.zstdCompressSync !== undefined;
}

/** @returns a snappy block; the next call, of either kind, may overwrite it */
export function compressSnappy(bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_SNAPPY_BYTES) return snappyjs.compress(bytes);
  kernel ??= new SnappyKernel();
  return kernel.compress(bytes);
}

/** @throws CorruptionError where the bytes are not a snappy block */
export function decompressSnappy(bytes: Uint8Array): Uint8Array {
  return unpackSnappy(bytes).slice();
}

/** As `decompressSnappy`, but the next call, or `compressSnappy`, may overwrite what it gives. */
export function unpackSnappy(bytes: Uint8Array): Uint8Array {
  const { size, at } = snappyLength(bytes);
  // A snappy element makes at most 64 bytes of 3, so a greater claim is a lie and must not be allocated.
  if (size > MAX_RECORD_BYTES || size > 64 * bytes.length) {
    throw new CorruptionError(`cannot decompress record: ${bytes.length} bytes claim to hold ${size}`);
  }
  const notSnappy = (options?: ErrorOptions) =>
    new CorruptionError(`cannot decompress record of ${bytes.length} bytes: not a snappy block`, options);
  if (Math.max(size, bytes.length) <= MAX_SNAPPY_BYTES) {
    kernel ??= new SnappyKernel();
    const plain = kernel.decompress(bytes.subarray(at), size);
    if (plain === null) throw notSnappy();
    return plain;
  }
  try {
    return snappyjs.uncompress(bytes);
  } catch (cause) {
    throw notSnappy({ cause });
  }
}

/** The size a block begins with, and where its elements begin. */
function snappyLength(bytes: Uint8Array): { readonly size: number; readonly at: number } {
  let size = 0;
  for (let i = 0; i < 5 && i < bytes.length; i++) {
    size += (bytes[i]! & 0x7f) * 2 ** (7 * i);
    if (bytes[i]! < 0x80) return { size, at: i + 1 };
  }
  throw new CorruptionError(`cannot decompress record of ${bytes.length} bytes: no length at its start`);
}

export function compressZstd(bytes: Uint8Array): Uint8Array {
  if (!zstd.zstdCompressSync)
    throw new Error("cannot compress with zstd: this version of Node.js does not have it");
  return zstd.zstdCompressSync(bytes);
}

/** @throws Error where this Node lacks zstd; CorruptionError where the bytes are not a zstd frame */
export function decompressZstd(bytes: Uint8Array): Uint8Array {
  if (!zstd.zstdDecompressSync) {
    throw new Error(
      "cannot read zstd-compressed record: this version of Node.js does not have zstd (22.15 does)",
    );
  }
  try {
    return zstd.zstdDecompressSync(bytes, { maxOutputLength: MAX_RECORD_BYTES });
  } catch (cause) {
    throw new CorruptionError(`cannot decompress record of ${bytes.length} bytes: not a zstd frame`, {
      cause,
    });
  }
}
