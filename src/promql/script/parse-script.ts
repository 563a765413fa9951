/**
 * The language of PromQL test scripts: `load` puts samples into a storage, `eval` asks and says what must come,
 * `clear` begins anew. Lines beginning with # are comments, a blank line ends a command.
 */
import { parseDuration, parseSignedDuration } from "../../model/duration.ts";
import type { Labels } from "../../model/labels.ts";
import { unquoteString } from "../parse/scan-string.ts";
import { tryParseNumber } from "./number-notation.ts";
import {
  parseSeriesLine,
  parseStartTimesLine,
  type SeriesItem,
  type SeriesLine,
  type StartTimesLine,
} from "./series-notation.ts";

export type Command = { readonly kind: "clear"; readonly line: number } | LoadCommand | EvalCommand;

export interface LoadedSeries extends SeriesLine {
  readonly startOffsetsMs: readonly (number | null)[] | null;
}

export interface LoadCommand {
  readonly kind: "load";
  readonly line: number;
  readonly stepMs: number;
  /** Also make native histograms with custom buckets of the classic ones. */
  readonly withCustomBuckets: boolean;
  readonly series: readonly LoadedSeries[];
}

export interface Pattern {
  readonly kind: "exact" | "regexp";
  readonly text: string;
}

/** What must be said beside the result; null where it isn't checked, an empty list where nothing may be said. */
export interface Expectations {
  readonly ordered: boolean;
  readonly fails: boolean;
  readonly failure: Pattern | null;
  readonly warnings: readonly (Pattern | null)[] | null;
  readonly infos: readonly (Pattern | null)[] | null;
}

export interface TimeGrid {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

export interface ExpectedSeries {
  readonly labels: Labels;
  readonly items: readonly SeriesItem[];
}

export type ExpectedResult =
  | { readonly kind: "scalar"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "vector"; readonly series: readonly ExpectedSeries[] }
  /** For range queries, and for range vectors out of instant queries. */
  | { readonly kind: "matrix"; readonly grid: TimeGrid; readonly series: readonly ExpectedSeries[] };

export interface EvalCommand {
  readonly kind: "eval";
  readonly line: number;
  readonly query: string;
  readonly at:
    { readonly kind: "instant"; readonly timeMs: number } | ({ readonly kind: "range" } & TimeGrid);
  readonly expectations: Expectations;
  readonly expected: ExpectedResult;
}

/** A script that can't be read, and where. */
export class ScriptError extends Error {
  override readonly name = "ScriptError";

  constructor(
    readonly line: number,
    reason: string,
  ) {
    super(`line ${line}: ${reason}`);
  }
}

/**
 * @param onError told of each command that can't be read, which is then left out
 * @throws ScriptError for the first of them where nobody is to be told
 */
export function parseScript(text: string, onError = throwError): Command[] {
  const lines = text.split("\n").map((line) => line.trim());
  const commands: Command[] = [];
  for (let i = 0; i < lines.length;) {
    const line = lines[i]!;
    if (line === "" || line.startsWith("#")) {
      i++;
      continue;
    }
    const block: BlockLine[] = [];
    let end = i + 1;
    for (; end < lines.length && lines[end] !== ""; end++) {
      const isComment = lines[end]!.startsWith("#");
      // Behind a comment a new command may begin without a blank line.
      if (!isComment && lines[end - 1]!.startsWith("#") && COMMAND.test(lines[end]!)) break;
      if (!isComment) block.push({ text: lines[end]!, line: end + 1 });
    }
    // What follows a clear in the same block is a command of its own.
    if (/^clear\b/i.test(line)) end = i + 1;
    try {
      commands.push(parseCommand(line, i + 1, block));
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      onError(error);
    }
    i = end;
  }
  return commands;
}

function throwError(error: ScriptError): void {
  throw error;
}

function parseCommand(text: string, line: number, block: readonly BlockLine[]): Command {
  const word = /^\S+/.exec(text)![0].toLowerCase();
  if (word === "clear") return { kind: "clear", line };
  if (word === "load" || word === "load_with_nhcb") return parseLoad(text, line, block);
  if (word.startsWith("eval")) return parseEval(text, line, block);
  throw new ScriptError(line, `unknown command ${JSON.stringify(text)}`);
}

const COMMAND = /^(?:clear$|(?:load|eval)[a-z_]*\s)/i;

interface BlockLine {
  readonly text: string;
  readonly line: number;
}

/** Adds the line to an error on the way. */
function at<T>(line: number, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof ScriptError) throw cause;
    throw new ScriptError(line, (cause as Error).message);
  }
}

function parseLoad(text: string, line: number, block: readonly BlockLine[]): LoadCommand {
  const match = /^load(_with_nhcb)?\s+(\S+)$/i.exec(text);
  if (match === null) throw new ScriptError(line, `invalid load command ${JSON.stringify(text)}`);
  const stepMs = at(line, () => parseDuration(match[2]!));
  const series: LoadedSeries[] = [];
  let starts: StartTimesLine | null = null;
  for (const entry of block) {
    at(entry.line, () => {
      const next = parseStartTimesLine(entry.text);
      if (next !== null) {
        if (starts !== null) throw new Error("start timestamps without a series");
        starts = next;
        return;
      }
      series.push(withStarts(parseSeriesLine(entry.text), starts));
      starts = null;
    });
  }
  if (starts !== null) throw new ScriptError(block.at(-1)!.line, "start timestamps without a series");
  return { kind: "load", line, stepMs, withCustomBuckets: match[1] !== undefined, series };
}

