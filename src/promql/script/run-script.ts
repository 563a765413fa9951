import { RE2JS } from "re2js";
import { type Labels } from "../../model/labels.ts";
import type { Queryable } from "../../model/storage.ts";
import { everyParserOption } from "../parse/index.ts";
import type { QueryResult, QueryValue, VectorSample } from "../value.ts";
import { customBucketsOf, type ClassicSample } from "./classic-to-custom.ts";
import { compareResult } from "./compare-result.ts";
import { MemoryStorage, type MemorySample } from "./memory-storage.ts";
import {
  type Command,
  type EvalCommand,
  type Expectations,
  type LoadCommand,
  type LoadedSeries,
  type Pattern,
  ScriptError,
  type TimeGrid,
} from "./parse-script.ts";
import { variantsOf } from "./variants.ts";

/** What a script asks its queries of. Both throw what the engine throws. */
export interface ScriptEngine {
  instant(query: string, timeMs: number): QueryResult;
  range(query: string, startMs: number, endMs: number, stepMs: number): QueryResult;
}

/** One `eval` and how it went. */
export interface CaseOutcome {
  readonly line: number;
  readonly query: string;
  /** What was expected and what came; null where it passed. */
  readonly failure: string | null;
}

/**
 * Runs the commands of a script in order, each `eval` against an engine over what has been loaded so far. A failing
 * `eval` is an outcome.
 *
 * @param onError told of each `load` that makes no sense, and then has put in a part of its series at most
 * @throws ScriptError for the first of them where nobody is to be told
 */
export function runScript(
  commands: readonly Command[],
  createEngine: (queryable: Queryable) => ScriptEngine,
  onError = throwError,
): CaseOutcome[] {
  let storage = new MemoryStorage();
  let engine = createEngine(storage);
  const outcomes: CaseOutcome[] = [];
  for (const command of commands) {
    switch (command.kind) {
      case "clear":
        storage = new MemoryStorage();
        engine = createEngine(storage);
        break;
      case "load":
        try {
          load(storage, command);
        } catch (cause) {
          onError(new ScriptError(command.line, (cause as Error).message));
        }
        break;
      case "eval":
        outcomes.push({ line: command.line, query: command.query, failure: evaluate(engine, command) });
        break;
    }
  }
  return outcomes;
}

function throwError(error: ScriptError): void {
  throw error;
}

function load(storage: MemoryStorage, command: LoadCommand): void {
  // The same series again in one load takes the place of the earlier line.
  const series = new Map(command.series.map((entry) => [entry.labels.key, entry]));
  const classic: ClassicSample[] = [];
  for (const entry of series.values()) {
    const samples = samplesOf(entry, command.stepMs);
    storage.append(entry.labels, samples);
    if (!command.withCustomBuckets) continue;
    for (const sample of samples) {
      if (sample.kind === "float") {
        classic.push({ labels: entry.labels, timeMs: sample.timeMs, value: sample.value });
      }
    }
  }
  const converted = new Map<string, { labels: Labels; samples: MemorySample[] }>();
  for (const { labels, timeMs, histogram } of customBucketsOf(classic)) {
    const target = converted.get(labels.key) ?? { labels, samples: [] };
    converted.set(labels.key, target);
    target.samples.push({ kind: "histogram", timeMs, startMs: 0, histogram });
  }
  for (const { labels, samples } of converted.values()) storage.append(labels, samples);
}

function samplesOf({ items, startOffsetsMs }: LoadedSeries, stepMs: number): MemorySample[] {
  const samples: MemorySample[] = [];
  items.forEach((item, i) => {
    if (item === null) return;
    const timeMs = i * stepMs;
    const offsetMs = startOffsetsMs?.[i] ?? null;
    samples.push({ ...item, timeMs, startMs: offsetMs === null ? 0 : timeMs + offsetMs });
  });
  return samples;
}

/** @returns what went wrong, or null */
function evaluate(engine: ScriptEngine, command: EvalCommand): string | null {
  const { at, query, expectations } = command;
  if (at.kind === "range") return evaluateRange(engine, command, at);
  const failure = evaluateInstant(engine, command, query, at.timeMs);
  if (failure !== null || expectations.fails) return failure;
  for (const variant of variantsOf(query, at.timeMs, everyParserOption)) {
    const variantFailure = evaluateInstant(engine, command, variant.query, variant.timeMs);
    if (variantFailure !== null) return `as ${variant.query} at ${variant.timeMs / 1000}s: ${variantFailure}`;
  }
  return null;
}

