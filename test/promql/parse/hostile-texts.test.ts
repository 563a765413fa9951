import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  everyParserOption,
  exprToJson,
  parseExpr,
  ParseError,
  prettyExpr,
  printExpr,
} from "../../../src/promql/parse/index.ts";

/** Parses, and does with the tree all that is done with one. */
function read(text: string): "a query" | "an error" {
  try {
    const expr = parseExpr(text, everyParserOption);
    printExpr(expr);
    prettyExpr(expr);
    JSON.stringify(exprToJson(expr));
    return "a query";
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return "an error";
  }
}

/** Each makes a text whose length grows with n. */
const shapes: [name: string, make: (n: number) => string, expected: "a query" | "an error"][] = [
  ["operators in a row", (n) => `1${"+1".repeat(n)}`, "an error"],
  ["powers, which nest to the right", (n) => `1${"^1".repeat(n)}`, "an error"],
  ["operators of all ranks", (n) => `1${"+1*2^3-4".repeat(n)}`, "an error"],
  ["signs", (n) => `${"-".repeat(n)}1`, "a query"],
  ["open parentheses", (n) => "(".repeat(n), "an error"],
  ["nested parentheses", (n) => `${"(".repeat(n)}1${")".repeat(n)}`, "an error"],
  ["open braces", (n) => "{".repeat(n), "an error"],
  ["open brackets", (n) => "a[".repeat(n), "an error"],
  ["nested calls", (n) => `${"abs(".repeat(n)}a${")".repeat(n)}`, "an error"],
  ["nested aggregations", (n) => "sum(".repeat(n), "an error"],
  ["subqueries of subqueries", (n) => `a${"[1m:1m]".repeat(n)}`, "an error"],
  ["matchers", (n) => `a{${'b="c",'.repeat(n)}}`, "a query"],
  ["labels to group by", (n) => `sum by (${"a,".repeat(n)}b) (x)`, "a query"],
  ["arguments", (n) => `label_join(a${',"b"'.repeat(n)})`, "a query"],
  ["a string", (n) => `"${"x".repeat(n)}"`, "a query"],
  ["escapes", (n) => `"${"\\n".repeat(n)}"`, "a query"],
  ["backslashes and no end", (n) => `"${"\\".repeat(n)}`, "an error"],
  ["a string without an end", (n) => `"${"x".repeat(n)}`, "an error"],
  ["comments", (n) => `${"#\n".repeat(n)}1`, "a query"],
  ["digits", (n) => "1".repeat(n), "an error"],
  ["underscores", (n) => "1_".repeat(n), "an error"],
  ["a name", (n) => "a".repeat(n), "a query"],
  ["blanks", (n) => `${" ".repeat(n)}1`, "a query"],
  ["line feeds before an error", (n) => `1${"\n".repeat(n)}+`, "an error"],
  ["offsets", (n) => `a${" offset 1m".repeat(n)}`, "an error"],
  ["times", (n) => `a${" @ 1".repeat(n)}`, "an error"],
  ["a sum of durations", (n) => `a[${"1m+".repeat(n)}1m]`, "an error"],
  ["nested durations", (n) => `a[${"min_of(1m,".repeat(n)}1m${")".repeat(n)}]`, "an error"],
  ["units", (n) => "1h".repeat(n), "an error"],
  ["characters of two bytes", (n) => `{"${"é".repeat(n)}"}`, "a query"],
  ["halves of characters", (n) => "\ud800".repeat(n), "an error"],
  ["groups of a regexp", (n) => `a{b=~"${"(a|b)*".repeat(n / 10)}"}`, "a query"],
  ["repetitions of a regexp", (n) => `a{b=~"${"a{1,9}".repeat(n)}"}`, "an error"],
  ["alternatives of a regexp", (n) => `a{b=~"${"a|".repeat(n)}b"}`, "a query"],
];

describe("a text of some hundred kilobytes", () => {
  // What took more than linear time would run into the time limit of the test: what takes 2 ms at
  // 1,000 would take 20 s.
  const limit = { timeout: 30_000 };

  test.each(shapes)("made of %s is read or refused", limit, (_, make, expected) => {
    expect(read(make(100_000))).toBe(expected);
  });

  test("is read where it is no deeper than a query may be", limit, () => {
    const sum = Array.from({ length: 400 }, (_, i) => `a{b="${"x".repeat(1000)}${i}"}`).join(" + ");
    expect(read(sum)).toBe("a query");
  });
});

describe("any bytes", () => {
  test("are a query or an error, by themselves, in strings, braces and brackets", () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array).toString("latin1"));
    const utf8 = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array).toString());
    fc.assert(
      fc.property(
        fc.oneof(bytes, utf8),
        fc.constantFrom(
          ["", ""],
          ['"', '"'],
          ["a{", "}"],
          ["a[", "]"],
          ["{'", "'=~`x`}"],
          ["sum by (", ") (x)"],
        ),
        (text, [before, after]) => void read(before! + text + after!),
      ),
      { numRuns: 3_000 },
    );
  });

  test("repeated are too", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }),
        (text) => void read(text.repeat(2_000)),
      ),
      { numRuns: 150 },
    );
  });
});