function withStarts(series: SeriesLine, starts: StartTimesLine | null): LoadedSeries {
  if (starts === null) return { ...series, startOffsetsMs: null };
  if (!starts.labels.equals(series.labels)) throw new Error("start timestamps of another series");
  if (starts.offsetsMs.length !== series.items.length) {
    throw new Error(`${starts.offsetsMs.length} start timestamps for ${series.items.length} values`);
  }
  return { ...series, startOffsetsMs: starts.offsetsMs };
}

/** What the words behind `eval_` and the `expect` lines ask for, gathered line by line. */
class ExpectationsBuilder {
  private ordered = false;
  private fails = false;
  private failure: Pattern | null = null;
  private warnings: (Pattern | null)[] | null = null;
  private infos: (Pattern | null)[] | null = null;

  add(kind: string, pattern: Pattern | null): void {
    switch (kind) {
      case "ordered":
        this.ordered = true;
        break;
      case "fail":
        if (this.failure !== null)
          throw new Error("invalid expect lines, multiple expect fail lines are not allowed");
        this.fails = true;
        this.failure = pattern;
        break;
      case "warn":
        this.warnings = [...(this.warnings ?? []), pattern];
        break;
      case "info":
        this.infos = [...(this.infos ?? []), pattern];
        break;
      case "no_warn":
        this.warnings = [];
        break;
      case "no_info":
        this.infos = [];
        break;
      default:
        throw new Error(`cannot expect ${JSON.stringify(kind)}`);
    }
  }

  build(): Expectations {
    const { ordered, fails, failure, warnings, infos } = this;
    return { ordered, fails, failure, warnings, infos };
  }
}

function parseEval(text: string, line: number, block: readonly BlockLine[]): EvalCommand {
  const instant = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+)\s+)?(.+)$/i.exec(text);
  const range =
    /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$/i.exec(text);
  const match = instant ?? range;
  if (match === null) throw new ScriptError(line, `invalid eval command ${JSON.stringify(text)}`);
  const expectations = new ExpectationsBuilder();
  if (match[1] !== undefined) expectations.add(match[1].toLowerCase(), null);
  const when: EvalCommand["at"] = at(line, () =>
    instant !== null
      ? { kind: "instant", timeMs: parseSignedDuration(instant[2] ?? "0") }
      : {
          kind: "range",
          startMs: parseSignedDuration(range![2]!),
          endMs: parseSignedDuration(range![3]!),
          stepMs: parseDuration(range![4]!),
        },
  );
  let resultGrid: TimeGrid | null = when.kind === "range" ? when : null;
  let string_: string | null = null;
  let scalar: number | null = null;
  const series: ExpectedSeries[] = [];
  for (const entry of block) {
    at(entry.line, () => {
      const grid = parseExpectedGrid(entry.text);
      const string = /^expect\s+string\s+(.+)$/i.exec(entry.text);
      if (grid !== null) resultGrid = grid;
      else if (string !== null) string_ = unquoteString(string[1]!);
      else if (/^expect(?:ed_fail_(?:message|regexp))?\s/i.test(entry.text))
        addExpectation(expectations, entry.text);
      else {
        const number = tryParseNumber(entry.text);
        if (number !== null) scalar = number;
        else series.push(parseSeriesLine(entry.text));
      }
    });
  }
  const expected: ExpectedResult =
    scalar !== null
      ? { kind: "scalar", value: scalar }
      : string_ !== null
        ? { kind: "string", value: string_ }
        : resultGrid !== null
          ? { kind: "matrix", grid: resultGrid, series }
          : { kind: "vector", series };
  const query = match.at(-1)!;
  return { kind: "eval", line, query, at: when, expectations: expectations.build(), expected };
}

function parseExpectedGrid(text: string): TimeGrid | null {
  const match = /^expect\s+range\s+vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$/i.exec(text);
  if (match === null) return null;
  return {
    startMs: parseSignedDuration(match[1]!),
    endMs: parseSignedDuration(match[2]!),
    stepMs: parseDuration(match[3]!),
  };
}

function addExpectation(expectations: ExpectationsBuilder, text: string): void {
  const old = /^expected_fail_(message|regexp)\s+(.+)$/i.exec(text);
  if (old !== null) {
    expectations.add("fail", {
      kind: old[1]!.toLowerCase() === "message" ? "exact" : "regexp",
      text: old[2]!,
    });
    return;
  }
  const match = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(msg|regex):\s*(.+))?$/i.exec(text);
  if (match === null) throw new Error(`invalid expect line ${JSON.stringify(text)}`);
  const pattern: Pattern | null =
    match[2] === undefined
      ? null
      : { kind: match[2].toLowerCase() === "msg" ? "exact" : "regexp", text: match[3]!.trim() };
  expectations.add(match[1]!.toLowerCase(), pattern);
}
