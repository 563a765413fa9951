import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  QueryMemory,
  WindowKernel,
  type AccumulatedOp,
  type WindowArgument,
  type WindowFunction,
  type WindowGrid,
} from "../../src/kernels/index.ts";
import { setStaleMarker } from "../../src/model/sample.ts";
import { aggregate, overWindows } from "../oracles/window-oracle.ts";

const memory = new QueryMemory(2 ** 26);
const kernel = new WindowKernel(memory);

interface Sample {
  readonly time: number;
  readonly value: number;
}

// Values of every kind that decides a branch: small whole numbers (exact sums, resets, ties), fractions, and extremes.
const value = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -5, max: 20 }) },
  { weight: 3, arbitrary: fc.double({ noNaN: true, min: -1e6, max: 1e6 }) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity, 1e308, -1e308, 5e-324, -0, 2 ** 53) },
);
const wholeValue = fc.integer({ min: 0, max: 1_000_000 });
const fraction = fc.double({ noNaN: true, min: -1e9, max: 1e9 });

const samplesOf = (values: fc.Arbitrary<number>) =>
  fc
    .array(fc.record({ gap: fc.integer({ min: 1, max: 40 }), value: values }), { maxLength: 60 })
    .map((steps) => {
      let time = 0;
      return steps.map(({ gap, value }): Sample => ({ time: (time += gap * 997), value }));
    });

const grid: fc.Arbitrary<WindowGrid> = fc.record({
  firstMs: fc.integer({ min: -50_000, max: 500_000 }),
  stepMs: fc.integer({ min: 0, max: 90_000 }),
  count: fc.integer({ min: 1, max: 20 }),
  rangeMs: fc.integer({ min: 1, max: 300_000 }),
});

/** Windows that overlap by far: several are worked on side by side. */
const longWindows: fc.Arbitrary<WindowGrid> = fc.record({
  firstMs: fc.integer({ min: 300_000, max: 500_000 }),
  stepMs: fc.integer({ min: 0, max: 20_000 }),
  count: fc.integer({ min: 4, max: 20 }),
  rangeMs: fc.integer({ min: 200_000, max: 600_000 }),
});

function write(samples: readonly Sample[]) {
  const columns = memory.columns(samples.length + 1);
  samples.forEach((sample, i) => {
    columns.times[i] = sample.time;
    columns.values[i] = sample.value;
  });
  return {
    timesPointer: columns.times.byteOffset,
    valuesPointer: columns.values.byteOffset,
    count: samples.length,
    columns,
  };
}

function column(count: number) {
  const values = new Float64Array(memory.buffer, memory.allocate(8 * count), count);
  const kinds = new Uint8Array(memory.buffer, memory.allocate(count), count);
  return { values, kinds, valuesPointer: values.byteOffset, kindsPointer: kinds.byteOffset };
}

/** An argument that differs from step to step: a quantile, or seconds ahead. */
function argument(count: number): WindowArgument {
  return {
    values: Float64Array.from({ length: count }, (_, k) => (k % 11) / 10),
    steps: { startMs: 7_000, stepMs: 13_000 },
  };
}

/** Runs a check in working memory that is given back after it. */
function inMemory(check: () => void): void {
  const mark = memory.mark();
  try {
    check();
  } finally {
    memory.release(mark);
  }
}

function shown({ values, kinds }: { values: Float64Array; kinds: Uint8Array }): (number | undefined)[] {
  return Array.from(values, (v, k) => (kinds[k] === 0 ? undefined : v));
}

const functions: WindowFunction[] = [
  "rate",
  "increase",
  "delta",
  "irate",
  "idelta",
  "resets",
  "changes",
  "sum_over_time",
  "avg_over_time",
  "min_over_time",
  "max_over_time",
  "count_over_time",
  "present_over_time",
  "last_over_time",
  "first_over_time",
  "stddev_over_time",
  "stdvar_over_time",
  "deriv",
  "predict_linear",
  "quantile_over_time",
];

