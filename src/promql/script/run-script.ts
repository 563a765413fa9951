import { RE2JS } from "re2js";
import { type Labels } from "../../model/labels.ts";
import type { Queryable } from "../../model/storage.ts";
import type { QueryResult } from "../value.ts";
import { customBucketsOf, type ClassicSample } from "./classic-to-custom.ts";
import { compareResult } from "./compare-result.ts";
import { MemoryStorage, type MemorySample } from "./memory-storage.ts";
import type {
  Command,
  EvalCommand,
  Expectations,
  LoadCommand,
  LoadedSeries,
  Pattern,
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
 * Runs the commands of a script in order, each `eval` against an engine over what has been loaded so far.
 *
 * @throws Error where a `load` makes no sense; a failing `eval` is an outcome
 */
export function runScript(
  commands: readonly Command[],
  createEngine: (queryable: Queryable) => ScriptEngine,
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
        load(storage, command);
        break;
      case "eval":
        outcomes.push({ line: command.line, query: command.query, failure: evaluate(engine, command) });
        break;
    }
  }
  return outcomes;
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
  const failure = evaluateOnce(engine, command);
  if (failure !== null || command.at.kind === "range") return failure;
  for (const variant of variantsOf(command)) {
    const variantFailure = evaluateOnce(engine, variant);
    if (variantFailure !== null) return `as ${variant.query}: ${variantFailure}`;
  }
  return null;
}

function evaluateOnce(
  engine: ScriptEngine,
  { at, query, expected, expectations }: EvalCommand,
): string | null {
  let result: QueryResult;
  try {
    result =
      at.kind === "instant"
        ? engine.instant(query, at.timeMs)
        : engine.range(query, at.startMs, at.endMs, at.stepMs);
  } catch (error) {
    const message = (error as Error).message;
    if (!expectations.fails) return `failed: ${message}`;
    if (expectations.failure === null || matches(expectations.failure, message)) return null;
    return `expected failure ${expectations.failure.text}, got ${message}`;
  }
  if (expectations.fails) return "expected to fail, got a result";
  return (
    compareAnnotations(expectations, result) ?? compareResult(expected, result.value, expectations.ordered)
  );
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
