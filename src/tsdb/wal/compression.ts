import * as zlib from "node:zlib";
import snappyjs from "snappyjs";
import { CorruptionError } from "../corruption-error.ts";
import { loadOptionalModule } from "../../model/optional-module.ts";

/** How records are compressed: the names of the server's flag. */
export type WalCompression = "none" | "snappy" | "zstd";

/** No writer makes records near this; a claimed size above it is a broken record, not a reason to allocate. */
const MAX_RECORD_BYTES = 1 << 30;

interface NativeSnappy {
  compressSync(input: Uint8Array, options: { copyOutputData: boolean }): Uint8Array;
  uncompressSync(input: Uint8Array, options: { copyOutputData: boolean }): Uint8Array;
}

// Node gained zstd in 22.15.
const zstd = zlib as unknown as {
  zstdCompressSync?: (input: Uint8Array) => Uint8Array;
  zstdDecompressSync?: (input: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
};

let native: NativeSnappy | null | undefined;

function nativeSnappy(): NativeSnappy | null {
  if (native === undefined) native = loadOptionalModule("snappy") as NativeSnappy | null;
  return native;
}

/** Whether this Node can read and write records of this kind. */
export function canCompress(compression: WalCompression): boolean {
  return compression !== "zstd" || zstd.zstdCompressSync !== undefined;
}

export function compressSnappy(bytes: Uint8Array): Uint8Array {
  // Copying the output is faster than handing out external buffers, which the garbage collector handles badly.
  return nativeSnappy()?.compressSync(bytes, { copyOutputData: true }) ?? snappyjs.compress(bytes);
}

/** @throws CorruptionError where the bytes are not a snappy block */
export function decompressSnappy(bytes: Uint8Array): Uint8Array {
  const claimed = snappyLength(bytes);
  // A snappy element makes at most 64 bytes of 3, so a greater claim is a lie and must not be allocated.
  if (claimed > MAX_RECORD_BYTES || claimed > 64 * bytes.length) {
    throw new CorruptionError(`cannot decompress record: ${bytes.length} bytes claim to hold ${claimed}`);
  }
  try {
    return nativeSnappy()?.uncompressSync(bytes, { copyOutputData: true }) ?? snappyjs.uncompress(bytes);
  } catch (cause) {
    throw new CorruptionError(`cannot decompress record of ${bytes.length} bytes: not a snappy block`, {
      cause,
    });
  }
}

function snappyLength(bytes: Uint8Array): number {
  let length = 0;
  for (let i = 0; i < 5 && i < bytes.length; i++) {
    length += (bytes[i]! & 0x7f) * 2 ** (7 * i);
    if (bytes[i]! < 0x80) return length;
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
