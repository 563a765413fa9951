import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QueryMemory } from "../../../src/kernels/index.ts";
import type { FloatHistogram } from "../../../src/model/histogram.ts";
import { Labels } from "../../../src/model/labels.ts";
import { Matcher } from "../../../src/model/matcher.ts";
import { readExemplars } from "../../../src/tsdb/head/exemplars.ts";
import { Tsdb, type TsdbOptions } from "../../../src/tsdb/tsdb.ts";
import { TsdbReader } from "../../../src/tsdb/tsdb-reader.ts";
import { ByteWriter } from "../../../src/tsdb/varint.ts";
import { encodeMmapMarkersRecord } from "../../../src/tsdb/wal/record.ts";
import { replayLog } from "../../../src/tsdb/wal/replay.ts";
import { WalWriter } from "../../../src/tsdb/wal/segment.ts";
import { RecordingSink } from "../wal/recording-sink.ts";
import { bitsAt } from "../../support/head-model.ts";
import { anyBits, bitsOf } from "../../support/xor-samples.ts";

const RANGE = 60_000;
const START = 28_000_000 * RANGE;
const memory = new QueryMemory(256 * 1024 * 1024);
let directory: string;

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "narthex-snapshot-"));
});
afterEach(() => {
  fs.rmSync(directory, { recursive: true });
});

/** A database that writes snapshots, and what can be seen of it. */
class Rig {
  readonly tsdb: Tsdb;
  readonly reader: TsdbReader;

  constructor(options: Partial<TsdbOptions> = {}) {
    const announced: WebAssembly.Memory[] = [];
    let reader: TsdbReader | null = null;
    this.tsdb = Tsdb.open({
      directory,
      blockRangeMs: RANGE,
      generationBytes: 16 * 1024 * 1024,
      snapshotsHead: true,
      logsMetadata: true,
      maxExemplars: 50,
      outOfOrderWindowMs: 10 * RANGE,
      walCompression: "none",
      onGeneration: ({ memory: shared }) => (reader ? reader.attach(shared) : announced.push(shared)),
      ...options,
    });
    this.reader = reader = new TsdbReader(this.tsdb.head.control.buffer, memory);
    for (const shared of announced) reader.attach(shared);
  }

  float(labels: Labels, timeMs: number, bits: bigint, startMs = 0): void {
    const [high, low] = [Number(bits >> 32n), Number(bits & 0xffffffffn)];
    this.tsdb.appender.appendFloat(labels, timeMs, high, low, startMs);
  }

  /** Every sample to the bit, exemplars and metadata. */
  state() {
    memory.release(65536);
    const querier = this.reader.querier(-Infinity, Infinity);
    const set = querier.select([], -Infinity, Infinity);
    const columns = memory.columns(8);
    const series = Array.from({ length: set.count }, (_, i) => {
      set.read(i, -Infinity, Infinity, columns);
      const samples = Array.from({ length: columns.count }, (_, j) => [
        columns.times[j]!,
        columns.histograms?.[j] ?? bitsAt(columns.valueWords, j),
        columns.startTimes?.[j] ?? 0,
      ]);
      return [set.labels(i).key, samples] as const;
    }).filter(([, samples]) => samples.length > 0);
    querier.close();
    const { exemplars, head } = this.tsdb;
    return {
      series,
      exemplars: exemplars.buffer ? readExemplars(exemplars.buffer, [[]], -Infinity, Infinity) : [],
      metadata: [...head.metadata.entries()].sort((a, b) => a.ref - b.ref),
    };
  }
}

const labelsOf = (series: number) =>
  Labels.fromRecord({ __name__: "m", series: String(series), text: 'ü "x" \\ \u{10000}' });

function histogramOf(counts: readonly number[], offset: number, isInteger: boolean): FloatHistogram {
  const count = counts.reduce((sum, bucket) => sum + bucket, 0);
  return {
    isInteger,
    counterResetHint: "unknown",
    schema: 3,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count,
    sum: count * 1.5,
    isStale: false,
    positiveSpans: [{ offset, length: counts.length }],
    negativeSpans: [],
    positiveBuckets: Float64Array.from(counts),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  };
}

const snapshots = () => fs.readdirSync(directory).filter((name) => name.startsWith("chunk_snapshot."));
const headChunks = () => fs.existsSync(join(directory, "chunks_head"));

type Deed =
  | { kind: "float"; series: number; bits: bigint; startMs: number }
  | { kind: "histogram"; series: number; counts: number[]; offset: number; isInteger: boolean }
  | { kind: "late"; series: number; byMs: number; bits: bigint }
  | { kind: "exemplar"; series: number }
  | { kind: "metadata"; series: number; help: string }
  | { kind: "delete"; series: number; fromMs: number; durationMs: number }
  | { kind: "pass"; byMs: number }
  | { kind: "restart" };

