/** From the text of a query to its tree and back: everything other rooms need of the parser. */
import { LRUCache } from "lru-cache";
import type { Matcher } from "../../model/matcher.ts";
import { defaultParserOptions, type Expr, type ParserOptions } from "./ast.ts";
import { depthOf } from "./children.ts";
import { PromqlParser } from "./grammar.ts";
import { warmUpLexer } from "./lex.ts";
import { ParseError } from "./parse-error.ts";
import { typeCheck } from "./type-check.ts";

export * from "./ast.ts";
export { exprToJson, type JsonNode } from "./ast-json.ts";
export { childrenOf, walk } from "./children.ts";
export { type DurationTerms, durationMilliseconds } from "./duration-value.ts";
export { ParseError } from "./parse-error.ts";
export { prettyExpr, printExpr } from "./print.ts";
export { documentedType, typeOf } from "./value-type.ts";

/** How deep a tree may be, so that walking it by recursion is safe: `a + a + …` is as deep as it has operators. */
export const MAX_TREE_DEPTH = 1_000;

/** Trees are kept for so many texts of so many characters in all, none of them very long: a tree is far bigger. */
const MAX_CACHED_QUERIES = 1_000;
const MAX_CACHED_CHARACTERS = 400_000;
const MAX_CACHED_LENGTH = 20_000;

const cache = new LRUCache<string, Expr>({
  max: MAX_CACHED_QUERIES,
  maxSize: MAX_CACHED_CHARACTERS,
  maxEntrySize: MAX_CACHED_LENGTH,
  sizeCalculation: (_, key) => key.length,
});

let parser: PromqlParser | null = null;

/** Builds the parser now, which takes some tens of milliseconds, rather than with the first query. */
export function warmUpParser(): void {
  warmUpLexer();
  parser ??= new PromqlParser();
}

/**
 * The tree of a query, checked for types. Trees are shared between callers and never change.
 *
 * @throws ParseError for the first thing that is wrong: `1:5: parse error: unexpected <by>`
 */
export function parseExpr(text: string, options: ParserOptions = defaultParserOptions): Expr {
  const key = cacheKey(text, options);
  const cached = cache.get(key);
  if (cached !== undefined) return cached;
  warmUpParser();
  const expr = parser!.parseExpression(text, options);
  if (depthOf(expr) > MAX_TREE_DEPTH) {
    throw new ParseError(text, 0, `expression has more than ${MAX_TREE_DEPTH} levels`);
  }
  const error = typeCheck(expr);
  if (error !== null) throw new ParseError(text, error.offset, error.reason);
  cache.set(key, expr);
  return expr;
}

function cacheKey(text: string, options: ParserOptions): string {
  const flags =
    Number(options.experimentalFunctions) +
    2 * Number(options.durationExpressions) +
    4 * Number(options.extendedRangeSelectors) +
    8 * Number(options.fillModifiers);
  return `${flags.toString(16)}${text}`;
}

/** Selectors by their texts: whoever types a query asks for the values of a label with the same one at each key. */
const selectors = new LRUCache<string, readonly Matcher[]>({
  max: MAX_CACHED_QUERIES,
  maxSize: MAX_CACHED_CHARACTERS,
  maxEntrySize: MAX_CACHED_LENGTH,
  sizeCalculation: (_, text) => text.length + 1,
});

/**
 * The matchers of a selector such as `up{job="x"}`, as `match[]` takes it: no offset, no range. Whether they exclude
 * anything is the caller's to check.
 *
 * @throws ParseError
 */
export function parseMetricSelector(text: string): readonly Matcher[] {
  let matchers = selectors.get(text);
  if (matchers === undefined) {
    warmUpParser();
    matchers = parser!.parseSelector(text, defaultParserOptions).matchers;
    selectors.set(text, matchers);
  }
  return matchers;
}
