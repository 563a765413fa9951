/**
 * What a rule would have done over past data: when its alerts would have waited and fired, or what it would have
 * recorded. The rule runs as it does in life, only that its queries are answered from a range query.
 */
import type { Labels } from "../model/labels.ts";
import type { MatrixSeries, QueryValue, VectorSample } from "../promql/value.ts";
import { AlertingRule } from "./alerting-rule.ts";
import type { ParsedExpression, RuleStorage } from "./ports.ts";
import { RecordingRule } from "./recording-rule.ts";
import type { AlertingRuleConfig, RecordingRuleConfig, RuleConfig } from "./rule-config.ts";

/** A longer past is refused: the answer would be more than anybody can look at. */
const MAX_RUNS = 100_000;

/** Range queries are asked piece by piece, so that no single answer is large. */
const RUNS_PER_QUERY = 1_000;

export interface BacktestOptions {
  /** The first run, and the last moment for one; both inclusive. */
  readonly startMs: number;
  readonly endMs: number;
  readonly intervalMs: number;
  readonly parse: (expression: string) => ParsedExpression;
  /** A range query, both ends inclusive. */
  readonly queryRange: (
    text: string,
    startMs: number,
    endMs: number,
    stepMs: number,
  ) => Promise<readonly MatrixSeries[]>;
  /** An instant query, for templates that ask. */
  readonly query: (text: string, timeMs: number) => Promise<QueryValue>;
  readonly externalLabels: Labels;
  readonly externalUrl: string;
  readonly signal: AbortSignal;
}

export type BacktestResult =
  | { readonly kind: "alerting"; readonly alerts: readonly AlertHistory[] }
  | { readonly kind: "recording"; readonly series: readonly RecordedSeries[] };

export interface AlertHistory {
  readonly labels: Labels;
  /** Of its newest run. */
  readonly annotations: ReadonlyMap<string, string>;
  /** In order of time, without overlap. */
  readonly phases: readonly AlertPhase[];
}

export interface AlertPhase {
  readonly state: "pending" | "firing";
  readonly startMs: number;
  /** The first run that found it otherwise; null if it lasted to the end. */
  readonly endMs: number | null;
}

export interface RecordedSeries {
  readonly labels: Labels;
  /** Ascending in time; native histograms are kept as they are. */
  readonly samples: readonly { readonly timeMs: number; readonly sample: VectorSample }[];
}

/** @throws Error when the past is too long, a query fails, or a run would have failed; the message names its time */
export async function backtestRule(config: RuleConfig, options: BacktestOptions): Promise<BacktestResult> {
  const runCount = Math.floor((options.endMs - options.startMs) / options.intervalMs) + 1;
  if (!(options.intervalMs > 0) || !(runCount > 0) || runCount > MAX_RUNS) {
    throw new Error(`cannot test rule over ${runCount} runs: expected between 1 and ${MAX_RUNS}`);
  }
  return config.kind === "alerting"
    ? { kind: "alerting", alerts: await backtestAlerting(config, options) }
    : { kind: "recording", series: await backtestRecording(config, options) };
}

async function backtestAlerting(
  config: AlertingRuleConfig,
  options: BacktestOptions,
): Promise<readonly AlertHistory[]> {
  const { externalLabels, externalUrl } = options;
  const surroundings = {
    externalLabels,
    externalUrl,
    templateExpanded: () => {},
    takeTurn: async () => {},
  };
  const rule = new AlertingRule(config, {}, options.parse(config.expr), surroundings, { isRestored: true });
  interface Tracked {
    labels: Labels;
    annotations: ReadonlyMap<string, string>;
    phases: { state: "pending" | "firing"; startMs: number; endMs: number | null }[];
  }
  const histories = new Map<string, Tracked>();
  await run(rule, options, (timeMs) => {
    const present = new Set<string>();
    for (const { labels, annotations, state } of rule.alerts) {
      const { key } = labels;
      present.add(key);
      let history = histories.get(key);
      if (history === undefined) histories.set(key, (history = { labels, annotations, phases: [] }));
      history.annotations = annotations;
      const shown = state === "firing" ? "firing" : "pending";
      const last = history.phases.at(-1);
      if (last?.endMs === null && last.state === shown) continue;
      if (last?.endMs === null) last.endMs = timeMs;
      history.phases.push({ state: shown, startMs: timeMs, endMs: null });
    }
    for (const [key, { phases }] of histories) {
      const last = phases.at(-1)!;
      if (!present.has(key)) last.endMs ??= timeMs;
    }
  });
  return [...histories.values()];
}

