import { isUtf8 } from "node:buffer";
import type { MetricType } from "../../model/metadata.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import { ExpositionError } from "./exposition-error.ts";
import { quoteBytes } from "../../model/quote-bytes.ts";

/** What a comment line declares. */
export type Comment =
  | { readonly kind: "type"; readonly metric: string; readonly type: MetricType }
  | { readonly kind: "help" | "unit"; readonly metric: string; readonly text: string }
  | { readonly kind: "eof" }
  /** Words for people. */
  | { readonly kind: "remark" };

/** What follows the series on a sample line. */
export interface SampleRest {
  readonly value: number;
  readonly timestampMs: number | null;
  readonly exemplar: ParsedExemplar | null;
}

export interface ParsedExemplar {
  /** Names and values in turn. */
  readonly pairs: readonly string[];
  readonly value: number;
  readonly timestampMs: number | null;
}

/**
 * A text format, line by line: what the parse kernel leaves to TypeScript. Lines come as strings of one character a
 * byte; names and values go out as text.
 */
export interface LineSyntax {
  /** Name and labels of the bytes before the value: names and values in turn, the metric name among them, in the order written. */
  parseSeries(text: string): string[];
  parseRest(text: string): SampleRest;
  parseComment(line: string): Comment;
  /** Whether the line says nothing, and may. */
  isEmptyLine(line: string): boolean;
}

/** Walks over a line, one character a byte. */
export class LineCursor {
  position = 0;

  constructor(readonly line: string) {}

  get isAtEnd(): boolean {
    return this.position >= this.line.length;
  }

  get next(): string {
    return this.line[this.position] ?? "";
  }

  skipBlanks(): void {
    while (this.next === " " || this.next === "\t") this.position++;
  }

  /** Takes this text if it comes now. */
  take(text: string): boolean {
    if (!this.line.startsWith(text, this.position)) return false;
    this.position += text.length;
    return true;
  }

  /** Takes what a sticky pattern of ours matches here, "" for nothing. */
  match(pattern: RegExp): string {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.line)?.[0] ?? "";
    this.position += found.length;
    return found;
  }

  /** Takes a string with its quotes, "" if none comes or it does not end. By hand: a pattern's stack would not last for a long one. */
  takeQuoted(): string {
    if (this.next !== '"') return "";
    const { line, position } = this;
    for (let i = position + 1; i < line.length; i++) {
      const c = line.charCodeAt(i);
      if (c === 0x5c) i++;
      else if (c === 0x22) {
        this.position = i + 1;
        return line.slice(position, i + 1);
      }
    }
    return "";
  }

  fail(expected: string): ExpositionError {
    const got = this.isAtEnd ? "\n" : this.line.slice(this.position, this.position + 16);
    const seen = this.line.slice(Math.max(0, this.position - 64), this.position + 16);
    return new ExpositionError(`${expected}, got ${quoteBytes(got)} while parsing: ${quoteBytes(seen)}`);
  }
}

export const METRIC_NAME_PATTERN = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL_NAME_PATTERN = /[a-zA-Z_][a-zA-Z0-9_]*/y;

export interface BracesSyntax {
  readonly allowsBlanks: boolean;
  /** Within quotes, as they are. */
  readonly allowsLineBreaks: boolean;
  readonly needsCommas: boolean;
  /** Whether a quoted name may stand alone, as the metric's. */
  readonly mayHoldName: boolean;
  readonly unescapesValues: boolean;
}

