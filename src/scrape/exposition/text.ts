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
  type SampleRest,
} from "./line-syntax.ts";
import { quoteBytes } from "../../model/quote-bytes.ts";

/** Prometheus's own text format, `text/plain`, of any version. */
export const textSyntax: LineSyntax = { parseSeries, parseRest, parseComment, isEmptyLine };

function isEmptyLine(line: string): boolean {
  return BLANKS.test(line);
}

const BLANKS = /^[ \t]*$/;

const BRACES = {
  allowsBlanks: true,
  allowsLineBreaks: true,
  needsCommas: false,
  mayHoldName: true,
  unescapesValues: true,
};

function parseSeries(text: string): string[] {
  const pairs: string[] = [];
  const cursor = new LineCursor(text);
  cursor.skipBlanks();
  let hasName = false;
  if (cursor.match(METRIC_NAME_PATTERN) !== "") {
    // Blanks before a bare name become part of it; so it is in Prometheus.
    pairs.push(METRIC_NAME, text.slice(0, cursor.position));
    hasName = true;
  }
  cursor.skipBlanks();
  if (cursor.take("{")) hasName = parseBraces(cursor, BRACES, hasName, pairs);
  else if (!hasName) throw cursor.fail("expected a valid start token");
  cursor.skipBlanks();
  if (!cursor.isAtEnd) throw cursor.fail("expected value after metric");
  if (!hasName) throw cursor.fail("metric name not set");
  return pairs;
}

const TOKEN = /[^ \t]+/y;

function parseRest(text: string): SampleRest {
  const cursor = new LineCursor(text);
  cursor.skipBlanks();
  const value = parseGoFloat(cursor.match(TOKEN));
  cursor.skipBlanks();
  if (cursor.isAtEnd) return { value, timestampMs: null, exemplar: null };
  const digits = cursor.match(TOKEN);
  cursor.skipBlanks();
  if (!/^\d+$/.test(digits) || !cursor.isAtEnd) {
    throw new ExpositionError(
      `expected timestamp or new record, got ${quoteBytes(digits)} while parsing: ${quoteBytes(text)}`,
    );
  }
  return { value, timestampMs: parseInt64(digits), exemplar: null };
}

function parseInt64(digits: string): number {
  if (BigInt(digits) > 0x7fffffffffffffffn) {
    throw new ExpositionError(`strconv.ParseInt: parsing ${quoteBytes(digits)}: value out of range`);
  }
  return Number(digits);
}

const TYPES: Readonly<Record<string, MetricType>> = {
  counter: "counter",
  gauge: "gauge",
  histogram: "histogram",
  summary: "summary",
  untyped: "unknown",
};

const KEYWORD = /#[ \t]+(TYPE|HELP)[ \t]+/y;

function parseComment(line: string): Comment {
  const cursor = new LineCursor(line);
  const opening = cursor.match(KEYWORD);
  if (opening === "") return { kind: "remark" };
  const keyword = opening.includes("TYPE") ? "TYPE" : "HELP";
  const metric = parseCommentName(cursor, keyword);
  // Exactly one blank is cut; a second one belongs to the text.
  const text = line.slice(cursor.position + 1);
  if (keyword === "HELP") {
    const unescaped = text.replace(/\\([\\n])/g, (_whole, c: string) => (c === "n" ? "\n" : c));
    return { kind: "help", metric, text: decodeUtf8(unescaped, "help text") };
  }
  const type = Object.hasOwn(TYPES, text) ? TYPES[text] : undefined;
  if (type === undefined) throw new ExpositionError(`invalid metric type ${quoteBytes(text)}`);
  return { kind: "type", metric, type };
}
