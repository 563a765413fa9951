import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CounterResetHint, FloatHistogram, Span } from "../../../src/model/histogram.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../../src/model/sample.ts";
import { chunkSampleCount, decodeChunk } from "../../../src/tsdb/chunk/decode-chunk.ts";
import { encodeChunks } from "../../../src/tsdb/chunk/encode-chunks.ts";
import { ChunkEncoding } from "../../../src/tsdb/chunk/encoding.ts";
import { FloatHistogramChunkWriter } from "../../../src/tsdb/chunk/float-histogram-chunk.ts";
import { HistogramChunkBuilder } from "../../../src/tsdb/chunk/histogram-chunk-builder.ts";
import { HistogramChunkWriter } from "../../../src/tsdb/chunk/histogram-chunk.ts";
import { CounterReset } from "../../../src/tsdb/chunk/histogram-layout.ts";
import { PlainColumns } from "../../../src/tsdb/chunk/plain-columns.ts";
import { XorChunkWriter } from "../../../src/tsdb/chunk/xor-chunk.ts";
import { Xor2ChunkWriter } from "../../../src/tsdb/chunk/xor2-chunk.ts";
import { decodeXorOracle, encodeXorOracle } from "../../oracles/xor-chunk-oracle.ts";

const T = 1700000000000;

interface FloatSample {
  readonly time: number;
  readonly high: number;
  readonly low: number;
  readonly start: number;
}

function float(time: number, value: number | "stale", start = 0): FloatSample {
  if (value === "stale") return { time, high: STALE_HIGH_WORD, low: STALE_LOW_WORD, start };
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return { time, high: view.getUint32(0), low: view.getUint32(4), start };
}

const vector = [
  float(T, 1),
  float(T + 15000, 2),
  float(T + 30000, 2),
  float(T + 46000, 2.5),
  float(T + 60000, "stale"),
  float(T + 75000, 2.5),
];

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

function xor(samples: readonly FloatSample[]): Uint8Array {
  const writer = new XorChunkWriter();
  for (const { time, high, low } of samples) writer.append(time, high, low);
  return writer.toBytes();
}

function xor2(samples: readonly FloatSample[]): Uint8Array {
  const writer = new Xor2ChunkWriter();
  for (const { time, high, low, start } of samples) writer.append(time, high, low, start);
  return writer.toBytes();
}

function decoded(encoding: number, bytes: Uint8Array, minTime = -Infinity, maxTime = Infinity): PlainColumns {
  const columns = new PlainColumns(1);
  decodeChunk(encoding, bytes, minTime, maxTime, columns);
  return columns;
}

function floats(columns: PlainColumns): FloatSample[] {
  return Array.from({ length: columns.count }, (_, i) => ({
    time: columns.times[i]!,
    low: columns.valueWords[2 * i]!,
    high: columns.valueWords[2 * i + 1]!,
    start: columns.startTimes?.[i] ?? 0,
  }));
}

/** Ascending times with all sizes of steps, and values that repeat, drift, jump and end. */
const anyFloats = fc
  .tuple(
    fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
    fc.array(
      fc.record({
        step: fc.oneof(
          fc.constant(15000),
          fc.integer({ min: 1, max: 30000 }),
          fc.integer({ min: 1, max: 2 ** 40 }),
        ),
        value: fc.oneof(
          fc.constant([0x3ff00000, 0] as const),
          fc.constant([STALE_HIGH_WORD, STALE_LOW_WORD] as const),
          fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)),
          fc.tuple(
            fc.constant(0x40590000),
            fc.nat(0xffff).map((n) => n * 65536),
          ),
        ),
        start: fc.oneof(fc.constant(0), fc.integer({ min: -(2 ** 40), max: 2 ** 40 })),
      }),
      { maxLength: 140 },
    ),
    fc.boolean(),
  )
  .map(([first, steps, sameStart]) => {
    let time = first;
    return steps.map(({ step, value: [high, low], start }): FloatSample => {
      time += step;
      return { time, high, low, start: sameStart ? steps[0]!.start : start };
    });
  });

