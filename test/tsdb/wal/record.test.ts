import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FloatHistogram } from "../../../src/model/histogram.ts";
import { Labels } from "../../../src/model/labels.ts";
import { ByteWriter, MAX_INT64, MIN_INT64 } from "../../../src/tsdb/varint.ts";
import {
  beginSeriesRecord,
  encodeExemplarsRecord,
  encodeHistogramRecords,
  encodeMetadataRecord,
  encodeMmapMarkersRecord,
  encodeSamplesRecord,
  encodeSeriesEntry,
  encodeTimedSamplesRecord,
  encodeTombstonesRecord,
  RecordDecoder,
} from "../../../src/tsdb/wal/record.ts";
import { bitsOf, RecordingSink } from "./recording-sink.ts";

function decoded(...records: Uint8Array[]): RecordingSink {
  const sink = new RecordingSink();
  const decoder = new RecordDecoder();
  for (const record of records) decoder.decode(record, sink);
  return sink;
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

describe("a samples record", () => {
  test("has the layout of its format: base reference, base time, then deltas and bits", () => {
    const writer = new ByteWriter();
    const values = Float64Array.of(1, 2);
    encodeSamplesRecord(writer, 0, Uint32Array.of(300, 299), 1000, new Uint32Array(values.buffer), 2);
    expect(Buffer.from(writer.written()).toString("hex")).toBe(
      "02" +
        "000000000000012c" +
        "00000000000003e8" +
        "0000" +
        "3ff0000000000000" +
        "0100" +
        "4000000000000000",
    );
  });

  test("gives back every reference and every bit, staleness markers included", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(0xffffffff)), { maxLength: 50 }),
        fc.maxSafeInteger(),
        fc.constantFrom(0, 2 ** 33, 12345),
        (entries, timeMs, refBase) => {
          const refs = Uint32Array.from(entries, ([ref]) => ref);
          const words = Uint32Array.from(entries.flatMap(([, low, high]) => [low, high]));
          const writer = new ByteWriter(8);
          encodeSamplesRecord(writer, refBase, refs, timeMs, words, entries.length);
          const expected = entries
            .filter(([ref]) => ref !== 0)
            .map(([ref, low, high]) => ({
              ref: refBase + ref,
              timeMs,
              bits: high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0"),
            }));
          expect(decoded(writer.written()).samples).toEqual(expected);
        },
      ),
    );
  });

  test("leaves out series that were not found and samples that were not appended", () => {
    const writer = new ByteWriter();
    const words = new Uint32Array(Float64Array.of(1, 2, 3, 4).buffer);
    const outcomes = Uint8Array.of(3, 0, 0, 0);
    encodeSamplesRecord(writer, 0, Uint32Array.of(1, 0, 3, 4), 5, words, 4, outcomes);
    expect(decoded(writer.written()).samples.map(({ ref }) => ref)).toEqual([3, 4]);
    encodeSamplesRecord(writer, 0, Uint32Array.of(1), 5, words, 1, outcomes);
    expect(writer.length).toBe(0);
  });

  test("may carry a time a sample", () => {
    const writer = new ByteWriter();
    const words = Uint32Array.of(2, 0x7ff00000, 0, 0x3ff00000);
    encodeTimedSamplesRecord(writer, Float64Array.of(16, 9), Float64Array.of(50, -20), words, 2);
    expect(decoded(writer.written()).samples).toEqual([
      { ref: 16, timeMs: 50, bits: "7ff0000000000002" },
      { ref: 9, timeMs: -20, bits: bitsOf(1) },
    ]);
  });

  test("of the kind with start timestamps is read too", () => {
    const record = bytes(
      "0b" + // type 11
        "0a c801 8c01" + // reference 5, time 100, start 70
        "3ff0000000000000" +
        "02 02 01" + // next reference, a millisecond later, same start
        "4000000000000000" +
        "01 00 02 04" + // reference before, first time, start first + 2
        "4008000000000000" +
        "02 00 00" + // no start
        "0000000000000000",
    );
    expect(decoded(record).samples).toEqual([
      { ref: 5, timeMs: 100, startMs: 70, bits: bitsOf(1) },
      { ref: 6, timeMs: 101, startMs: 70, bits: bitsOf(2) },
      { ref: 5, timeMs: 100, startMs: 72, bits: bitsOf(3) },
      { ref: 6, timeMs: 100, startMs: 0, bits: bitsOf(0) },
    ]);
  });
});

