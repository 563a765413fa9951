/**
 * The words of PromQL. One lexer with four modes, since the same characters mean other things inside braces and
 * brackets:
 *
 *     query ──{──▶ braces ──}──▶ back           words are label names, never keywords; =~ and !~ exist
 *     query ──[──▶ range ──number──▶ rangeRest ──]──▶ back
 *                                               only step, range, min_of, max_of are words; `:` is a colon
 *
 * Until its first number a bracket takes little more than arithmetic; from there on the tokens of a query are known
 * again, so that the parser names what it found.
 */
import { createToken, type IMultiModeLexerDefinition, Lexer, type TokenType } from "chevrotain";
import { scanNumber } from "./scan-number.ts";
import { scanString } from "./scan-string.ts";

// Kinds of words, for places where any of them may stand.
export const MetricName = createToken({ name: "MetricName", pattern: Lexer.NA });
export const GroupingLabel = createToken({ name: "GroupingLabel", pattern: Lexer.NA });
export const Callable = createToken({ name: "Callable", pattern: Lexer.NA });
export const Aggregator = createToken({
  name: "Aggregator",
  pattern: Lexer.NA,
  categories: [MetricName, GroupingLabel],
});
export const BinaryOperator = createToken({ name: "BinaryOperator", pattern: Lexer.NA });
export const Sign = createToken({ name: "Sign", pattern: Lexer.NA, categories: [BinaryOperator] });
export const DurationOperator = createToken({ name: "DurationOperator", pattern: Lexer.NA });
export const MatchOperator = createToken({ name: "MatchOperator", pattern: Lexer.NA });
export const Literal = createToken({ name: "Literal", pattern: Lexer.NA });

