import { PAGE_WORDS, PageField, SeriesField } from "../../kernels/append-kernel.ts";
import { Arena, Header, HeaderFloat } from "./arena.ts";
import { Postings } from "./postings.ts";
import { SeriesOrder } from "./series-order.ts";
import { SeriesTable } from "./series-table.ts";
import { SymbolTable } from "./symbol-table.ts";

export interface GenerationOptions {
  /** Tells generations apart; never 0. */
  readonly epoch: number;
  /** The generation takes samples from `startTime` (included) to `endTime` (excluded). */
  readonly startTime: number;
  readonly endTime: number;
  /** Address space to reserve; memory is used as it fills. At most 4 GiB. */
  readonly sizeBytes: number;
  /** See `Arena.create`. */
  readonly maxSeries?: number;
}

/**
 * One block range of the head: series, their index and their samples, in one shared memory. It is born with the
 * first sample of its range, filled by one thread, read by any, sealed, written to a block and dropped whole.
 *
 * Nothing in it is ever changed in a way a reader could notice: things are written, then counted.
 */
export class Generation {
  readonly symbols: SymbolTable;
  readonly postings: Postings;
  readonly series: SeriesTable;
  /** Remembers how series sort; each thread has its own. */
  readonly order: SeriesOrder;
  readonly epoch: number;
  readonly startTime: number;
  readonly endTime: number;

  /** A number for each series, all 0, kept from one query to the next. */
  private idleCounts: Uint32Array | null = null;

  private constructor(readonly arena: Arena) {
    this.epoch = arena.header(Header.epoch);
    this.startTime = arena.headerFloat(HeaderFloat.startTime);
    this.endTime = arena.headerFloat(HeaderFloat.endTime);
    this.symbols = new SymbolTable(arena);
    this.postings = new Postings(arena);
    this.series = new SeriesTable(arena, this.symbols, this.postings);
    this.order = new SeriesOrder(arena, this.symbols, this.postings, this.series);
  }

  /** @throws RangeError when the address space cannot be had */
  static create(options: GenerationOptions): Generation {
    const arena = Arena.create(options.sizeBytes, options.maxSeries);
    arena.setHeader(Header.epoch, options.epoch);
    arena.setHeaderFloat(HeaderFloat.startTime, options.startTime);
    arena.setHeaderFloat(HeaderFloat.endTime, options.endTime);
    arena.setHeader(Header.minTime, NO_TIME);
    return new Generation(arena);
  }

  /** Reads a generation that another thread writes. It is complete up to what its counts promise. */
  static attach(memory: WebAssembly.Memory): Generation {
    return new Generation(Arena.attach(memory));
  }

  /** Room for a number for each series there is now, all 0. Give it back, all 0, by `giveBackCounts`. */
  takeCounts(): Uint32Array {
    const size = this.series.count + 1;
    const idle = this.idleCounts;
    this.idleCounts = null;
    if (idle && idle.length >= size) return idle;
    // Some more, as series come and go on coming.
    return new Uint32Array(size + (size >>> 3));
  }

  giveBackCounts(counts: Uint32Array): void {
    this.idleCounts = counts;
  }

  get memory(): WebAssembly.Memory {
    return this.arena.memory;
  }

  get hasSamples(): boolean {
    return this.arena.header(Header.minTime) !== NO_TIME;
  }

  /** The least sample time, Infinity while there is none. */
  get minTime(): number {
    const minTime = this.arena.header(Header.minTime);
    return minTime === NO_TIME ? Infinity : this.startTime + minTime;
  }

  /** The greatest sample time, -Infinity while there is none. */
  get maxTime(): number {
    return this.hasSamples ? this.startTime + this.arena.header(Header.maxTime) : -Infinity;
  }

  /** Whether it takes no more samples. */
  get isSealed(): boolean {
    return this.arena.header(Header.sealed) !== 0;
  }

  get chunkCount(): number {
    return this.arena.header(Header.chunks);
  }

  /**
   * How many samples of a series a view made at `commit` (null: now) sees. A commit under way, or later than that,
   * is left out; where two have passed since, it is not known any more, which gives -1.
   */
  visibleSamples(series: number, commit: number | null): number {
    const at = this.arena.records / 4 + 16 * series;
    const { atomic } = this.arena;
    if (commit === null) return Atomics.load(atomic, at + SeriesField.samples);
    for (;;) {
      const last = Atomics.load(atomic, at + SeriesField.lastCommit);
      const isSeen = ((last - commit) | 0) <= 0;
      const samples = Atomics.load(atomic, at + (isSeen ? SeriesField.samples : SeriesField.samplesBefore));
      const previous = Atomics.load(atomic, at + SeriesField.previousCommit);
      if (Atomics.load(atomic, at + SeriesField.lastCommit) !== last) continue;
      return !isSeen && ((previous - commit) | 0) > 0 ? -1 : samples;
    }
  }

  /** The time of the series' first in-order sample; meaningless while it has none. */
  firstTime(series: number): number {
    const page = this.series.field(series, SeriesField.firstChunk);
    return this.startTime + this.arena.words[page * PAGE_WORDS + PageField.firstTime]!;
  }

  /** The time of the series' newest in-order sample; meaningless while it has none. */
  lastTime(series: number): number {
    return this.startTime + this.series.field(series, SeriesField.lastTime);
  }
}

const NO_TIME = 0xffffffff;
