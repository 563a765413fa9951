import { describe, expect, test } from "vitest";
import { defaultParserOptions, parseExpr, printExpr, walk } from "../../../src/promql/parse/index.ts";
import { planQuery } from "../../../src/promql/plan/logical-plan.ts";
import { visitSelectors } from "../../../src/promql/plan/geometry.ts";

const bounds = { startMs: 1_000_000, endMs: 1_600_000, stepMs: 60_000 };
const options = { ...defaultParserOptions, experimentalFunctions: true };

function plan(text: string) {
  return planQuery(parseExpr(text, options), bounds);
}

/** The parts that are evaluated once, as text. */
function invariantParts(text: string): string[] {
  const parts: string[] = [];
  walk(plan(text), (expr) => {
    if (expr.kind === "stepInvariant") parts.push(printExpr(expr.expr));
  });
  return parts;
}

describe("a plan, printed", () => {
  test.each([
    ["x @ start()", "x @ 1000.000"],
    ["rate(x[5m] @ end())", "rate(x[5m] @ 1600.000)"],
    ["end() - start()", "1600 - 1000"],
    ["range() / step()", "600 / 60"],
    ["sum((x))", "sum(x)"],
    ["x offset (step() * 2)", "x offset 2m"],
    ["sum_over_time(x[range()])", "sum_over_time(x[10m])"],
    ["max_over_time(x[5m:step()])", "max_over_time(x[5m:1m])"],
    // In an aggregation's parameter start() and end() are ignored.
    ["topk(scalar(y @ start()), x)", "topk(scalar(y), x)"],
  ])("%s becomes %s", (text, expected) => {
    expect(printExpr(plan(text))).toBe(expected);
  });
});

describe("what is evaluated once", () => {
  test.each([
    ["a whole query whose selectors all carry @", "sum(rate(x[5m] @ 100))", ["sum(rate(x[5m] @ 100.000))"]],
    ["only the side of an operator that does not move", "x + sum(y @ 100)", ["sum(y @ 100.000)"]],
    ["the range below a function of the step", "predict_linear(x[5m] @ 100, 60)", ["x[5m] @ 100.000"]],
    ["the time of a sample held still", "timestamp(x @ 100)", ["timestamp(x @ 100.000)"]],
    ["inside a subquery what does not move there", "max_over_time((x @ 100)[5m:1m])", ["x @ 100.000"]],
    ["nothing that moves with the step", "rate(x[5m]) + time()", []],
    ["no numbers alone", "1 + 2", []],
    ["a vector of a number", "x + on () sort(vector(1 + 2))", ["sort(vector(1 + 2))"]],
    [
      "an aggregation of one, whatever its parameter",
      "quantile(scalar(y), vector(0))",
      ["quantile(scalar(y), vector(0))"],
    ],
    ["an aggregation by its vector alone", "topk(scalar(y), x @ 100)", ["topk(scalar(y), x @ 100.000)"]],
  ])("is %s: %s", (_, text, expected) => {
    expect(invariantParts(text)).toEqual(expected);
  });
});

describe("the stretch of time a selector reads", () => {
  const grid = { startMs: 1_000_000, stepMs: 60_000, count: 11 };

  test.each([
    // The left ends of lookback and range are open: the first millisecond read lies one after them.
    ["x", 700_001, 1_600_000],
    ["x offset 1m", 640_001, 1_540_000],
    ["x @ 500", 200_001, 500_000],
    ["rate(x[2m])", 880_001, 1_600_000],
    ["rate(x[2m] offset -1m)", 940_001, 1_660_000],
    // Inner steps are multiples of 30 s after 700 s, each with its own lookback.
    ["max_over_time(x[5m:30s])", 420_001, 1_590_000],
    ["max_over_time(rate(x[1m])[5m:30s])", 660_001, 1_590_000],
  ])("of %s", (text, minTime, maxTime) => {
    const read: (readonly [number, number])[] = [];
    const geometry = { lookbackMs: 300_000, defaultSubqueryStepMs: 60_000 };
    visitSelectors(plan(text), grid, geometry, (_, from, to) => read.push([from, to]));
    expect(read).toEqual([[minTime, maxTime]]);
  });
});

test("a duration that cannot be is refused with its place in the query", () => {
  expect(() => plan("x offset (1m / (step() - 60))")).toThrow(/^\d+:\d+: division by zero$/);
});
