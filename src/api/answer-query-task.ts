import { compareLabels, compareUtf8, METRIC_NAME, type Labels } from "../model/labels.ts";
import { Matcher } from "../model/matcher.ts";
import { parseMatches } from "./parse-matches.ts";
import { isStaleMarker } from "../model/sample.ts";
import { StorageError, type Queryable, type SampleColumns } from "../model/storage.ts";
import type { PromqlEngine } from "../promql/engine.ts";
import { QueryCancelledError, QueryTimeoutError, ExecutionError } from "../promql/limits.ts";
import {
  documentedType,
  exprToJson,
  ParseError,
  parseExpr,
  prettyExpr,
  typeOf,
  walk,
  type ParserOptions,
} from "../promql/parse/index.ts";
import { ReadBudgetError } from "../promql/statistics.ts";
import { statisticsOfFailure, type QueryResult } from "../promql/value.ts";
import { ApiError } from "./api-error.ts";
import { errorEnvelope, successEnvelope } from "./envelope.ts";
import { JsonBytes } from "./json-bytes.ts";
import {
  isQuery,
  type ExemplarsTask,
  type ForStateTask,
  type InstantQueryTask,
  type LabelNamesTask,
  type LabelValuesTask,
  type QueryAnswer,
  type QueryReport,
  type QueryTask,
  type RangeQueryTask,
  type RuleQueryTask,
  type SeriesTask,
} from "./query-tasks.ts";
import { MARKS_A_SERIES, writeQueryData, writeSeries } from "./result-json.ts";

/** What a query thread has at hand to answer with. */
export interface QueryServices {
  readonly engine: PromqlEngine;
  readonly queryable: Queryable;
  readonly parserOptions: ParserOptions;
  readonly limits: QueryLimits;
  /** Whether `stats=all` gives per-step arrays (a feature). */
  readonly perStepStatistics: boolean;
  /** How long the task had to wait. */
  readonly queuedSeconds: number;
  /** Columns to read series into, good for this task only. */
  readonly columns: () => SampleColumns;
}

/** The bounds of one task, set by whoever hands it out. */
export interface QueryLimits {
  /** Milliseconds since the epoch. */
  readonly deadlineMs: number;
  isCancelled(): boolean;
  /** A query that reads more samples, or has more steps of subqueries, is given up with a `ReadBudgetError`, for another thread to run. */
  readonly readBudget?: number;
}

const TRUNCATED = "results truncated due to limit";

/**
 * Answers a task with a finished response; every error becomes one too.
 * @throws ReadBudgetError where the limits set a budget
 */
export function answerQueryTask(task: QueryTask, services: QueryServices): QueryAnswer {
  const begun = performance.now();
  try {
    switch (task.kind) {
      case "instant":
      case "range":
        return answerQuery(task, services);
      case "explain":
        return answerExplain(task.task, task.run, services);
      case "series":
        return answerSeries(task, services);
      case "labelNames":
      case "labelValues":
        return answerLabels(task, services);
      case "exemplars":
        return answerExemplars(task, services);
      case "format":
        return success((out) => out.json(prettyExpr(parseExpr(task.query, services.parserOptions))));
      case "parse":
        return success((out) => out.json(exprToJson(parseExpr(task.query, services.parserOptions))));
      case "rule":
        return answerRule(task, services);
      case "forState":
        return answerForState(task, services);
    }
  } catch (error) {
    if (error instanceof ReadBudgetError) throw error;
    const apiError = toApiError(error);
    return {
      status: apiError.status,
      parts: errorEnvelope(apiError),
      report: isQuery(task)
        ? {
            statistics: statisticsOfFailure(services.queuedSeconds, (performance.now() - begun) / 1000),
            error: apiError.message,
          }
        : null,
    };
  }
}

function success(writeData: (out: JsonBytes) => void, warnings: readonly string[] = []): QueryAnswer {
  return { status: 200, parts: successEnvelope(writeData, warnings), report: null };
}

