import { describe, expect, test } from "vitest";
import type { HistogramBody } from "../../../src/api/types.ts";
import { histogramCells } from "../../../src/ui/query/histogram-cells.ts";

const grid = { startSeconds: 0, endSeconds: 20, stepSeconds: 10 };

function histogram(...buckets: [lower: string, upper: string, count: string][]): HistogramBody {
  return { count: "0", sum: "0", buckets: buckets.map((bucket) => [0, ...bucket] as const) };
}

describe("native histograms on a heat map", () => {
  test("of several series are added up, bucket by bucket and step by step", () => {
    const { times, cells, largestCount } = histogramCells(
      [
        {
          metric: { a: "1" },
          histograms: [
            [0, histogram(["1", "2", "3"], ["2", "4", "1"])],
            [10, histogram(["1", "2", "5"])],
          ],
        },
        { metric: { a: "2" }, histograms: [[10, histogram(["1", "2", "2.5"])]] },
      ],
      grid,
    );
    expect(times).toEqual([0, 10, 20]);
    expect(cells).toEqual([
      { at: 0, lower: 1, upper: 2, count: 3 },
      { at: 0, lower: 2, upper: 4, count: 1 },
      { at: 1, lower: 1, upper: 2, count: 7.5 },
    ]);
    expect(largestCount).toBe(7.5);
  });

  test("leave out what can't be drawn: samples outside the range and buckets with nothing or less", () => {
    const { cells } = histogramCells(
      [
        {
          metric: {},
          histograms: [
            [30, histogram(["1", "2", "3"])],
            [20, histogram(["1", "2", "0"], ["2", "4", "NaN"], ["4", "8", "-1"])],
          ],
        },
      ],
      grid,
    );
    expect(cells).toEqual([]);
  });

  test("tell how far their bounds reach, without the bucket of zero and the open ends", () => {
    const positive = histogramCells(
      [
        {
          metric: {},
          histograms: [[0, histogram(["-1e-128", "1e-128", "1"], ["0.5", "1", "1"], ["8", "+Inf", "1"])]],
        },
      ],
      grid,
    );
    expect(positive.bounds).toEqual({ min: 0.5, max: 8 });
    expect(positive.hasNegative).toBe(false);
    const negative = histogramCells([{ metric: {}, histograms: [[0, histogram(["-4", "-2", "1"])]] }], grid);
    expect(negative.bounds).toEqual({ min: 2, max: 4 });
    expect(negative.hasNegative).toBe(true);
    expect(histogramCells([], grid).bounds).toBeNull();
  });
});