const Blank = createToken({ name: "Blank", pattern: /[ \t\n\r]+/, group: Lexer.SKIPPED });
const Comment = createToken({ name: "Comment", pattern: /#[^\r\n]*/, group: Lexer.SKIPPED });

/** Any word outside braces; `lex` makes it a keyword or an identifier. */
export const Word = createToken({ name: "Word", pattern: /[A-Za-z_:][A-Za-z0-9_:]*/ });
export const Identifier = createToken({
  name: "Identifier",
  pattern: /[A-Za-z_][A-Za-z0-9_]*/,
  categories: [MetricName, GroupingLabel, Callable],
});
export const MetricIdentifier = createToken({
  name: "MetricIdentifier",
  pattern: Lexer.NA,
  categories: [MetricName, GroupingLabel],
});
/** The four words known in brackets; `lex` makes it the keyword. */
const DurationWord = createToken({
  name: "DurationWord",
  pattern: /(?:step|range|min_of|max_of)(?![A-Za-z0-9_])/i,
});

const numeric = (text: string, offset: number): [string] | null => {
  if (!/[0-9]/.test(text[text[offset] === "." ? offset + 1 : offset] ?? "")) return null;
  const scan = scanNumber(text, offset);
  return scan.kind === "bad" ? null : [text.slice(offset, scan.end)];
};
const DIGITS_AND_DOT = [..."0123456789."];
/** A number or duration not yet told apart, and the same as the first in a bracket, which it opens up. */
const Numeric = createToken({
  name: "Numeric",
  pattern: numeric,
  start_chars_hint: DIGITS_AND_DOT,
  line_breaks: false,
});
const FirstNumeric = createToken({
  name: "FirstNumeric",
  pattern: numeric,
  start_chars_hint: DIGITS_AND_DOT,
  line_breaks: false,
  pop_mode: true,
  push_mode: "rangeRest",
});
export const NumberToken = createToken({ name: "NumberToken", pattern: Lexer.NA, categories: [Literal] });
export const DurationToken = createToken({ name: "DurationToken", pattern: Lexer.NA, categories: [Literal] });

export const StringToken = createToken({
  name: "StringToken",
  pattern: (text: string, offset: number): [string] | null => {
    if (!"\"'`".includes(text[offset]!)) return null;
    const scan = scanString(text, offset);
    return "error" in scan ? null : [text.slice(offset, scan.end)];
  },
  start_chars_hint: ['"', "'", "`"],
  line_breaks: true,
  categories: [GroupingLabel],
});

/** What the lexer could not read: ends the tokens, and the parser reports its payload when it gets there. */
export const Unreadable = createToken({ name: "Unreadable", pattern: Lexer.NA });

const symbol = (name: string, pattern: string, categories: TokenType[] = []) =>
  createToken({ name, pattern, categories });

export const LeftParen = symbol("LeftParen", "(");
export const RightParen = symbol("RightParen", ")");
export const LeftBrace = createToken({ name: "LeftBrace", pattern: "{", push_mode: "braces" });
export const RightBrace = createToken({ name: "RightBrace", pattern: "}", pop_mode: true });
export const LeftBracket = createToken({ name: "LeftBracket", pattern: "[", push_mode: "range" });
export const RightBracket = createToken({ name: "RightBracket", pattern: "]", pop_mode: true });
export const Comma = symbol("Comma", ",");
export const Colon = symbol("Colon", ":");
export const At = symbol("At", "@");
export const Equals = symbol("Equals", "=", [MatchOperator]);
export const NotEqual = symbol("NotEqual", "!=", [MatchOperator, BinaryOperator]);
export const MatchesRegexp = symbol("MatchesRegexp", "=~", [MatchOperator]);
export const MatchesNotRegexp = symbol("MatchesNotRegexp", "!~", [MatchOperator]);
const arithmetic = [
  createToken({ name: "Add", pattern: "+", categories: [Sign, DurationOperator] }),
  createToken({ name: "Subtract", pattern: "-", categories: [Sign, DurationOperator] }),
  symbol("Multiply", "*", [BinaryOperator, DurationOperator]),
  symbol("Divide", "/", [BinaryOperator, DurationOperator]),
  symbol("Modulo", "%", [BinaryOperator, DurationOperator]),
  symbol("Power", "^", [BinaryOperator, DurationOperator]),
];
const comparisons = [
  symbol("EqualTo", "==", [BinaryOperator]),
  symbol("TrimUpper", "</", [BinaryOperator]),
  symbol("TrimLower", ">/", [BinaryOperator]),
  symbol("LessOrEqual", "<=", [BinaryOperator]),
  symbol("GreaterOrEqual", ">=", [BinaryOperator]),
  symbol("LessThan", "<", [BinaryOperator]),
  symbol("GreaterThan", ">", [BinaryOperator]),
];

const keyword = (name: string, ...categories: TokenType[]) =>
  createToken({ name, pattern: Lexer.NA, categories });

export const By = keyword("By", MetricName, GroupingLabel);
export const Without = keyword("Without", MetricName);
export const Bool = keyword("Bool", GroupingLabel);
export const On = keyword("On", GroupingLabel);
export const Ignoring = keyword("Ignoring", GroupingLabel);
export const GroupLeft = keyword("GroupLeft", GroupingLabel);
export const GroupRight = keyword("GroupRight", GroupingLabel);
// Before a parenthesis only; `lex` makes them identifiers elsewhere.
export const Fill = keyword("Fill", MetricName, GroupingLabel);
export const FillLeft = keyword("FillLeft", MetricName, GroupingLabel);
export const FillRight = keyword("FillRight", MetricName, GroupingLabel);
export const Offset = keyword("Offset", MetricName, GroupingLabel);
export const Anchored = keyword("Anchored", MetricName, GroupingLabel);
export const Smoothed = keyword("Smoothed", MetricName, GroupingLabel);
export const Start = keyword("Start", MetricName, GroupingLabel, Callable);
export const End = keyword("End", MetricName, GroupingLabel, Callable);
export const Step = keyword("Step", MetricName, GroupingLabel, Callable);
export const Range = keyword("Range", MetricName, GroupingLabel, Callable);
export const MinOf = keyword("MinOf", MetricName, GroupingLabel, Callable);
export const MaxOf = keyword("MaxOf", MetricName, GroupingLabel, Callable);
const And = keyword("And", BinaryOperator, MetricName, GroupingLabel);
const Or = keyword("Or", BinaryOperator, MetricName, GroupingLabel);
const Unless = keyword("Unless", BinaryOperator, MetricName, GroupingLabel);
const Atan2 = keyword("Atan2", BinaryOperator, GroupingLabel);

export const AGGREGATORS = [
  "sum",
  "avg",
  "count",
  "min",
  "max",
  "group",
  "stddev",
  "stdvar",
  "topk",
  "bottomk",
  "count_values",
  "quantile",
  "limitk",
  "limit_ratio",
] as const;

/** Keywords by their lower-case spelling. */
export const KEYWORDS: ReadonlyMap<string, TokenType> = new Map<string, TokenType>([
  ...AGGREGATORS.map((name): [string, TokenType] => [name, Aggregator]),
  ["and", And],
  ["or", Or],
  ["unless", Unless],
  ["atan2", Atan2],
  ["by", By],
  ["without", Without],
  ["bool", Bool],
  ["on", On],
  ["ignoring", Ignoring],
  ["group_left", GroupLeft],
  ["group_right", GroupRight],
  ["fill", Fill],
  ["fill_left", FillLeft],
  ["fill_right", FillRight],
  ["offset", Offset],
  ["anchored", Anchored],
  ["smoothed", Smoothed],
  ["start", Start],
  ["end", End],
  ["step", Step],
  ["range", Range],
  ["min_of", MinOf],
  ["max_of", MaxOf],
  ["inf", NumberToken],
  ["nan", NumberToken],
]);

const operators = [...comparisons, NotEqual, Equals, ...arithmetic];

const definition: IMultiModeLexerDefinition = {
  defaultMode: "query",
  modes: {
    query: [
      Blank,
      Comment,
      Word,
      Numeric,
      StringToken,
      LeftParen,
      RightParen,
      Comma,
      LeftBrace,
      LeftBracket,
      At,
      ...operators,
    ],
    braces: [
      Blank,
      Comment,
      Identifier,
      StringToken,
      MatchesRegexp,
      MatchesNotRegexp,
      NotEqual,
      Equals,
      Comma,
      RightBrace,
    ],
    range: [
      Blank,
      FirstNumeric,
      DurationWord,
      LeftParen,
      RightParen,
      Comma,
      Colon,
      RightBracket,
      ...arithmetic,
    ],
    rangeRest: [
      Blank,
      Comment,
      Numeric,
      DurationWord,
      StringToken,
      LeftParen,
      RightParen,
      Comma,
      Colon,
      LeftBrace,
      RightBracket,
      At,
      ...operators,
    ],
  },
};

/** What the parser is built from. */
export const VOCABULARY: TokenType[] = [
  ...new Set<TokenType>([
    ...Object.values(definition.modes).flat(),
    ...KEYWORDS.values(),
    MetricName,
    GroupingLabel,
    Callable,
    Aggregator,
    BinaryOperator,
    Sign,
    DurationOperator,
    MatchOperator,
    Literal,
    MetricIdentifier,
    NumberToken,
    DurationToken,
    Unreadable,
  ]),
];

/** Stops at the first character it can't place: what is wrong there is found out afterwards. */
export function createLexer(): Lexer {
  return new Lexer(definition, {
    positionTracking: "onlyOffset",
    recoveryEnabled: false,
    ensureOptimizations: true,
  });
}

export { FirstNumeric, Numeric, DurationWord };
