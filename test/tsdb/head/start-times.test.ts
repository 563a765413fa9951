import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ulid } from "ulid";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QueryMemory } from "../../../src/kernels/index.ts";
import type { FloatHistogram } from "../../../src/model/histogram.ts";
import { Labels } from "../../../src/model/labels.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../../src/model/sample.ts";
import { Block } from "../../../src/tsdb/block/block.ts";
import { ChunkEncoding } from "../../../src/tsdb/chunk/encoding.ts";
import { OpenBlocks } from "../../../src/tsdb/compaction/block-directory.ts";
import { compactBlocks, writeHeadBlock } from "../../../src/tsdb/compaction/compact.ts";
import { Header } from "../../../src/tsdb/head/arena.ts";
import { Generation } from "../../../src/tsdb/head/generation.ts";
import { sealedSeries } from "../../../src/tsdb/head/sealed-series.ts";
import type { KeptStartTimes } from "../../../src/tsdb/head/start-times.ts";
import { Tsdb } from "../../../src/tsdb/tsdb.ts";
import { TsdbReader } from "../../../src/tsdb/tsdb-reader.ts";
import { replayLog } from "../../../src/tsdb/wal/replay.ts";
import { RecordingSink } from "../wal/recording-sink.ts";

const RANGE = 7_200_000;
const START = 238_000 * RANGE;
const STEP = 15_000;
const memory = new QueryMemory(64 * 1024 * 1024);
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "narthex-starts-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const open = (startTimes: KeptStartTimes, outOfOrderWindowMs = 0) =>
  Tsdb.open({ directory, generationBytes: 8 * 1024 * 1024, outOfOrderWindowMs, startTimes });
const labelsOf = (series: number) => Labels.fromRecord({ __name__: "m", series: String(series) });
const timeOf = (step: number) => START + STEP * step;

const histogram = (count: number): FloatHistogram => ({
  isInteger: true,
  counterResetHint: "unknown",
  schema: 1,
  zeroThreshold: 0.25,
  zeroCount: 0,
  count: 3 * count,
  sum: count,
  isStale: false,
  positiveSpans: [{ offset: 0, length: 2 }],
  negativeSpans: [],
  positiveBuckets: Float64Array.of(count, 2 * count),
  negativeBuckets: new Float64Array(0),
  customValues: new Float64Array(0),
});

/** What a series has: step and start time, a zero where that is unknown. */
type Starts = readonly (readonly [step: number, startMs: number])[];

function readBy(reader: TsdbReader, withBlocks: boolean): Record<string, Starts> {
  memory.release(65536);
  const blocks = new OpenBlocks();
  const names = readdirSync(directory).filter((name) => name.length === 26);
  if (withBlocks) expect(blocks.update(names.map((name) => join(directory, name)))).toEqual([]);
  reader.setBlocks(blocks.readable(memory));
  const querier = reader.querier(-Infinity, Infinity);
  const set = querier.select([], -Infinity, Infinity);
  const columns = memory.columns(8);
  const found: Record<string, Starts> = {};
  for (let i = 0; i < set.count; i++) {
    const labels = set.labels(i);
    set.read(i, -Infinity, Infinity, columns);
    found[labels.get("series")] = Array.from({ length: columns.count }, (_, at) => [
      (columns.times[at]! - START) / STEP,
      columns.startTimes?.[at] ?? 0,
    ]);
  }
  querier.close();
  blocks.close();
  return found;
}

function readHead(tsdb: Tsdb): Record<string, Starts> {
  const reader = new TsdbReader(tsdb.head.control.buffer, memory);
  for (const { generation } of tsdb.head.generations) reader.attach(generation.memory);
  return readBy(reader, false);
}

const readBlocks = (tsdb: Tsdb) => readBy(new TsdbReader(tsdb.head.control.buffer, memory), true);

