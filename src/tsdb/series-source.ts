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
  /** Whether a selected series can have samples from `minTime` to `maxTime`; true where it isn't cheap to tell. */
  mayHaveSamples?(id: number, minTime: number, maxTime: number): boolean;
  /**
   * Appends the series' samples from `minTime` to `maxTime` to `columns`, after those already there, ascending and
   * with staleness markers. Deleted ranges (tombstones) are left out.
   */
  read(id: number, minTime: number, maxTime: number, columns: SampleColumns): void;
  /** About how many samples `read` would append. */
  estimateSamples(id: number, minTime: number, maxTime: number): number;
  labelNames(matchers: readonly Matcher[]): string[];
  labelValues(name: string, matchers: readonly Matcher[]): string[];
  close(): void;
}
