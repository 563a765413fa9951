import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FloatHistogram } from "../../../src/model/histogram.ts";
import { Labels } from "../../../src/model/labels.ts";
import { ExemplarStorage } from "../../../src/tsdb/head/exemplars.ts";
import { Head } from "../../../src/tsdb/head/head.ts";
import { HeadReplay } from "../../../src/tsdb/head/head-replay.ts";
import { sealedSeries } from "../../../src/tsdb/head/sealed-series.ts";
import { ByteWriter } from "../../../src/tsdb/varint.ts";
import {
  beginSeriesRecord,
  encodeHistogramRecords,
  encodeSeriesEntry,
  encodeTimedSamplesRecord,
  encodeTombstonesRecord,
} from "../../../src/tsdb/wal/record.ts";
import { replayLog, type ReplaySink } from "../../../src/tsdb/wal/replay.ts";
import { WalWriter } from "../../../src/tsdb/wal/segment.ts";
import { anyBits } from "../../support/xor-samples.ts";

const RANGE = 7_200_000;
const START = 238_000 * RANGE;

let directory: string;
let wal: WalWriter;
const record = new ByteWriter();
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "narthex-replay-"));
  wal = new WalWriter(join(directory, "wal"));
});
afterEach(() => {
  wal.close();
  rmSync(directory, { recursive: true });
});

function logSeries(refs: readonly number[], nameOf: (ref: number) => string = (ref) => `m${ref}`): void {
  beginSeriesRecord(record);
  for (const ref of refs) encodeSeriesEntry(record, ref, Labels.fromRecord({ __name__: nameOf(ref) }));
  wal.append(record.written());
}

const someHistogram: FloatHistogram = {
  isInteger: true,
  counterResetHint: "unknown",
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: 1,
  count: 3,
  sum: 4,
  isStale: false,
  positiveSpans: [{ offset: 0, length: 2 }],
  negativeSpans: [],
  positiveBuckets: Float64Array.of(1, 1),
  negativeBuckets: new Float64Array(0),
  customValues: new Float64Array(0),
};

const STALE_BITS = 0x7ff0000000000002n;

interface LoggedSample {
  readonly ref: number;
  readonly timeMs: number;
  readonly bits: bigint;
}

function logSamples(samples: readonly LoggedSample[]): void {
  encodeTimedSamplesRecord(
    record,
    Float64Array.from(samples, ({ ref }) => ref),
    Float64Array.from(samples, ({ timeMs }) => timeMs),
    Uint32Array.from(samples.flatMap(({ bits }) => [Number(bits % 2n ** 32n), Number(bits / 2n ** 32n)])),
    samples.length,
  );
  if (record.length > 0) wal.append(record.written());
}

/** What a replay gave: the chunks of each generation's series, by labels, and what was counted. */
function replayed(
  withSlots: boolean,
  options: { readonly minValidTime?: number; readonly bytes?: number } = {},
) {
  const generationBytes = options.bytes ?? 8 * 1024 * 1024;
  const head = new Head({ blockRangeMs: RANGE, generationBytes, onOpen: () => undefined });
  head.minValidTime = options.minValidTime ?? -Infinity;
  const replay = new HeadReplay(head, new ExemplarStorage(0), generationBytes);
  const plain: ReplaySink = {
    onSeries: (ref, labels) => replay.onSeries(ref, labels),
    onSamples: (...columns) => replay.onSamples(...columns),
    onHistogram: (...entry) => replay.onHistogram(...entry),
    onTombstone: (...entry) => replay.onTombstone(...entry),
    onExemplar: (...entry) => replay.onExemplar(...entry),
    onMetadata: (...entry) => replay.onMetadata(...entry),
    onMmapMarker: () => undefined,
  };
  wal.flush();
  const { records, fault } = replayLog(join(directory, "wal"), withSlots ? replay : plain);
  replay.beginLate();
  replay.finish();
  const chunksOf = (i: number) =>
    [...sealedSeries(head.generations[i]!.generation)]
      .map(({ labels, chunks }) => [
        labels.key,
        chunks.map(({ minTime, maxTime, bytes }) => [minTime, maxTime, Buffer.from(bytes).toString("hex")]),
      ])
      .sort();
  return {
    records,
    fault: fault?.message ?? null,
    generations: head.generations.map(({ generation }, i) => [generation.startTime, chunksOf(i)]),
    unknown: replay.unknownRefs,
    floats: head.statistics.floatsAppended,
    histograms: head.statistics.histogramsAppended,
    maxTime: head.maxTime,
    series: head.seriesCount,
    stale: head.staleSeriesCount,
  };
}

