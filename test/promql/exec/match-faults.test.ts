import { describe, expect, test } from "vitest";
import { MemoryQueryable } from "../../support/memory-queryable.ts";
import { testEngine } from "../../support/test-engine.ts";

// Two series of `one` meet from 60 s on, two of `many` do from the beginning.
const storage = new MemoryQueryable()
  .add({ __name__: "many", job: "api", instance: "a" }, [[0, 1]])
  .add({ __name__: "many", job: "api", instance: "b" }, [[0, 2]])
  .add({ __name__: "one", job: "api", zone: "x" }, [[0, 3]])
  .add({ __name__: "one", job: "api", zone: "y" }, [[60_000, 4]])
  .add({ __name__: "late", job: "api", zone: "x" }, [[60_000, 5]])
  .add({ __name__: "late", job: "api", zone: "y" }, [[60_000, 6]]);
const engine = testEngine().engineOver(storage);

const fault = (query: string, startMs: number) => () => engine.range(query, startMs, 120_000, 30_000);

describe("a join that fails in several ways over a range", () => {
  test("fails as it does at the earliest step", () => {
    expect(fault("many + on (job) one", 0)).toThrow(
      /^multiple matches for labels: many-to-one matching must be/,
    );
    expect(fault("many + on (job) one", 60_000)).toThrow(
      'found duplicate series for the match group {job="api"} on the right hand-side',
    );
  });

  test("names the side that has the duplicates, and them in order", () => {
    expect(fault("late * on (job) group_right many", 0)).toThrow(
      'on the left hand-side of the operation: [{__name__="late", job="api", zone="x"}, {__name__="late", job="api", zone="y"}];many-to-many matching not allowed',
    );
  });

  test("does not fail before the series meet", () => {
    expect(() => engine.range("late * on (job) group_right many", 0, 30_000, 30_000)).not.toThrow();
  });
});
