import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerQueryTask } from "../../src/api/answer-query-task.ts";
import { mergeFragments } from "../../src/api/merge-fragments.ts";
import type { QueryAnswer, RangeQueryTask } from "../../src/api/query-tasks.ts";
import type { Queryable } from "../../src/model/storage.ts";
import { divisionOf } from "../../src/promql/plan/division.ts";
import { everyParserOption, parseExpr } from "../../src/promql/parse/index.ts";
import { MemoryQueryable } from "../support/memory-queryable.ts";
import { anyQuery, anyStorage } from "../support/small-queries.ts";
import { testEngine } from "../support/test-engine.ts";

const { engineOver, memory } = testEngine();
const parserOptions = everyParserOption;

function answer(queryable: Queryable, task: RangeQueryTask): QueryAnswer {
  const mark = memory.mark();
  const given = answerQueryTask(task, {
    engine: engineOver(queryable),
    queryable,
    parserOptions,
    limits: { deadlineMs: Infinity, isCancelled: () => false },
    perStepStatistics: false,
    queuedSeconds: 0,
    columns: () => memory.columns(64),
  });
  memory.release(mark);
  return given;
}

function rangeTask(query: string, startMs: number, stepMs: number, steps: number): RangeQueryTask {
  const endMs = startMs + (steps - 1) * stepMs;
  const options = { timeoutMs: null, limit: 0, lookbackMs: null, stats: "" };
  return { kind: "range", query, startMs, endMs, stepMs, ...options };
}

/** The answers of `count` parts, cut at a third or a half. */
function partsOf(queryable: Queryable, task: RangeQueryTask, count: number): QueryAnswer[] {
  const division = divisionOf(parseExpr(task.query, parserOptions))!;
  const steps = (task.endMs - task.startMs) / task.stepMs + 1;
  return Array.from({ length: count }, (_, index) => {
    if (division === "series") return answer(queryable, { ...task, part: { division, index, count } });
    const from = Math.floor((steps * index) / count);
    const to = Math.floor((steps * (index + 1)) / count) - 1;
    const bounds = { startMs: task.startMs + from * task.stepMs, endMs: task.startMs + to * task.stepMs };
    return answer(queryable, { ...task, ...bounds, part: { division } });
  });
}

const textOf = ({ parts }: QueryAnswer) => Buffer.concat(parts).toString();

describe("a query that is divided", () => {
  test("gives byte for byte what it gives whole, or is found to need that", () => {
    let merged = 0;
    fc.assert(
      fc.property(
        anyStorage,
        anyQuery,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 2, max: 3 }),
        (queryable, query, stepSeconds, count) => {
          const division = divisionOf(parseExpr(query, parserOptions));
          if (division === null) return;
          const task = rangeTask(query, 60_000, stepSeconds * 1000, 8);
          const whole = answer(queryable, task);
          const parts = partsOf(queryable, task, count);
          const failed = parts.find(({ status }) => status !== 200);
          if (failed) {
            expect([failed.status, textOf(failed)], query).toEqual([whole.status, textOf(whole)]);
            return;
          }
          const together = mergeFragments(parts, division, 1e9);
          if (together === null) return;
          merged++;
          expect(textOf(together), query).toBe(textOf(whole));
        },
      ),
      { numRuns: 2000 },
    );
    expect(merged).toBeGreaterThan(500);
  });

  const storage = new MemoryQueryable();
  for (const instance of ["a", "b", "c"]) {
    storage.add(
      { __name__: "requests_total", instance },
      Array.from({ length: 100 }, (_, i) => [i * 10_000, i * 3] as const),
    );
  }

  test("is refused where the parts together hold more samples than a query may", () => {
    const task = rangeTask("sum by (instance) (requests_total)", 0, 10_000, 90);
    const parts = partsOf(storage, task, 2);
    expect(mergeFragments(parts, "steps", 1e6)).not.toBeNull();
    expect(mergeFragments(parts, "steps", 100)).toBeNull();
  });

  test("is refused where series become equal that may not, though no part sees both", () => {
    const apart = new MemoryQueryable()
      .add({ __name__: "a", x: "1" }, [
        [0, 1],
        [10_000, 2],
      ])
      .add({ __name__: "b", x: "1" }, [
        [500_000, 1],
        [510_000, 2],
      ]);
    const task = rangeTask('rate({__name__=~"a|b"}[30s])', 10_000, 10_000, 51);
    expect(answer(apart, task).status).toBe(422);
    const parts = partsOf(apart, task, 2);
    expect(parts.map(({ status }) => status)).toEqual([200, 200]);
    expect(mergeFragments(parts, "steps", 1e6)).toBeNull();
  });

  test("is divided by series where each stands for itself, by steps elsewhere, and not where its bounds count", () => {
    const division = (query: string) => divisionOf(parseExpr(query, parserOptions));
    for (const query of ["m", "rate(m[5m])", "-abs(m offset 1m) * 2", "avg_over_time(m[1m]) > 3"]) {
      expect(division(query), query).toBe("series");
    }
    for (const query of ['{__name__=~"a|b"}', "sum(m)", "m + m", "m or n", "rate(m[5m:1m])", "time()"]) {
      expect(division(query), query).toBe("steps");
    }
    for (const query of ["m @ end()", "m @ 5", "m * start()", "rate(m[range()])", "topk(scalar(m), m)"]) {
      expect(division(query), query).toBeNull();
    }
  });
});