const anySample = fc.record({
  ref: fc.oneof({ weight: 9, arbitrary: fc.nat(11) }, { weight: 1, arbitrary: fc.constant(99) }),
  stepMs: fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: 0, max: 40_000 }) },
    { weight: 1, arbitrary: fc.constantFrom(-15_000, -RANGE, RANGE / 2) },
  ),
  bits: anyBits,
});
const anyEvent = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ samples: fc.array(anySample, { minLength: 1, maxLength: 60, size: "max" }) }),
  },
  { weight: 1, arbitrary: fc.record({ histogram: fc.nat(11), isStale: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ deleted: fc.nat(11), rangeMs: fc.nat(RANGE) }) },
);

describe("a replay that gathers samples by series", () => {
  test("fills the head as one that adds them one by one", () => {
    fc.assert(
      fc.property(
        fc.array(anyEvent, { minLength: 1, maxLength: 60, size: "max" }),
        fc.constantFrom(-Infinity, START + RANGE / 4, START + RANGE),
        (events, minValidTime) => {
          rmSync(join(directory, "wal"), { recursive: true });
          wal.close();
          wal = new WalWriter(join(directory, "wal"));
          // The last two are of one series, as a log may have it, and one of them is beyond 32 bits.
          const refOf = (i: number) => (i < 11 ? 4090 + i : i === 11 ? 2 ** 40 : 77);
          logSeries(
            Array.from({ length: 12 }, (_, i) => refOf(i)),
            (ref) => `m${ref === refOf(11) ? refOf(10) : ref}`,
          );
          let timeMs = START;
          for (const event of events) {
            if ("samples" in event) {
              logSamples(
                event.samples.map(({ ref, stepMs, bits }) => {
                  timeMs = Math.max(START, timeMs + stepMs);
                  return { ref: refOf(ref), timeMs, bits };
                }),
              );
            } else if ("histogram" in event) {
              const histogram = { ...someHistogram, isStale: event.isStale };
              encodeHistogramRecords(record, [{ ref: refOf(event.histogram), timeMs, histogram }], (bytes) =>
                wal.append(bytes),
              );
            } else {
              const deleted = { ref: refOf(event.deleted), minTime: timeMs - event.rangeMs, maxTime: timeMs };
              encodeTombstonesRecord(record, [deleted]);
              wal.append(record.written());
            }
          }
          expect(replayed(true, { minValidTime })).toEqual(replayed(false, { minValidTime }));
        },
      ),
      { numRuns: 40 },
    );
  });

  test("goes on where a generation is full, with series that have no room in it", () => {
    const count = 3000;
    const refs = Array.from({ length: count }, (_, i) => i + 1);
    logSeries(refs);
    for (let scrape = 0; scrape < 25; scrape++) {
      // Some series come late, when their generation is full already.
      const present = refs.filter((ref) => ref % 3 > 0 || scrape > 15);
      for (let from = 0; from < present.length; from += 200) {
        logSamples(
          present.slice(from, from + 200).map((ref) => ({
            ref,
            timeMs: START + 15_000 * scrape + (ref % 7),
            bits:
              (ref + scrape) % 11 === 0
                ? STALE_BITS
                : (BigInt(ref) * 0x9e3779b97f4a7c15n * BigInt(scrape + 1)) % 2n ** 63n,
          })),
        );
      }
    }
    const [gathered, plain] = [true, false].map((withSlots) => replayed(withSlots, { bytes: 1024 * 1024 }));
    expect(gathered!.generations.length).toBeGreaterThan(1);
    expect(gathered!.floats).toBe(plain!.floats);
    expect(gathered!.series).toBe(count);
  });

  test("takes nothing of a record that is cut, and says so", () => {
    logSeries([1]);
    logSamples([{ ref: 1, timeMs: START, bits: 1n }]);
    encodeTimedSamplesRecord(
      record,
      Float64Array.of(1, 1),
      Float64Array.of(START + 1, START + 2),
      new Uint32Array(4),
      2,
    );
    wal.append(record.written().subarray(0, record.length - 3));
    const { fault, floats } = replayed(true);
    expect(fault).not.toBeNull();
    expect(floats).toBe(1);
  });
});