/** Which of the API's error types an error is, decided here alone. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof ParseError) return ApiError.invalidParameter("query", error.message);
  if (error instanceof QueryTimeoutError) return new ApiError("timeout", error.message);
  if (error instanceof QueryCancelledError) return new ApiError("canceled", error.message);
  if (error instanceof ExecutionError) return new ApiError("execution", error.message);
  if (error instanceof StorageError) return new ApiError("internal", error.message);
  if (error instanceof Error && error.name === "QueryMemoryError")
    return new ApiError("execution", error.message);
  return new ApiError("execution", error instanceof Error ? error.message : String(error));
}

// ───────────────────────────────────────────── queries ─────────────────────────────────────────────

function runQuery(
  task: InstantQueryTask | RangeQueryTask,
  { engine, limits, perStepStatistics, queuedSeconds }: QueryServices,
): QueryResult {
  const options = {
    queuedSeconds,
    deadlineMs: limits.deadlineMs,
    isCancelled: () => limits.isCancelled(),
    ...(task.lookbackMs !== null && task.lookbackMs > 0 ? { lookbackMs: task.lookbackMs } : {}),
    perStepStatistics: task.stats === "all" && perStepStatistics,
    ...budgetOf(limits),
  };
  return task.kind === "instant"
    ? engine.instant(task.query, task.timeMs, options)
    : engine.range(task.query, task.startMs, task.endMs, task.stepMs, {
        ...options,
        ...(task.part?.division === "series" ? { seriesPart: task.part } : {}),
      });
}

function budgetOf({ readBudget }: QueryLimits): { readonly readBudget?: number } {
  return readBudget === undefined ? {} : { readBudget };
}

function answerQuery(task: InstantQueryTask | RangeQueryTask, services: QueryServices): QueryAnswer {
  if (task.kind === "range") requireRangeType(task, services.parserOptions);
  const full = runQuery(task, services);
  if (task.kind === "range" && task.part !== undefined) return answerPart(full);
  const { result, isTruncated } = truncate(full, task.limit);
  const warnings = [...result.warnings];
  if (isTruncated) warnings.push(TRUNCATED);
  if (task.stats !== "" && task.stats !== "true" && task.stats !== "all") {
    warnings.push(
      `value ${JSON.stringify(task.stats)} for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"`,
    );
  }
  return {
    status: 200,
    parts: successEnvelope((out) => writeQueryData(out, result, task.stats !== ""), warnings, result.infos),
    report: reportOf(result),
  };
}

function reportOf({ statistics }: QueryResult): QueryReport {
  return { statistics, error: null };
}

/** The series of a part of a query, to be put together with those of the others (`merge-fragments.ts`). */
function answerPart(result: QueryResult): QueryAnswer {
  const { value, warnings, infos, mustBeWhole } = result;
  if (value.type !== "matrix") throw new Error(`cannot answer a part of a query with a ${value.type}`);
  const marks = new Float64Array(MARKS_A_SERIES * value.series.length);
  const out = new JsonBytes();
  writeSeries(out, value.series, marks);
  const { peakSamples } = result.statistics.samples;
  return {
    status: 200,
    parts: out.finish(),
    report: reportOf(result),
    fragment: { marks, warnings, infos, peakSamples, mustBeWhole },
  };
}

function answerRule(task: RuleQueryTask, { engine, limits, queuedSeconds }: QueryServices): QueryAnswer {
  const result = engine.instant(task.query, task.timeMs, {
    queuedSeconds,
    deadlineMs: limits.deadlineMs,
    isCancelled: () => limits.isCancelled(),
    ...budgetOf(limits),
  });
  const { value } = result;
  if (value.type === "matrix") throw new ExecutionError("rule result is not a vector or scalar");
  const report = reportOf(result);
  if (value.type !== "vector") return { status: 200, parts: [], report, value };
  const samples = value.samples.map((sample) => ({
    pairs: sample.labels.pairs,
    value: sample.value,
    histogram: sample.histogram,
  }));
  return { status: 200, parts: [], report, value: { ...value, samples } };
}

function answerForState(task: ForStateTask, { queryable, columns }: QueryServices): QueryAnswer {
  const querier = queryable.querier(task.startMs, task.endMs);
  try {
    const matchers = [
      new Matcher("=", METRIC_NAME, "ALERTS_FOR_STATE"),
      new Matcher("=", "alertname", task.alertName),
    ];
    const set = querier.select(matchers, task.startMs, task.endMs);
    const buffer = columns();
    const samples: { pairs: readonly string[]; timeMs: number; value: number }[] = [];
    for (let i = 0; i < set.count; i++) {
      set.read(i, task.startMs, task.endMs, buffer);
      const last = buffer.count - 1;
      if (last < 0 || isStaleMarker(buffer.valueWords, last)) continue;
      samples.push({ pairs: set.labels(i).pairs, timeMs: buffer.times[last]!, value: buffer.values[last]! });
    }
    return { status: 200, parts: [], report: null, value: { type: "lastSamples", samples } };
  } finally {
    querier.close();
  }
}

function requireRangeType({ query }: RangeQueryTask, parserOptions: ParserOptions): void {
  const type = typeOf(parseExpr(query, parserOptions));
  if (type === "vector" || type === "scalar") return;
  throw ApiError.invalidParameter(
    "query",
    `invalid expression type ${JSON.stringify(documentedType(type))} for range query, must be Scalar or instant Vector`,
  );
}

function truncate(result: QueryResult, limit: number): { result: QueryResult; isTruncated: boolean } {
  const { value } = result;
  if (limit > 0 && value.type === "vector" && value.samples.length > limit) {
    return {
      result: { ...result, value: { ...value, samples: value.samples.slice(0, limit) } },
      isTruncated: true,
    };
  }
  if (limit > 0 && value.type === "matrix" && value.series.length > limit) {
    return {
      result: { ...result, value: { ...value, series: value.series.slice(0, limit) } },
      isTruncated: true,
    };
  }
  return { result, isTruncated: false };
}

