import { WindowKernel, type QueryMemory } from "../kernels/index.ts";
import { compareLabels, type Labels } from "../model/labels.ts";
import { quote } from "../model/quote.ts";
import type { Querier, Queryable } from "../model/storage.ts";
import { Annotations } from "./annotations.ts";
import { DUPLICATE_LABELS, NAME_LABELS } from "./exec/derived-series.ts";
import type { ExecutionContext, ExecutionFeatures, VectorOperator } from "./exec/operator.ts";
import type { RangeSource } from "./exec/range-source.ts";
import { sharedSelections } from "./exec/shared-selections.ts";
import { ColumnPool, HISTOGRAM, StepColumn, type StepGrid } from "./exec/step-column.ts";
import { extendedRangePoints } from "./functions/extended-range.ts";
import { ExecutionError, histogramPointCount, QueryLimits } from "./limits.ts";
import {
  documentedType,
  parseExpr,
  printExpr,
  typeOf,
  walk,
  type Expr,
  type ParserOptions,
} from "./parse/index.ts";
import { PlanBuilder, type AnyOperator } from "./plan/build-operators.ts";
import { Explainer, type ExplainNode } from "./plan/explain.ts";
import { visitSelectors } from "./plan/geometry.ts";
import { divisionOf, type Division } from "./plan/division.ts";
import { planQuery } from "./plan/logical-plan.ts";
import { mergeSeries, seriesFromColumn, seriesFromSamples, seriesFromScalar } from "./result-series.ts";
import { StatisticsCollector } from "./statistics.ts";
import type { MatrixSeries, QueryResult, QueryStatistics, QueryValue, VectorSample } from "./value.ts";

export interface EngineOptions {
  readonly queryable: Queryable;
  /** The working memory of the thread the engine runs on; one query at a time uses it. */
  readonly memory: QueryMemory;
  readonly parserOptions: ParserOptions;
  readonly lookbackMs: number;
  /** The step of a subquery that names none: the global evaluation interval. */
  readonly defaultSubqueryStepMs: number;
  readonly maxSamples: number;
  readonly features: ExecutionFeatures;
  /** Milliseconds since the epoch; the clock of deadlines. */
  readonly now: () => number;
}

export interface PerQueryOptions {
  /** On the engine's clock. Default: none. */
  readonly deadlineMs?: number;
  /** Whether whoever asked has gone away; asked per series, so it should only read a flag. */
  readonly isCancelled?: () => boolean;
  /** Null or absent: the engine's. */
  readonly lookbackMs?: number | null;
  /** Whether samples are also counted step by step. */
  readonly perStepStatistics?: boolean;
  readonly memoryLimitBytes?: number;
  /** How long the query had to wait before it came here, for its statistics. */
  readonly queuedSeconds?: number;
  /** Samples that may be read, and steps of subqueries, before the query ends with a `ReadBudgetError`. Default: any. */
  readonly readBudget?: number;
  /** A range query divided by series: the part to be run, from 0, and how many there are. */
  readonly seriesPart?: { readonly index: number; readonly count: number };
}

/** Before a query is run: about what it will take. */
export interface QueryEstimate {
  readonly series: number;
  readonly samples: number;
  /** How the query can be divided among threads; null for not at all. */
  readonly division: Division | null;
}

/** How a query is, or was, evaluated. */
export interface Explanation {
  readonly query: string;
  /** The logical plan as text: durations, `@` and constants resolved. */
  readonly plan: string;
  readonly estimate: QueryEstimate;
  /** Null where the query was not run. */
  readonly root: ExplainNode | null;
  readonly statistics: QueryStatistics | null;
}

/**
 * Evaluates PromQL over a storage: parse, plan, build operators, pull their series. Runs on one thread, one query at a
 * time, and never waits.
 */
export class PromqlEngine {
  constructor(private readonly options: EngineOptions) {}

  /**
   * @throws ParseError, ExecutionError, QueryTimeoutError, QueryCancelledError, TooManySamplesError, QueryMemoryError,
   *   StorageError
   */
  instant(text: string, timeMs: number, perQuery: PerQueryOptions = {}): QueryResult {
    return this.run(text, { startMs: timeMs, stepMs: 0, count: 1 }, perQuery, "instant");
  }

