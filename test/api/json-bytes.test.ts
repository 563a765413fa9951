import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatSampleValue, JsonBytes } from "../../src/api/json-bytes.ts";

function written(write: (out: JsonBytes) => void): string {
  const out = new JsonBytes();
  write(out);
  return Buffer.concat(out.finish()).toString("utf8");
}

describe("sample values", () => {
  test.each([
    [0, "0"],
    [-0, "-0"],
    [1.5, "1.5"],
    [0.0001, "0.0001"],
    [100, "100"],
    [1e21, "1e+21"],
    [1e20, "100000000000000000000"],
    [1e-7, "1e-07"],
    [0.000001, "0.000001"],
    [5e-324, "5e-324"],
    [NaN, "NaN"],
    [Infinity, "+Inf"],
    [-Infinity, "-Inf"],
    [0.1 + 0.2, "0.30000000000000004"],
  ])("print %d as %s", (value, text) => {
    expect(written((out) => out.sampleValue(value))).toBe(`"${text}"`);
  });

  test("print by the fast paths exactly as by the slow one", () => {
    const decimals = fc
      .tuple(fc.integer(), fc.integer({ min: 0, max: 8 }))
      .map(([n, places]) => n / 10 ** places);
    const anything = fc.oneof(fc.double(), fc.integer(), fc.maxSafeInteger(), decimals);
    fc.assert(
      fc.property(anything, (value) => {
        expect(written((out) => out.sampleValue(value))).toBe(`"${formatSampleValue(value)}"`);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("timestamps", () => {
  test.each([
    [1435781451781, "1435781451.781"],
    [1435781451000, "1435781451"],
    [50, "0.050"],
    [0, "0"],
    [-1500, "-1.500"],
  ])("print %d ms as %s", (timeMs, text) => {
    expect(written((out) => out.timestamp(timeMs))).toBe(text);
  });
});

test("an answer larger than any part arrives whole", () => {
  const points = 600_000;
  const text = written((out) => {
    out.ascii("[");
    for (let i = 0; i < points; i++) {
      if (i > 0) out.ascii(",");
      out.point(i * 1000, i / 8);
    }
    out.ascii("]");
  });
  const parsed = JSON.parse(text) as [number, string][];
  expect(parsed).toHaveLength(points);
  expect(parsed[points - 1]).toEqual([points - 1, String((points - 1) / 8)]);
});

test("points side by side are written as each by itself, whatever times the series before had", () => {
  const anyTimes = fc
    .tuple(fc.constantFrom(-20_000, 0, 1_700_000_000_123), fc.uniqueArray(fc.nat(30), { minLength: 1 }))
    .map(([start, steps]) => steps.sort((a, b) => a - b).map((step) => start + 7_500 * step));
  const decimals = fc
    .tuple(fc.integer(), fc.integer({ min: 0, max: 8 }))
    .map(([n, places]) => n / 10 ** places);
  const specials = fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 1e15, -1e21, 5e-324, 0.0001, 1e10 + 0.5);
  const anyValue = fc.oneof(fc.double(), fc.integer(), fc.maxSafeInteger(), decimals, specials);
  const anySeries = fc.tuple(anyTimes, fc.array(anyValue, { minLength: 1 }));
  fc.assert(
    fc.property(fc.array(anySeries, { minLength: 1, maxLength: 8 }), (series) => {
      const valueAt = (values: readonly number[], i: number) => values[i % values.length]!;
      const points = written((out) =>
        series.forEach(([times, values]) =>
          out.points(
            times,
            Float64Array.from(times, (_, i) => valueAt(values, i)),
          ),
        ),
      );
      const each = series
        .map(([times, values]) =>
          times.map((time, i) => written((out) => out.point(time, valueAt(values, i)))).join(","),
        )
        .join("");
      expect(points).toBe(each);
    }),
    { numRuns: 2000 },
  );
});

test("points are written alike however many there are", () => {
  const times = Float64Array.from({ length: 3000 }, (_, i) => 1_700_000_000_000 + 15_000 * i);
  const values = times.map((time, i) => (i % 7 === 0 ? time : i / 3));
  const each = Array.from(times, (time, i) => written((out) => out.point(time, values[i]!))).join(",");
  expect(written((out) => out.points(times, values))).toBe(each);
  expect(written((out) => out.points(times, values).points(times.subarray(9), values.subarray(9)))).toBe(
    each +
      Array.from(times, (time, i) => written((out) => out.point(time, values[i]!)))
        .slice(9)
        .join(","),
  );
});