const anySeries = fc.nat(5);
const anyDeed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("float" as const),
      series: anySeries,
      bits: anyBits,
      startMs: fc.constantFrom(0, 0, START),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("histogram" as const),
      series: anySeries,
      counts: fc.array(fc.nat(1000), { minLength: 1, maxLength: 5 }),
      offset: fc.integer({ min: -10, max: 10 }),
      isInteger: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("late" as const),
      series: anySeries,
      byMs: fc.nat(5 * RANGE),
      bits: anyBits,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("exemplar" as const), series: anySeries }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("metadata" as const), series: anySeries, help: fc.string() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("delete" as const),
      series: anySeries,
      fromMs: fc.nat(5 * RANGE),
      durationMs: fc.nat(RANGE),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), byMs: fc.nat(RANGE / 2) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
);

describe("a head that is closed with a snapshot", () => {
  test.each(["none", "floats", "all"] as const)(
    "is the same when it is opened, without a look at the log, start times kept: %s",
    (startTimes) => {
      const options = { startTimes };
      fc.assert(
        fc.property(fc.array(anyDeed, { minLength: 1, maxLength: 400, size: "max" }), (deeds) => {
          fs.rmSync(directory, { recursive: true });
          let rig = new Rig(options);
          const restart = () => {
            const before = rig.state();
            rig.tsdb.close();
            rig = new Rig(options);
            expect(rig.tsdb.replay).toMatchObject({ fault: null, snapshotFault: null });
            expect(rig.tsdb.replay.snapshot).not.toBeNull();
            expect(rig.state()).toEqual(before);
            expect([snapshots(), headChunks()]).toEqual([[], false]);
          };
          let timeMs = START;
          for (const [i, deed] of deeds.entries()) {
            if (deed.kind === "restart") {
              restart();
              continue;
            }
            if (deed.kind === "pass") {
              timeMs += deed.byMs;
              continue;
            }
            const { appender } = rig.tsdb;
            const labels = labelsOf(deed.series);
            appender.begin();
            if (deed.kind === "float") rig.float(labels, ++timeMs, deed.bits, deed.startMs);
            else if (deed.kind === "histogram") {
              appender.appendHistogram(
                labels,
                ++timeMs,
                histogramOf(deed.counts, deed.offset, deed.isInteger),
              );
            } else if (deed.kind === "late") rig.float(labels, timeMs - deed.byMs, deed.bits);
            else if (deed.kind === "exemplar") {
              const own = Labels.fromRecord({ trace_id: String(i) });
              rig.float(labels, ++timeMs, bitsOf(i));
              appender.appendExemplar(labels, {
                labels: own,
                value: i,
                timeMs: ++timeMs,
                hasTimestamp: true,
              });
            } else if (deed.kind === "metadata") {
              appender.updateMetadata(labels, { type: "gauge", unit: "", help: deed.help });
            } else {
              const from = timeMs - deed.fromMs;
              const matchers = [new Matcher("=", "series", String(deed.series))];
              rig.tsdb.deleteSeries(matchers, from, from + deed.durationMs);
            }
            appender.commit();
          }
          restart();
          rig.tsdb.close();
        }),
        { numRuns: 8 },
      );
    },
    120_000,
  );

  /** Some hundred samples of ten series, in two generations. */
  function fill(rig: Rig, from: number, to: number): void {
    for (let step = from; step < to; step++) {
      rig.tsdb.appender.begin();
      for (let series = 0; series < 10; series++) {
        rig.float(labelsOf(series), START + 200 * step, bitsOf(step * series));
      }
      rig.tsdb.appender.commit();
    }
  }

  test("goes on with what the log has behind it", () => {
    const rig = new Rig();
    fill(rig, 0, 400);
    rig.tsdb.close();
    const [name] = snapshots();
    const kept = fs.mkdtempSync(join(tmpdir(), "narthex-kept-"));
    fs.cpSync(join(directory, name!), join(kept, name!), { recursive: true });
    fs.cpSync(join(directory, "chunks_head"), join(kept, "chunks_head"), { recursive: true });

    // As Prometheus leaves it when it is killed: the old snapshot, and a log that went on.
    const second = new Rig({ snapshotsHead: false });
    expect(second.tsdb.replay.snapshot).toBeNull();
    fill(second, 400, 700);
    const before = second.state();
    second.tsdb.close();
    fs.cpSync(kept, directory, { recursive: true });
    fs.rmSync(kept, { recursive: true });
    const third = new Rig();
    expect(third.tsdb.replay.snapshot!.samples).toBe(4000);
    expect(third.tsdb.replay.records).toBe(300);
    expect(third.state()).toEqual(before);
    third.tsdb.close();
  });

  test("is read from the log where a snapshot or its chunks are damaged, and that is told", () => {
    const rig = new Rig();
    fill(rig, 0, 600);
    const before = rig.state();
    rig.tsdb.close();
    const kept = fs.mkdtempSync(join(tmpdir(), "narthex-kept-"));
    fs.cpSync(directory, kept, { recursive: true });
    const [name] = snapshots();
    const damages: Record<string, (path: string) => void> = {
      "a bit of the snapshot": () => flip(join(directory, name!, "00000000"), 1000),
      "the end of the snapshot": () => fs.truncateSync(join(directory, name!, "00000000"), 1500),
      "a bit of the chunks": () => flip(join(directory, "chunks_head", "000001"), 3000),
      "the end of the chunks": () => fs.truncateSync(join(directory, "chunks_head", "000001"), 4000),
      "all chunks": () => fs.rmSync(join(directory, "chunks_head"), { recursive: true }),
      "a place that is none": () =>
        fs.renameSync(join(directory, name!), join(directory, "chunk_snapshot.000000.0000000777")),
      "a place behind the end": () =>
        fs.renameSync(join(directory, name!), join(directory, "chunk_snapshot.000000.3276800000")),
    };
    for (const [what, damage] of Object.entries(damages)) {
      fs.rmSync(directory, { recursive: true });
      fs.cpSync(kept, directory, { recursive: true });
      damage(directory);
      const again = new Rig();
      expect(again.tsdb.replay.snapshot, what).toBeNull();
      expect(again.tsdb.replay.snapshotFault, what).not.toBeNull();
      expect(again.tsdb.replay.fault, what).toBeNull();
      expect(again.state(), what).toEqual(before);
      again.tsdb.close();
    }
    fs.rmSync(kept, { recursive: true });
  });

  test("does not take a snapshot for its own that is of another log", () => {
    const rig = new Rig();
    fill(rig, 0, 300);
    const before = rig.state();
    rig.tsdb.close();
    fs.renameSync(join(directory, snapshots()[0]!), join(directory, "chunk_snapshot.000009.0000000000"));
    const again = new Rig();
    expect(again.tsdb.replay).toMatchObject({ snapshot: null, snapshotFault: null });
    expect(again.state()).toEqual(before);
    again.tsdb.close();
    expect(snapshots()).toHaveLength(1);
  });

  test("leaves nothing behind where the snapshot cannot be written", () => {
    const rig = new Rig();
    fill(rig, 0, 300);
    const before = rig.state();
    rig.tsdb.close();
    const [name] = snapshots();
    fs.rmSync(directory, { recursive: true });
    const second = new Rig();
    fill(second, 0, 300);
    // Something is where the snapshot is to be.
    fs.mkdirSync(join(directory, name!, "in the way"), { recursive: true });
    expect(() => second.tsdb.close()).toThrow(/^cannot write .*chunk_snapshot\.000000\./);
    expect(fs.readdirSync(directory).sort()).toEqual([name, "wal", "wbl"]);
    fs.rmSync(join(directory, name!), { recursive: true });
    const again = new Rig();
    expect(again.tsdb.replay).toMatchObject({ snapshot: null, snapshotFault: null, fault: null });
    expect(again.state()).toEqual(before);
    again.tsdb.close();
  });

  test("keeps no places in files of chunks that are gone in the log of late samples", () => {
    const rig = new Rig();
    fill(rig, 0, 300);
    for (const late of [7, 1007]) {
      rig.tsdb.appender.begin();
      rig.float(labelsOf(1), START + late, bitsOf(late));
      rig.tsdb.appender.commit();
    }
    const before = rig.state();
    rig.tsdb.close();
    // Prometheus moved the late samples of series 2, and begins its next file at the same place.
    const late = new WalWriter(join(directory, "wbl"), { compression: "none" });
    const record = new ByteWriter();
    encodeMmapMarkersRecord(record, [{ ref: 2, file: 1, offset: 8 }]);
    late.append(record.written());
    late.close();

    const again = new Rig();
    expect(again.state()).toEqual(before);
    again.tsdb.close();
    const sink = new RecordingSink();
    replayLog(join(directory, "wbl"), sink);
    expect(sink.markers).toEqual([]);
    expect(sink.samples.map(({ timeMs }) => timeMs - START)).toEqual([7, 1007]);
  });
});

function flip(path: string, at: number): void {
  const bytes = fs.readFileSync(path);
  bytes[at]! ^= 4;
  fs.writeFileSync(path, bytes);
}