describe("a histogram record", () => {
  const floats = fc.double({ noNaN: true });
  const buckets = fc.array(fc.nat(1000), { minLength: 3, maxLength: 3 });
  const histogram = (isInteger: boolean, isCustom: boolean) =>
    fc
      .record({
        hint: fc.constantFrom("unknown", "reset", "not-reset", "gauge"),
        schema: isCustom ? fc.constant(-53) : fc.integer({ min: -4, max: 8 }),
        sum: floats,
        counts: fc.tuple(fc.nat(), fc.nat()),
        positive: buckets,
        negative: buckets,
        offset: fc.integer({ min: -100, max: 100 }),
      })
      .map(({ hint, schema, sum, counts, positive, negative, offset }): FloatHistogram => ({
        isInteger,
        counterResetHint: hint as FloatHistogram["counterResetHint"],
        schema,
        zeroThreshold: 0.001,
        zeroCount: counts[0],
        count: counts[1],
        sum,
        isStale: false,
        positiveSpans: [
          { offset, length: 1 },
          { offset: 3, length: 2 },
        ],
        negativeSpans: [{ offset: 0, length: 3 }],
        positiveBuckets: Float64Array.from(positive),
        negativeBuckets: Float64Array.from(negative),
        customValues: isCustom ? Float64Array.of(0.5, 1, 2) : new Float64Array(0),
      }));

  test("leaves out a histogram whose spans reach beyond its buckets, whatever they claim", () => {
    const claim = (spanLength: string) =>
      bytes(
        "07" +
          "0000000000000001" +
          "0000000000000000" +
          "0000" +
          `00 14 ${"00".repeat(8)} 00 00 ${"00".repeat(8)} 01 00 ${spanLength} 00 01 02 00`,
      );
    expect(decoded(claim("01")).histograms).toHaveLength(1);
    expect(decoded(claim("ffffffffffffff7f")).histograms).toEqual([]);
  });

  test("gives back integer and float histograms of exponential and custom buckets", () => {
    const any = fc.oneof(
      histogram(true, false),
      histogram(true, true),
      histogram(false, false),
      histogram(false, true),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(100), fc.maxSafeInteger(), any), { maxLength: 10 }), (list) => {
        const entries = list.map(([ref, timeMs, histogram]) => ({
          ref,
          timeMs: timeMs % 2 ** 50,
          histogram,
        }));
        const records: Uint8Array[] = [];
        encodeHistogramRecords(new ByteWriter(), entries, (record) => records.push(record.slice()));
        const order = (h: FloatHistogram) => (h.isInteger ? 0 : 2) + (h.schema === -53 ? 1 : 0);
        const expected = [0, 1, 2, 3].flatMap((kind) => entries.filter((e) => order(e.histogram) === kind));
        expect(decoded(...records).histograms).toEqual(expected.map((entry) => ({ ...entry, startMs: 0 })));
      }),
    );
  });

  test("keeps a stale histogram stale, and reads a finer schema than 8 at resolution 8", () => {
    const base = {
      isInteger: false,
      counterResetHint: "unknown",
      zeroThreshold: 0,
      zeroCount: 0,
      count: 6,
      negativeSpans: [],
      negativeBuckets: new Float64Array(0),
      customValues: new Float64Array(0),
    } as const;
    const stale = {
      ...base,
      schema: 0,
      sum: NaN,
      isStale: true,
      positiveSpans: [],
      positiveBuckets: new Float64Array(0),
    };
    const fine = {
      ...base,
      schema: 9,
      sum: 1,
      isStale: false,
      positiveSpans: [
        { offset: 1, length: 3 },
        { offset: 2, length: 1 },
      ],
      positiveBuckets: Float64Array.of(1, 2, 4, 8),
    };
    const records: Uint8Array[] = [];
    encodeHistogramRecords(
      new ByteWriter(),
      [stale, fine].map((histogram, ref) => ({ ref, timeMs: 1, histogram })),
      (record) => records.push(record.slice()),
    );
    const [first, second] = decoded(...records).histograms;
    expect(first?.histogram.isStale).toBe(true);
    // Buckets 1, 2, 3 and 6 of schema 9 are 1, 1, 2 and 3 of schema 8.
    expect(second?.histogram).toMatchObject({
      schema: 8,
      positiveSpans: [{ offset: 1, length: 3 }],
      positiveBuckets: Float64Array.of(3, 4, 8),
    });
  });
});