function evaluateRange(
  engine: ScriptEngine,
  { query, expected, expectations }: EvalCommand,
  { startMs, endMs, stepMs }: TimeGrid,
): string | null {
  return judge(expectations, () => {
    const result = engine.range(query, startMs, endMs, stepMs);
    return (
      compareAnnotations(expectations, result) ?? compareResult(expected, result.value, expectations.ordered)
    );
  });
}

/** At one time, and as the middle step of a range around it. */
function evaluateInstant(
  engine: ScriptEngine,
  { expected, expectations }: EvalCommand,
  query: string,
  timeMs: number,
): string | null {
  return judge(expectations, () => {
    const result = engine.instant(query, timeMs);
    const failure =
      compareAnnotations(expectations, result) ?? compareResult(expected, result.value, expectations.ordered);
    if (failure !== null) return failure;
    const hasSteps = expected.kind === "vector" || expected.kind === "scalar";
    if (!hasSteps || expectations.ordered || /\b(?:start|end|range|step)\(\)/.test(query)) return null;
    const range = engine.range(query, timeMs - STEP_MS, timeMs + STEP_MS, STEP_MS);
    const rangeFailure = compareResult(expected, valueAt(range.value, timeMs, expected.kind), false);
    return rangeFailure === null ? null : `as the middle of a range: ${rangeFailure}`;
  });
}

/** The step of the range around an instant query. */
const STEP_MS = 60_000;

/** What a range result says of one step, as an instant query would give it. */
function valueAt(value: QueryValue, timeMs: number, kind: "vector" | "scalar"): QueryValue {
  if (value.type !== "matrix") return value;
  const samples: VectorSample[] = [];
  for (const { labels, floatTimes, floats, histogramTimes, histograms } of value.series) {
    const float = floatTimes.indexOf(timeMs);
    const histogram = histogramTimes.indexOf(timeMs);
    if (float >= 0) samples.push({ labels, value: floats[float]!, histogram: null });
    if (histogram >= 0) samples.push({ labels, value: 0, histogram: histograms[histogram]! });
  }
  if (kind === "scalar") return { type: "scalar", timeMs, value: samples[0]?.value ?? NaN };
  return { type: "vector", timeMs, samples };
}

/** Runs a query and holds its fate against what was expected of it. */
function judge(expectations: Expectations, run: () => string | null): string | null {
  let failure: string | null;
  try {
    failure = run();
  } catch (error) {
    const message = (error as Error).message;
    if (!expectations.fails) return `failed: ${message}`;
    if (expectations.failure === null || matches(expectations.failure, message)) return null;
    return `expected failure ${expectations.failure.text}, got ${message}`;
  }
  return expectations.fails ? "expected to fail, got a result" : failure;
}

function compareAnnotations(expectations: Expectations, result: QueryResult): string | null {
  return (
    compareNotes("warning", expectations.warnings, result.warnings) ??
    compareNotes("info", expectations.infos, result.infos)
  );
}

function compareNotes(
  kind: string,
  patterns: Expectations["warnings"],
  texts: readonly string[],
): string | null {
  if (patterns === null) return null;
  const fits = (pattern: Pattern | null, text: string) => pattern === null || matches(pattern, text);
  const unexpected = texts.find((text) => !patterns.some((pattern) => fits(pattern, text)));
  if (unexpected !== undefined) {
    const wanted = patterns.map((pattern) => pattern?.text ?? "any").join(" | ");
    return patterns.length === 0
      ? `unexpected ${kind}: ${unexpected}`
      : `unexpected ${kind}: ${unexpected}; expected ${wanted}`;
  }
  const missing = patterns.find((pattern) => !texts.some((text) => fits(pattern, text)));
  return missing === undefined ? null : `missing ${kind}: ${missing?.text ?? "any"}`;
}

function matches(pattern: Pattern, text: string): boolean {
  return pattern.kind === "exact" ? pattern.text === text : RE2JS.compile(pattern.text).matcher(text).find();
}
