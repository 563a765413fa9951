import { RESERVED_BYTES, reserveSharedMemory } from "../../kernels/index.ts";
import { AppendCounter, PAGE_BYTES, SERIES_RECORD_BYTES } from "../../kernels/append-kernel.ts";
import { StorageError } from "../../model/storage.ts";

/**
 * The memory of one generation, divided once and for all. Address space is reserved, real memory comes as it is
 * touched, so each column may be as long as it could ever get.
 *
 *   kernels │ header │ batch columns │ series records │ lists │ symbol addresses │ pages and runs …→ │ end
 *
 * Behind the columns lie pages of 64 bytes, given out one after the other and never taken back: chunk pages, and
 * runs of bytes for everything of varying length. One thread writes; others read what the header's counts promise.
 */
export class Arena {
  readonly words: Uint32Array;
  readonly atomic: Int32Array;
  readonly bytes: Uint8Array;
  /** The same bytes, for decoding strings. */
  readonly buffer: Buffer;
  readonly floats: Float64Array;
  readonly maxSeries: number;
  readonly maxLists: number;
  readonly maxSymbols: number;
  readonly maxBatch: number;
  /** Byte offsets of the columns. */
  readonly batchRefs: number;
  readonly batchTimes: number;
  readonly batchValues: number;
  readonly batchOutcomes: number;
  readonly records: number;
  readonly lists: number;
  readonly symbols: number;
  private runAt = 0;
  private runEnd = 0;

  private constructor(
    readonly memory: WebAssembly.Memory,
    maxSeries: number | null,
  ) {
    const size = memory.buffer.byteLength;
    this.words = new Uint32Array(memory.buffer);
    this.atomic = new Int32Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.buffer = Buffer.from(memory.buffer as ArrayBuffer);
    this.floats = new Float64Array(memory.buffer);
    // A series with 8 labels and 2 h at 15 s takes some 1.3 KiB; a short-lived one far less.
    this.maxSeries = maxSeries ?? Math.min(2 ** 22, Math.floor(size / 512));
    this.maxLists = this.maxSymbols = Math.floor(1.5 * this.maxSeries);
    this.maxBatch = Math.min(2 ** 20, Math.max(1024, this.maxSeries >>> 1));
    let at = RESERVED_BYTES + HEADER_BYTES;
    const column = (sizeBytes: number) => {
      const pointer = at;
      at = alignUp(at + sizeBytes, PAGE_BYTES);
      return pointer;
    };
    this.batchRefs = column(4 * this.maxBatch);
    this.batchTimes = column(4 * this.maxBatch);
    this.batchValues = column(8 * this.maxBatch);
    this.batchOutcomes = column(this.maxBatch);
    this.records = column(SERIES_RECORD_BYTES * (this.maxSeries + 1));
    this.lists = column(LIST_BYTES * (this.maxLists + 1));
    this.symbols = column(4 * (this.maxSymbols + 1));
    this.firstPage = at / PAGE_BYTES;
  }

  /** The number of the first page behind the columns. */
  readonly firstPage: number;

  /**
   * Reserves memory for a new generation.
   * @param sizeBytes at most 4 GiB - 64 KiB is used of it
   * @param maxSeries for one that no other thread attaches to and that is for other things than usual
   */
  static create(sizeBytes: number, maxSeries: number | null = null): Arena {
    const arena = new Arena(reserveSharedMemory(Math.min(sizeBytes, MAX_ARENA_BYTES)), maxSeries);
    arena.setHeader(Header.nextFreePage, arena.firstPage);
    arena.setHeader(Header.pageLimit, Math.floor(arena.memory.buffer.byteLength / PAGE_BYTES) - 1);
    return arena;
  }

  /** Another thread's view of a generation's memory. */
  static attach(memory: WebAssembly.Memory): Arena {
    return new Arena(memory, null);
  }

  header(field: HeaderField): number {
    return Atomics.load(this.atomic, HEADER_WORD + field) >>> 0;
  }

  /** Stores after everything that was written before. */
  setHeader(field: HeaderField, value: number): void {
    Atomics.store(this.atomic, HEADER_WORD + field, value | 0);
  }

