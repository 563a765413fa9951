import { METRIC_NAME } from "../../model/labels.ts";
import type { MetricType } from "../../model/metadata.ts";
import { ExpositionError } from "./exposition-error.ts";
import { parseGoFloat } from "./go-float.ts";
import {
  decodeUtf8,
  LineCursor,
  METRIC_NAME_PATTERN,
  parseBraces,
  parseCommentName,
  type Comment,
  type LineSyntax,
  type ParsedExemplar,
  type SampleRest,
} from "./line-syntax.ts";
import { quoteBytes } from "../../model/quote-bytes.ts";

/** OpenMetrics text of either version: exactly one blank between tokens, no remarks, no empty lines. */
export const openMetricsSyntax: LineSyntax = {
  parseSeries,
  parseRest,
  parseComment,
  isEmptyLine: () => false,
};

const BRACES = {
  allowsBlanks: false,
  allowsLineBreaks: false,
  needsCommas: true,
  mayHoldName: true,
  unescapesValues: true,
};
/** Labels of exemplars keep their backslashes; so it is in Prometheus. */
const EXEMPLAR_BRACES = { ...BRACES, mayHoldName: false, unescapesValues: false };

function parseSeries(text: string): string[] {
  const pairs: string[] = [];
  const cursor = new LineCursor(text);
  const name = cursor.match(METRIC_NAME_PATTERN);
  let hasName = name !== "";
  if (hasName) pairs.push(METRIC_NAME, name);
  if (cursor.take("{")) hasName = parseBraces(cursor, BRACES, hasName, pairs);
  else if (!hasName) throw cursor.fail("expected a valid start token");
  if (!cursor.take(" ") || !cursor.isAtEnd) throw cursor.fail("expected value after metric");
  if (!hasName) throw cursor.fail("metric name not set");
  return pairs;
}

const TOKEN = /[^ ]+/y;

function parseRest(text: string): SampleRest {
  const cursor = new LineCursor(text);
  const value = parseGoFloat(cursor.match(TOKEN));
  let timestampMs: number | null = null;
  let exemplar: ParsedExemplar | null = null;
  if (!cursor.isAtEnd && !cursor.line.startsWith(" # ", cursor.position)) {
    if (!cursor.take(" ")) throw cursor.fail("expected timestamp or # symbol");
    timestampMs = parseSeconds(cursor.match(TOKEN));
  }
  if (cursor.take(" # ")) exemplar = parseExemplar(cursor);
  if (!cursor.isAtEnd) throw cursor.fail("expected next entry after timestamp");
  return { value, timestampMs, exemplar };
}

function parseExemplar(cursor: LineCursor): ParsedExemplar {
  const pairs: string[] = [];
  if (!cursor.take("{")) throw cursor.fail("expected exemplar labels");
  parseBraces(cursor, EXEMPLAR_BRACES, true, pairs);
  if (!cursor.take(" ")) throw cursor.fail("expected value after exemplar labels");
  const value = parseGoFloat(cursor.match(TOKEN));
  const timestampMs = cursor.take(" ") ? parseSeconds(cursor.match(TOKEN)) : null;
  return { pairs, value, timestampMs };
}

function parseSeconds(text: string): number {
  const seconds = parseGoFloat(text);
  if (!Number.isFinite(seconds)) throw new ExpositionError(`invalid timestamp ${text}`);
  return Math.trunc(seconds * 1000);
}

const TYPES: Readonly<Record<string, MetricType>> = {
  counter: "counter",
  gauge: "gauge",
  histogram: "histogram",
  gaugehistogram: "gaugehistogram",
  summary: "summary",
  info: "info",
  stateset: "stateset",
  unknown: "unknown",
};

const KEYWORD = /# (TYPE|HELP|UNIT) /y;

function parseComment(line: string): Comment {
  if (line === "# EOF") return { kind: "eof" };
  const cursor = new LineCursor(line);
  const keyword = cursor.match(KEYWORD).slice(2, -1);
  if (keyword === "") throw cursor.fail("expected a valid start token");
  const metric = parseCommentName(cursor, keyword);
  if (!cursor.take(" ")) throw cursor.fail(`expected text in ${keyword}`);
  const text = line.slice(cursor.position);
  switch (keyword) {
    case "HELP": {
      const unescaped = text.replace(/\\([\\"n])/g, (_whole, c: string) => (c === "n" ? "\n" : c));
      return { kind: "help", metric, text: decodeUtf8(unescaped, "help text") };
    }
    case "UNIT":
      if (text !== "" && !metric.endsWith(`_${text}`)) {
        throw new ExpositionError(`unit ${quoteBytes(text)} not a suffix of metric ${quoteBytes(metric)}`);
      }
      return { kind: "unit", metric, text: decodeUtf8(text, "unit") };
    default: {
      const type = Object.hasOwn(TYPES, text) ? TYPES[text] : undefined;
      if (type === undefined) throw new ExpositionError(`invalid metric type ${quoteBytes(text)}`);
      return { kind: "type", metric, type };
    }
  }
}
