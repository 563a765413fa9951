import type { FloatHistogram } from "../model/histogram.ts";
import type { SampleColumns, SampleView } from "../model/storage.ts";
import {
  instantiateKernels,
  RESERVED_BYTES,
  reserveSharedMemory,
  type KernelExports,
} from "./instantiate.ts";

const MAX_BYTES = 2 ** 32 - 65536;

/** A query asked for more working memory than it may have. */
export class QueryMemoryError extends Error {
  override readonly name = "QueryMemoryError";
}

/**
 * The working memory of one query thread: a stack of regions in one linear memory, where the window kernels, the
 * decoder and the querier meet. A query marks, allocates and releases; nothing in the stack outlives the query. Below it
 * lies what is kept from one query to the next, where kernels can read it in place; its owner divides it.
 *
 *   0 ─ RESERVED_BYTES │ kept │ region │ region │ … → top          (each region 16-byte aligned)
 */
export class QueryMemory {
  private memory: WebAssembly.Memory;
  private readonly bottom: number;
  private readonly end: number;
  private top: number;
  private touched: number;
  exports: KernelExports;
  bytes: Uint8Array;
  words: Uint32Array;
  floats: Float64Array;

  /**
   * @param limitBytes what one query may use, reserved but not touched
   * @param keptBytes what may be kept between queries; both together are cut to 4 GiB
   */
  constructor(
    readonly limitBytes: number = 2 ** 31,
    readonly keptBytes = 0,
  ) {
    this.bottom = RESERVED_BYTES + ((keptBytes + 15) & ~15);
    this.end = Math.min((keptBytes > 0 ? this.bottom : 0) + limitBytes, MAX_BYTES);
    this.top = this.touched = this.bottom;
    this.memory = reserveSharedMemory(this.end);
    this.exports = instantiateKernels(this.memory);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Uint32Array(this.memory.buffer);
    this.floats = new Float64Array(this.memory.buffer);
  }

  get buffer(): ArrayBufferLike {
    return this.memory.buffer;
  }

  get usedBytes(): number {
    return this.top - this.bottom;
  }

  /** The most that was in use since this memory was made or renewed. */
  get peakBytes(): number {
    return this.touched - this.bottom;
  }

  /** Where the `keptBytes` begin that queries leave alone. */
  get keptPointer(): number {
    return RESERVED_BYTES;
  }

  /** @returns a 16-byte aligned byte offset. Not cleared. @throws QueryMemoryError beyond the limit */
  allocate(sizeBytes: number): number {
    const pointer = this.top;
    const next = pointer + ((sizeBytes + 15) & ~15) + 16 * Number(sizeBytes > 0x7fffffff);
    if (next > this.end) {
      throw new QueryMemoryError(
        `query needs more than ${this.limitBytes} bytes of working memory: ${sizeBytes} asked for, ${this.end - pointer} left`,
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

  /** Gives pages back: all regions and views are void, and what was kept is lost. Call between queries only. */
  renew(): void {
    this.memory = reserveSharedMemory(this.end);
    this.exports = instantiateKernels(this.memory);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Uint32Array(this.memory.buffer);
    this.floats = new Float64Array(this.memory.buffer);
    this.top = this.touched = this.bottom;
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

  /** Replaces what is here with floats that lie elsewhere in the memory. */
  copyFrom(view: SampleView): void {
    const { timesPointer, valuesPointer, count } = view;
    this.count = 0;
    this.histograms = this.startTimes = null;
    this.reserve(count);
    const { bytes } = this.memory;
    bytes.copyWithin(this.times.byteOffset, timesPointer, timesPointer + 8 * count);
    bytes.copyWithin(this.values.byteOffset, valuesPointer, valuesPointer + 8 * count);
    this.count = count;
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
