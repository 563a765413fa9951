import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { goSort } from "../../../src/promql/functions/go-sort.ts";
import { compareNatural } from "../../../src/promql/functions/natural-order.ts";
import { quantile } from "../../../src/promql/functions/quantile.ts";

describe("goSort", () => {
  test("sorts anything, of any length and any pattern", () => {
    const numbers = fc.oneof(
      fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 300 }),
      fc.array(fc.integer(), { maxLength: 300 }),
      // Ascending, descending and saw-toothed inputs take roads of their own.
      fc.integer({ min: 0, max: 300 }).map((n) => Array.from({ length: n }, (_, i) => i)),
      fc.integer({ min: 0, max: 300 }).map((n) => Array.from({ length: n }, (_, i) => n - i)),
      fc.integer({ min: 2, max: 300 }).map((n) => Array.from({ length: n }, (_, i) => i % 17)),
    );
    fc.assert(
      fc.property(numbers, (items) => {
        const sorted = [...items];
        goSort(sorted, (a, b) => a < b);
        expect(sorted).toEqual(items.toSorted((a, b) => a - b));
      }),
    );
  });

  test("leaves equal elements in place up to twelve, as insertion does", () => {
    const items = ["b1", "a1", "b2", "a2", "b3"];
    goSort(items, (a, b) => a[0]! < b[0]!);
    expect(items).toEqual(["a1", "a2", "b1", "b2", "b3"]);
  });
});

describe("natural order", () => {
  test.each([
    ["a2", "a10", true],
    ["a10", "a2", false],
    ["node-9", "node-10", true],
    ["a", "a1", true],
    ["a1", "a", false],
    ["b", "a10", false],
    ["007", "7", true],
    ["99999999999999999999", "100000000000000000000", false],
  ])("%s before %s: %s", (a, b, expected) => {
    expect(compareNatural(a, b)).toBe(expected);
  });
});

describe("a quantile", () => {
  const of = (q: number, ...values: number[]) => quantile(q, Float64Array.from(values), values.length);

  test("lies between the two values around its rank", () => {
    expect(of(0.5, 3, 1, 2)).toBe(2);
    expect(of(0.25, 1, 2, 3, 4)).toBe(1.75);
    expect(of(1, 5, 7)).toBe(7);
  });

  test("takes NaN for the smallest value", () => {
    expect(of(0, 1, NaN)).toBeNaN();
    expect(of(1, 1, NaN, 2)).toBe(2);
  });

  test("outside 0 to 1 is infinite, of nothing is NaN", () => {
    expect(of(-0.1, 1)).toBe(-Infinity);
    expect(of(1.1, 1)).toBe(Infinity);
    expect(of(0.5)).toBeNaN();
  });
});
