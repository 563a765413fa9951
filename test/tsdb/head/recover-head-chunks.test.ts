import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ulid } from "ulid";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QueryMemory } from "../../../src/kernels/index.ts";
import type { FloatHistogram } from "../../../src/model/histogram.ts";
import { Labels } from "../../../src/model/labels.ts";
import { encodeChunks } from "../../../src/tsdb/chunk/encode-chunks.ts";
import { PlainColumns } from "../../../src/tsdb/chunk/plain-columns.ts";
import { writeHeadBlock } from "../../../src/tsdb/compaction/compact.ts";
import { deleteFromBlock } from "../../../src/tsdb/compaction/delete-series.ts";
import { Tsdb, type TsdbOptions } from "../../../src/tsdb/tsdb.ts";
import { TsdbReader } from "../../../src/tsdb/tsdb-reader.ts";
import { ByteWriter } from "../../../src/tsdb/varint.ts";
import { beginSeriesRecord, encodeSamplesRecord, encodeSeriesEntry } from "../../../src/tsdb/wal/record.ts";
import { WalWriter } from "../../../src/tsdb/wal/segment.ts";
import { headChunkFile, type MovedChunk } from "../../support/head-chunk-file.ts";

const RANGE = 2 * 60 * 60 * 1000;
const START = 238_000 * RANGE;
const STEP = 15_000;
const memory = new QueryMemory(256 * 1024 * 1024);
let directory: string;

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "narthex-moved-"));
});
afterEach(() => {
  fs.rmSync(directory, { recursive: true });
});

const labelsOf = (ref: number) => Labels.fromRecord({ __name__: "m", series: String(ref) });
const timeOf = (step: number) => START + STEP * step;
const valueOf = (ref: number, step: number) => 1000 * ref + step / 3;

/** A log in which each series has the samples of some steps. */
function writeWal(steps: ReadonlyMap<number, readonly number[]>): void {
  const wal = new WalWriter(join(directory, "wal"), { compression: "none" });
  const record = new ByteWriter();
  beginSeriesRecord(record);
  for (const ref of steps.keys()) encodeSeriesEntry(record, ref, labelsOf(ref));
  wal.append(record.written());
  const values = new Float64Array(1);
  for (let step = 0; step < 2000; step++) {
    for (const [ref, its] of steps) {
      if (!its.includes(step)) continue;
      values[0] = valueOf(ref, step);
      encodeSamplesRecord(record, 0, Uint32Array.of(ref), timeOf(step), new Uint32Array(values.buffer), 1);
      wal.append(record.written());
    }
  }
  wal.close();
}

function chunkOf(ref: number, from: number, to: number, isOutOfOrder = false): MovedChunk {
  const columns = new PlainColumns(to - from);
  for (let step = from; step < to; step++) {
    columns.times[step - from] = timeOf(step);
    columns.values[step - from] = valueOf(ref, step);
  }
  columns.count = to - from;
  return { ...encodeChunks(columns)[0]!, ref, isOutOfOrder };
}

function writeMoved(...files: (readonly MovedChunk[])[]): void {
  fs.mkdirSync(join(directory, "chunks_head"));
  for (const [i, chunks] of files.entries()) {
    fs.writeFileSync(join(directory, "chunks_head", `00000${i + 1}`), headChunkFile(chunks));
  }
}

/** What Prometheus leaves of its open chunks, with what its appender wants to know behind each. */
function writeSnapshot(
  name: string,
  series: readonly (readonly [number, Labels, MovedChunk | null])[],
): void {
  const wal = new WalWriter(join(directory, name), { compression: "none" });
  for (const [ref, labels, chunk] of series) {
    const record = new ByteWriter();
    record.u8(1);
    record.u64(ref);
    record.uvarint(labels.pairs.length / 2);
    for (const text of labels.pairs) record.string(text);
    record.i64(0);
    record.uvarint(chunk ? 1 : 0);
    if (chunk) {
      record.i64(chunk.minTime);
      record.i64(chunk.maxTime);
      record.u8(chunk.encoding);
      record.uvarint(chunk.bytes.length);
      record.raw(chunk.bytes);
      for (let i = 0; i < 8; i++) record.i64(0);
    }
    wal.append(record.written());
  }
  wal.append(Uint8Array.of(2, 1, 1));
  wal.close();
}

