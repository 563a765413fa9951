/**
 * What a route asks of a query thread and what comes back: plain data, small, cloned between threads. The answer is
 * finished bytes, transferred.
 */
export type QueryTask =
  | InstantQueryTask
  | RangeQueryTask
  | ExemplarsTask
  | SeriesTask
  | LabelNamesTask
  | LabelValuesTask
  | FormatQueryTask
  | ParseQueryTask
  | ExplainQueryTask;

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
}

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

/** A finished answer: the whole response body, in parts so that a large one needs no second copy. */
export interface QueryAnswer {
  readonly status: number;
  readonly parts: readonly Uint8Array[];
  /** What the server counts and logs about it; null where no query ran. */
  readonly report: QueryReport | null;
}

export interface QueryReport {
  readonly samplesRead: number;
  readonly totalQueryableSamples: number;
  readonly prepareSeconds: number;
  readonly evalSeconds: number;
  readonly sortSeconds: number;
  readonly error: string | null;
}
