/**
 * What a route asks of a query thread and what comes back: plain data, small, cloned between threads. The answer is
 * finished bytes, transferred.
 */
import type { FloatHistogram } from "../model/histogram.ts";
import type { QueryStatistics } from "../promql/value.ts";

export type QueryTask =
  | InstantQueryTask
  | RangeQueryTask
  | ExemplarsTask
  | SeriesTask
  | LabelNamesTask
  | LabelValuesTask
  | FormatQueryTask
  | ParseQueryTask
  | ExplainQueryTask
  | RuleQueryTask
  | ForStateTask;

/** Whether it runs PromQL: what is counted, logged and listed while it runs. */
export function isQuery(task: QueryTask): task is InstantQueryTask | RangeQueryTask | RuleQueryTask {
  return task.kind === "instant" || task.kind === "range" || task.kind === "rule";
}

interface QueryOptions {
  readonly query: string;
  /** From the moment the request arrived; null: the server's own limit. */
  readonly timeoutMs: number | null;
  /** Series at most, 0 for all. */
  readonly limit: number;
  /** Null: the server's. */
  readonly lookbackMs: number | null;
  /** The value of the `stats` parameter, "" for none. */
  readonly stats: string;
}

export interface InstantQueryTask extends QueryOptions {
  readonly kind: "instant";
  readonly timeMs: number;
}

export interface RangeQueryTask extends QueryOptions {
  readonly kind: "range";
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  /** Set for a part of a query that is divided among threads: its answer is a fragment. */
  readonly part?: QueryPart;
}

/** A part by steps has them as its own start and end; one by series is `index` of `count`. */
export type QueryPart =
  | { readonly division: "steps" }
  | { readonly division: "series"; readonly index: number; readonly count: number };

/** Runs the query and answers with its plan and what each part of it cost. */
export interface ExplainQueryTask {
  readonly kind: "explain";
  readonly task: InstantQueryTask | RangeQueryTask;
  /** False: the plan only. */
  readonly run: boolean;
}

export interface ExemplarsTask {
  readonly kind: "exemplars";
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
}

interface SeriesLookup {
  /** The texts of match[], each a selector. */
  readonly matches: readonly string[];
  readonly startMs: number;
  readonly endMs: number;
  readonly limit: number;
}

export interface SeriesTask extends SeriesLookup {
  readonly kind: "series";
}

export interface LabelNamesTask extends SeriesLookup {
  readonly kind: "labelNames";
}

export interface LabelValuesTask extends SeriesLookup {
  readonly kind: "labelValues";
  readonly name: string;
}

export interface FormatQueryTask {
  readonly kind: "format";
  readonly query: string;
}

export interface ParseQueryTask {
  readonly kind: "parse";
  readonly query: string;
}

/** An instant query whose answer is wanted as a value, not as JSON: a rule's. */
export interface RuleQueryTask {
  readonly kind: "rule";
  readonly query: string;
  readonly timeMs: number;
}

/** The newest sample of each ALERTS_FOR_STATE series of an alert, unless it is a staleness marker. */
export interface ForStateTask {
  readonly kind: "forState";
  readonly alertName: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** A query's value as plain data: label sets as flat arrays of names and values. */
export type PlainValue =
  | { readonly type: "scalar"; readonly timeMs: number; readonly value: number }
  | { readonly type: "string"; readonly timeMs: number; readonly value: string }
  | {
      readonly type: "vector";
      readonly timeMs: number;
      readonly samples: readonly {
        readonly pairs: readonly string[];
        readonly value: number;
        readonly histogram: FloatHistogram | null;
      }[];
    }
  | {
      readonly type: "lastSamples";
      readonly samples: readonly {
        readonly pairs: readonly string[];
        readonly timeMs: number;
        readonly value: number;
      }[];
    };

/** A finished answer: the whole response body, in parts so that a large one needs no second copy. */
export interface QueryAnswer {
  readonly status: number;
  readonly parts: readonly Uint8Array[];
  /** Whether `parts` are one gzip file. */
  readonly isGzipped?: boolean;
  /** What the server counts and logs about it; null where no query ran. */
  readonly report: QueryReport | null;
  /** Set instead of `parts` for the tasks that ask for a value. */
  readonly value?: PlainValue;
  /** Set for a part of a query that went well: `parts` then are its series, one behind the other with commas. */
  readonly fragment?: QueryFragment;
}

/** What has to be known of a part's series to put parts together. */
export interface QueryFragment {
  /** `MARKS_A_SERIES` byte offsets for each series, in order. */
  readonly marks: Float64Array;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly peakSamples: number;
  /** Whether parts put together may not be the answer: the query has to be run whole. */
  readonly mustBeWhole: boolean;
}

export interface QueryReport {
  readonly statistics: QueryStatistics;
  readonly error: string | null;
}
