import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Labels } from "../../src/model/labels.ts";
import {
  compileRules,
  DEFAULT_RELABEL_RULE,
  relabel,
  relabelSteps,
  type RelabelRule,
} from "../../src/model/relabel.ts";

function rule(fields: Partial<RelabelRule>): RelabelRule {
  return { ...DEFAULT_RELABEL_RULE, ...fields };
}

/** The labels after the rules as a plain record, or null where they drop. */
function run(
  labels: Record<string, string>,
  ...rules: Partial<RelabelRule>[]
): Record<string, string> | null {
  return relabel(Labels.fromRecord(labels), compileRules(rules.map(rule)))?.toRecord() ?? null;
}

describe("replace", () => {
  test("sets the target to the expanded replacement", () => {
    expect(
      run({ a: "foo", b: "bar" }, { sourceLabels: ["a", "b"], targetLabel: "c", regex: "f(.*);(.*)r" }),
    ).toEqual({ a: "foo", b: "bar", c: "oo" });
  });

  test("joins source values by the separator, absent ones as nothing", () => {
    expect(run({ a: "1" }, { sourceLabels: ["a", "zz", "a"], separator: "-", targetLabel: "c" })).toEqual({
      a: "1",
      c: "1--1",
    });
  });

  test("does nothing where the regex matches only a part", () => {
    expect(run({ a: "foobar" }, { sourceLabels: ["a"], regex: "foo", targetLabel: "c" })).toEqual({
      a: "foobar",
    });
  });

  test("lets the dot match newlines", () => {
    expect(
      run({ a: "x\ny" }, { sourceLabels: ["a"], regex: "x.y", targetLabel: "c", replacement: "z" }),
    ).toEqual({
      a: "x\ny",
      c: "z",
    });
  });

  test("deletes the target where the result is empty", () => {
    expect(
      run(
        { a: "foo", c: "old" },
        { sourceLabels: ["a"], regex: "f(.*)(x)?o", replacement: "$2", targetLabel: "c" },
      ),
    ).toEqual({
      a: "foo",
    });
    expect(run({ a: "foo", c: "old" }, { targetLabel: "c", replacement: "" })).toEqual({ a: "foo" });
  });

  test("expands the target's name too, and does nothing where that isn't a name", () => {
    const expanding = { sourceLabels: ["a"], regex: "(.*)=(.*)", targetLabel: "$1", replacement: "$2" };
    expect(run({ a: "k=v" }, expanding)).toEqual({ a: "k=v", k: "v" });
    expect(run({ a: "=v" }, expanding)).toEqual({ a: "=v" });
    const legacy = compileRules([rule(expanding)], "legacy");
    expect(relabel(Labels.fromRecord({ a: "k.x=v" }), legacy)!.toRecord()).toEqual({ a: "k.x=v" });
  });

  test("without sources sets a constant", () => {
    expect(run({}, { targetLabel: "env", replacement: "prod" })).toEqual({ env: "prod" });
  });
});

describe("keep and drop", () => {
  test("keep drops what doesn't match, drop what does", () => {
    const keep = { action: "keep", sourceLabels: ["a"], regex: "foo|bar" } as const;
    expect(run({ a: "foo" }, keep)).toEqual({ a: "foo" });
    expect(run({ a: "food" }, keep)).toBeNull();
    expect(run({ a: "foo" }, { ...keep, action: "drop" })).toBeNull();
    expect(run({ b: "foo" }, { ...keep, action: "drop" })).toEqual({ b: "foo" });
  });

  test("keepequal and dropequal compare with the target label", () => {
    const keep = { action: "keepequal", sourceLabels: ["a"], targetLabel: "b" } as const;
    expect(run({ a: "x", b: "x" }, keep)).not.toBeNull();
    expect(run({ a: "x", b: "y" }, keep)).toBeNull();
    expect(run({}, keep)).toEqual({});
    expect(run({ a: "x", b: "x" }, { ...keep, action: "dropequal" })).toBeNull();
    expect(run({ a: "x" }, { ...keep, action: "dropequal" })).not.toBeNull();
  });
});

describe("labelmap, labeldrop, labelkeep", () => {
  test("labelmap copies values to rewritten names, looking at the labels as they were", () => {
    expect(
      run(
        { __meta_a: "1", __meta___meta_b: "2", c: "3" },
        { action: "labelmap", regex: "__meta_(.+)", replacement: "${1}" },
      ),
    ).toEqual({ __meta_a: "1", __meta___meta_b: "2", a: "1", __meta_b: "2", c: "3" });
  });

  test("labeldrop and labelkeep choose by name", () => {
    const drop = { action: "labeldrop", regex: "tmp_.*" } as const;
    expect(run({ tmp_a: "1", b: "2" }, drop)).toEqual({ b: "2" });
    expect(run({ tmp_a: "1", b: "2" }, { ...drop, action: "labelkeep" })).toEqual({ tmp_a: "1" });
  });
});

describe("hashmod", () => {
  test.each([
    // The sums were computed by another implementation of MD5: the last 8 bytes as an unsigned number, modulo.
    ["foo", 1_000, "696"],
    ["", 8, "6"],
    ["bar:9100", 18, "9"],
  ])("of %j modulo %d is %s", (value, modulus, expected) => {
    expect(
      run({ a: value }, { action: "hashmod", sourceLabels: ["a"], targetLabel: "h", modulus })?.["h"],
    ).toBe(expected);
  });

  test("is always below the modulus", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (value, modulus) => {
        const hash = run(
          { a: value },
          { action: "hashmod", sourceLabels: ["a"], targetLabel: "h", modulus },
        )!["h"];
        expect(BigInt(hash!) < BigInt(modulus)).toBe(true);
      }),
    );
  });
});

describe("lowercase and uppercase", () => {
  test.each([
    ["lowercase", "FooBAR-Ä", "foobar-ä"],
    ["lowercase", "ΟΔΟΣ", "οδοσ"],
    ["lowercase", "İ", "i"],
    ["uppercase", "straße", "STRAßE"],
    ["uppercase", "ŉé", "ŉÉ"],
    ["uppercase", "ᾳᾀ", "ᾼᾈ"],
  ] as const)("%s of %s is %s, letter by letter", (action, value, expected) => {
    expect(run({ a: value }, { action, sourceLabels: ["a"], targetLabel: "c" })?.["c"]).toBe(expected);
  });
});

describe("a list of rules", () => {
  test("runs in order and stops at the first drop", () => {
    const steps = relabelSteps(
      Labels.fromRecord({ a: "1" }),
      compileRules(
        [
          { targetLabel: "b", replacement: "2" },
          { action: "drop" as const, sourceLabels: ["b"], regex: "2" },
          { targetLabel: "c", replacement: "3" },
        ].map(rule),
      ),
    );
    expect(steps.map(({ keep, output }) => [keep, output.toRecord()])).toEqual([
      [true, { a: "1", b: "2" }],
      [false, {}],
      [false, {}],
    ]);
  });

  test("gives the labels themselves where there is no rule", () => {
    const labels = Labels.fromRecord({ a: "1" });
    expect(relabel(labels, compileRules([]))).toBe(labels);
  });

  test("refuses a regex that RE2 refuses", () => {
    expect(() => compileRules([rule({ regex: "(" })])).toThrow("missing closing )");
  });
});