const steps = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** Opens the directory, reads every sample as steps by series, and closes it. */
function open(options: Partial<TsdbOptions> = {}) {
  const announced: WebAssembly.Memory[] = [];
  const tsdb = Tsdb.open({
    directory,
    generationBytes: 16 * 1024 * 1024,
    onGeneration: ({ memory: shared }) => announced.push(shared),
    ...options,
  });
  const reader = new TsdbReader(tsdb.head.control.buffer, memory);
  for (const shared of announced) reader.attach(shared);
  memory.release(65536);
  const querier = reader.querier(-Infinity, Infinity);
  const series = querier.select([], -Infinity, Infinity);
  const found = new Map<string, number[]>();
  const columns = memory.columns(8);
  for (let i = 0; i < series.count; i++) {
    const labels = series.labels(i);
    series.read(i, -Infinity, Infinity, columns);
    const ref = Number(labels.get("series"));
    const its = Array.from({ length: columns.count }, (_, at) => (columns.times[at]! - START) / STEP);
    its.forEach((step, at) => expect(columns.values[at]).toBe(valueOf(ref, step)));
    found.set(labels.get("series"), its);
  }
  querier.close();
  const { recoveredSamples, headChunkCorruptions } = tsdb.replay;
  tsdb.close();
  return { found: Object.fromEntries(found), recoveredSamples, headChunkCorruptions };
}

/** What was recovered is in the log: nothing but that is left for the next start. */
function expectAgain(found: object, options: Partial<TsdbOptions> = {}): void {
  expect(fs.existsSync(join(directory, "chunks_head"))).toBe(false);
  expect(open(options)).toEqual({ found, recoveredSamples: 0, headChunkCorruptions: 0 });
}

