/** A run of consecutive buckets: `offset` buckets are skipped since the last run (or since bucket 0), then `length` follow. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

export type CounterResetHint = "unknown" | "reset" | "not-reset" | "gauge";

/** The schema of custom buckets: `customValues` holds the upper bounds. */
export const CUSTOM_BUCKETS_SCHEMA = -53;

/**
 * A native histogram with absolute bucket counts. Integer histograms are the same with `isInteger` set: every
 * count is then a whole number below 2^53, and storage writes the integer encoding.
 */
export interface FloatHistogram {
  readonly isInteger: boolean;
  readonly counterResetHint: CounterResetHint;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly count: number;
  readonly sum: number;
  /** The marker travels as a flag, since its bits may not survive in `sum`. */
  readonly isStale: boolean;
  readonly positiveSpans: readonly Span[];
  readonly negativeSpans: readonly Span[];
  /** Absolute counts, one per bucket of the spans. */
  readonly positiveBuckets: Float64Array;
  readonly negativeBuckets: Float64Array;
  readonly customValues: Float64Array;
}