describe("other records", () => {
  test("series come back with their labels, whatever the order they were written in", () => {
    const writer = new ByteWriter();
    beginSeriesRecord(writer);
    encodeSeriesEntry(writer, 2 ** 40, Labels.fromRecord({ __name__: "up", städt: "Köln 🎈" }));
    encodeSeriesEntry(writer, 2, Labels.empty);
    const sink = decoded(writer.written(), bytes("01 0000000000000003 02 01 62 01 79 01 61 01 78"));
    expect([...sink.series]).toEqual([
      [2 ** 40, { __name__: "up", städt: "Köln 🎈" }],
      [2, {}],
      [3, { a: "x", b: "y" }],
    ]);
  });

  test("tombstones, exemplars, metadata and markers come back as they were", () => {
    const writer = new ByteWriter();
    const records: Uint8Array[] = [];
    const keep = () => records.push(writer.written().slice());
    encodeTombstonesRecord(writer, [
      { ref: 1, minTime: -5, maxTime: 10 },
      { ref: 2, minTime: MIN_INT64, maxTime: MAX_INT64 },
    ]);
    keep();
    const exemplar = {
      labels: Labels.fromRecord({ trace_id: "abc" }),
      value: 1.5,
      timeMs: 99,
      hasTimestamp: true,
    };
    encodeExemplarsRecord(writer, [
      { ref: 9, exemplar },
      { ref: 4, exemplar: { ...exemplar, timeMs: 12 } },
    ]);
    keep();
    encodeMetadataRecord(writer, [
      { ref: 3, metadata: { type: "stateset", unit: "seconds", help: "What it is." } },
    ]);
    keep();
    encodeMmapMarkersRecord(writer, [{ ref: 5, file: 2, offset: 0xfffffff0 }]);
    keep();
    const sink = decoded(...records);
    expect(sink.tombstones).toEqual([
      [1, -5, 10],
      [2, MIN_INT64, MAX_INT64],
    ]);
    expect(sink.exemplars).toEqual([
      { ref: 9, exemplar },
      { ref: 4, exemplar: { ...exemplar, timeMs: 12 } },
    ]);
    expect(sink.metadata.get(3)).toEqual({ type: "stateset", unit: "seconds", help: "What it is." });
    expect(sink.markers).toEqual([[5, 2, 0xfffffff0]]);
  });

  test("of unknown types, and empty ones, are skipped", () => {
    const sink = decoded(new Uint8Array(0), bytes("c8 01 02 03"));
    expect(sink.samples).toEqual([]);
    expect(sink.series.size).toBe(0);
  });

  test("that end early are an error, and no claimed count makes room for more than there is", () => {
    const writer = new ByteWriter();
    const words = new Uint32Array(Float64Array.of(1, 2).buffer);
    encodeSamplesRecord(writer, 0, Uint32Array.of(1, 2), 5, words, 2);
    const record = writer.written().slice();
    for (let length = 2; length < record.length; length++) {
      // Cut between two samples, or before the first, it is a shorter record of its own.
      if (length === 17 || length === 27) continue;
      expect(() => decoded(record.subarray(0, length))).toThrow("cannot read");
    }
    expect(() => decoded(bytes("01 0000000000000001 ffffffff7f 00"))).toThrow(
      "cannot read 34359738367 labels",
    );
  });
});
