import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { QueryAnswer, QueryTask } from "../../src/api/query-tasks.ts";
import type { QueryStatistics } from "../../src/promql/value.ts";
import { QueryLog } from "../../src/runtime/query-log.ts";

let folder: string;
let log: QueryLog;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "narthex-query-log-"));
  log = new QueryLog();
  log.open(join(folder, "queries.log"));
});

afterEach(() => {
  log.close();
  rmSync(folder, { recursive: true });
});

const statistics: QueryStatistics = {
  timings: {
    evalTotalTime: 0.006,
    resultSortTime: 0.001,
    queryPreparationTime: 0.002,
    innerEvalTime: 0.003,
    execQueueTime: 0.25,
    execTotalTime: 0.256,
  },
  samples: {
    totalQueryableSamples: 12,
    samplesRead: 7,
    peakSamples: 5,
    totalQueryableSamplesPerStep: [[0, 12]],
    samplesReadPerStep: [[0, 7]],
  },
};

const range: QueryTask = {
  kind: "range",
  query: "up",
  startMs: 1_700_000_000_000,
  endMs: 1_700_000_060_500,
  stepMs: 15_000,
  timeoutMs: null,
  limit: 0,
  lookbackMs: null,
  stats: "",
};

function answer(error: string | null = null): QueryAnswer {
  return { status: 200, parts: [], report: { statistics, error } };
}

function lines(): Record<string, unknown>[] {
  const text = readFileSync(join(folder, "queries.log"), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("the query log", () => {
  test("has a line for a query: what was asked by whom, and what it took", () => {
    const origin = { clientIP: "127.0.0.1", method: "GET", path: "/api/v1/query_range" };
    log.write(range, answer(), origin);
    const { totalQueryableSamples, samplesRead, peakSamples } = statistics.samples;
    expect(lines()).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        level: "INFO",
        source: expect.any(String) as string,
        msg: "promql query logged",
        params: {
          query: "up",
          start: "2023-11-14T22:13:20.000Z",
          end: "2023-11-14T22:14:20.500Z",
          step: 15,
        },
        stats: {
          timings: statistics.timings,
          samples: { totalQueryableSamples, samplesRead, peakSamples },
        },
        spanID: "0000000000000000",
        traceID: "00000000000000000000000000000000",
        httpRequest: origin,
      },
    ]);
  });

  test("names the group of a rule, and the error of a query that failed", () => {
    const rule: QueryTask = { kind: "rule", query: "up == 0", timeMs: 1_700_000_000_000 };
    log.write(rule, answer("query timed out in query execution"), { file: "rules.yml", name: "group" });
    expect(lines()[0]).toMatchObject({
      params: { start: "2023-11-14T22:13:20.000Z", end: "2023-11-14T22:13:20.000Z", step: 0 },
      error: "query timed out in query execution",
      ruleGroup: { file: "rules.yml", name: "group" },
    });
    expect(lines()[0]).not.toHaveProperty("httpRequest");
  });

  test("has nothing of what is no query, and nothing while it is off", () => {
    const noQuery: QueryAnswer = { status: 200, parts: [], report: null };
    log.write({ kind: "parse", query: "up" }, noQuery, null);
    log.open("");
    log.write(range, answer(), null);
    expect(lines()).toEqual([]);
    expect(log.isEnabled).toBe(false);
  });
});
