import {
  instantiateKernels,
  RESERVED_BYTES,
  reserveSharedMemory,
  type KernelExports,
} from "./instantiate.ts";

/** The longest bytes, plain or compressed, that are taken: records of the log are far shorter. */
export const MAX_SNAPPY_BYTES = 1 << 20;

const TABLE_BYTES = 2 << 14;
/** The kernel reads and writes a little beyond what it is given. */
const PADDING_BYTES = 64;
const TABLE = RESERVED_BYTES;
const INPUT = TABLE + TABLE_BYTES;
const OUTPUT = INPUT + MAX_SNAPPY_BYTES + PADDING_BYTES;
/** What can't be compressed grows by a literal's three bytes in 64 KiB; as many for each literal between copies. */
const END = OUTPUT + MAX_SNAPPY_BYTES + MAX_SNAPPY_BYTES / 6 + PADDING_BYTES;

/** Snappy blocks, made and taken apart in a memory of its own, of which only what records need is ever touched. */
export class SnappyKernel {
  private readonly exports: KernelExports;
  private readonly bytes: Uint8Array;

  constructor() {
    const memory = reserveSharedMemory(END);
    this.exports = instantiateKernels(memory);
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** @param bytes at most `MAX_SNAPPY_BYTES` @returns the block; the next call overwrites it */
  compress(bytes: Uint8Array): Uint8Array {
    this.bytes.set(bytes, INPUT);
    const end = this.exports["snappyCompress"]!(INPUT, bytes.length, OUTPUT, TABLE);
    return this.bytes.subarray(OUTPUT, end);
  }

  /**
   * @param elements a block without the length it begins with, at most `MAX_SNAPPY_BYTES`
   * @param size the length, at most as much
   * @returns what they stand for, null where they are broken; the next call overwrites it
   */
  decompress(elements: Uint8Array, size: number): Uint8Array | null {
    this.bytes.set(elements, INPUT);
    const isGood = this.exports["snappyDecompress"]!(INPUT, INPUT + elements.length, OUTPUT, size);
    return isGood ? this.bytes.subarray(OUTPUT, OUTPUT + size) : null;
  }
}