describe("a window function", () => {
  test.each(functions)("%s gives bit for bit what its definition gives, window by window", (name) => {
    const check = (samples: Sample[], windows: WindowGrid) =>
      inMemory(() => {
        const slice = write(samples);
        const out = column(windows.count);
        const sliding = kernel.windows(windows);
        sliding.bind(slice);
        const hits = sliding.compute(name, slice, out, argument(windows.count));
        const expected = overWindows(name, samples, windows, argument(windows.count));
        expect(shown(out)).toEqual(expected);
        expect(hits).toBe(expected.filter((v) => v !== undefined).length);
      });
    fc.assert(fc.property(samplesOf(value), grid, check), { numRuns: 200 });
    fc.assert(fc.property(samplesOf(wholeValue), grid, check), { numRuns: 100 });
    fc.assert(fc.property(samplesOf(fraction), longWindows, check), { numRuns: 100 });
  });

  test("finds its windows anew when the next series has other timestamps, and only then", () => {
    fc.assert(
      fc.property(samplesOf(value), samplesOf(value), grid, fc.boolean(), (a, b, windows, isLasting) =>
        inMemory(() => {
          const sliding = kernel.windows(windows);
          const out = column(windows.count);
          for (const samples of [a, b, b, a]) {
            const slice = { ...write(samples), isLasting };
            sliding.bind(slice);
            sliding.compute("rate", slice, out);
            expect(shown(out)).toEqual(overWindows("rate", samples, windows));
            expect(sliding.windowSamples).toBe(
              overWindows("count_over_time", samples, windows).reduce<number>((sum, n) => sum + (n ?? 0), 0),
            );
          }
        }),
      ),
      { numRuns: 100 },
    );
  });

  test("tells samples in several windows once", () => {
    inMemory(() => {
      const sliding = kernel.windows({ firstMs: 30_000, stepMs: 10_000, count: 2, rangeMs: 20_000 });
      const slice = write([10, 20, 30, 40, 50].map((s) => ({ time: s * 1000, value: 1 })));
      sliding.bind(slice);
      expect(sliding.windowSamples).toBe(4);
      expect(sliding.distinctSamples()).toBe(3);
    });
  });
});

describe("a look at columns", () => {
  test("tells whether times ascend and whether staleness markers are among the values", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 12 });
    fc.assert(
      fc.property(gaps, fc.array(fc.nat(12), { maxLength: 2 }), (steps, stale) =>
        inMemory(() => {
          let time = 0;
          const samples = steps.map((gap) => ({ time: (time += gap), value: gap }));
          const slice = write(samples);
          const marked = stale.filter((i) => i < samples.length);
          for (const i of marked) setStaleMarker(slice.columns.valueWords, i);
          const isAscending = steps.every((gap, i) => i === 0 || gap > 0);
          const { timesPointer, valuesPointer, count } = slice;
          expect(memory.exports["inspectColumns"]!(timesPointer, valuesPointer, count)).toBe(
            Number(!isAscending) + 2 * Number(marked.length > 0),
          );
        }),
      ),
    );
  });
});

describe("an instant look-up", () => {
  test("finds the newest sample within the lookback, unless it is a staleness marker", () => {
    const stale = fc.array(fc.boolean(), { minLength: 60, maxLength: 60 });
    fc.assert(
      fc.property(samplesOf(value), stale, grid, (samples, isStale, { firstMs, stepMs, count, rangeMs }) =>
        inMemory(() => {
          const slice = write(samples);
          samples.forEach((_, i) => isStale[i] && setStaleMarker(slice.columns.valueWords, i));
          const out = column(count);
          const lookup = kernel.lookup({ firstMs, stepMs, count }, rangeMs);
          lookup.bind(slice);
          const hits = lookup.gather(slice.valuesPointer, out);
          const expected = Array.from({ length: count }, (_, k) => {
            const step = firstMs + k * stepMs;
            const i = samples.findLastIndex(({ time }) => time <= step);
            return i < 0 || samples[i]!.time <= step - rangeMs || isStale[i] ? undefined : samples[i]!.value;
          });
          expect(shown(out)).toEqual(expected);
          expect(hits).toBe(expected.filter((v) => v !== undefined).length);
        }),
      ),
    );
  });

  test("drops staleness markers from columns and keeps ordinary NaN", () => {
    fc.assert(
      fc.property(
        samplesOf(value),
        fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
        (samples, isStale) =>
          inMemory(() => {
            const slice = write(samples);
            samples.forEach((_, i) => isStale[i] && setStaleMarker(slice.columns.valueWords, i));
            const kept = kernel.dropStale(slice);
            const { times, values } = slice.columns;
            expect(Array.from({ length: kept }, (_, i) => ({ time: times[i], value: values[i] }))).toEqual(
              samples.filter((_, i) => !isStale[i]),
            );
          }),
      ),
    );
  });
});

describe("an accumulator", () => {
  const ops: AccumulatedOp[] = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];

  test.each(ops)("%s gives bit for bit what the samples of each group and step give in order", (op) => {
    const series = fc.array(
      fc.record({
        group: fc.integer({ min: 0, max: 2 }),
        values: fc.array(fc.option(value, { nil: undefined }), { minLength: 5, maxLength: 5 }),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(series, (all) =>
        inMemory(() => {
          const accumulator = kernel.accumulator(op, 3, 5);
          const input = column(5);
          for (const { group, values } of all) {
            values.forEach((v, k) => {
              input.kinds[k] = v === undefined ? 0 : 1;
              input.values[k] = v ?? 0;
            });
            accumulator.add(group, input);
          }
          for (let group = 0; group < 3; group++) {
            for (let step = 0; step < 5; step++) {
              const seen = all.filter((s) => s.group === group && s.values[step] !== undefined);
              const expected = aggregate(
                op,
                seen.map((s) => s.values[step]!),
              );
              expect(accumulator.seen[group * 5 + step]).toBe(seen.length);
              if (expected !== undefined) expect(accumulator.result(group, step)).toBe(expected);
            }
          }
        }),
      ),
      { numRuns: 300 },
    );
  });
});