describe("chunks that Prometheus moved out of its head", () => {
  test("add nothing to a log that has all of their samples", () => {
    writeWal(
      new Map([
        [1, steps(0, 300)],
        [2, steps(10, 200)],
      ]),
    );
    writeMoved([chunkOf(1, 0, 120), chunkOf(2, 10, 130), chunkOf(1, 120, 240)]);
    const { found, recoveredSamples } = open();
    expect(found).toEqual({ 1: steps(0, 300), 2: steps(10, 200) });
    expect(recoveredSamples).toBe(0);
    expectAgain(found);
  });

  test("give back what the log lost at its end, in its middle and at its start", () => {
    const hole = [...steps(0, 100), ...steps(150, 300)];
    writeWal(
      new Map([
        [1, steps(0, 70)],
        [2, hole],
        [3, steps(200, 300)],
        [4, []],
        [5, steps(0, 10)],
      ]),
    );
    writeMoved(
      [chunkOf(1, 0, 120), chunkOf(2, 0, 120), chunkOf(3, 0, 120), chunkOf(4, 0, 120)],
      [
        chunkOf(1, 120, 240),
        chunkOf(2, 120, 240),
        chunkOf(3, 120, 240),
        chunkOf(4, 120, 240),
        chunkOf(9, 0, 9),
      ],
    );
    const all = { 1: steps(0, 240), 2: steps(0, 300), 3: steps(0, 300), 4: steps(0, 240), 5: steps(0, 10) };
    const { found, recoveredSamples } = open();
    expect(found).toEqual(all);
    expect(recoveredSamples).toBe(170 + 50 + 200 + 240);
    expectAgain(all);
  });

  test("give back a late part whose blocks hold the earlier one, and nothing of that", () => {
    // The first two hours are in a block.
    const minValidTime = timeOf(480);
    writeWal(new Map([[1, steps(480, 500)]]));
    writeMoved([chunkOf(1, 300, 420), chunkOf(1, 420, 540)]);
    const { found, recoveredSamples } = open({ minValidTime });
    expect(found).toEqual({ 1: steps(480, 540) });
    expect(recoveredSamples).toBe(40);
    expectAgain(found, { minValidTime });
  });

  test("that came out of order are taken where the log of such samples lost them", () => {
    writeWal(new Map([[1, steps(100, 110)]]));
    writeMoved([chunkOf(1, 40, 60, true), chunkOf(1, 50, 70, true)]);
    const { found } = open();
    expect(found).toEqual({ 1: [...steps(40, 70), ...steps(100, 110)] });
    expectAgain(found);
  });

  test("that came out of order are left alone where the log of such samples is whole: what it lacks is in blocks", () => {
    writeWal(new Map([[1, steps(100, 110)]]));
    writeMoved([chunkOf(1, 40, 60, true)]);
    new WalWriter(join(directory, "wbl"), { compression: "none" }).close();
    const { found, recoveredSamples } = open();
    expect(found).toEqual({ 1: steps(100, 110) });
    expect(recoveredSamples).toBe(0);
  });

  test("that came out of order and are long in a block don't bring back what was deleted there", () => {
    writeWal(new Map([[1, steps(100, 110)]]));
    const late = chunkOf(1, 40, 60, true);
    writeMoved([late]);
    const range = { minTime: timeOf(0), maxTime: timeOf(480), isOutOfOrder: true };
    const chunks = { labels: labelsOf(1), chunks: [late] };
    const meta = writeHeadBlock(directory, [chunks], range, { newUlid: () => ulid() })!;
    deleteFromBlock(join(directory, meta.ulid), [], timeOf(45), timeOf(49));
    const { found } = open();
    expect(found).toEqual({ 1: [...steps(40, 45), ...steps(50, 60), ...steps(100, 110)] });
    expectAgain(found);
  });

  test("are joined by those of a snapshot of the head, of series that the log knows under the same number", () => {
    writeWal(
      new Map([
        [1, steps(0, 150)],
        [2, []],
        [3, [7]],
      ]),
    );
    writeMoved([chunkOf(1, 0, 120)]);
    writeSnapshot("chunk_snapshot.000000.0000000100", [
      [1, labelsOf(1), chunkOf(1, 120, 200)],
      [2, labelsOf(2), null],
      [3, labelsOf(4), chunkOf(3, 10, 30)],
      [9, labelsOf(9), chunkOf(9, 10, 30)],
    ]);
    const older = "chunk_snapshot.000000.0000000099";
    const [first] = [chunkOf(2, 10, 30)];
    writeSnapshot(older, [[2, labelsOf(2), first]]);
    const foreign = "chunk_snapshot.000077.0000000000";
    writeSnapshot(foreign, [[2, labelsOf(2), first]]);
    const { found, recoveredSamples } = open();
    expect(found).toEqual({ 1: steps(0, 200), 3: [7] });
    expect(recoveredSamples).toBe(50);
    expect(fs.readdirSync(directory).filter((name) => name.startsWith("chunk_snapshot."))).toEqual([]);
    expectAgain(found);
  });

  test("of a damaged snapshot are used as far as they are sound", () => {
    writeWal(
      new Map([
        [1, []],
        [2, []],
      ]),
    );
    const name = "chunk_snapshot.000000.0000000100";
    const damaged = chunkOf(2, 0, 20);
    writeSnapshot(name, [
      [1, labelsOf(1), chunkOf(1, 0, 20)],
      [2, labelsOf(2), damaged],
    ]);
    const path = join(directory, name, "00000000");
    const bytes = fs.readFileSync(path);
    bytes[bytes.indexOf(damaged.bytes) + 20]! ^= 1;
    fs.writeFileSync(path, bytes);
    const { found, headChunkCorruptions } = open();
    expect(found).toEqual({ 1: steps(0, 20) });
    expect(headChunkCorruptions).toBe(1);
  });

  test("are read as far as they are sound, file by file", () => {
    writeWal(new Map([[1, []]]));
    writeMoved([chunkOf(1, 0, 100), chunkOf(1, 100, 200)], [chunkOf(1, 200, 300)], []);
    const first = join(directory, "chunks_head", "000001");
    const bytes = fs.readFileSync(first);
    bytes[bytes.length - 4096 - 50]! ^= 4;
    fs.writeFileSync(first, bytes);
    fs.truncateSync(join(directory, "chunks_head", "000003"), 3);
    const { found, headChunkCorruptions } = open();
    expect(found).toEqual({ 1: [...steps(0, 100), ...steps(200, 300)] });
    expect(headChunkCorruptions).toBe(1);
    expectAgain(found);
  });

  test("with any byte changed or cut off never keep a server from starting, nor give a wrong sample", () => {
    const sound = headChunkFile([chunkOf(1, 0, 20), chunkOf(1, 20, 40)]);
    fc.assert(
      fc.property(fc.nat(sound.length - 1), fc.nat(255), fc.boolean(), (at, byte, isCut) => {
        fs.rmSync(join(directory, "wal"), { recursive: true, force: true });
        fs.mkdirSync(join(directory, "chunks_head"), { recursive: true });
        writeWal(new Map([[1, [50]]]));
        const bytes = isCut ? sound.slice(0, at) : sound.slice();
        if (!isCut) bytes[at] = byte;
        fs.writeFileSync(join(directory, "chunks_head", "000001"), bytes);
        const found = open().found["1"]!;
        expect(found.at(-1)).toBe(50);
        expect([0, 20, 40]).toContain(found.length - 1);
      }),
      { numRuns: 60 },
    );
  });

  test("of native histograms are given back as they were", () => {
    const histogram = (step: number): FloatHistogram => ({
      isInteger: true,
      counterResetHint: "unknown",
      schema: 1,
      zeroThreshold: 0.001,
      zeroCount: step,
      count: 4 * step,
      sum: step / 7,
      isStale: false,
      positiveSpans: [{ offset: 0, length: 2 }],
      negativeSpans: [],
      positiveBuckets: Float64Array.of(step, 2 * step),
      negativeBuckets: new Float64Array(0),
      customValues: new Float64Array(0),
    });
    const columns = new PlainColumns(30);
    columns.histograms = [];
    for (let step = 0; step < 30; step++) {
      columns.times[step] = timeOf(step);
      columns.histograms[step] = histogram(step + 1);
    }
    columns.count = 30;
    writeWal(new Map([[1, []]]));
    writeMoved(encodeChunks(columns).map((chunk) => ({ ...chunk, ref: 1 })));
    for (let start = 0; start < 2; start++) {
      const announced: WebAssembly.Memory[] = [];
      const tsdb = Tsdb.open({ directory, onGeneration: ({ memory: shared }) => announced.push(shared) });
      const reader = new TsdbReader(tsdb.head.control.buffer, memory);
      for (const shared of announced) reader.attach(shared);
      memory.release(65536);
      const querier = reader.querier(-Infinity, Infinity);
      const read = memory.columns(8);
      const series = querier.select([], -Infinity, Infinity);
      series.read(0, -Infinity, Infinity, read);
      expect(read.count).toBe(30);
      for (let step = 0; step < 30; step++) {
        const { sum, count, zeroCount, positiveBuckets } = read.histograms![step]!;
        expect({ sum, count, zeroCount, positiveBuckets }).toMatchObject({
          sum: histogram(step + 1).sum,
          count: 4 * (step + 1),
          zeroCount: step + 1,
          positiveBuckets: histogram(step + 1).positiveBuckets,
        });
      }
      querier.close();
      tsdb.close();
    }
  });
});
