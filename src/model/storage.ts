/**
 * The contract between those who write samples (scrape, rules, remote write), the storage that keeps them (tsdb) and
 * those who read them (PromQL, the API). Rooms on either side know this file and not each other.
 *
 * Times are milliseconds since the epoch; every range names both ends, and both ends are included.
 */
import type { FloatHistogram } from "./histogram.ts";
import type { Labels } from "./labels.ts";
import type { Matcher } from "./matcher.ts";
import type { Exemplar } from "./exemplar.ts";
import type { Metadata } from "./metadata.ts";

// ───────────────────────────────────────────── reading ─────────────────────────────────────────────

/**
 * The samples of one series, ascending in time: a reusable buffer owned by the caller. The typed arrays are views
 * into the query thread's kernel memory, so kernels can work on them in place; `reserve` may replace them.
 */
export interface SampleColumns {
  /** Milliseconds since the epoch. */
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** The same bytes as `values`, two little-endian words a sample: the place to look for staleness markers. */
  readonly valueWords: Uint32Array;
  /** How many samples are there now. */
  count: number;
  /**
   * Native histograms, by sample index; null when every sample is a float (the common case). Where an entry is
   * set, the value column holds the bits of its sum, so that a stale histogram reads as a staleness marker.
   */
  histograms: (FloatHistogram | undefined)[] | null;
  /** Start timestamp of each sample, 0 where unknown; null when none of the samples has one. */
  startTimes: Float64Array | null;
  /** Makes room for `capacity` samples, keeping the first `count`. */
  reserve(capacity: number): void;
}

/**
 * Samples of one series where they lie in the query thread's kernel memory: pointers to its times and values, which are
 * not to be written to. Good until its querier is closed, unless it stands for columns the reader gave, which change with
 * the next read into them.
 */
export interface SampleView {
  readonly timesPointer: number;
  readonly valuesPointer: number;
  readonly count: number;
  /** Whether staleness markers are among the values. */
  readonly hasStale: boolean;
}

/** Series known before any of their samples is read, sorted by labels, unique. Valid until its querier is closed. */
export interface SeriesSet {
  readonly count: number;
  labels(index: number): Labels;
  /**
   * Replaces `columns` with the samples of series `index` from `minTime` to `maxTime`, staleness markers included.
   * All reads of one querier see the same committed scrapes: never half of one.
   */
  read(index: number, minTime: number, maxTime: number, columns: SampleColumns): void;
  /**
   * Where the samples of series `index` from `minTime` to `maxTime` are kept in memory, floats only; samples before and
   * after those may lie beside them. Null where they are not kept: then they have been read into `columns`, as by `read`.
   */
  view?(index: number, minTime: number, maxTime: number, columns: SampleColumns): SampleView | null;
  /** About how many samples `read` of every series in this range would give: for planning, cheap, not exact. */
  estimateSamples(minTime: number, maxTime: number): number;
}

export interface Querier {
  /** Series that satisfy every matcher and may have samples from `minTime` to `maxTime`. */
  select(matchers: readonly Matcher[], minTime: number, maxTime: number): SeriesSet;
  /** Sorted by UTF-8 bytes; `limit` 0 means all. Truncation is the caller's to notice: ask for one more. */
  labelNames(
    matchers: readonly Matcher[],
    minTime: number,
    maxTime: number,
    limit: number,
  ): readonly string[];
  labelValues(
    name: string,
    matchers: readonly Matcher[],
    minTime: number,
    maxTime: number,
    limit: number,
  ): readonly string[];
  exemplars(
    matcherSets: readonly (readonly Matcher[])[],
    minTime: number,
    maxTime: number,
  ): { readonly labels: Labels; readonly exemplars: readonly Exemplar[] }[];
  /** Lets go of the generations and blocks it holds. */
  close(): void;
}

export interface Queryable {
  /** A consistent view of everything committed so far that overlaps the range. */
  querier(minTime: number, maxTime: number): Querier;
}

// ───────────────────────────────────────────── writing ─────────────────────────────────────────────

/**
 * A series in one epoch of the storage. Epochs are the head's generations: a reference is only good within the epoch
 * it was resolved for. 0 is no series.
 */
export type SeriesRef = number;
export const NO_SERIES: SeriesRef = 0;

