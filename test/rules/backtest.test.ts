import { describe, expect, test } from "vitest";
import { Labels } from "../../src/model/labels.ts";
import type { MatrixSeries } from "../../src/promql/value.ts";
import { backtestRule, type BacktestOptions } from "../../src/rules/backtest.ts";
import { alerting, parseExpression, recording, vector, type LabelRecord } from "../support/rule-fixtures.ts";

const MINUTE = 60_000;

function series(labels: LabelRecord, points: Readonly<Record<number, number>>): MatrixSeries {
  const minutes = Object.keys(points).map(Number);
  return {
    labels: Labels.fromRecord(labels),
    floatTimes: Float64Array.from(minutes, (minute) => minute * MINUTE),
    floats: Float64Array.from(minutes, (minute) => points[minute]!),
    histogramTimes: new Float64Array(),
    histograms: [],
  };
}

function options(matrix: readonly MatrixSeries[], endMinute: number, asked: unknown[] = []): BacktestOptions {
  return {
    startMs: 0,
    endMs: endMinute * MINUTE,
    intervalMs: MINUTE,
    parse: parseExpression,
    queryRange: async (text, startMs, endMs, stepMs) => {
      asked.push([text, startMs / MINUTE, endMs / MINUTE, stepMs / MINUTE]);
      return matrix;
    },
    query: async () => vector([{}, 7]),
    externalLabels: Labels.empty,
    externalUrl: "http://prom.example",
    signal: new AbortController().signal,
  };
}

describe("an alerting rule over past data", () => {
  test("tells when each alert would have waited and fired", async () => {
    const matrix = [
      series({ instance: "a" }, { 1: 0, 2: 0, 3: 0, 4: 0, 8: 0 }),
      series({ instance: "b" }, { 7: 0, 8: 0, 9: 0 }),
    ];
    const rule = alerting("Down", "up==0", {
      forMs: 2 * MINUTE,
      annotations: { summary: '{{ $labels.instance }} {{ query "x" | first | value }}' },
    });
    const result = await backtestRule(rule, options(matrix, 9));
    expect(result).toMatchObject({
      kind: "alerting",
      alerts: [
        {
          annotations: new Map([["summary", "a 7"]]),
          phases: [
            { state: "pending", startMs: 1 * MINUTE, endMs: 3 * MINUTE },
            { state: "firing", startMs: 3 * MINUTE, endMs: 5 * MINUTE },
            { state: "pending", startMs: 8 * MINUTE, endMs: 9 * MINUTE },
          ],
        },
        {
          phases: [
            { state: "pending", startMs: 7 * MINUTE, endMs: 9 * MINUTE },
            { state: "firing", startMs: 9 * MINUTE, endMs: null },
          ],
        },
      ],
    });
  });

  test("keeps its state from one range query to the next", async () => {
    const asked: unknown[] = [];
    const points = Object.fromEntries(Array.from({ length: 1_500 }, (_, minute) => [minute, 0]));
    const result = await backtestRule(
      alerting("Down", "up == 0", { forMs: 1_200 * MINUTE }),
      options([series({}, points)], 1_499, asked),
    );
    expect(asked).toEqual([
      ["up == 0", 0, 999, 1],
      ["up == 0", 1_000, 1_499, 1],
    ]);
    expect(result).toMatchObject({
      alerts: [
        {
          phases: [
            { state: "pending", startMs: 0, endMs: 1_200 * MINUTE },
            { state: "firing", startMs: 1_200 * MINUTE, endMs: null },
          ],
        },
      ],
    });
  });
});

test("a recording rule over past data tells what it would have written", async () => {
  const matrix = [series({ job: "a" }, { 0: 1, 1: 2, 3: 4 })];
  const result = await backtestRule(recording("job:x:sum", "sum(x)", { env: "prod" }), options(matrix, 3));
  expect(result.kind).toBe("recording");
  if (result.kind !== "recording") return;
  expect(
    result.series.map(({ labels, samples }) => [
      labels.toRecord(),
      samples.map(({ timeMs, sample }) => [timeMs / MINUTE, sample.value]),
    ]),
  ).toEqual([
    [
      { __name__: "job:x:sum", job: "a", env: "prod" },
      [
        [0, 1],
        [1, 2],
        [3, 4],
      ],
    ],
  ]);
});

test("a run that would have failed is an error that names its time", async () => {
  const matrix = [series({ i: "1" }, { 1: 1 }), series({ i: "2" }, { 1: 1 })];
  await expect(backtestRule(recording("r", "x", { i: "" }), options(matrix, 3))).rejects.toThrow(
    "cannot run rule r at 1970-01-01T00:01:00.000Z: vector contains metrics with the same labelset",
  );
});

test("too long a past is refused", async () => {
  await expect(backtestRule(recording("r", "x"), options([], 200_000))).rejects.toThrow(
    "cannot test rule over 200001 runs: expected between 1 and 100000",
  );
  await expect(backtestRule(recording("r", "x"), options([], -1))).rejects.toThrow("over 0 runs");
});
