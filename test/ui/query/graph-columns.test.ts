import { describe, expect, test } from "vitest";
import { graphColumns } from "../../../src/ui/query/graph-columns.ts";

const grid = { startSeconds: 100, endSeconds: 140, stepSeconds: 10 };
const metric = {};

describe("the series of a range query on a graph", () => {
  test("lie on the steps of the query, with gaps where there is no sample", () => {
    const { times, drawn } = graphColumns(
      [
        {
          metric,
          values: [
            [100, "1"],
            [110, "2.5"],
            [140, "-3e2"],
          ],
        },
      ],
      grid,
      false,
    );
    expect(times).toEqual([100, 110, 120, 130, 140]);
    expect(drawn).toEqual([[1, 2.5, null, null, -300]]);
  });

  test("have gaps too where a value can't be drawn", () => {
    const { drawn } = graphColumns(
      [
        {
          metric,
          values: [
            [100, "NaN"],
            [110, "+Inf"],
            [120, "-Inf"],
            [130, "7"],
          ],
        },
        { metric, histograms: [[100, { count: "1", sum: "1" }]] },
      ],
      grid,
      false,
    );
    expect(drawn).toEqual([
      [null, null, null, 7, null],
      [null, null, null, null, null],
    ]);
  });

  test("keep their last point when the step is no binary fraction", () => {
    const { times, drawn } = graphColumns(
      [{ metric, values: [[0.3, "3"]] }],
      { startSeconds: 0, endSeconds: 0.3, stepSeconds: 0.1 },
      false,
    );
    expect(times).toHaveLength(4);
    expect(drawn[0]).toEqual([null, null, null, 3]);
  });

  test("show points that stand alone, as no line reaches them", () => {
    const { isolated } = graphColumns(
      [
        {
          metric,
          values: [
            [100, "1"],
            [120, "1"],
            [130, "1"],
          ],
        },
      ],
      grid,
      false,
    );
    expect(isolated).toEqual([[0]]);
  });

  test("are drawn on top of each other when stacked, and keep their own values for the tooltip", () => {
    const { drawn, values } = graphColumns(
      [
        {
          metric,
          values: [
            [100, "1"],
            [110, "2"],
          ],
        },
        {
          metric,
          values: [
            [110, "3"],
            [120, "4"],
          ],
        },
        {
          metric,
          values: [
            [100, "5"],
            [110, "6"],
            [120, "7"],
          ],
        },
      ],
      grid,
      true,
    );
    expect(drawn).toEqual([
      [1, 2, null, null, null],
      [null, 5, 4, null, null],
      [6, 11, 11, null, null],
    ]);
    expect(values[2]).toEqual([5, 6, 7, null, null]);
  });
});