/** What became of one sample of a batch. The numbers are written by kernels into a byte column. */
export const SampleOutcome = {
  /** Stored. */
  appended: 0,
  /** Same time and same value bits as the newest sample: nothing to do, no error. */
  repeated: 1,
  /** Same time as the newest sample, another value. */
  duplicateTimestamp: 2,
  /** Older than the newest sample and out-of-order samples are not taken. */
  outOfOrder: 3,
  /** Outside what the storage takes: before the oldest open epoch, or too far ahead. */
  outOfBounds: 4,
  /** Older than the out-of-order window. */
  tooOld: 5,
} as const;
export type SampleOutcome = (typeof SampleOutcome)[keyof typeof SampleOutcome];

/**
 * Makes series of one epoch out of bytes, in three steps: the symbols of a label's name and of its value, the pair of the
 * two, the series with these pairs. Each is a number, new if need be, and never 0.
 */
export interface SeriesInterner {
  symbol(text: string): number;
  /** The symbol of the UTF-8 in `bytes` from `start` to `end`, which is excluded. */
  symbolOfBytes(bytes: Uint8Array, start: number, end: number): number;
  pair(nameSymbol: number, valueSymbol: number): number;
  /** The series with the first `count` of `pairs`, which are in the order of their names; no name is there twice. */
  series(pairs: Uint32Array, count: number): SeriesRef;
}

/**
 * Writes samples, from the one thread that owns the head. Work between `begin` and `commit` becomes visible to
 * queries, and goes to the write-ahead log, all at once; `rollback` undoes what can be undone: samples not yet
 * committed vanish, series created stay (they have no samples and disappear with their epoch).
 *
 * A batch holds many series at few times (a scrape), as columns owned by the caller, read before the call returns.
 */
export interface Appender {
  /**
   * The epoch that takes samples at `timeMs`, opened if need be, or null where that time is out of bounds.
   * Cheap: ask for every scrape.
   */
  epochAt(timeMs: number): number | null;

  /**
   * Turns references of an earlier epoch into references of `toEpoch`, in place, creating series as needed. Those
   * whose epoch is gone, and NO_SERIES, become NO_SERIES: resolve them from their labels again.
   */
  carryOver(refs: Uint32Array, count: number, fromEpoch: number, toEpoch: number): void;

  /** The reference of a series in this epoch; created if it is new. `created` tells the caller for its counters. */
  resolve(epoch: number, labels: Labels): { readonly ref: SeriesRef; readonly created: boolean };

  /** The labels of a reference; for stale markers, messages and tests, not for hot paths. */
  labelsOf(epoch: number, ref: SeriesRef): Labels;

  /** A way to references without strings, for an epoch: for one page at a time, not to be kept. */
  interner(epoch: number): SeriesInterner;

  begin(): void;

  /**
   * Appends one sample to each of `refs[0..count)` (NO_SERIES entries are skipped), all at `timeMs`.
   * Values travel as bits (`values.buffer` is read word by word). Outcomes are written to `outcomes[0..count)`.
   * `startTimes` says when each sample's counter began, 0 where that is unknown; it is kept if storage is to keep it.
   * @returns how many were not `appended` or `repeated`
   */
  appendFloats(
    epoch: number,
    refs: Uint32Array,
    values: Float64Array,
    count: number,
    timeMs: number,
    outcomes: Uint8Array,
    startTimes?: Float64Array | null,
  ): number;

  /** One sample with its own time, for what arrives one by one: explicit timestamps, rules, remote write. */
  appendFloat(
    labels: Labels,
    timeMs: number,
    valueHigh: number,
    valueLow: number,
    startMs?: number,
  ): SampleOutcome;

  /** One native histogram; integer histograms arrive as such and are kept as such. */
  appendHistogram(labels: Labels, timeMs: number, histogram: FloatHistogram, startMs?: number): SampleOutcome;

  /** Ends series at `timeMs`, each with a staleness marker of the kind of its newest sample. */
  appendStale(epoch: number, refs: Uint32Array, timeMs: number): void;

  /** @returns false where the series has a newer exemplar already, and this one will not be kept */
  appendExemplar(labels: Labels, exemplar: Exemplar): boolean;

  updateMetadata(labels: Labels, metadata: Metadata): void;

  /** Logs and publishes everything since `begin`. @throws StorageError when the log cannot be written */
  commit(): void;

  rollback(): void;
}

/** The storage cannot take or give data now: disk full, corrupt file, closed. */
export class StorageError extends Error {
  override readonly name = "StorageError";
}
