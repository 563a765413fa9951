import { describe, expect, test } from "vitest";
import { parseExpr, printExpr } from "../../../src/promql/parse/index.ts";
import { rewritePlan } from "../../../src/promql/plan/rewrites.ts";

function rewritten(text: string): string {
  return printExpr(rewritePlan(parseExpr(text)));
}

describe("the right side of and and unless takes over what the left selector fixes", () => {
  test.each([
    ['a{x="1"} and b', 'a{x="1"} and b{x="1"}'],
    ['a{x="1"} unless b', 'a{x="1"} unless b{x="1"}'],
    ['a{x="1",y="2"} and on (y) b', 'a{x="1",y="2"} and on (y) b{y="2"}'],
    ['a{x="1",y="2"} and ignoring (y) b', 'a{x="1",y="2"} and ignoring (y) b{x="1"}'],
    ['a{x="1"} and a unless b', 'a{x="1"} and a{x="1"} unless b{x="1"}'],
    ['sum(a{x="1"} and b)', 'sum(a{x="1"} and b{x="1"})'],
  ])("%s becomes %s", (text, expected) => {
    expect(rewritten(text)).toBe(expected);
  });

  test.each([
    // Already so.
    'a{x="1"} and b{x="1"}',
    // Not a value, or not one value.
    'a{x=""} and b',
    'a{x=~"1|2"} and b',
    // The name is no part of a signature, unless named.
    "a and b",
    // Computed labels may be others.
    'a{x="1"} and rate(b[5m])',
    'label_replace(a{x="1"}, "x", "2", "", "") and b',
    // A partner that is not found may still be one too many.
    'a{x="1"} / b',
    'a{x="1"} > b',
    'a{x="1"} or b',
  ])("%s stays", (text) => {
    expect(rewritten(text)).toBe(text);
  });
});