  headerFloat(field: HeaderFloat): number {
    return this.floats[HEADER_WORD / 2 + field]!;
  }

  setHeaderFloat(field: HeaderFloat, value: number): void {
    this.floats[HEADER_WORD / 2 + field] = value;
  }

  /** Where the append kernel keeps its counters. */
  get counters(): number {
    return 4 * (HEADER_WORD + Header.nextFreePage);
  }

  /** @returns the number of the first of `count` neighbouring pages, all zero @throws StorageError when full */
  allocatePages(count: number): number {
    const first = this.header(Header.nextFreePage);
    if (first + count > this.header(Header.pageLimit)) {
      throw new StorageError(
        `cannot take more data: the generation's memory of ${this.memory.buffer.byteLength} bytes is full`,
      );
    }
    this.setHeader(Header.nextFreePage, first + count);
    return first;
  }

  /** Memory for something of any size, all zero, aligned to 4 bytes. @returns its byte offset */
  allocateRun(sizeBytes: number): number {
    const size = alignUp(sizeBytes, 4);
    if (this.runAt + size > this.runEnd) {
      const pages = Math.ceil(Math.max(size, RUN_BYTES) / PAGE_BYTES);
      this.runAt = this.allocatePages(pages) * PAGE_BYTES;
      this.runEnd = this.runAt + pages * PAGE_BYTES;
    }
    const pointer = this.runAt;
    this.runAt += size;
    return pointer;
  }

  /**
   * Whether so little is left of something that a commit might not fit: an eighth of the pages, for a commit may begin
   * a page for each of its samples and have tables grow, or a sixteenth of the places for series and their labels.
   */
  get isNearlyFull(): boolean {
    const pages = this.header(Header.pageLimit) - this.firstPage;
    return (
      this.header(Header.pageLimit) - this.header(Header.nextFreePage) < pages / 8 ||
      this.header(Header.seriesCount) > (this.maxSeries * 15) / 16 ||
      this.header(Header.listCount) > (this.maxLists * 15) / 16 ||
      this.header(Header.symbolCount) > (this.maxSymbols * 15) / 16
    );
  }

  /** Bytes given out so far, columns included as far as they are in use. */
  get usedBytes(): number {
    return (
      (this.header(Header.nextFreePage) - this.firstPage) * PAGE_BYTES +
      this.header(Header.seriesCount) * SERIES_RECORD_BYTES +
      this.header(Header.listCount) * LIST_BYTES +
      this.header(Header.symbolCount) * 4
    );
  }
}

/** Words of the header. */
export const Header = {
  // The append kernel's counters, in its order.
  nextFreePage: AppendCounter.nextFreePage,
  pageLimit: AppendCounter.pageLimit,
  chunks: AppendCounter.chunks,
  /** Least and greatest sample time, since the generation's start; least > greatest while there is none. */
  minTime: AppendCounter.minTime,
  maxTime: AppendCounter.maxTime,
  seriesCount: 8,
  listCount: 9,
  symbolCount: 10,
  /** Hash tables: page number and log2 of the number of entries, see `hash-table.ts`. */
  seriesTable: 11,
  listTable: 12,
  symbolTable: 13,
  epoch: 14,
  /** Not 0 once it takes no more samples. */
  sealed: 15,
  floatSamples: 16,
  histogramSamples: 17,
  /** Head of the chain of deleted ranges, three words. */
  deletions: 18,
  /** Where the column of start times lies, a byte offset; 0 for none. */
  startTimes: 21,
} as const;
export type HeaderField = (typeof Header)[keyof typeof Header];

/** Eight-byte floats of the header, counted in eights. */
export const HeaderFloat = { startTime: 16, endTime: 17 } as const;
export type HeaderFloat = (typeof HeaderFloat)[keyof typeof HeaderFloat];

/** Index of the header's first word. */
export const HEADER_WORD = RESERVED_BYTES / 4;
const HEADER_BYTES = 4096;
/** A postings list's fixed part, see `postings.ts`. */
export const LIST_BYTES = 32;
const RUN_BYTES = 16384;
/** Node's typed arrays and buffers end just short of 4 GiB. */
export const MAX_ARENA_BYTES = 2 ** 32 - 2 ** 16;

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
