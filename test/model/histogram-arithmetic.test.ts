import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addHistograms,
  compactHistogram,
  copyToSchema,
  detectReset,
  divideHistogram,
  equalHistograms,
  HistogramSum,
  multiplyHistogram,
  subtractHistograms,
  withHint,
} from "../../src/model/histogram-arithmetic.ts";
import {
  bucketsUpwards,
  exponentialBound,
  formatHistogram,
  indicesOf,
  spansOf,
} from "../../src/model/histogram-buckets.ts";
import type { FloatHistogram } from "../../src/model/histogram.ts";
import { parseHistogram } from "../../src/promql/script/histogram-notation.ts";

/** As scripts write it. */
const h = (text: string): FloatHistogram => parseHistogram(text).histogram;

const sum = (a: FloatHistogram, b: FloatHistogram) => addHistograms(a, b)!.histogram;

/** Histograms with whole counts, whose sums are exact in any order. */
const exponential: fc.Arbitrary<FloatHistogram> = fc
  .record({
    schema: fc.integer({ min: -4, max: 8 }),
    zeroThreshold: fc.constantFrom(0, 0.001, 0.5, 1, 4),
    zeroCount: fc.nat(5),
    offset: fc.integer({ min: -10, max: 10 }),
    buckets: fc.array(fc.nat(6), { maxLength: 8 }),
    negativeOffset: fc.integer({ min: -10, max: 10 }),
    negativeBuckets: fc.array(fc.nat(6), { maxLength: 8 }),
  })
  .map((parts) => {
    const total = [parts.zeroCount, ...parts.buckets, ...parts.negativeBuckets].reduce((a, b) => a + b, 0);
    const spans = (offset: number, buckets: number[]) =>
      buckets.length === 0 ? [] : [{ offset, length: buckets.length }];
    return {
      ...h(`count:${total} sum:${total * 2}`),
      schema: parts.schema,
      zeroThreshold: parts.zeroThreshold,
      zeroCount: parts.zeroCount,
      positiveSpans: spans(parts.offset, parts.buckets),
      positiveBuckets: Float64Array.from(parts.buckets),
      negativeSpans: spans(parts.negativeOffset, parts.negativeBuckets),
      negativeBuckets: Float64Array.from(parts.negativeBuckets),
    };
  });

const custom: fc.Arbitrary<FloatHistogram> = fc
  .record({
    bounds: fc.uniqueArray(fc.integer({ min: -5, max: 15 }), { minLength: 1, maxLength: 6 }),
    counts: fc.array(fc.nat(5), { minLength: 7, maxLength: 7 }),
  })
  .map(({ bounds, counts }) => {
    const customValues = Float64Array.from(bounds).sort();
    const positiveBuckets = Float64Array.from(counts.slice(0, bounds.length + 1));
    const total = positiveBuckets.reduce((a, b) => a + b, 0);
    return {
      ...h(`schema:-53 count:${total} sum:${total}`),
      customValues,
      positiveSpans: [{ offset: 0, length: positiveBuckets.length }],
      positiveBuckets,
    };
  });

function observed(histogram: FloatHistogram): number {
  const of = (counts: Float64Array) => counts.reduce((a, b) => a + b, 0);
  return histogram.zeroCount + of(histogram.positiveBuckets) + of(histogram.negativeBuckets);
}

describe("bucket bounds", () => {
  test("are powers of two in schema 0 and below, and halve their distance with each schema", () => {
    expect([-1, 0, 1, 2].map((index) => exponentialBound(index, 0))).toEqual([0.5, 1, 2, 4]);
    expect([-1, 0, 1].map((index) => exponentialBound(index, -2))).toEqual([0.0625, 1, 16]);
    for (let schema = 0; schema <= 8; schema++) expect(exponentialBound(2 ** schema, schema)).toBe(2);
  });

  test("are those of the reference to the last bit", () => {
    expect(exponentialBound(1, 1)).toBe(1.414213562373095);
    expect(exponentialBound(1, 2)).toBe(1.189207115002721);
    expect(exponentialBound(3, 2)).toBe(2 * 0.8408964152537144);
  });

  test("end with the largest float and begin with the smallest", () => {
    expect(exponentialBound(1024, 0)).toBe(Number.MAX_VALUE);
    expect(exponentialBound(1025, 0)).toBe(Infinity);
    expect(exponentialBound(64, -4)).toBe(Number.MAX_VALUE);
    expect(exponentialBound(-1074, 0)).toBe(5e-324);
    expect(exponentialBound(-1075, 0)).toBe(0);
  });
});

