import { instantiateKernels, type KernelExports } from "./instantiate.ts";

/** A series record is one cache line; word indices of its fields, as the append kernel knows them. */
export const SERIES_RECORD_BYTES = 64;
export const SeriesField = {
  /** Milliseconds since the generation's start, as all times here. */
  lastTime: 0,
  lastDelta: 1,
  lastValueLow: 2,
  lastValueHigh: 3,
  /** Number (address / 64) of the page that is written to. */
  page: 4,
  /** u16 bit in that page, u8 samples in the open chunk, u8 leading zeros of the window. */
  position: 5,
  /** u8 trailing zeros of the window, u8 encoding of the open chunk, u16 for the owner of the record. */
  state: 6,
  firstChunk: 7,
  tailChunk: 8,
  samples: 9,
  /** Samples there were before `lastCommit`, for readers whose view is older than that. */
  samplesBefore: 10,
  lastCommit: 11,
  labels: 12,
  hash: 13,
  outOfOrder: 14,
  /** The commit before `lastCommit` that appended to the series: `samplesBefore` holds for views since then. */
  previousCommit: 15,
} as const;

/** Chunk pages: the first of a chunk has a header of four words, the others of one. */
export const PAGE_BYTES = 64;
export const PAGE_WORDS = 16;
export const FIRST_PAGE_DATA_WORD = 4;
export const PAGE_DATA_WORD = 1;
export const PageField = {
  nextPage: 0,
  nextChunk: 1,
  /**
   * Once the chunk is full: u16 samples, u8 bytes used in its last page, u8 encoding. Until then, the encoding being
   * 0: how many samples of the series come before it, if fewer than `MAX_SAMPLES_BEFORE`.
   */
  sealed: 2,
  firstTime: 3,
} as const;
export const SAMPLES_PER_CHUNK = 120;
export const MAX_SAMPLES_BEFORE = 0xffffff;

/** Words the kernel reads and writes back around a batch. */
export const AppendCounter = { nextFreePage: 0, pageLimit: 1, chunks: 2, minTime: 3, maxTime: 4 } as const;

/**
 * Appends batches of floats to the series of one head generation, whose memory it is bound to. All pointers are
 * byte offsets in that memory; columns are u32 references, 8-byte values and u32 times since the generation's start.
 */
export class AppendKernel {
  private readonly exports: KernelExports;

  constructor(
    memory: WebAssembly.Memory,
    private readonly recordsPointer: number,
    private readonly countersPointer: number,
    private readonly startTime: number,
  ) {
    this.exports = instantiateKernels(memory);
  }

  /**
   * Judges samples against the newest of their series: a `SampleOutcome` (in-order ones only) per sample. Those that
   * can be appended are moved to the front of the columns. References 0 are dropped with outcome 0.
   * @returns how many can be appended
   */
  check(refs: number, values: number, times: number, count: number, outcomes: number): number {
    return this.exports["checkFloats"]!(this.recordsPointer, refs, values, times, count, outcomes) >>> 0;
  }

  /**
   * Appends samples, leaving out those that are not newer than their series' newest.
   * @param commit marks the samples, so that readers with an older view can leave them out
   * @returns how many were appended; or -1 - how many were dealt with when the memory was full
   */
  append(refs: number, values: number, times: number, count: number, commit: number): number {
    return this.exports["appendFloats"]!(
      this.recordsPointer,
      refs,
      values,
      times,
      count,
      commit,
      this.startTime,
      this.countersPointer,
    );
  }

  /**
   * Appends runs, some samples of a series each, laid out as the slots of `LogSamplesKernel`: what `append` does with
   * the same samples, in less time.
   * @param counts how many samples each run has, a byte each
   * @param refs of the series of each run
   * @returns as `append`, but of the runs dealt with
   */
  appendRuns(runs: number, counts: number, refs: number, count: number, commit: number): number {
    return this.exports["appendRuns"]!(
      this.recordsPointer,
      runs,
      counts,
      refs,
      count,
      commit,
      this.startTime,
      this.countersPointer,
    );
  }
}
