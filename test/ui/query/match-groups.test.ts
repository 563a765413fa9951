import { describe, expect, test } from "vitest";
import type { VectorMatchingBody } from "../../../src/api/types.ts";
import { matchGroups } from "../../../src/ui/query/match-groups.ts";

const oneToOne: VectorMatchingBody = {
  card: "one-to-one",
  labels: [],
  on: false,
  include: [],
  fillValues: { lhs: null, rhs: null },
};
const onJob = { ...oneToOne, on: true, labels: ["job"] };
const a1 = { __name__: "m", job: "a", instance: "1" };
const a2 = { __name__: "m", job: "a", instance: "2" };
const b1 = { __name__: "n", job: "b", instance: "1" };

describe("the sides of a binary operator", () => {
  test("meet by all labels but the name", () => {
    expect(matchGroups([a1, a2], [{ ...a1, __name__: "n" }, b1], oneToOne)).toEqual([
      { labels: { instance: "2", job: "a" }, left: 1, right: 0, outcome: "only on the left" },
      { labels: { instance: "1", job: "b" }, left: 0, right: 1, outcome: "only on the right" },
      { labels: { instance: "1", job: "a" }, left: 1, right: 1, outcome: "matched" },
    ]);
  });

  test("meet by the labels of on(), or by all but those of ignoring()", () => {
    const expected = [{ labels: { job: "b" }, left: 1, right: 1, outcome: "matched" }];
    expect(matchGroups([b1], [{ job: "b", instance: "9" }], onJob)).toEqual(expected);
    const ignoring = { ...oneToOne, labels: ["instance"] };
    expect(matchGroups([b1], [{ job: "b", instance: "9" }], ignoring)).toEqual(expected);
  });

  test("fail one to one when a side has two in a group that is met", () => {
    const outcome = (left: (typeof a1)[], right: (typeof a1)[]) =>
      matchGroups(left, right, onJob)[0]?.outcome;
    expect(outcome([a1, a2], [a1])).toBe("too many");
    expect(outcome([a1], [a1, a2])).toBe("too many");
    expect(outcome([], [a1, a2])).toBe("too many");
    expect(outcome([a1, a2], [])).toBe("only on the left");
  });

  test("may have many on the side that group_left or group_right says, and one on the other", () => {
    const left = { ...onJob, card: "many-to-one" as const };
    expect(matchGroups([a1, a2], [a1], left)[0]?.outcome).toBe("matched");
    expect(matchGroups([a1], [a1, a2], left)[0]?.outcome).toBe("too many");
    const right = { ...onJob, card: "one-to-many" as const };
    expect(matchGroups([a1], [a1, a2], right)[0]?.outcome).toBe("matched");
    expect(matchGroups([a1, a2], [a1], right)[0]?.outcome).toBe("too many");
  });

  test("are never too many for a set operator", () => {
    const set = { ...onJob, card: "many-to-many" as const };
    expect(matchGroups([a1, a2], [a1, a2], set)[0]?.outcome).toBe("matched");
  });
});