describe("a float chunk", () => {
  test("of encoding 1 has the bytes Prometheus gives it", () => {
    expect(hex(xor(vector))).toBe(
      "000680a0abfef9623ff00000000000009875c25fff20fa3683b830c5effe80000000000060fa2ffd00000000000080",
    );
  });

  test("of encoding 4 has the bytes Prometheus gives it, with and without start times", () => {
    const with0 = (starts: readonly number[]) =>
      vector.map((sample, i) => ({ ...sample, start: starts[i]! }));
    expect(hex(xor2(vector))).toBe("00060080a0abfef9623ff00000000000009875c12fffb0fa3341ec187c3e80");
    expect(hex(xor2(vector.map((sample) => ({ ...sample, start: T - 1000 }))))).toBe(
      "00068080a0abfef9623ff0000000000000d00f9875c12fffb0fa3341ec187c3e80",
    );
    expect(hex(xor2(with0([0, 0, 0, T + 29000, T + 29000, T + 61000])))).toBe(
      "00060380a0abfef9623ff00000000000009875c12fffb0fa3341f8fa360c3fc1f4061f43eee6c0",
    );
    const long = xor2(Array.from({ length: 130 }, (_, i) => float(i * 1000, 1)));
    expect([long.length, hex(long.subarray(0, 3))]).toEqual([38, "00827f"]);
  });

  test("of encoding 1 is written and read as the plain twin does, bit by bit", () => {
    fc.assert(
      fc.property(anyFloats, (samples) => {
        const oracle = samples.map(({ time, high, low }) => ({
          timeMs: BigInt(time),
          bits: (BigInt(high) << 32n) | BigInt(low),
        }));
        const bytes = xor(samples);
        expect(hex(bytes.subarray(2))).toBe(hex(encodeXorOracle(oracle)));
        expect(decodeXorOracle(bytes.subarray(2), samples.length)).toEqual(oracle);
        expect(floats(decoded(1, bytes))).toEqual(samples.map((sample) => ({ ...sample, start: 0 })));
      }),
      { numRuns: 60 },
    );
  });

  test("of encoding 4 gives back every time, bit and start time", () => {
    fc.assert(
      fc.property(anyFloats, (samples) => {
        expect(floats(decoded(4, xor2(samples)))).toEqual(samples);
      }),
    );
  });

  test("is read between two times, both included", () => {
    for (const [encoding, bytes] of [
      [1, xor(vector)],
      [4, xor2(vector)],
    ] as const) {
      const times = (minTime: number, maxTime: number) =>
        floats(decoded(encoding, bytes, minTime, maxTime)).map(({ time }) => time - T);
      expect(times(T + 15000, T + 46000)).toEqual([15000, 30000, 46000]);
      expect(times(T + 15001, T + 45999)).toEqual([30000]);
      expect(times(T + 75001, Infinity)).toEqual([]);
    }
  });

  test("whose bits end early is an error", () => {
    for (const [encoding, bytes] of [
      [1, xor(vector)],
      [4, xor2(vector)],
    ] as const) {
      for (let length = 2; length < bytes.length - 1; length++) {
        expect(() => decoded(encoding, bytes.subarray(0, length))).toThrow("bits of chunk");
      }
    }
    expect(() => decoded(9, xor(vector))).toThrow("unknown encoding 9");
  });
});

const NONE = new Float64Array(0);

function histogram(parts: Partial<FloatHistogram>): FloatHistogram {
  return {
    isInteger: true,
    counterResetHint: "unknown",
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    isStale: false,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: NONE,
    negativeBuckets: NONE,
    customValues: NONE,
    ...parts,
  };
}

function spans(...pairs: [number, number][]): Span[] {
  return pairs.map(([offset, length]) => ({ offset, length }));
}

/** Sample k of series A of the format's test vectors. */
function seriesA(k: number): FloatHistogram {
  return histogram({
    schema: 1,
    zeroThreshold: 2 ** -128,
    zeroCount: k,
    count: 6 * k,
    sum: 3.5 * k,
    positiveSpans: spans([0, 2], [1, 1]),
    positiveBuckets: Float64Array.of(k, 2 * k, k),
    negativeSpans: spans([-2, 1]),
    negativeBuckets: Float64Array.of(k),
  });
}

const sampleB = histogram({
  schema: 1,
  zeroThreshold: 2 ** -128,
  zeroCount: 5,
  count: 31,
  sum: 17.5,
  positiveSpans: spans([0, 4]),
  positiveBuckets: Float64Array.of(5, 10, 1, 5),
  negativeSpans: spans([-2, 1]),
  negativeBuckets: Float64Array.of(5),
});

const stale = histogram({ isStale: true, sum: NaN });

