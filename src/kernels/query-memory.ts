import type { FloatHistogram } from "../model/histogram.ts";
import type { SampleColumns } from "../model/storage.ts";
import {
  instantiateKernels,
  RESERVED_BYTES,
  reserveSharedMemory,
  type KernelExports,
} from "./instantiate.ts";

/** A query asked for more working memory than it may have. */
export class QueryMemoryError extends Error {
  override readonly name = "QueryMemoryError";
}

/**
 * The working memory of one query thread: a stack of regions in one linear memory, where the window kernels, the
 * decoder and the querier meet. A query marks, allocates and releases; nothing in it outlives the query.
 *
 *   0 ─ RESERVED_BYTES │ region │ region │ … → top          (each region 16-byte aligned)
 */
export class QueryMemory {
  private memory: WebAssembly.Memory;
  private top = RESERVED_BYTES;
  private touched = RESERVED_BYTES;
  exports: KernelExports;
  bytes: Uint8Array;
  words: Uint32Array;
  floats: Float64Array;

  /** @param limitBytes what one query may use; at most 4 GiB, reserved but not touched */
  constructor(readonly limitBytes: number = 2 ** 31) {
    this.memory = reserveSharedMemory(limitBytes);
    this.exports = instantiateKernels(this.memory);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Uint32Array(this.memory.buffer);
    this.floats = new Float64Array(this.memory.buffer);
  }

  get buffer(): ArrayBufferLike {
    return this.memory.buffer;
  }

  get usedBytes(): number {
    return this.top - RESERVED_BYTES;
  }

  /** The most that was in use since this memory was made or renewed. */
  get peakBytes(): number {
    return this.touched - RESERVED_BYTES;
  }

  /** @returns a 16-byte aligned byte offset. Not cleared. @throws QueryMemoryError beyond the limit */
  allocate(sizeBytes: number): number {
    const pointer = this.top;
    const next = pointer + ((sizeBytes + 15) & ~15) + 16 * Number(sizeBytes > 0x7fffffff);
    if (next > this.limitBytes) {
      throw new QueryMemoryError(
        `query needs more than ${this.limitBytes} bytes of working memory: ${sizeBytes} asked for, ${this.limitBytes - pointer} left`,
      );
    }
    this.top = next;
    if (next > this.touched) this.touched = next;
    return pointer;
  }

  mark(): number {
    return this.top;
  }

  release(mark: number): void {
    this.top = mark;
  }

  /** Gives pages back after a large query: all regions and views are void. Call between queries only. */
  renew(): void {
    this.memory = reserveSharedMemory(this.limitBytes);
    this.exports = instantiateKernels(this.memory);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Uint32Array(this.memory.buffer);
    this.floats = new Float64Array(this.memory.buffer);
    this.top = this.touched = RESERVED_BYTES;
  }

  columns(capacity: number): QuerySampleColumns {
    return new QuerySampleColumns(this, capacity);
  }
}

/** Sample columns in query memory: `times.byteOffset` and `values.byteOffset` are the pointers kernels take. */
export class QuerySampleColumns implements SampleColumns {
  times!: Float64Array;
  values!: Float64Array;
  valueWords!: Uint32Array;
  count = 0;
  histograms: (FloatHistogram | undefined)[] | null = null;
  startTimes: Float64Array | null = null;
  private capacity = 0;

  constructor(
    private readonly memory: QueryMemory,
    capacity: number,
  ) {
    this.reserve(capacity);
  }

  /** Doubling leaves the old region behind until the query releases its mark; so start near the right size. */
  reserve(capacity: number): void {
    if (capacity <= this.capacity && this.capacity > 0) return;
    const grown = Math.max(capacity, 2 * this.capacity, 128);
    const oldTimes = this.times as Float64Array | undefined;
    const oldWords = this.valueWords as Uint32Array | undefined;
    const oldStartTimes = this.startTimes;
    const timesPointer = this.memory.allocate(8 * grown);
    const valuesPointer = this.memory.allocate(8 * grown);
    this.times = new Float64Array(this.memory.buffer, timesPointer, grown);
    this.values = new Float64Array(this.memory.buffer, valuesPointer, grown);
    this.valueWords = new Uint32Array(this.memory.buffer, valuesPointer, 2 * grown);
    if (oldTimes && oldWords) {
      this.times.set(oldTimes.subarray(0, this.count));
      this.valueWords.set(oldWords.subarray(0, 2 * this.count));
    }
    if (oldStartTimes) {
      this.startTimes = new Float64Array(grown);
      this.startTimes.set(oldStartTimes.subarray(0, this.count));
    }
    this.capacity = grown;
  }
}