function answerExplain(
  task: InstantQueryTask | RangeQueryTask,
  run: boolean,
  { engine, limits }: QueryServices,
): QueryAnswer {
  const range =
    task.kind === "instant"
      ? { startMs: task.timeMs, endMs: task.timeMs, stepMs: 0 }
      : { startMs: task.startMs, endMs: task.endMs, stepMs: task.stepMs };
  const tree = engine.explain(task.query, range, {
    run,
    deadlineMs: limits.deadlineMs,
    isCancelled: () => limits.isCancelled(),
  });
  return success((out) => out.json(tree));
}

// ───────────────────────────────────────────── series and labels ─────────────────────────────────────────────

function answerSeries(task: SeriesTask, { queryable, limits }: QueryServices): QueryAnswer {
  const selectors = parseMatches(task.matches, true);
  const querier = queryable.querier(task.startMs, task.endMs);
  try {
    const sets = selectors.map((matchers) => querier.select(matchers, task.startMs, task.endMs));
    let isTruncated = false;
    const only = sets.length === 1 ? sets[0] : undefined;
    if (only) {
      // One selector: already sorted and unique, written as it is read.
      const count = task.limit > 0 ? Math.min(task.limit, only.count) : only.count;
      isTruncated = count < only.count;
      return success(
        (out) => {
          out.ascii("[");
          for (let i = 0; i < count; i++) {
            if ((i & 1023) === 0) checkLimits(limits);
            if (i > 0) out.ascii(",");
            out.labels(only.labels(i));
          }
          out.ascii("]");
        },
        isTruncated ? [TRUNCATED] : [],
      );
    }
    const unique = new Map<string, Labels>();
    for (const set of sets) {
      for (let i = 0; i < set.count; i++) {
        if ((i & 1023) === 0) checkLimits(limits);
        const labels = set.labels(i);
        unique.set(labels.key, labels);
      }
    }
    let merged = [...unique.values()].sort(compareLabels);
    if (task.limit > 0 && merged.length > task.limit) {
      merged = merged.slice(0, task.limit);
      isTruncated = true;
    }
    return success(
      (out) => {
        out.ascii("[");
        merged.forEach((labels, index) => {
          if (index > 0) out.ascii(",");
          out.labels(labels);
        });
        out.ascii("]");
      },
      isTruncated ? [TRUNCATED] : [],
    );
  } finally {
    querier.close();
  }
}

function checkLimits(limits: QueryLimits): void {
  if (limits.isCancelled()) throw new QueryCancelledError("query execution");
  if (Date.now() > limits.deadlineMs) throw new QueryTimeoutError("query execution");
}

function answerLabels(
  task: LabelNamesTask | LabelValuesTask,
  { queryable, limits }: QueryServices,
): QueryAnswer {
  const selectors = task.matches.length === 0 ? [[]] : parseMatches(task.matches, false);
  const querier = queryable.querier(task.startMs, task.endMs);
  try {
    const askedFor = task.limit > 0 ? task.limit + 1 : 0;
    const unique = new Set<string>();
    for (const matchers of selectors) {
      checkLimits(limits);
      const found =
        task.kind === "labelNames"
          ? querier.labelNames(matchers, task.startMs, task.endMs, askedFor)
          : querier.labelValues(task.name, matchers, task.startMs, task.endMs, askedFor);
      if (selectors.length === 1) return labelsAnswer(found, task.limit);
      for (const value of found) unique.add(value);
    }
    return labelsAnswer([...unique].sort(compareUtf8), task.limit);
  } finally {
    querier.close();
  }
}

function labelsAnswer(values: readonly string[], limit: number): QueryAnswer {
  const isTruncated = limit > 0 && values.length > limit;
  return success(
    (out) => out.json(isTruncated ? values.slice(0, limit) : values),
    isTruncated ? [TRUNCATED] : [],
  );
}

function answerExemplars(task: ExemplarsTask, { queryable, parserOptions }: QueryServices): QueryAnswer {
  const selectors: (readonly Matcher[])[] = [];
  try {
    walk(parseExpr(task.query, parserOptions), (expr) => {
      if (expr.kind === "vectorSelector") selectors.push(expr.matchers);
    });
  } catch (error) {
    throw error instanceof ParseError ? new ApiError("bad_data", error.message) : error;
  }
  if (selectors.length === 0) return { status: 204, parts: [], report: null };
  const querier = queryable.querier(task.startMs, task.endMs);
  try {
    const found = querier.exemplars(selectors, task.startMs, task.endMs);
    return success((out) => {
      out.ascii("[");
      found.forEach((series, index) => {
        if (index > 0) out.ascii(",");
        out.ascii(`{"seriesLabels":`).labels(series.labels).ascii(`,"exemplars":[`);
        series.exemplars.forEach((exemplar, position) => {
          if (position > 0) out.ascii(",");
          out.ascii(`{"labels":`).labels(exemplar.labels).ascii(`,"value":`).sampleValue(exemplar.value);
          out.ascii(`,"timestamp":`).timestamp(exemplar.timeMs).ascii("}");
        });
        out.ascii("]}");
      });
      out.ascii("]");
    });
  } finally {
    querier.close();
  }
}
