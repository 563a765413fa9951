import { describe, expect, test } from "vitest";
import { QueryMemory } from "../../../src/kernels/index.ts";
import { keepStatistics, type ReadWindows } from "../../../src/promql/exec/histogram-statistics.ts";
import { parseHistogram } from "../../../src/promql/script/histogram-notation.ts";

const memory = new QueryMemory();

/** The hints left after reading histograms at these seconds, "buckets" where one kept them. */
function hintsAfter(
  samples: readonly (readonly [seconds: number, text: string])[],
  windows: ReadWindows,
): string[] {
  const columns = memory.columns(16);
  columns.reserve(samples.length);
  columns.histograms = samples.map(([, text]) =>
    text === "stale"
      ? { ...parseHistogram("").histogram, isStale: true }
      : text === "float"
        ? undefined
        : parseHistogram(text).histogram,
  );
  samples.forEach(([seconds], i) => (columns.times[i] = seconds * 1000));
  columns.count = samples.length;
  keepStatistics(columns, windows);
  return columns.histograms.map((histogram) => {
    if (histogram === undefined) return "float";
    if (histogram.isStale) return "stale";
    return histogram.positiveBuckets.length > 0 ? "buckets" : histogram.counterResetHint;
  });
}

const everything: ReadWindows = { firstMs: 0, stepMs: 60_000, lengthMs: Infinity };

describe("histograms read for count and sum alone", () => {
  test("lose their buckets and learn from the one before whether the counter was reset", () => {
    expect(
      hintsAfter(
        [
          [0, "count:3 buckets:[1 2]"],
          [60, "count:4 buckets:[2 2]"],
          [120, "count:5 buckets:[1 4]"],
          [180, "count:5 buckets:[1 4]"],
        ],
        everything,
      ),
    ).toEqual(["unknown", "not-reset", "reset", "not-reset"]);
  });

  test("keep hints that are known, and are compared across floats and staleness markers", () => {
    expect(
      hintsAfter(
        [
          [0, "count:3 counter_reset_hint:gauge"],
          [60, "stale"],
          [120, "float"],
          [180, "count:2"],
          [240, "count:1 counter_reset_hint:not_reset"],
        ],
        everything,
      ),
    ).toEqual(["gauge", "stale", "float", "reset", "not-reset"]);
  });

  test("are not compared with one from before a jump over samples that no window holds", () => {
    const samples = [
      [0, "count:3 buckets:[3]"],
      [100, "count:4 buckets:[4]"],
      [290, "count:5 buckets:[5]"],
      [300, "count:6 buckets:[6]"],
    ] as const;
    // Windows (-60, 0], (240, 300]: what lies between is passed over.
    expect(hintsAfter(samples, { firstMs: 0, stepMs: 300_000, lengthMs: 60_000 })).toEqual([
      "unknown",
      "buckets",
      "unknown",
      "not-reset",
    ]);
    expect(hintsAfter(samples, { firstMs: 0, stepMs: 60_000, lengthMs: 60_000 })).toEqual([
      "unknown",
      "not-reset",
      "not-reset",
      "not-reset",
    ]);
  });
});