async function backtestRecording(
  config: RecordingRuleConfig,
  options: BacktestOptions,
): Promise<readonly RecordedSeries[]> {
  const rule = new RecordingRule(config, {}, options.parse(config.expr));
  const series = new Map<string, { labels: Labels; samples: { timeMs: number; sample: VectorSample }[] }>();
  await run(rule, options, (timeMs, results) => {
    for (const sample of results) {
      const { key } = sample.labels;
      const known = series.get(key) ?? { labels: sample.labels, samples: [] };
      known.samples.push({ timeMs, sample });
      series.set(key, known);
    }
  });
  return [...series.values()];
}

/** Runs the rule at every step, telling of each run. */
async function run(
  rule: AlertingRule | RecordingRule,
  options: BacktestOptions,
  onRun: (timeMs: number, results: readonly VectorSample[]) => void,
): Promise<void> {
  const { startMs, endMs, intervalMs, signal } = options;
  const windowMs = RUNS_PER_QUERY * intervalMs;
  for (let fromMs = startMs; fromMs <= endMs; fromMs += windowMs) {
    const lastMs = Math.min(endMs, fromMs + windowMs - intervalMs);
    const vectors = vectorsByTime(await options.queryRange(rule.query, fromMs, lastMs, intervalMs));
    const storage = storageOf(rule.query, vectors, options);
    for (let timeMs = fromMs; timeMs <= lastMs; timeMs += intervalMs) {
      signal.throwIfAborted();
      try {
        const evaluation = { timeMs, queryTimeMs: timeMs, limit: 0, signal, group: null };
        onRun(timeMs, await rule.evaluate(evaluation, storage));
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`cannot run rule ${rule.name} at ${new Date(timeMs).toISOString()}: ${reason}`, {
          cause,
        });
      }
      rule.lastEvaluationMs = timeMs;
    }
  }
}

function storageOf(
  ruleQuery: string,
  vectors: ReadonlyMap<number, readonly VectorSample[]>,
  { query }: BacktestOptions,
): RuleStorage {
  return {
    async query(text, timeMs) {
      // A template may ask what the rule asks: the answer is the same.
      if (text !== ruleQuery) return query(text, timeMs);
      return { type: "vector", timeMs, samples: vectors.get(timeMs) ?? [] };
    },
    appendSamples: async ({ series }) => new Uint8Array(series.length),
    lastForStateSamples: async () => [],
  };
}

/** A matrix turned on its side: the samples of each step. */
function vectorsByTime(matrix: readonly MatrixSeries[]): Map<number, VectorSample[]> {
  const vectors = new Map<number, VectorSample[]>();
  const add = (timeMs: number, sample: VectorSample) => {
    const vector = vectors.get(timeMs);
    if (vector === undefined) vectors.set(timeMs, [sample]);
    else vector.push(sample);
  };
  for (const { labels, floatTimes, floats, histogramTimes, histograms } of matrix) {
    for (const [i, timeMs] of floatTimes.entries())
      add(timeMs, { labels, value: floats[i]!, histogram: null });
    for (const [i, timeMs] of histogramTimes.entries())
      add(timeMs, { labels, value: 0, histogram: histograms[i]! });
  }
  return vectors;
}