function builtA(): HistogramChunkBuilder {
  const builder = HistogramChunkBuilder.open(null, T, seriesA(1));
  expect(builder.append(T + 15000, seriesA(2))).toBe(true);
  expect(builder.append(T + 30000, seriesA(4))).toBe(true);
  return builder;
}

const HEX_A = "000300748ca48c631b7f0000c5e7f2b4005a2801800000000000118de3f07531868eb0718de2c347505c637880";
const HEX_AB =
  "000400748c688c6dfc0003179fcad00168a00600000000000046368c7e0ea630d1d60e31b462c347505c6368c5bbbeb1bbbde76b80";

describe("a histogram chunk", () => {
  test("has the bytes Prometheus gives it", () => {
    expect(hex(builtA().toBytes())).toBe(HEX_A);
  });

  test("with start times has the bytes Prometheus gives it, and gives them back", () => {
    const writer = new HistogramChunkWriter(CounterReset.unknown, true);
    for (const [i, k] of [1, 2, 4].entries()) writer.append(T + 15000 * i, seriesA(k), T - 1000);
    expect(hex(writer.toBytes())).toBe(
      "000380748ca48c631b7f0000c5e7f2b4005a2801800000000000118de3a01ff07531868eb0718de2c347505c637880",
    );
    const columns = decoded(ChunkEncoding.histogramWithStart, writer.toBytes());
    expect([...columns.startTimes!.subarray(0, 3)]).toEqual([T - 1000, T - 1000, T - 1000]);
    expect(columns.histograms![2]).toEqual({ ...seriesA(4), counterResetHint: "not-reset" });
  });

  test("is recoded as a whole when a histogram brings new buckets", () => {
    const builder = builtA();
    expect(builder.append(T + 45000, sampleB)).toBe(true);
    expect(hex(builder.toBytes())).toBe(HEX_AB);
  });

  test("takes a stale histogram last, and only a stale one after it", () => {
    const builder = builtA();
    builder.append(T + 45000, sampleB);
    expect(builder.append(T + 60000, stale)).toBe(true);
    expect(hex(builder.toBytes())).toBe("0005" + HEX_AB.slice(4, -2) + "8c5eff83000000000004");
    const columns = decoded(ChunkEncoding.histogram, builder.toBytes());
    expect(columns.histograms![4]).toMatchObject({ isStale: true, count: 0, positiveSpans: [] });
    expect([columns.valueWords[9], columns.valueWords[8]]).toEqual([STALE_HIGH_WORD, STALE_LOW_WORD]);
    expect(builder.append(T + 75000, sampleB)).toBe(false);
    expect(builder.append(T + 75000, stale)).toBe(true);
    expect(decoded(ChunkEncoding.histogram, builder.toBytes()).histograms![5]).toMatchObject({
      isStale: true,
    });
  });

  test("of custom buckets, and of float gauges, has the bytes Prometheus gives it", () => {
    const custom = histogram({
      schema: -53,
      counterResetHint: "reset",
      count: 6,
      sum: 2.25,
      positiveSpans: spans([0, 3]),
      positiveBuckets: Float64Array.of(1, 2, 3),
      customValues: Float64Array.of(0.005, 2.5, 1e9),
    });
    const bytes = HistogramChunkBuilder.open(null, T, custom).toBytes();
    expect(hex(bytes)).toBe("00018000ee5c664ede9c520e6e6b2800000007f0000c5e7f2b40058800400000000000118c40");
    expect(decoded(2, bytes).histograms![0]!.customValues).toEqual(Float64Array.of(0.005, 2.5, 1e9));

    const gauge = (k: number) =>
      histogram({
        isInteger: false,
        counterResetHint: "gauge",
        zeroThreshold: 0.001,
        zeroCount: k,
        count: 3 * k,
        sum: k / 2,
        positiveSpans: spans([0, 2]),
        positiveBuckets: Float64Array.of(k, k),
      });
    const builder = HistogramChunkBuilder.open(null, T, gauge(1));
    builder.append(T + 15000, gauge(2.5));
    builder.append(T + 30000, gauge(2.5));
    expect(hex(builder.toBytes())).toBe(
      "0003c0ff3f50624dd2f1a9fc4647f0000c5e7f2b40020040000000000001ff80000000000001ff00000000000001ff80000000000001ff80000000000007c1d4c6b12f09bffdd61dc26fff709bffd000",
    );
    expect(decoded(3, builder.toBytes()).histograms!.slice(0, 3)).toEqual([gauge(1), gauge(2.5), gauge(2.5)]);
  });

  test("gives back histograms of one layout, whole or float, with or without start times", () => {
    const layouts = fc.record({
      schema: fc.constantFrom(-4, 0, 3, 8, -53),
      zeroThreshold: fc.constantFrom(0, 2 ** -128, 0.001, 1024, 2 ** -243),
      positiveSpans: fc.array(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 3 })), { maxLength: 3 }),
      negativeSpans: fc.array(fc.tuple(fc.integer({ min: -9, max: 5 }), fc.nat(3)), { maxLength: 3 }),
    });
    const length = (pairs: readonly [number, number][]) => pairs.reduce((sum, pair) => sum + pair[1], 0);
    fc.assert(
      fc.property(
        layouts,
        fc.boolean(),
        fc.boolean(),
        fc.array(
          fc.record({
            step: fc.integer({ min: 1, max: 2 ** 35 }),
            numbers: fc.array(
              fc.oneof(
                fc.nat(10),
                fc.maxSafeInteger().map((n) => Math.abs(n) / 2 ** 12),
              ),
              {
                minLength: 12,
                maxLength: 30,
              },
            ),
            sum: fc.double({ noNaN: true }),
            start: fc.oneof(fc.constant(0), fc.nat(1e9)),
          }),
          { minLength: 1, maxLength: 20 },
        ),
        (layout, isInteger, withStart, list) => {
          const writer = isInteger
            ? new HistogramChunkWriter(CounterReset.notReset, withStart)
            : new FloatHistogramChunkWriter(CounterReset.gauge, withStart);
          const customValues = layout.schema === -53 ? Float64Array.of(-1, 0.0001, 0.25, 33554.431) : NONE;
          let time = T;
          const expected = list.map(({ step, numbers, sum, start }, index) => {
            const at = (i: number) => {
              const number = numbers[i % numbers.length]!;
              return isInteger ? Math.floor(number) : number;
            };
            time += step;
            const sample = histogram({
              isInteger,
              counterResetHint: (isInteger ? (index ? "not-reset" : "unknown") : "gauge") as CounterResetHint,
              schema: layout.schema,
              zeroThreshold: layout.zeroThreshold,
              zeroCount: at(0),
              count: at(1),
              sum,
              positiveSpans: spans(...layout.positiveSpans),
              negativeSpans: spans(...layout.negativeSpans),
              positiveBuckets: Float64Array.from({ length: length(layout.positiveSpans) }, (_, i) =>
                at(i + 2),
              ),
              negativeBuckets: Float64Array.from({ length: length(layout.negativeSpans) }, (_, i) =>
                at(i + 5),
              ),
              customValues,
            });
            writer.append(time, sample, start);
            return { time, sample, start: withStart ? start : 0 };
          });
          const columns = decoded(writer.encoding, writer.toBytes());
          expect(chunkSampleCount(writer.encoding, writer.toBytes())).toBe(list.length);
          expect(columns.count).toBe(list.length);
          for (const [i, { time, sample, start }] of expected.entries()) {
            expect(columns.times[i]).toBe(time);
            expect(columns.histograms![i]).toEqual(sample);
            expect(columns.startTimes?.[i] ?? 0).toBe(start);
          }
        },
      ),
    );
  });
});

