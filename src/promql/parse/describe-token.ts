import { EOF, type IToken, type TokenType, tokenMatcher } from "chevrotain";
import { quote } from "../../model/quote.ts";
import * as t from "./tokens.ts";

/** Longer source texts are cut to so many characters. */
const SHOWN_CHARACTERS = 10;

/** A token as syntax errors name it: `identifier "x"`, `<by>`, `<op:+>`, `"("`, `end of input`. */
export function describeToken(token: IToken): string {
  if (tokenMatcher(token, EOF)) return "end of input";
  const { tokenType: type, image } = token;
  if (type === t.Identifier) return `identifier ${quote(image)}`;
  if (type === t.MetricIdentifier) return `metric identifier ${quote(image)}`;
  if (type === t.NumberToken) return `number ${shortQuote(image)}`;
  if (type === t.DurationToken) return `duration ${shortQuote(image)}`;
  if (type === t.StringToken) return `string ${shortQuote(image)}`;
  if (type === t.Aggregator) return `<aggr:${image}>`;
  if (OPERATORS.some((operator) => tokenMatcher(token, operator))) return `<op:${image}>`;
  return KEYWORDS.has(type) ? `<${image}>` : quote(image);
}

function shortQuote(image: string): string {
  if (Buffer.byteLength(image) <= SHOWN_CHARACTERS) return quote(image);
  return `${quote([...image.slice(0, 2 * SHOWN_CHARACTERS)].slice(0, SHOWN_CHARACTERS).join(""))}...`;
}

const OPERATORS: readonly TokenType[] = [t.BinaryOperator, t.MatchesRegexp, t.MatchesNotRegexp, t.At];

const KEYWORDS: ReadonlySet<TokenType> = new Set([
  t.By,
  t.Without,
  t.Bool,
  t.On,
  t.Ignoring,
  t.GroupLeft,
  t.GroupRight,
  t.Fill,
  t.FillLeft,
  t.FillRight,
  t.Offset,
  t.Anchored,
  t.Smoothed,
]);
