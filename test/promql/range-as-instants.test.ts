import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { QueryResult } from "../../src/promql/value.ts";
import { anyQuery, anyStorage } from "../support/small-queries.ts";
import { testEngine } from "../support/test-engine.ts";

const { engineOver } = testEngine();

/** Everything a result holds, order aside: series by labels and time. */
function points({ value }: QueryResult, atMs?: number): string[] {
  const all: string[] = [];
  if (value.type === "vector")
    for (const s of value.samples) all.push(`${s.labels.pairs.join(",")} ${s.value}`);
  else if (value.type === "matrix") {
    for (const s of value.series) {
      s.floatTimes.forEach((t, i) => t === atMs && all.push(`${s.labels.pairs.join(",")} ${s.floats[i]}`));
    }
  }
  return all.sort();
}

/** What `work` gives, or the message it fails with. */
function outcome<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    return (error as Error).message;
  }
}

describe("a range query", () => {
  test("gives at each step what an instant query gives there", () => {
    fc.assert(
      fc.property(anyStorage, anyQuery, fc.integer({ min: 1, max: 40 }), (queryable, query, stepSeconds) => {
        const engine = engineOver(queryable);
        const stepMs = stepSeconds * 1000;
        const endMs = 60_000 + 6 * stepMs;
        const range = outcome(() => engine.range(query, 60_000, endMs, stepMs));
        // Duplicates are found over all steps of a range: not every instant query need fail.
        if (typeof range === "string") return;
        for (let t = 60_000; t <= endMs; t += stepMs) {
          const instant = outcome(() => points(engine.instant(query, t)));
          expect(instant, `${query} at ${t}`).toEqual(points(range, t));
        }
      }),
      { numRuns: 1500 },
    );
  });
});
