/**
 * Series as scripts and rule unit tests write them: a metric and its values.
 *
 *     requests{code="200"}  1 2 3  _ 5  stale       one after the other, with a gap and a staleness marker
 *     requests{code="500"}  0+10x3  5x2  _x4        0 10 20 30, then 5 5 5, then four gaps
 *     latency               {{count:1 sum:2}}x2     native histograms
 */
import { addHistograms, subtractHistograms } from "../../model/histogram-arithmetic.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import { type Labels, LabelsBuilder } from "../../model/labels.ts";
import { parseSignedDuration } from "../../model/duration.ts";
import { parseMetricSelector } from "../parse/index.ts";
import { parseHistogram, type WrittenHistogram } from "./histogram-notation.ts";
import { tryParseNumber } from "./number-notation.ts";

/** One item of a series; null is a gap. */
export type SeriesItem =
  | null
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "stale" }
  | { readonly kind: "histogram"; readonly histogram: FloatHistogram; readonly hintIsWritten: boolean };

export interface SeriesLine {
  readonly labels: Labels;
  readonly items: readonly SeriesItem[];
}

/** How many items a line may stand for. */
const MAX_ITEMS = 1_000_000;

/** Reads `metric{labels} items…`. @throws Error saying what could not be read */
export function parseSeriesLine(line: string): SeriesLine {
  const end = endOfMetric(line);
  return { labels: parseMetric(line.slice(0, end)), items: parseItems(line.slice(end)) };
}

/** The label set of `name{label="value"}`. */
export function parseMetric(text: string): Labels {
  const builder = new LabelsBuilder();
  for (const matcher of parseMetricSelector(text)) {
    if (matcher.type !== "=") throw new Error(`cannot read metric ${text}: only = is allowed`);
    builder.set(matcher.name, matcher.value);
  }
  return builder.labels();
}

/** Where the name and the braces end; quotes may hide braces. */
function endOfMetric(line: string): number {
  const name = /^[A-Za-z_:][A-Za-z0-9_:]*/.exec(line)?.[0] ?? "";
  const blanks = /^\s*/.exec(line.slice(name.length))![0].length;
  const open = name.length + blanks;
  if (line[open] !== "{" || line[open + 1] === "{") {
    if (name === "") throw new Error(`cannot read series: no metric in ${JSON.stringify(line)}`);
    return name.length;
  }
  let quote = "";
  for (let i = open + 1; i < line.length; i++) {
    const character = line[i]!;
    if (quote !== "") {
      if (character === "\\" && quote !== "`") i++;
      else if (character === quote) quote = "";
    } else if ("\"'`".includes(character)) quote = character;
    else if (character === "}") return i + 1;
  }
  throw new Error(`cannot read series: no closing brace in ${JSON.stringify(line)}`);
}