  /** Evaluates at startMs, startMs + stepMs, … up to endMs. @throws as `instant` */
  range(
    text: string,
    startMs: number,
    endMs: number,
    stepMs: number,
    perQuery: PerQueryOptions = {},
  ): QueryResult {
    if (stepMs <= 0)
      throw new ExecutionError(`cannot evaluate a range: step is ${stepMs} ms, expected more than 0`);
    if (endMs < startMs) throw new ExecutionError("end timestamp must not be before start time");
    const count = Math.floor((endMs - startMs) / stepMs) + 1;
    const grid = { startMs, stepMs, count, endsLater: startMs + (count - 1) * stepMs < endMs };
    return this.run(text, grid, perQuery, "range", endMs);
  }

  /** About how much a query would read, from parsing, planning and looking up series alone. @throws as `instant` */
  estimate(
    text: string,
    startMs: number,
    endMs: number,
    stepMs: number,
    perQuery: PerQueryOptions = {},
  ): QueryEstimate {
    const expr = parseExpr(text, this.options.parserOptions);
    const plan = planQuery(expr, { startMs, endMs, stepMs });
    const count = stepMs > 0 ? Math.floor((endMs - startMs) / stepMs) + 1 : 1;
    const geometry = this.geometryOptions(perQuery);
    let series = 0;
    let samples = 0;
    const grid = { startMs, stepMs, count };
    const { minTime, maxTime } = this.timeRange(plan, grid, perQuery);
    const division = this.options.features.delayedNameRemoval ? null : divisionOf(expr);
    if (minTime > maxTime) return { series, samples, division };
    const querier = this.options.queryable.querier(minTime, maxTime);
    try {
      visitSelectors(plan, grid, geometry, (selector, from, to) => {
        const set = querier.select(selector.matchers, from, to);
        series += set.count;
        samples += set.estimateSamples(from, to);
      });
    } finally {
      querier.close();
    }
    return { series, samples, division };
  }

  /**
   * How a query is evaluated, node by node, with what each took; with `run` false the plan alone and an estimate.
   * @throws as `instant`
   */
  explain(
    text: string,
    bounds: { readonly startMs: number; readonly endMs: number; readonly stepMs: number },
    perQuery: PerQueryOptions & { readonly run: boolean },
  ): Explanation {
    const { startMs, endMs, stepMs } = bounds;
    const { parserOptions, memory } = this.options;
    const plan = planQuery(parseExpr(text, parserOptions), { startMs, endMs, stepMs });
    const estimate = this.estimate(text, startMs, endMs, stepMs, perQuery);
    const explanation = { query: text, plan: printExpr(plan), estimate };
    if (!perQuery.run) return { ...explanation, root: null, statistics: null };
    const explainer = new Explainer(
      () => performance.now() / 1000,
      () => memory.usedBytes,
    );
    const count = stepMs > 0 ? Math.floor((endMs - startMs) / stepMs) + 1 : 1;
    const kind = stepMs > 0 ? "range" : "instant";
    const { statistics } = this.run(text, { startMs, stepMs, count }, perQuery, kind, endMs, explainer);
    return { ...explanation, root: explainer.root, statistics };
  }

  private run(
    text: string,
    grid: StepGrid,
    perQuery: PerQueryOptions,
    kind: "instant" | "range",
    endMs = grid.startMs,
    explainer: Explainer | null = null,
  ): QueryResult {
    const { options } = this;
    const began = performance.now();
    const expr = parseExpr(text, options.parserOptions);
    const type = typeOf(expr);
    if (kind === "range" && type !== "vector" && type !== "scalar") {
      throw new ExecutionError(
        `invalid expression type ${quote(documentedType(type))} for range query, must be Scalar or instant Vector`,
      );
    }
    const limits = new QueryLimits({
      maxSamples: options.maxSamples,
      deadlineMs: perQuery.deadlineMs ?? Infinity,
      now: options.now,
      isCancelled: perQuery.isCancelled ?? (() => false),
      usedBytes: () => options.memory.usedBytes,
      memoryLimitBytes: perQuery.memoryLimitBytes ?? Infinity,
    });
    limits.check("query execution");
    limits.checkSteps(grid.count);
    const plan = planQuery(expr, { startMs: grid.startMs, endMs, stepMs: grid.stepMs });
    const { minTime, maxTime } = this.timeRange(plan, grid, perQuery);
    const memoryMark = options.memory.mark();
    const querier = options.queryable.querier(minTime, maxTime);
    try {
      const statistics = new StatisticsCollector(
        grid,
        perQuery.perStepStatistics === true,
        perQuery.readBudget,
      );
      const context = this.context(querier, limits, statistics, perQuery);
      const prepared = performance.now();
      const builder = new PlanBuilder(context, options.defaultSubqueryStepMs, explainer);
      const operator = builder.build(plan, grid);
      const value =
        kind === "instant"
          ? instantValue(operator, context, plan, grid.startMs)
          : rangeValue(operator, context, plan, perQuery.seriesPart);
      builder.finish();
      const evaluated = performance.now();
      const sorted = value.type === "matrix" ? sortedByLabels(value) : value;
      limits.check("query execution");
      const ended = performance.now();
      const times = { began, prepared, evaluated, ended, queuedSeconds: perQuery.queuedSeconds ?? 0 };
      return {
        value: sorted,
        ...context.annotations.render(text),
        statistics: queryStatistics(statistics, limits, times),
        mustBeWhole: context.wholeness.mustBeWhole || (perQuery.seriesPart !== undefined && sorted !== value),
      };
    } finally {
      querier.close();
      options.memory.release(memoryMark);
    }
  }

