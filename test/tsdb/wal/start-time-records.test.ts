import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FloatHistogram } from "../../../src/model/histogram.ts";
import { ByteWriter } from "../../../src/tsdb/varint.ts";
import { RecordDecoder } from "../../../src/tsdb/wal/record.ts";
import {
  encodeHistogramsWithStartRecords,
  encodeSamplesWithStartRecord,
} from "../../../src/tsdb/wal/start-time-records.ts";
import { bitsOf, RecordingSink } from "./recording-sink.ts";

function decoded(...records: Uint8Array[]): RecordingSink {
  const sink = new RecordingSink();
  const decoder = new RecordDecoder();
  for (const record of records) decoder.decode(record, sink);
  return sink;
}

const hex = (writer: ByteWriter) => Buffer.from(writer.written()).toString("hex");
const ONE = "3ff0000000000000";

const anyEntry = fc.record({
  ref: fc.nat(2 ** 40),
  timeMs: fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
  startMs: fc.oneof(fc.constantFrom(0, 500, 1_700_000_000_000), fc.integer({ min: 0, max: 2 ** 50 })),
  value: fc.double({ noNaN: true }),
});

describe("a record of samples with start times", () => {
  test("tells references from the one before, times from the first, and a start time only where it is another", () => {
    const writer = new ByteWriter();
    const words = new Uint32Array(Float64Array.of(1, 1, 1, 1, 1).buffer);
    const starts = Float64Array.of(3, 3, 0, 5, 5);
    encodeSamplesWithStartRecord(writer, Float64Array.of(10, 12, 11, 11, 14), 20, starts, words, 5);
    expect(hex(writer)).toBe(
      `0b 14 28 06 ${ONE} 04 00 01 ${ONE} 01 00 00 ${ONE} 00 00 02 04 ${ONE} 06 00 01 ${ONE}`.replaceAll(
        " ",
        "",
      ),
    );
  });

  test("gives back every reference, time, start time and value", () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 30 }), (entries) => {
        const writer = new ByteWriter(8);
        encodeSamplesWithStartRecord(
          writer,
          Float64Array.from(entries, ({ ref }) => ref),
          Float64Array.from(entries, ({ timeMs }) => timeMs),
          Float64Array.from(entries, ({ startMs }) => startMs),
          new Uint32Array(Float64Array.from(entries, ({ value }) => value).buffer),
          entries.length,
        );
        expect(decoded(writer.written()).samples).toEqual(
          entries.map(({ ref, timeMs, startMs, value }) => ({ ref, timeMs, startMs, bits: bitsOf(value) })),
        );
      }),
    );
  });

  test("has zeros where no start time is known", () => {
    const writer = new ByteWriter();
    encodeSamplesWithStartRecord(writer, Uint32Array.of(7, 8), 20, null, new Uint32Array(4), 2);
    expect(decoded(writer.written()).samples.map(({ startMs }) => startMs)).toEqual([0, 0]);
    encodeSamplesWithStartRecord(writer, Uint32Array.of(), 20, null, new Uint32Array(0), 0);
    expect(writer.length).toBe(0);
  });
});

describe("records of histograms with start times", () => {
  const histogram = (isInteger: boolean, isCustom: boolean, count: number): FloatHistogram => ({
    isInteger,
    counterResetHint: "unknown",
    schema: isCustom ? -53 : 1,
    zeroThreshold: isCustom ? 0 : 0.25,
    zeroCount: 0,
    count: 3 * count,
    sum: count / 7,
    isStale: false,
    positiveSpans: [{ offset: 0, length: 2 }],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(count, 2 * count),
    negativeBuckets: new Float64Array(0),
    customValues: isCustom ? Float64Array.of(0.5, 1) : new Float64Array(0),
  });

  test("are one for integer and one for float histograms, whatever their buckets, and give all back", () => {
    const kind = fc.tuple(fc.boolean(), fc.boolean(), fc.nat(1000));
    fc.assert(
      fc.property(fc.array(fc.tuple(anyEntry, kind), { maxLength: 12 }), (list) => {
        const entries = list.map(([{ ref, timeMs, startMs }, [isInteger, isCustom, count]]) => ({
          ref,
          timeMs,
          startMs,
          histogram: histogram(isInteger, isCustom, count),
        }));
        const records: Uint8Array[] = [];
        encodeHistogramsWithStartRecords(new ByteWriter(), entries, (record) => records.push(record.slice()));
        const kinds = [...new Set(entries.map((entry) => (entry.histogram.isInteger ? 12 : 13)))].sort();
        expect(records.map((record) => record[0])).toEqual(kinds);
        const inOrder = [true, false].flatMap((isInteger) =>
          entries.filter((entry) => entry.histogram.isInteger === isInteger),
        );
        expect(decoded(...records).histograms).toEqual(inOrder);
      }),
    );
  });
});
