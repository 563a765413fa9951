/** What the rules ask of the server around them: time, queries, the storage, the notifier, a log. */
import type { FloatHistogram } from "../model/histogram.ts";
import type { Labels } from "../model/labels.ts";
import type { Expr } from "../promql/parse/ast.ts";
import type { QueryValue } from "../promql/value.ts";

export interface Clock {
  /** Milliseconds since the epoch; fractions are welcome. */
  now(): number;
  /** Calls back once, not before `delayMs` have passed by the clock or a little less; gives a way to call it off. */
  setTimer(callback: () => void, delayMs: number): () => void;
}

/** Fields first, then the message; the server's logger is one. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** An expression that was parsed: its tree, and its text as Prometheus prints it. */
export interface ParsedExpression {
  readonly text: string;
  readonly expr: Expr;
}

/** The results of one rule at one time. The columns belong to the receiver once handed over. */
export interface RuleSampleBatch {
  readonly timeMs: number;
  readonly series: readonly Labels[];
  /** One value a series, as bits: a staleness marker ends the series. */
  readonly values: Float64Array;
  /** By index, where the value is a native histogram; null when none is. */
  readonly histograms: readonly (FloatHistogram | null)[] | null;
}

/** What tells a group from all others. */
export interface RuleGroupName {
  readonly file: string;
  readonly name: string;
}

/** The newest sample of an `ALERTS_FOR_STATE` series. */
export interface ForStateSample {
  readonly labels: Labels;
  readonly timeMs: number;
  /** When the alert became active, in Unix seconds. */
  readonly value: number;
}

export interface RuleStorage {
  /**
   * An instant query. Rejects with the text people are to read; with `QueryCanceledError` when `signal` ended it.
   * @param group of the rule that asks, for the query log
   */
  query(text: string, timeMs: number, signal: AbortSignal, group: RuleGroupName | null): Promise<QueryValue>;
  /**
   * Writes and commits a batch; samples stored are seen by queries asked afterwards.
   * @returns a `SampleOutcome` for each sample
   * @throws when the batch could not be committed
   */
  appendSamples(batch: RuleSampleBatch): Promise<Uint8Array>;
  /** The newest sample in the range of each `ALERTS_FOR_STATE` series of this alert, unless it is a staleness marker. */
  lastForStateSamples(
    alertName: string,
    minTime: number,
    maxTime: number,
  ): Promise<readonly ForStateSample[]>;
}

/** A query that was called off, as happens when the server stops: nothing to log. */
export class QueryCanceledError extends Error {
  override readonly name = "QueryCanceledError";
}