describe("a histogram that does not fit the open chunk", () => {
  function flagsAfter(first: FloatHistogram, next: FloatHistogram): number | "fits" {
    const builder = HistogramChunkBuilder.open(null, T, first);
    if (builder.append(T + 1, next)) return "fits";
    const opened = HistogramChunkBuilder.open(builder, T + 1, next);
    return opened.toBytes()[2]! >>> 6;
  }
  const a = seriesA(2);
  const gauge: FloatHistogram = { ...a, counterResetHint: "gauge" };
  const asFloat = (h: FloatHistogram): FloatHistogram => ({ ...h, isInteger: false });
  const { unknown, notReset, reset } = CounterReset;

  test.each<[string, FloatHistogram, FloatHistogram, number | "fits"]>([
    ["is the same", a, a, "fits"],
    ["is a counter after a gauge", gauge, a, notReset],
    ["is a float counter after a gauge", asFloat(gauge), asFloat(a), unknown],
    ["says that it was reset", a, { ...a, counterResetHint: "reset" }, reset],
    ["follows a stale one", stale, a, unknown],
    ["has a smaller count", a, { ...a, count: a.count - 1 }, reset],
    ["has another schema", a, { ...a, schema: 2 }, unknown],
    ["has another zero threshold", a, { ...a, zeroThreshold: 1 }, unknown],
    ["has a smaller zero bucket", a, { ...a, zeroCount: 1 }, reset],
    ["has a smaller bucket", a, { ...a, positiveBuckets: Float64Array.of(2, 3, 2) }, reset],
    ["lost a filled bucket", a, { ...a, negativeSpans: [], negativeBuckets: NONE }, reset],
    [
      "lost an empty bucket",
      { ...a, negativeBuckets: Float64Array.of(0) },
      { ...a, negativeSpans: [], negativeBuckets: NONE },
      "fits",
    ],
    ["is a gauge after a counter", a, gauge, CounterReset.gauge],
    ["is a gauge that fell", gauge, { ...gauge, count: 0, zeroCount: 0 }, "fits"],
    ["is a gauge of another schema", gauge, { ...gauge, schema: 3 }, CounterReset.gauge],
    ["has float counts after whole ones", a, asFloat(a), unknown],
  ])("because it %s opens one with the right flags", (_, first, next, expected) => {
    expect(flagsAfter(first, next)).toBe(expected);
  });

  test("or lacks empty buckets of the chunk is widened to them", () => {
    const wide = { ...a, negativeBuckets: Float64Array.of(0) };
    const builder = HistogramChunkBuilder.open(null, T, wide);
    builder.append(T + 1, { ...a, negativeSpans: [], negativeBuckets: NONE });
    expect(decoded(2, builder.toBytes()).histograms![1]).toMatchObject({
      negativeSpans: spans([-2, 1]),
      negativeBuckets: Float64Array.of(0),
    });
  });
});

