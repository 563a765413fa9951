import { describe, expect, test } from "vitest";
import { labelsText } from "../../src/promql/exec/labels-text.ts";
import { QueryCancelledError, QueryTimeoutError, TooManySamplesError } from "../../src/promql/limits.ts";
import { ReadBudgetError } from "../../src/promql/statistics.ts";
import type { QueryResult } from "../../src/promql/value.ts";
import { MemoryQueryable, type TestSample } from "../support/memory-queryable.ts";
import { testEngine } from "../support/test-engine.ts";

const { engineOver, memory } = testEngine();

/** One sample every 10 s from time 0, values from the function. */
function every10s(count: number, value: (i: number) => number): TestSample[] {
  return Array.from({ length: count }, (_, i) => [i * 10_000, value(i)] as const);
}

function shown({ value }: QueryResult): Record<string, number | number[]> {
  if (value.type === "vector") {
    return Object.fromEntries(value.samples.map((s) => [labelsText(s.labels), s.value]));
  }
  if (value.type === "matrix") {
    return Object.fromEntries(value.series.map((s) => [labelsText(s.labels), [...s.floats]]));
  }
  return { value: Number(value.value) };
}

const requests = new MemoryQueryable()
  .add(
    { __name__: "requests_total", job: "api", instance: "a" },
    every10s(61, (i) => i * 10),
  )
  .add(
    { __name__: "requests_total", job: "api", instance: "b" },
    every10s(61, (i) => i * 20),
  )
  .add(
    { __name__: "requests_total", job: "web", instance: "c" },
    every10s(61, (i) => (i % 30) * 30),
  )
  .add(
    { __name__: "weight", job: "api" },
    every10s(61, () => 2),
  )
  .add({ __name__: "gone" }, [
    [0, 1],
    [10_000, "stale"],
  ]);

describe("an instant query", () => {
  const engine = engineOver(requests);

  test("gives the newest sample of each series within the lookback", () => {
    expect(shown(engine.instant('requests_total{job="api"}', 605_000))).toEqual({
      '{__name__="requests_total", instance="a", job="api"}': 600,
      '{__name__="requests_total", instance="b", job="api"}': 1200,
    });
  });

  test("does not see a series that has ended with a marker", () => {
    expect(shown(engine.instant("gone", 5_000))).toEqual({ '{__name__="gone"}': 1 });
    expect(shown(engine.instant("gone", 10_000))).toEqual({});
  });

  test("adds up rates by group, resets included", () => {
    const rates = shown(engine.instant("sum by (job) (rate(requests_total[5m]))", 600_000));
    expect(rates).toEqual({
      '{job="api"}': expect.closeTo(3, 12),
      '{job="web"}': expect.closeTo(84 / 29, 12),
    });
  });

  test("joins by label", () => {
    expect(shown(engine.instant("requests_total * on (job) group_left weight", 600_000))).toEqual({
      '{instance="a", job="api"}': 1200,
      '{instance="b", job="api"}': 2400,
    });
  });

  test("gives scalars and strings", () => {
    expect(shown(engine.instant("1 + 2 * 3", 0))).toEqual({ value: 7 });
    expect(engine.instant('"text"', 5).value).toEqual({ type: "string", timeMs: 5, value: "text" });
  });
});

describe("a range query", () => {
  const engine = engineOver(requests);

  test("gives a value at each step, sorted by labels", () => {
    expect(shown(engine.range("max_over_time(requests_total[1m])", 60_000, 120_000, 30_000))).toEqual({
      '{instance="a", job="api"}': [60, 90, 120],
      '{instance="b", job="api"}': [120, 180, 240],
      '{instance="c", job="web"}': [180, 270, 360],
    });
  });

  test("evaluates what is fixed by @ once and repeats it", () => {
    expect(shown(engine.range("sum(requests_total @ 100)", 0, 60_000, 30_000))).toEqual({
      "{}": [600, 600, 600],
    });
  });

  test("reads subqueries on absolute multiples of their step", () => {
    expect(shown(engine.range("sum_over_time(weight[2m:1m])", 125_000, 185_000, 60_000))).toEqual({
      '{job="api"}': [4, 4],
    });
  });
});

describe("limits", () => {
  test("end a query that would hold too many samples", () => {
    expect(() =>
      engineOver(requests, { maxSamples: 10 }).range("requests_total", 0, 600_000, 10_000),
    ).toThrow(TooManySamplesError);
  });

  test("end a query whose deadline has passed or whose asker has gone", () => {
    const engine = engineOver(requests);
    expect(() => engine.instant("requests_total", 0, { deadlineMs: 999_999 })).toThrow(QueryTimeoutError);
    // So a timeout of 0 gives no query a chance.
    expect(() => engine.instant("1", 0, { deadlineMs: 1_000_000 })).toThrow(QueryTimeoutError);
    expect(() => engine.instant("requests_total", 0, { isCancelled: () => true })).toThrow(
      QueryCancelledError,
    );
  });

  test("refuse more steps than could be answered, before laying anything out for them", () => {
    const engine = engineOver(requests);
    expect(() => engine.instant("sum_over_time(vector(time())[1000d:1ms])", 0)).toThrow(TooManySamplesError);
    expect(() => engine.range("time()", 0, 1e12, 1)).toThrow(TooManySamplesError);
    expect(memory.usedBytes).toBe(0);
  });

  test("give up a query that does more than its reader was ready to wait for, in samples or in steps of subqueries", () => {
    const run = (query: string, readBudget: number) => () =>
      engineOver(requests).instant(query, 600_000, { readBudget });
    expect(run("count_over_time(requests_total[5m])", 100)).not.toThrow();
    expect(run("count_over_time(requests_total[5m])", 50)).toThrow(ReadBudgetError);
    expect(run("sum_over_time(vector(1)[5m:1s])", 300)).not.toThrow();
    expect(run("sum_over_time(vector(1)[5m:1s])", 299)).toThrow(ReadBudgetError);
  });

  test("let a query be as deep as the parser takes it", () => {
    const deep = `${"weight + ".repeat(900)}weight`;
    expect(shown(engineOver(requests).instant(deep, 600_000))).toEqual({ '{job="api"}': 1802 });
    const nested = `${"abs(".repeat(150)}weight${")".repeat(150)}`;
    expect(shown(engineOver(requests).instant(nested, 600_000))).toEqual({ '{job="api"}': 2 });
  });

  test("leave no working memory behind", () => {
    const before = memory.usedBytes;
    engineOver(requests).instant("sum(rate(requests_total[5m]))", 600_000);
    expect(memory.usedBytes).toBe(before);
  });
});

test("an estimate counts series and samples without reading them", () => {
  expect(engineOver(requests).estimate("rate(requests_total[5m])", 600_000, 600_000, 0)).toEqual({
    series: 3,
    samples: 90,
    division: "series",
  });
});