  private context(
    querier: Querier,
    limits: QueryLimits,
    statistics: StatisticsCollector,
    perQuery: PerQueryOptions,
  ): ExecutionContext {
    const { memory, features, lookbackMs } = this.options;
    return {
      memory,
      kernel: new WindowKernel(memory),
      columns: new ColumnPool(memory),
      querier: sharedSelections(querier),
      lookbackMs: perQuery.lookbackMs ?? lookbackMs,
      limits,
      annotations: new Annotations(),
      statistics,
      collector: statistics,
      features,
      wholeness: { mustBeWhole: false },
    };
  }

  private geometryOptions(perQuery: PerQueryOptions) {
    const { lookbackMs, defaultSubqueryStepMs } = this.options;
    return { lookbackMs: perQuery.lookbackMs ?? lookbackMs, defaultSubqueryStepMs };
  }

  private timeRange(
    plan: Expr,
    grid: StepGrid,
    perQuery: PerQueryOptions,
  ): { minTime: number; maxTime: number } {
    let minTime = Infinity;
    let maxTime = -Infinity;
    visitSelectors(plan, grid, this.geometryOptions(perQuery), (_, from, to) => {
      minTime = Math.min(minTime, from);
      maxTime = Math.max(maxTime, to);
    });
    return minTime <= maxTime ? { minTime, maxTime } : { minTime: grid.startMs, maxTime: grid.startMs };
  }
}

// ── results ──

function instantValue(
  operator: AnyOperator,
  context: ExecutionContext,
  plan: Expr,
  timeMs: number,
): QueryValue {
  switch (operator.type) {
    case "string":
      return { type: "string", timeMs, value: operator.value };
    case "scalar": {
      context.limits.hold(1);
      return { type: "scalar", timeMs, value: operator.values()[0]! };
    }
    case "vector":
      return { type: "vector", timeMs, samples: instantSamples(operator, context, plan) };
    case "matrix":
      return { type: "matrix", series: rangeVectorSeries(operator, context) };
  }
}

function instantSamples(operator: VectorOperator, context: ExecutionContext, plan: Expr): VectorSample[] {
  const { delayedNameRemoval } = context.features;
  const column = new StepColumn(context.memory, 1);
  const samples: VectorSample[] = [];
  const seen = mayRepeatLabels(plan, delayedNameRemoval) ? new Set<string>() : null;
  for (let i = 0, n = operator.count; i < n; i++) {
    operator.read(i, column);
    if (column.presentCount === 0) continue;
    const labels = finalLabels(operator, i, delayedNameRemoval);
    if (seen !== null) {
      const { key } = labels;
      if (seen.has(key)) throw new ExecutionError(DUPLICATE_LABELS);
      seen.add(key);
    }
    const isHistogram = column.kinds[0] === HISTOGRAM;
    samples.push({
      labels,
      value: isHistogram ? 0 : column.values[0]!,
      histogram: isHistogram ? column.histogramAt(0) : null,
    });
  }
  return samples;
}

