import { describe, expect, test } from "vitest";
import { MemoryQueryable, type TestSample } from "../support/memory-queryable.ts";
import { testEngine } from "../support/test-engine.ts";

const every10s: TestSample[] = Array.from({ length: 61 }, (_, i) => [i * 10_000, i]);
const { engineOver } = testEngine();
const engine = engineOver(
  new MemoryQueryable().add({ __name__: "m", i: "a" }, every10s).add({ __name__: "m", i: "b" }, every10s),
);

function instant(query: string) {
  const { totalQueryableSamples, samplesRead } = engine.instant(query, 600_000).statistics.samples;
  return [totalQueryableSamples, samplesRead];
}

function range(query: string) {
  const { samples } = engine.range(query, 300_000, 360_000, 20_000, { perStepStatistics: true }).statistics;
  return [
    samples.totalQueryableSamplesPerStep!.map(([, count]) => count),
    samples.samplesReadPerStep!.map(([, count]) => count),
  ];
}

describe("samples counted by an instant query", () => {
  test.each([
    ["m", 2, 2],
    ["1 + 1", 0, 0],
    ["m + m", 4, 4],
    ["rate(m[1m])", 12, 12],
    ["sum(rate(m[1m]))", 12, 12],
    ["m[1m]", 12, 12],
    // Five inner steps of two samples; the function looks at five points of each series.
    ["sum_over_time(m[5m:1m])", 10, 10],
    ["topk(1, m)", 2, 2],
    ["m or m", 4, 4],
    // Read to be sorted, and once more to be given.
    ["sort(m)", 2, 2],
    ['sort_by_label_desc(rate(m[1m]), "i")', 12, 12],
  ])("%s: %i looked at, %i read", (query, queryable, read) => {
    expect(instant(query)).toEqual([queryable, read]);
  });
});

describe("samples counted at each step of a range", () => {
  test("one for each series of an instant selector", () => {
    expect(range("m")).toEqual([
      [2, 2, 2, 2],
      [2, 2, 2, 2],
    ]);
  });

  test("the whole window, and of it what no earlier window held", () => {
    expect(range("rate(m[1m])")).toEqual([
      [12, 12, 12, 12],
      [12, 4, 4, 4],
    ]);
  });

  test("at every step, but read once, where the part does not move", () => {
    expect(range("rate(m[1m] @ 100)")).toEqual([
      [12, 12, 12, 12],
      [12, 0, 0, 0],
    ]);
  });

  test("the inner points of a subquery, read at the first step whose window holds them", () => {
    // Inner steps at 260, 280, 300 (first window), then one more each.
    expect(range("sum_over_time(m[1m:20s])")).toEqual([
      [6, 6, 6, 6],
      [6, 2, 2, 2],
    ]);
  });
});

test("the peak holds what a selector gave while its consumer has it", () => {
  expect(engine.range("m", 0, 600_000, 10_000).statistics.samples.peakSamples).toBe(122);
  expect(engine.range("sum(m)", 0, 600_000, 10_000).statistics.samples.peakSamples).toBe(122);
  expect(engine.range("m + m", 0, 600_000, 10_000).statistics.samples.peakSamples).toBe(3 * 122);
  // What an operator has given stands for what it was made of.
  expect(engine.range("m + m + m + m", 0, 600_000, 10_000).statistics.samples.peakSamples).toBe(3 * 122);
});
