import type { Labels } from "../model/labels.ts";
import type { Matcher } from "../model/matcher.ts";
import type { SampleColumns } from "../model/storage.ts";

/**
 * What a head generation and a block have in common, as the querier sees them: series by number, their labels, and
 * their samples by time. A source is a consistent, read-only view, valid until `close`.
 */
export interface SeriesSource {
  /** What this is a view of: the same for every query. Ids and labels found in one view hold in the others. */
  readonly identity?: object;
  /** The samples lie between these, both ends included. */
  readonly minTime: number;
  readonly maxTime: number;
  /** Series that satisfy every matcher, as ids of this source, ordered by label set. */
  select(matchers: readonly Matcher[]): Uint32Array;
  labels(id: number): Labels;
  /** Of series that `select` gave, in their order, those that can have samples from `minTime` to `maxTime`. */
  withSamples?(ids: Uint32Array, minTime: number, maxTime: number): Uint32Array;
  /**
   * How many samples of a series this view sees, where there are neither deleted ones nor such that came out of order:
   * as long as the number is the same, so are the samples. 0 where the series never changes; -1 where it isn't told.
   */
  plainSamples?(id: number): number;
  /**
   * Appends the series' samples from `minTime` to `maxTime` to `columns`, after those already there, ascending and
   * with staleness markers. Deleted ranges (tombstones) are left out.
   */
  read(id: number, minTime: number, maxTime: number, columns: SampleColumns): void;
  /** About how many samples `read` would append. */
  estimateSamples(id: number, minTime: number, maxTime: number): number;
  /** Sorted, each once; not to be written to. So are the values. */
  labelNames(matchers: readonly Matcher[]): readonly string[];
  labelValues(name: string, matchers: readonly Matcher[]): readonly string[];
  close(): void;
}