describe("the buckets of a histogram", () => {
  test("come from the lowest up, cut where they reach into the zero bucket", () => {
    const buckets = bucketsUpwards(h("count:6 z_bucket:2 z_bucket_w:0.7 buckets:[1 1] n_buckets:[1 1]"));
    expect(buckets.map(({ lower, upper, count }) => [lower, upper, count])).toEqual([
      [-2, -1, 1],
      [-1, -0.7, 1],
      [-0.7, 0.7, 2],
      [0.7, 1, 1],
      [1, 2, 1],
    ]);
  });

  test("print with brackets that say which bound belongs to them, empty ones left out", () => {
    expect(
      formatHistogram(h("count:4 sum:2.5 z_bucket:1 z_bucket_w:0.001 buckets:[1 0 1] n_buckets:[1]")),
    ).toBe("{count:4, sum:2.5, [-1,-0.5):1, [-0.001,0.001]:1, (0.5,1]:1, (2,4]:1}");
    expect(formatHistogram(h("schema:-53 count:3 sum:2 custom_values:[1 2] buckets:[1 1 1]"))).toBe(
      "{count:3, sum:2, [-Inf,1]:1, (1,2]:1, (2,+Inf]:1}",
    );
  });

  test("are found by indices that spans give and give back", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: -100, max: 100 })), (unsorted) => {
        const indices = unsorted.sort((a, b) => a - b);
        expect(indicesOf(spansOf(indices))).toEqual(indices);
      }),
    );
  });
});

