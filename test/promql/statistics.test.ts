import { describe, expect, test } from "vitest";
import type { FloatHistogram } from "../../src/model/histogram.ts";
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
    // By itself, a subquery has looked at what its inner steps have.
    ["m[5m:1m]", 10, 10],
    ["rate(m[1m])[2m:1m]", 24, 24],
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

test("the peak holds the results of a range function beside the window that the last was taken from", () => {
  const peakOf = (query: string) => engine.instant(query, 600_000).statistics.samples.peakSamples;
  // The result of the first series, the window of the second and its result.
  expect(peakOf("rate(m[1m])")).toBe(1 + 6 + 1);
  expect(peakOf("mad_over_time(m[1m])")).toBe(1 + 6 + 1);
  expect(engine.range("rate(m[1m])", 300_000, 360_000, 20_000).statistics.samples.peakSamples).toBe(
    4 + 6 + 4,
  );
});

describe("samples that are native histograms", () => {
  const histogram: FloatHistogram = {
    ...{ isInteger: false, isStale: false, counterResetHint: "unknown", schema: 1 },
    ...{ zeroThreshold: 0, zeroCount: 0, count: 5, sum: 20 },
    positiveSpans: [{ offset: 0, length: 4 }],
    positiveBuckets: Float64Array.of(1, 2, 1, 1),
    negativeSpans: [],
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  };
  const histograms = engineOver(
    new MemoryQueryable().add(
      { __name__: "h" },
      every10s.map(([timeMs]) => [timeMs, histogram] as const),
    ),
  );

  // A time and 208 bytes, in units of 16.
  test.each([
    ["h", 13, 13],
    ["h[1m]", 78, 78],
    ["last_over_time(h[1m])", 78, 91],
    // Of these the time alone is looked at.
    ["timestamp(h)", 1, 2],
  ])("count by their size: %s looks at %i and holds %i", (query, queryable, peak) => {
    const { samples } = histograms.instant(query, 600_000).statistics;
    expect([samples.totalQueryableSamples, samples.peakSamples]).toEqual([queryable, peak]);
  });
});