/** Reads `{…}` into `pairs`, after the opening brace; the metric's name, if it stands within, is added too. */
export function parseBraces(
  cursor: LineCursor,
  syntax: BracesSyntax,
  hasName: boolean,
  pairs: string[],
): boolean {
  const skip = (): void => {
    if (syntax.allowsBlanks) cursor.skipBlanks();
  };
  const takeQuoted = (): string => {
    const start = cursor.position;
    const quoted = cursor.takeQuoted();
    if (syntax.allowsLineBreaks || !quoted.includes("\n")) return quoted;
    cursor.position = start;
    return "";
  };
  skip();
  while (!cursor.take("}")) {
    const quoted = takeQuoted();
    const name = quoted === "" ? cursor.match(LABEL_NAME_PATTERN) : unquote(quoted, true);
    if (name === "" && quoted === "") throw cursor.fail("expected label name");
    skip();
    if (quoted !== "" && (cursor.next === "," || cursor.next === "}")) {
      if (!syntax.mayHoldName) throw cursor.fail("expected equal");
      if (hasName) throw cursor.fail("metric name already set");
      hasName = true;
      pairs.push(METRIC_NAME, name);
    } else {
      if (!cursor.take("=")) throw cursor.fail("expected equal");
      skip();
      const value = takeQuoted();
      if (value === "") throw cursor.fail("expected label value");
      pairs.push(name, unquote(value, syntax.unescapesValues));
      skip();
    }
    if (!cursor.take(",") && syntax.needsCommas && cursor.next !== "}") {
      throw cursor.fail("expected comma or brace close");
    }
    skip();
  }
  return hasName;
}

/** The text within quotes. Of escapes only `\\`, `\"` and `\n` mean something; any other backslash stays. */
function unquote(quoted: string, unescapes: boolean): string {
  const inner = quoted.slice(1, -1);
  const bytes = unescapes && inner.includes("\\") ? inner.replace(/\\([\\"n])/g, unescapeOne) : inner;
  return decodeUtf8(bytes, "label value");
}

function unescapeOne(_whole: string, character: string): string {
  return character === "n" ? "\n" : character;
}

/** Text of a string of bytes. @throws ExpositionError when it is not UTF-8 */
export function decodeUtf8(bytes: string, what: string): string {
  if (!HAS_HIGH_BYTE.test(bytes)) return bytes;
  const buffer = Buffer.from(bytes, "latin1");
  if (!isUtf8(buffer)) throw new ExpositionError(`invalid UTF-8 ${what}: ${quoteBytes(bytes)}`);
  return buffer.toString("utf8");
}

const HAS_HIGH_BYTE = /[\x80-\xff]/;

/** The name after a keyword of a comment, bare or quoted. */
export function parseCommentName(cursor: LineCursor, keyword: string): string {
  const quoted = cursor.takeQuoted();
  if (quoted !== "") return unquote(quoted, true);
  const name = cursor.match(METRIC_NAME_PATTERN);
  if (name === "") throw cursor.fail(`expected metric name after ${keyword}`);
  return name;
}

/** How many characters of a sample's line come before its value; 0 where there is no value to find. */
export function seriesTextLength(line: string): number {
  const cursor = new LineCursor(line);
  cursor.skipBlanks();
  cursor.match(BARE_NAME_PATTERN);
  cursor.skipBlanks();
  if (cursor.take("{")) {
    while (!cursor.take("}")) {
      if (cursor.isAtEnd || (cursor.next === '"' && cursor.takeQuoted() === "")) return 0;
      cursor.match(UNQUOTED_PATTERN);
    }
    cursor.skipBlanks();
  }
  return cursor.isAtEnd ? 0 : cursor.position;
}

/** The error of a sample's line that ends before its value. */
export function missingValue(line: string): ExpositionError {
  return new ExpositionError(
    `expected value after metric, got "\\n" while parsing: ${quoteBytes(line.slice(0, MAX_QUOTED_CHARACTERS))}`,
  );
}

const MAX_QUOTED_CHARACTERS = 1024;

const BARE_NAME_PATTERN = /[^{ \t]+/y;
const UNQUOTED_PATTERN = /[^"}]+/y;

/** The lines of a page, one character a byte. A line feed within quotes ends no sample. */
export function* linesOf(page: string): Generator<string> {
  for (let start = 0; start < page.length;) {
    let end = page.indexOf("\n", start);
    if (end < 0) end = page.length;
    if (page[start] !== "#")
      while (end < page.length && hasOpenQuote(page, start, end)) {
        end = page.indexOf("\n", end + 1);
        if (end < 0) end = page.length;
      }
    yield page.slice(start, end);
    start = end + 1;
  }
}

function hasOpenQuote(page: string, start: number, end: number): boolean {
  let isQuoted = false;
  for (let i = start; i < end; i++) {
    const c = page.charCodeAt(i);
    if (c === 0x22) isQuoted = !isQuoted;
    else if (c === 0x5c && isQuoted) i++;
  }
  return isQuoted;
}