describe("a sum of histograms", () => {
  test("does not depend on the order, whatever schemas or zero buckets they have", () => {
    const sameEitherWay = (a: FloatHistogram, b: FloatHistogram) =>
      equalHistograms(compactHistogram(sum(a, b)), compactHistogram(sum(b, a)));
    fc.assert(
      fc.property(exponential, exponential, (a, b) => {
        fc.pre(hasNothingWithinZero(a) && hasNothingWithinZero(b));
        expect(sameEitherWay(a, { ...b, schema: a.schema, zeroThreshold: 0 })).toBe(true);
        expect(sameEitherWay({ ...a, zeroThreshold: 0 }, { ...b, zeroThreshold: 0 })).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("holds at the coarser schema, the wider zero bucket and nothing is lost", () => {
    fc.assert(
      fc.property(exponential, exponential, (a, b) => {
        const total = sum(a, b);
        expect(total.schema).toBe(Math.min(a.schema, b.schema));
        expect(total.zeroThreshold).toBeGreaterThanOrEqual(Math.max(a.zeroThreshold, b.zeroThreshold));
        expect(total.count).toBe(a.count + b.count);
      }),
    );
  });

  test("of one zero threshold has every observation once", () => {
    fc.assert(
      fc.property(exponential, exponential, (a, b) => {
        const other = { ...b, zeroThreshold: a.zeroThreshold };
        // Buckets inside the zero bucket contradict it; there are none in real histograms.
        fc.pre(hasNothingWithinZero(a) && hasNothingWithinZero(other));
        expect(observed(sum(a, other))).toBe(observed(a) + observed(other));
      }),
    );
  });

  test("minus one of its parts is the other part", () => {
    fc.assert(
      fc.property(exponential, exponential, (a, b) => {
        const other = { ...b, schema: a.schema, zeroThreshold: a.zeroThreshold };
        fc.pre(hasNothingWithinZero(other));
        const difference = subtractHistograms(sum(a, other), other)!.histogram;
        expect(equalHistograms(compactHistogram(difference), compactHistogram(a))).toBe(true);
      }),
    );
  });

  test("of custom buckets has the bounds they share, and every observation once", () => {
    fc.assert(
      fc.property(custom, custom, (a, b) => {
        const combined = addHistograms(a, b)!;
        const shared = a.customValues.filter((bound) => b.customValues.includes(bound));
        expect(combined.histogram.customValues).toEqual(shared);
        expect(observed(combined.histogram)).toBe(observed(a) + observed(b));
        expect(combined.reconciled).toBe(a.customValues.join() !== b.customValues.join());
      }),
    );
  });

  test("of exponential and custom buckets there is none", () => {
    expect(addHistograms(h("count:1"), h("schema:-53 count:1"))).toBeNull();
  });

  test("merges hints, and tells where they contradict each other", () => {
    const hints = ["unknown", "reset", "not-reset", "gauge"] as const;
    const merged = hints.map((a) =>
      hints.map((b) => {
        const { histogram, collision } = addHistograms(withHint(h(""), a), withHint(h(""), b))!;
        return histogram.counterResetHint + (collision ? "!" : "");
      }),
    );
    expect(merged).toEqual([
      ["unknown", "unknown", "unknown", "gauge"],
      ["unknown", "reset", "unknown!", "gauge"],
      ["unknown", "unknown!", "not-reset", "gauge"],
      ["gauge", "gauge", "gauge", "gauge"],
    ]);
  });

  test("takes a populated bucket whole where a zero bucket ends inside it", () => {
    const total = sum(
      h("count:2 z_bucket:1 z_bucket_w:3 "),
      h("count:4 z_bucket_w:0.5 offset:1 buckets:[1 2 1]"),
    );
    expect(total).toMatchObject({ zeroThreshold: 4, zeroCount: 4 });
    expect(total.positiveBuckets).toEqual(Float64Array.of(1));
  });
});

function hasNothingWithinZero(histogram: FloatHistogram): boolean {
  const within = (side: "positive" | "negative") =>
    indicesOf(histogram[`${side}Spans`]).some(
      (index, i) =>
        histogram[`${side}Buckets`][i] !== 0 &&
        exponentialBound(index - 1, histogram.schema) < histogram.zeroThreshold,
    );
  return !within("positive") && !within("negative");
}

describe("histograms of one layout", () => {
  /** The same with an empty bucket at the end, which is another layout. */
  const widened = (histogram: FloatHistogram): FloatHistogram => ({
    ...histogram,
    positiveSpans: [...histogram.positiveSpans, { offset: 3, length: 1 }],
    positiveBuckets: Float64Array.of(...histogram.positiveBuckets, 0),
  });
  const pairs = fc
    .tuple(fc.oneof(exponential, custom), fc.array(fc.nat(9), { minLength: 40, maxLength: 40 }))
    .map(([a, counts]) => {
      const b = {
        ...a,
        zeroCount: a.schema === -53 ? 0 : counts[0]!,
        count: a.count + counts[1]! - 4,
        sum: counts[2]!,
      };
      const other = (buckets: Float64Array, from: number) => buckets.map((_, i) => counts[from + i]!);
      return [
        a,
        { ...b, positiveBuckets: other(a.positiveBuckets, 3), negativeBuckets: other(a.negativeBuckets, 20) },
      ] as const;
    });

  test("are added, subtracted and compared as any others", () => {
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        const compact = (histogram: FloatHistogram) => compactHistogram(histogram);
        expect(compact(sum(a, b))).toEqual(compact(sum(a, widened(b))));
        const difference = subtractHistograms(a, b)!.histogram;
        expect(compact(difference)).toEqual(compact(subtractHistograms(a, widened(b))!.histogram));
        expect(detectReset(b, a)).toBe(detectReset(b, widened(a)));
        const inPlace = new HistogramSum(a);
        inPlace.add(b);
        const rebuilt = new HistogramSum(a);
        rebuilt.add(widened(b));
        expect(compact(inPlace.sum())).toEqual(compact(rebuilt.sum()));
      }),
      { numRuns: 500 },
    );
  });
});

describe("sums with compensation", () => {
  const ofSum = (value: number) => ({ ...h("count:1 buckets:[1]"), sum: value });

  test("keep what rounding would lose", () => {
    const total = new HistogramSum(ofSum(1e100));
    for (const value of [1, -1e100, 1]) total.add(ofSum(value));
    expect(total.sum().sum).toBe(2);
  });

  test("average without leaving the range of floats", () => {
    const mean = new HistogramSum(ofSum(1.5e308));
    for (const value of [1.5e308, 1.5e308]) mean.addForAverage(ofSum(value));
    expect(mean.average().sum).toBeCloseTo(1.5e308, -300);
    expect(mean.average().count).toBeCloseTo(1);
  });

  test("say of what can't be added that it can't, and stay as they were", () => {
    const total = new HistogramSum(ofSum(1));
    expect(total.add(h("schema:-53 count:1"))).toBe("incompatible");
    expect(total.addForAverage(h("schema:-53 count:1"))).toBe("incompatible");
    expect(total.sum().sum).toBe(1);
  });
});

describe("multiples", () => {
  test("scale every count, and a negative factor makes a gauge", () => {
    const histogram = h("count:3 sum:5 z_bucket:1 buckets:[2]");
    expect(multiplyHistogram(histogram, 2)).toMatchObject({
      count: 6,
      sum: 10,
      zeroCount: 2,
      counterResetHint: "unknown",
    });
    expect(multiplyHistogram(histogram, -1)).toMatchObject({ count: -3, counterResetHint: "gauge" });
    expect(divideHistogram(histogram, 2).positiveBuckets).toEqual(Float64Array.of(1));
  });

  test("divided by zero keep no buckets", () => {
    expect(divideHistogram(h("count:3 sum:-5 buckets:[2]"), 0)).toMatchObject({
      count: Infinity,
      sum: -Infinity,
      zeroCount: NaN,
      positiveSpans: [],
    });
  });
});

describe("a lower resolution", () => {
  test("puts neighbours together: bucket i of schema 1 lies in bucket (i + 1) / 2 of schema 0", () => {
    const coarse = copyToSchema(h("schema:1 count:10 offset:-1 buckets:[1 2 3 4]"), 0);
    expect(coarse.positiveSpans).toEqual([{ offset: 0, length: 2 }]);
    expect(coarse.positiveBuckets).toEqual(Float64Array.of(3, 7));
  });

  test("in two steps is that in one", () => {
    fc.assert(
      fc.property(exponential, fc.nat(6), fc.nat(6), (histogram, a, b) => {
        const low = Math.max(-4, histogram.schema - a - b);
        const between = Math.max(low, histogram.schema - a);
        expect(
          equalHistograms(copyToSchema(copyToSchema(histogram, between), low), copyToSchema(histogram, low)),
        ).toBe(true);
      }),
    );
  });
});

describe("a compacted histogram", () => {
  test("has no empty bucket but short runs between others", () => {
    const loose = h("count:3 buckets:[0 1 0 0 1 0 0 0 1 0]");
    expect(compactHistogram(loose).positiveSpans).toEqual([
      { offset: 1, length: 1 },
      { offset: 2, length: 1 },
      { offset: 3, length: 1 },
    ]);
    expect(compactHistogram(loose, 2).positiveSpans).toEqual([
      { offset: 1, length: 4 },
      { offset: 3, length: 1 },
    ]);
    expect(compactHistogram(loose, 2).positiveBuckets).toEqual(Float64Array.of(1, 0, 0, 1, 1));
  });

  test("is the same when compacted again", () => {
    fc.assert(
      fc.property(exponential, fc.nat(3), (histogram, maxEmpty) => {
        const once = compactHistogram(histogram, maxEmpty);
        expect(equalHistograms(compactHistogram(once, maxEmpty), once)).toBe(true);
      }),
    );
  });
});

describe("equality", () => {
  test("is that of bits, hints and empty spans aside", () => {
    const histogram = h("count:1 sum:NaN buckets:[1]");
    expect(equalHistograms(histogram, withHint(h("count:1 sum:NaN buckets:[1]"), "gauge"))).toBe(true);
    expect(equalHistograms(histogram, { ...histogram, zeroCount: -0 })).toBe(false);
    expect(equalHistograms(histogram, h("count:1 sum:NaN buckets:[1 0]"))).toBe(false);
    const spread = {
      ...histogram,
      positiveSpans: [
        { offset: -2, length: 0 },
        { offset: 2, length: 1 },
      ],
    };
    expect(equalHistograms(histogram, spread)).toBe(true);
  });
});

describe("a counter reset", () => {
  const wasReset = (previous: string, current: string) => detectReset(h(current), h(previous));

  test("shows in the count, a bucket, the zero bucket or a bucket that is gone", () => {
    expect(wasReset("count:4 buckets:[2 2]", "count:5 buckets:[2 3]")).toBe(false);
    expect(wasReset("count:4 buckets:[2 2]", "count:3 buckets:[2 1]")).toBe(true);
    expect(wasReset("count:4 buckets:[2 2]", "count:5 buckets:[1 4]")).toBe(true);
    expect(wasReset("count:4 buckets:[2 2]", "count:5 offset:1 buckets:[5]")).toBe(true);
    expect(wasReset("count:4 z_bucket:2 z_bucket_w:1", "count:5 z_bucket:1 z_bucket_w:1")).toBe(true);
    expect(wasReset("count:2 n_buckets:[2]", "count:2 n_buckets:[1 1]")).toBe(true);
  });

  test("is not what makes buckets wider, only what makes them narrower", () => {
    expect(wasReset("schema:1 count:4 buckets:[2 2]", "schema:0 count:4 buckets:[2 2]")).toBe(false);
    expect(wasReset("schema:0 count:4 buckets:[2 2]", "schema:1 count:4 buckets:[2 2]")).toBe(true);
    expect(
      wasReset(
        "count:4 z_bucket_w:0.5 buckets:[2 2]",
        "count:4 z_bucket:2 z_bucket_w:1 offset:1 buckets:[2]",
      ),
    ).toBe(false);
    expect(wasReset("count:4 z_bucket_w:1", "count:4 z_bucket_w:0.5")).toBe(true);
  });

  test("with custom buckets is looked for between the bounds they share", () => {
    const previous = "schema:-53 count:4 custom_values:[1 2 4] buckets:[1 1 1 1]";
    expect(wasReset(previous, "schema:-53 count:4 custom_values:[1 4] buckets:[1 2 1]")).toBe(false);
    expect(wasReset(previous, "schema:-53 count:4 custom_values:[1 4] buckets:[1 1 2]")).toBe(true);
    expect(wasReset("count:4", "schema:-53 count:4 custom_values:[1] buckets:[4]")).toBe(true);
  });

  test("is what a hint says, where one does", () => {
    expect(wasReset("count:1", "count:2 counter_reset_hint:reset")).toBe(true);
    expect(wasReset("count:2", "count:1 counter_reset_hint:not_reset")).toBe(false);
    expect(wasReset("count:2", "count:1 counter_reset_hint:gauge")).toBe(true);
  });

  test("never lies between a histogram and the same with more observations", () => {
    fc.assert(
      fc.property(exponential, exponential, (histogram, more) => {
        const grown = sum(histogram, {
          ...more,
          schema: histogram.schema,
          zeroThreshold: histogram.zeroThreshold,
        });
        expect(detectReset(grown, histogram)).toBe(false);
      }),
    );
  });
});
