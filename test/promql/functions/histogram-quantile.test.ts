import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ClassicBuckets,
  classicFraction,
  classicQuantile,
  ensureMonotonic,
  mergeEqualBounds,
} from "../../../src/promql/functions/classic-quantile.ts";
import { nativeFraction, nativeQuantile } from "../../../src/promql/functions/native-quantile.ts";
import { parseHistogram } from "../../../src/promql/script/histogram-notation.ts";

function buckets(entries: readonly (readonly [bound: number, count: number])[]): ClassicBuckets {
  const all = new ClassicBuckets(entries.length);
  for (const [bound, count] of entries) all.add(bound, count);
  return all;
}

const quantiles = fc.double({ min: 0, max: 1, noNaN: true });

const classic = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.nat(20)), { minLength: 1, maxLength: 8 })
  .map((steps) => {
    let bound = 0;
    let count = 0;
    const entries: [number, number][] = steps.map(([width, more]) => [(bound += width), (count += more)]);
    return buckets([...entries, [Infinity, count + 1]]);
  });

const native = fc
  .record({
    schema: fc.integer({ min: -2, max: 4 }),
    zero: fc.nat(5),
    counts: fc.array(fc.nat(9), { minLength: 1, maxLength: 8 }),
    negative: fc.array(fc.nat(9), { maxLength: 8 }),
  })
  .map(({ schema, zero, counts, negative }) => {
    const total = [zero, ...counts, ...negative].reduce((a, b) => a + b, 0);
    const text = `schema:${schema} sum:1 count:${total} z_bucket:${zero} z_bucket_w:0.001 buckets:[${counts.join(" ")}] n_buckets:[${negative.join(" ")}]`;
    return parseHistogram(text).histogram;
  })
  .filter(({ count }) => count > 0);

describe("a quantile of a classic histogram", () => {
  test("lies within the bounds and never falls as q rises", () => {
    fc.assert(
      fc.property(classic, quantiles, quantiles, (histogram, a, b) => {
        const low = classicQuantile(Math.min(a, b), histogram);
        const high = classicQuantile(Math.max(a, b), histogram);
        // The share of nothing in an empty first bucket is 0/0, as it is in Prometheus.
        if (Math.min(a, b) === 0 && histogram.counts[0] === 0) {
          expect(low).toBeNaN();
          return;
        }
        expect(low).toBeLessThanOrEqual(high);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(histogram.bounds[histogram.size - 2]!);
      }),
    );
  });

  test("is NaN without observations", () => {
    expect(
      classicQuantile(
        0.5,
        buckets([
          [1, 0],
          [Infinity, 0],
        ]),
      ),
    ).toBeNaN();
    expect(classicQuantile(0.5, buckets([[Infinity, 5]]))).toBeNaN();
  });
});

describe("the buckets of a classic histogram", () => {
  test("with equal bounds are added up, and without an infinite one they say nothing", () => {
    const doubled = buckets([
      [1, 2],
      [1, 3],
      [Infinity, 9],
    ]);
    expect(mergeEqualBounds(doubled)).toBe(true);
    expect([...doubled.counts.subarray(0, doubled.size)]).toEqual([5, 9]);
    expect(mergeEqualBounds(buckets([[1, 2]]))).toBe(false);
    expect(mergeEqualBounds(buckets([]))).toBe(false);
  });

  test("are raised where a count falls, which is told unless rounding explains it", () => {
    const falling = buckets([
      [1, 10],
      [2, 8],
      [3, 9],
      [4, 12],
      [Infinity, 11],
    ]);
    expect(ensureMonotonic(falling)).toEqual({
      lowestBound: 2,
      highestBound: Infinity,
      largestDifference: 2,
    });
    expect([...falling.counts]).toEqual([10, 10, 10, 12, 12]);
    const rounded = buckets([
      [1, 10],
      [2, 10 - 1e-14],
      [Infinity, 10 + 1e-14],
    ]);
    expect(ensureMonotonic(rounded)).toBeNull();
    expect([...rounded.counts]).toEqual([10, 10, 10]);
  });
});

describe("a fraction of a classic histogram", () => {
  test("adds up over neighbouring ranges", () => {
    fc.assert(
      fc.property(classic, fc.array(fc.nat(300), { minLength: 3, maxLength: 3 }), (histogram, points) => {
        const [a, b, c] = points.sort((x, y) => x - y) as [number, number, number];
        const parts = classicFraction(a, b, histogram) + classicFraction(b, c, histogram);
        expect(parts).toBeCloseTo(classicFraction(a, c, histogram), 9);
      }),
    );
  });
});

describe("a quantile of a native histogram", () => {
  test("never falls as q rises, across the middle where the walk turns round", () => {
    fc.assert(
      fc.property(native, quantiles, quantiles, (histogram, a, b) => {
        const low = nativeQuantile(Math.min(a, b), histogram).value;
        const high = nativeQuantile(Math.max(a, b), histogram).value;
        expect(low).toBeLessThanOrEqual(high + 1e-12 * Math.abs(high));
      }),
    );
  });

  test("has as much below it as it says", () => {
    fc.assert(
      fc.property(native, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (histogram, q) => {
        const { value } = nativeQuantile(q, histogram);
        expect(nativeFraction(-Infinity, value, histogram).value).toBeCloseTo(q, 6);
      }),
    );
  });
});
