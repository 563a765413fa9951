import { parser as lezerParser } from "@prometheus-io/lezer-promql";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  everyParserOption,
  type Expr,
  exprToJson,
  parseExpr,
  ParseError,
  prettyExpr,
  printExpr,
} from "../../../src/promql/parse/index.ts";
import { awkwardNames, promqlQueries } from "../../support/promql-generator.ts";

/** Whether the grammar of the editor, made independently, reads the text without an error. */
function lezerAccepts(query: string): boolean {
  let accepts = true;
  lezerParser.parse(query).iterate({
    enter: (node) => {
      if (node.type.isError) accepts = false;
    },
  });
  return accepts;
}

/** Without what the editor's grammar cannot read though Prometheus can: keywords as metric names, "2." */
const tameQueries = promqlQueries({
  ...awkwardNames,
  metrics: ["up", "http_requests_total", "job:errors:rate5m"],
  labels: { job: ["api", "web"], instance: ["a", "b.c"] },
  classic: false,
}).filter((query) => !hasTrailingPoint(query));

function hasTrailingPoint(query: string): boolean {
  return /[0-9]\.(?![0-9])/.test(query);
}

/** Labels to group or match by may be named as metrics are, which the editor's grammar does not know. */
function listsNameWithColon(query: string): boolean {
  return /\b(?:by|without|on|ignoring|group_left|group_right)[\s]*\([^()]*:[^()]*\)/i.test(query);
}

/** Infinity is printed with a sign, which is an operator when it is read again and binds less than `^`. */
const queries = promqlQueries(awkwardNames).filter((query) => !query.includes("Inf"));

/** The tree with the matchers of each selector in one order: printing sorts them. */
function canonical(expr: Expr): unknown {
  return JSON.parse(JSON.stringify(exprToJson(expr)), (key, value: unknown) =>
    key === "matchers" ? (value as object[]).map((matcher) => JSON.stringify(matcher)).sort() : value,
  );
}

describe("any valid query", () => {
  test("is accepted, and printing it gives the same tree again", () => {
    fc.assert(
      fc.property(queries, (query) => {
        const expr = parseExpr(query, everyParserOption);
        const printed = printExpr(expr);
        expect(canonical(parseExpr(printed, everyParserOption))).toEqual(canonical(expr));
        expect(printExpr(parseExpr(printed, everyParserOption))).toBe(printed);
      }),
      { numRuns: 500 },
    );
  });

  test("means the same when it is printed over several lines, none of them much too long", () => {
    fc.assert(
      fc.property(queries, (query) => {
        const expr = parseExpr(query, everyParserOption);
        expect(printExpr(parseExpr(prettyExpr(expr), everyParserOption))).toBe(printExpr(expr));
      }),
      { numRuns: 300 },
    );
  });

  test("is accepted by the editor's grammar too", () => {
    fc.assert(
      fc.property(tameQueries, (query) => {
        parseExpr(query, everyParserOption);
        expect(lezerAccepts(query), query).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe("any text at all", () => {
  /** Why it is no query, null if it is one. */
  const refusal = (text: string): string | null => {
    try {
      parseExpr(text, everyParserOption);
      return null;
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      expect(error.message).toMatch(/^(?:[0-9]+:[0-9]+|unknown position): parse error: ./);
      expect(error.offset).toBeLessThanOrEqual(Buffer.byteLength(text));
      return error.reason;
    }
  };

  /**
   * What we accept the editor accepts, but for `2.`, metrics named offset and labels with colons in a list. It knows neither types nor regexps, so
   * what it accepts we may refuse for those, but not because we do not understand it. Only signs after `offset` and
   * words that touch a number are looser there.
   */
  const expectAgreement = (text: string): void => {
    const reason = refusal(text);
    const accepts = lezerAccepts(text);
    if (reason === null && !hasTrailingPoint(text) && !/\boffset\b/i.test(text) && !listsNameWithColon(text))
      expect(accepts, text).toBe(true);
    if (reason !== null && accepts && !/ in offset,|^bad number|^unterminated/.test(reason)) {
      expect(reason, text).not.toMatch(/^unexpected /);
    }
  };

  test("is a query or fails with a place and a reason", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => void refusal(text)),
      { numRuns: 2_000 },
    );
  });

  test("made of PromQL's own words is judged as the editor's grammar does, types aside", () => {
    const words =
      "sum by ( ) { } [ ] , : @ = == =~ != offset 5m 1h 3 -1 + - * / ^ and on group_left bool foo rate a:b \"x\" 'y' start step range # anchored fill inf </ ignoring topk without min_of 0x1f `z`".split(
        " ",
      );
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...words), { maxLength: 14 }).map((list) => list.join(" ")),
        expectAgreement,
      ),
      { numRuns: 5_000 },
    );
  });

  test("that is a valid query with a character gone, put in or changed is judged as the editor's grammar does, types aside", () => {
    const edited = tameQueries.chain((query) =>
      fc
        .tuple(fc.nat(query.length - 1), fc.constantFrom(..."(){}[],:@=~!+-*/^ \"'a1.m#\\`"), fc.nat(3))
        .map(([i, character, how]) => {
          const [head, tail] = [query.slice(0, i), query.slice(i + 1)];
          return head + ["", character, query[i]! + character, query[i]! + query[i]!][how]! + tail;
        }),
    );
    fc.assert(fc.property(edited, expectAgreement), { numRuns: 2_000 });
  });
});
