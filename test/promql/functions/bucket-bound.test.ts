import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseBucketBound } from "../../../src/promql/functions/bucket-bound.ts";

describe("the bound that le names", () => {
  test("is a number in any of Go's spellings", () => {
    const bounds = [
      "0.5",
      "-1",
      "+2.5e-3",
      ".5",
      "5.",
      "1_000",
      "0x1p-2",
      "0X1.8P1",
      "0x_1p0",
      "+Inf",
      "inf",
      "-INFINITY",
      "NaN",
    ];
    expect(bounds.map(parseBucketBound)).toEqual([
      0.5,
      -1,
      0.0025,
      0.5,
      5,
      1000,
      0.25,
      3,
      1,
      Infinity,
      Infinity,
      -Infinity,
      NaN,
    ]);
  });

  test("is nothing else", () => {
    const texts = [
      "",
      " 1",
      "1 ",
      "a",
      "1e",
      "e5",
      ".",
      "1__0",
      "_1",
      "1_",
      "0x1",
      "0xp1",
      "-NaN",
      "1e400",
      "--1",
      "1,5",
    ];
    expect(texts.map(parseBucketBound)).toEqual(texts.map(() => null));
  });

  test("reads back whatever a number prints as", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(parseBucketBound(String(value))).toBe(value + 0);
      }),
    );
  });
});