describe("encoding a column of samples", () => {
  test("gives chunks of 120 samples, of one kind each, that hold the same samples", () => {
    const columns = new PlainColumns();
    const push = (bytes: Uint8Array, encoding: number) =>
      decodeChunk(encoding, bytes, -Infinity, Infinity, columns);
    push(xor(Array.from({ length: 250 }, (_, i) => float(i, i))), 1);
    const builder = HistogramChunkBuilder.open(null, 1000, seriesA(1));
    builder.append(1001, seriesA(2));
    push(builder.toBytes(), 2);
    push(xor([float(2000, "stale")]), 1);
    const chunks = encodeChunks(columns);
    expect(chunks.map(({ encoding, bytes }) => [encoding, chunkSampleCount(encoding, bytes)])).toEqual([
      [1, 120],
      [1, 120],
      [1, 10],
      [2, 2],
      [1, 1],
    ]);
    expect(chunks.map(({ minTime, maxTime }) => [minTime, maxTime])).toEqual([
      [0, 119],
      [120, 239],
      [240, 249],
      [1000, 1001],
      [2000, 2000],
    ]);
    const again = new PlainColumns();
    for (const { encoding, bytes } of chunks) decodeChunk(encoding, bytes, -Infinity, Infinity, again);
    expect(floats(again)).toEqual(floats(columns));
    expect(again.histograms![251]).toEqual(columns.histograms![251]);
  });

  test("takes the encoding with start times where there are any, or where it is asked for", () => {
    const columns = new PlainColumns();
    decodeChunk(4, xor2([float(1, 1, 0), float(2, 1, 1)]), -Infinity, Infinity, columns);
    expect(encodeChunks(columns)[0]!.encoding).toBe(4);
    const plain = new PlainColumns();
    decodeChunk(1, xor([float(1, 1)]), -Infinity, Infinity, plain);
    expect(encodeChunks(plain, "xor2")[0]!.encoding).toBe(4);
  });
});

test("bytes of any kind never make a decoder hang, crash or hold more than they could", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 2, 3, 4, 5, 6),
      fc.uint8Array({ minLength: 3, maxLength: 200 }),
      (encoding, bytes) => {
        // Few samples: the count is not what is tried here.
        bytes[0] = encoding >= 5 ? bytes[0]! & 0xc0 : 0;
        try {
          decoded(encoding, bytes);
        } catch (error) {
          expect((error as Error).name).toBe("CorruptionError");
        }
      },
    ),
    { numRuns: 500 },
  );
  expect(() => decoded(1, unhex("ffff"))).toThrow("bits of chunk");
});
