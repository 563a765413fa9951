import { describe, expect, test } from "vitest";
import { kindOf, minimise } from "./minimise.ts";
import { inputOf } from "./subject.ts";
import { SUBJECTS } from "./subjects/index.ts";

/** A taste of what `npm run fuzz` does for a minute each, always the same. */
const INPUTS = 60;

describe("inputs made to break a parser are taken or refused in its own way by", () => {
  test.each(SUBJECTS.map((subject) => [subject.name, subject] as const))("%s", async (_name, subject) => {
    let accepted = 0;
    for (let i = 0; i < INPUTS; i++) if (await subject.run(inputOf(subject, "taste", i))) accepted++;
    // Inputs that are all refused at the door would prove nothing.
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(INPUTS);
  });
});

describe("the harness", () => {
  test("makes the same input of the same number, and another one of another", () => {
    for (const subject of SUBJECTS) {
      const inputs = [1, 1, 2, 3, 4].map((i) => inputOf(subject, "s", i).toString("latin1"));
      expect(inputs[1]).toBe(inputs[0]);
      expect(new Set(inputs).size).toBeGreaterThan(1);
    }
  });

  test("takes everything out of a failing input that the failure does not need", async () => {
    const noise = Buffer.from("some words, a fault, and more words");
    const fails = (input: Buffer) => Promise.resolve(input.includes("fault"));
    expect((await minimise(noise, fails, Infinity)).toString()).toBe("fault");
  });

  test("tells failures apart by what they say, not by the values in it", () => {
    expect(kindOf(new Error("expected 5, got 6"))).toBe(kindOf(new Error("expected 7, got 8")));
    expect(kindOf(new Error("x"))).not.toBe(kindOf(new TypeError("x")));
  });
});