function writeBlocks(tsdb: Tsdb): string[] {
  return tsdb.head.generations.flatMap(({ generation }) => {
    generation.arena.setHeader(Header.sealed, 1);
    const range = { minTime: generation.startTime, maxTime: generation.endTime };
    const series = sealedSeries(Generation.attach(generation.memory));
    const meta = writeHeadBlock(directory, series, range, { newUlid: () => ulid() });
    return meta ? [join(directory, meta.ulid)] : [];
  });
}

function encodingsIn(block: string): number[] {
  const opened = Block.open(block);
  const all = [...opened.chunkSeries()].flatMap(({ chunks }) => chunks.map(({ encoding }) => encoding));
  opened.close();
  return [...new Set(all)].sort();
}

function appendFloat(tsdb: Tsdb, series: number, step: number, startMs: number, value = step): void {
  const words = new Uint32Array(Float64Array.of(value).buffer);
  tsdb.appender.appendFloat(labelsOf(series), timeOf(step), words[1]!, words[0]!, startMs);
}

describe("start times", () => {
  test("stay with their samples in memory, over a restart, in blocks and through compaction", () => {
    const anyStart = fc.constantFrom(0, 0, 1000, START - 5, START + 3 * STEP);
    const anySample = fc.record({
      series: fc.nat(2),
      skipped: fc.integer({ min: -1, max: 30 }),
      startMs: anyStart,
      isHistogram: fc.boolean(),
      endsBatch: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(anySample, { minLength: 1, maxLength: 120 }), (samples) => {
        for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
        const stored: Record<string, [number, number][]> = {};
        let tsdb = open("all");
        tsdb.appender.begin();
        for (const { series, skipped, startMs, isHistogram, endsBatch } of samples) {
          // Series 2 has floats and histograms in turn, as it comes.
          // What a batch has of one series is all of one kind.
          if (series === 2) tsdb.appender.commit();
          if (series === 2) tsdb.appender.begin();
          const asHistogram = series === 1 || (series === 2 && isHistogram);
          const last = stored[series]?.at(-1)?.[0] ?? -1;
          const step = last + 1 + Math.max(skipped, last < 0 ? 0 : -1);
          if (asHistogram) {
            tsdb.appender.appendHistogram(labelsOf(series), timeOf(step), histogram(step + 1), startMs);
          } else appendFloat(tsdb, series, step, startMs);
          // The second sample of a time is refused, and its start time with it.
          if (step > last) (stored[series] ??= []).push([step, startMs]);
          if (!endsBatch) continue;
          tsdb.appender.commit();
          tsdb.appender.begin();
        }
        tsdb.appender.commit();
        expect(readHead(tsdb)).toEqual(stored);
        tsdb.close();

        tsdb = open("all");
        expect(readHead(tsdb)).toEqual(stored);
        const blocks = writeBlocks(tsdb);
        expect(readBlocks(tsdb)).toEqual(stored);
        compactBlocks(directory, blocks, { newUlid: () => ulid() });
        for (const block of blocks) rmSync(block, { recursive: true });
        expect(readBlocks(tsdb)).toEqual(stored);
        tsdb.close();
      }),
      { numRuns: 60 },
    );
  });

  test("of a scrape are those of its columns, and unknown for a marker that ends a series", () => {
    const tsdb = open("floats");
    const { appender } = tsdb;
    const epoch = appender.epochAt(START)!;
    const refs = Uint32Array.from([0, 1, 2], (series) => appender.resolve(epoch, labelsOf(series)).ref);
    const outcomes = new Uint8Array(3);
    for (let step = 0; step < 3; step++) {
      appender.begin();
      const starts = Float64Array.of(0, 1000, step === 1 ? 2000 : 0);
      const scraped = step === 1 ? Uint32Array.of(refs[0]!, 0, refs[2]!) : refs;
      appender.appendFloats(epoch, scraped, Float64Array.of(1, 2, 3), 3, timeOf(step), outcomes, starts);
      appender.commit();
    }
    appender.begin();
    appender.appendStale(epoch, refs.subarray(1, 2), timeOf(3));
    appender.commit();
    const unknown = (...steps: number[]) => steps.map((step) => [step, 0]);
    const wanted = {
      0: unknown(0, 1, 2),
      1: [
        [0, 1000],
        [2, 1000],
        [3, 0],
      ],
      2: [
        [0, 0],
        [1, 2000],
        [2, 0],
      ],
    };
    expect(readHead(tsdb)).toEqual(wanted);
    tsdb.close();
    const again = open("floats");
    expect(readHead(again)).toEqual(wanted);
    again.close();
  });

  test("of samples out of order are kept with them", () => {
    let tsdb = open("all", RANGE);
    tsdb.appender.begin();
    appendFloat(tsdb, 0, 100, 5000);
    tsdb.appender.commit();
    tsdb.appender.begin();
    appendFloat(tsdb, 0, 50, 4000);
    appendFloat(tsdb, 0, 40, 0);
    tsdb.appender.appendHistogram(labelsOf(1), timeOf(100), histogram(9), 7000);
    tsdb.appender.commit();
    tsdb.appender.begin();
    tsdb.appender.appendHistogram(labelsOf(1), timeOf(60), histogram(3), 6000);
    tsdb.appender.commit();
    const wanted = {
      0: [
        [40, 0],
        [50, 4000],
        [100, 5000],
      ],
      1: [
        [60, 6000],
        [100, 7000],
      ],
    };
    expect(readHead(tsdb)).toEqual(wanted);
    // A deletion writes the log of such samples anew.
    tsdb.deleteSeries([], timeOf(30), timeOf(45));
    const left = { ...wanted, 0: wanted[0].slice(1) };
    tsdb.close();
    tsdb = open("all", RANGE);
    expect(readHead(tsdb)).toEqual(left);
    writeBlocks(tsdb);
    expect(readBlocks(tsdb)).toEqual(left);
    tsdb.close();
  });

  test("are kept of what storage is told to keep them of, and all are logged if any are", () => {
    const wanted = {
      none: { floats: 0, histograms: 0, encodings: [1, 2], logged: undefined },
      floats: { floats: 1000, histograms: 0, encodings: [2, 4], logged: 1000 },
      all: { floats: 1000, histograms: 2000, encodings: [4, 5], logged: 1000 },
    };
    expect([ChunkEncoding.xor2, ChunkEncoding.histogramWithStart]).toEqual([4, 5]);
    for (const kept of ["none", "floats", "all"] as const) {
      for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
      const tsdb = open(kept);
      tsdb.appender.begin();
      appendFloat(tsdb, 0, 1, 1000);
      tsdb.appender.appendHistogram(labelsOf(1), timeOf(1), histogram(2), 2000);
      tsdb.appender.commit();
      const { floats, histograms, encodings, logged } = wanted[kept];
      expect(readHead(tsdb), kept).toEqual({ 0: [[1, floats]], 1: [[1, histograms]] });
      const [block] = writeBlocks(tsdb);
      expect(encodingsIn(block!), kept).toEqual(encodings);
      tsdb.close();
      const sink = new RecordingSink();
      replayLog(join(directory, "wal"), sink);
      expect(sink.samples[0]!.startMs, kept).toBe(logged);
      expect(sink.histograms[0]!.startMs, kept).toBe(logged === undefined ? 0 : 2000);
    }
  });

  test("that the log has are left out where none are to be kept", () => {
    let tsdb = open("all");
    tsdb.appender.begin();
    appendFloat(tsdb, 0, 1, 1000);
    tsdb.appender.commit();
    tsdb.close();
    tsdb = open("none");
    expect(readHead(tsdb)).toEqual({ 0: [[1, 0]] });
    tsdb.close();
  });

  test("leave staleness markers what they are", () => {
    const tsdb = open("floats");
    tsdb.appender.begin();
    appendFloat(tsdb, 0, 1, 1000);
    tsdb.appender.appendFloat(labelsOf(0), timeOf(2), STALE_HIGH_WORD, STALE_LOW_WORD);
    tsdb.appender.commit();
    expect(readHead(tsdb)).toEqual({
      0: [
        [1, 1000],
        [2, 0],
      ],
    });
    expect(tsdb.head.staleSeriesCount).toBe(1);
    tsdb.close();
  });
});