/** The items of a series, repetitions spelled out. */
export function parseItems(text: string): SeriesItem[] {
  const items: SeriesItem[] = [];
  const histogram = /\s*\{\{(.*?)\}\}(?:([+-])\{\{(.*?)\}\})?(?:x([0-9]+))?(?=\s|$)/y;
  const plain = /\s*([^\s{]+)(?=\s|$)/y;
  let position = 0;
  while (text.slice(position).trim() !== "") {
    histogram.lastIndex = plain.lastIndex = position;
    const histogramMatch = histogram.exec(text);
    if (histogramMatch !== null) {
      position = histogram.lastIndex;
      const [, base, sign, step, times] = histogramMatch as unknown as [
        string,
        string,
        string?,
        string?,
        string?,
      ];
      pushHistograms(items, base, sign, step, times);
    } else {
      const plainMatch = plain.exec(text);
      if (plainMatch === null) throw new Error(`cannot read series values: ${text.slice(position).trim()}`);
      position = plain.lastIndex;
      pushItem(items, plainMatch[1]!);
    }
    if (items.length > MAX_ITEMS) throw new Error(`cannot read series values: more than ${MAX_ITEMS}`);
  }
  return items;
}

function pushItem(items: SeriesItem[], word: string): void {
  const gap = /^_(?:x([0-9]+))?$/.exec(word);
  if (gap !== null) {
    for (let i = countOf(gap[1] ?? "1"); i > 0; i--) items.push(null);
    return;
  }
  if (word === "stale") {
    items.push({ kind: "stale" });
    return;
  }
  const single = tryParseNumber(word);
  if (single !== null) {
    items.push({ kind: "float", value: single });
    return;
  }
  const number = "(?:[0-9]+\\.?[0-9]*|\\.[0-9]+)(?:[eE][+-]?[0-9]+)?";
  const run = new RegExp(`^([+-]?${number})(?:([+-])(${number}|[iI]nf|[nN]a[nN]))?x([0-9]+)$`).exec(word);
  if (run === null) throw new Error(`cannot read series value: ${JSON.stringify(word)}`);
  const [, startText, sign, stepText, timesText] = run;
  const step = stepText === undefined ? 0 : tryParseNumber(stepText)! * (sign === "-" ? -1 : 1);
  let value = Number(startText);
  items.push({ kind: "float", value });
  for (let i = countOf(timesText!); i > 0; i--) {
    if (stepText !== undefined) value += step;
    items.push({ kind: "float", value });
  }
}

function pushHistograms(
  items: SeriesItem[],
  baseText: string,
  sign: string | undefined,
  stepText: string | undefined,
  timesText: string | undefined,
): void {
  const base = parseHistogram(baseText);
  const step: WrittenHistogram | null = stepText === undefined ? null : parseHistogram(stepText);
  if (step !== null && timesText === undefined)
    throw new Error("cannot read histograms: no count after the step");
  if (step !== null && step.histogram.schema < base.histogram.schema) {
    throw new Error(
      `error combining histograms: cannot merge from schema ${step.histogram.schema} to ${base.histogram.schema}`,
    );
  }
  const { hintIsWritten } = step ?? base;
  let { histogram } = base;
  items.push({ kind: "histogram", histogram, hintIsWritten });
  for (let i = countOf(timesText ?? "0"); i > 0; i--) {
    if (step !== null) {
      const combined = (sign === "-" ? subtractHistograms : addHistograms)(histogram, step.histogram);
      if (combined === null) throw new Error("cannot combine histograms: exponential and custom buckets");
      histogram = combined.histogram;
    }
    items.push({ kind: "histogram", histogram, hintIsWritten });
  }
}

function countOf(text: string): number {
  const count = Number(text);
  if (count > MAX_ITEMS)
    throw new Error(`cannot read series values: ${text} repetitions, more than ${MAX_ITEMS}`);
  return count;
}

/** A line of start timestamps for the series of the next line: `metric{labels}@st -1m -1mx3`; null for other lines. */
export interface StartTimesLine {
  readonly labels: Labels;
  /** Milliseconds relative to each sample's own time; null where unknown. */
  readonly offsetsMs: readonly (number | null)[];
}

export function parseStartTimesLine(line: string): StartTimesLine | null {
  const end = endOfMetric(line);
  const rest = /^@st(?=\s|$)/.exec(line.slice(end));
  if (rest === null) return null;
  const offsetsMs: (number | null)[] = [];
  for (const word of line
    .slice(end + rest[0].length)
    .trim()
    .split(/\s+/))
    pushOffsets(offsetsMs, word);
  return { labels: parseMetric(line.slice(0, end)), offsetsMs };
}

function pushOffsets(offsets: (number | null)[], word: string): void {
  const match = /^(_|[+-]?[0-9][0-9a-z]*?)(?:([+-])([0-9][0-9a-z]*?))?(?:x([0-9]+))?$/.exec(word);
  if (match === null) throw new Error(`cannot read start timestamp: ${JSON.stringify(word)}`);
  const [, start, sign, step, times] = match as unknown as [string, string, string?, string?, string?];
  if (start === "_") {
    for (let i = countOf(times ?? "1"); i > 0; i--) offsets.push(null);
    return;
  }
  let offset = parseSignedDuration(start.replace(/^\+/, ""));
  const stepMs = step === undefined ? 0 : parseSignedDuration(step) * (sign === "-" ? -1 : 1);
  offsets.push(offset);
  for (let i = countOf(times ?? "0"); i > 0; i--) {
    offset += stepMs;
    offsets.push(offset);
  }
}