/** Most operators make their labels unique themselves; `or` and delayed removal leave that to the end. */
function mayRepeatLabels(plan: Expr, delayedNameRemoval: boolean): boolean {
  let found = delayedNameRemoval;
  walk(plan, (expr) => {
    if (expr.kind === "binary" && expr.op === "or") found = true;
  });
  return found;
}

function finalLabels(
  series: { labels(index: number): Labels; dropsName(index: number): boolean },
  index: number,
  delayedNameRemoval: boolean,
): Labels {
  const labels = series.labels(index);
  return delayedNameRemoval && series.dropsName(index) ? labels.without(NAME_LABELS) : labels;
}

function rangeVectorSeries(source: RangeSource, context: ExecutionContext): MatrixSeries[] {
  const { delayedNameRemoval } = context.features;
  const all: MatrixSeries[] = [];
  for (let i = 0, n = source.count; i < n; i++) {
    const read = source.read(i);
    const samples =
      source.extension === null
        ? read
        : extendedRangePoints(read, source.windows, source.extension, context.lookbackMs);
    if (samples.count === 0) continue;
    const series = seriesFromSamples(finalLabels(source, i, delayedNameRemoval), samples);
    let size = series.floats.length;
    for (const histogram of series.histograms) size += histogramPointCount(histogram);
    context.limits.hold(size);
    if (source.innerQueryableSamples === undefined) context.statistics.addAt(0, size, size);
    all.push(series);
  }
  context.statistics.addAt(0, source.innerQueryableSamples ?? 0, 0);
  return all;
}

function rangeValue(
  operator: AnyOperator,
  context: ExecutionContext,
  plan: Expr,
  part = { index: 0, count: 1 },
): QueryValue {
  if (operator.type === "scalar") {
    const { grid } = operator;
    context.limits.hold(grid.count);
    return { type: "matrix", series: [seriesFromScalar(grid, operator.values())] };
  }
  if (operator.type !== "vector") throw new Error(`cannot give a ${operator.type} over a range`);
  const { grid } = operator;
  const { delayedNameRemoval } = context.features;
  const column = new StepColumn(context.memory, grid.count);
  const all: MatrixSeries[] = [];
  const from = Math.floor((operator.count * part.index) / part.count);
  const to = Math.floor((operator.count * (part.index + 1)) / part.count);
  for (let i = from; i < to; i++) {
    operator.read(i, column);
    if (column.presentCount === 0) continue;
    all.push(seriesFromColumn(finalLabels(operator, i, delayedNameRemoval), grid, column));
  }
  return { type: "matrix", series: mayRepeatLabels(plan, delayedNameRemoval) ? mergeSeries(all) : all };
}

/** Itself where the series are in order already. */
function sortedByLabels(value: MatrixValue): MatrixValue {
  const { series } = value;
  for (let i = 1; i < series.length; i++) {
    // What comes from a single selector is in order already.
    if (compareLabels(series[i - 1]!.labels, series[i]!.labels) > 0) {
      return { type: "matrix", series: series.toSorted((a, b) => compareLabels(a.labels, b.labels)) };
    }
  }
  return value;
}

type MatrixValue = Extract<QueryValue, { type: "matrix" }>;

/** Milliseconds on a clock that nobody sets. */
interface Timings {
  readonly began: number;
  readonly prepared: number;
  readonly evaluated: number;
  readonly ended: number;
  readonly queuedSeconds: number;
}

function queryStatistics(counted: StatisticsCollector, limits: QueryLimits, times: Timings): QueryStatistics {
  const { began, prepared, evaluated, ended, queuedSeconds } = times;
  const { grid, queryablePerStep, readPerStep } = counted;
  const perStep = (counts: Float64Array | null) =>
    counts && Array.from(counts, (count, step) => [grid.startMs + step * grid.stepMs, count] as const);
  return {
    timings: {
      evalTotalTime: (ended - began) / 1000,
      resultSortTime: (ended - evaluated) / 1000,
      queryPreparationTime: (prepared - began) / 1000,
      innerEvalTime: (evaluated - prepared) / 1000,
      execQueueTime: queuedSeconds,
      execTotalTime: queuedSeconds + (ended - began) / 1000,
    },
    samples: {
      totalQueryableSamples: counted.totalQueryableSamples,
      samplesRead: counted.samplesRead,
      peakSamples: limits.peakSamples,
      totalQueryableSamplesPerStep: perStep(queryablePerStep),
      samplesReadPerStep: perStep(readPerStep),
    },
  };
}
