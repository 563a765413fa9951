import fc from "fast-check";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareLabels, Labels } from "../../../src/model/labels.ts";
import { Matcher } from "../../../src/model/matcher.ts";
import { StorageError } from "../../../src/model/storage.ts";
import { QueryMemory } from "../../../src/kernels/index.ts";
import { Block } from "../../../src/tsdb/block/block.ts";
import { InterruptedError } from "../../../src/tsdb/block/block-writer.ts";
import type { ChunkSeries, EncodedChunk } from "../../../src/tsdb/block/chunk-series.ts";
import { readMeta, writeMeta } from "../../../src/tsdb/block/meta.ts";
import { isDeleted } from "../../../src/tsdb/block/tombstones.ts";
import { chunkSampleCount, decodeChunk } from "../../../src/tsdb/chunk/decode-chunk.ts";
import { encodeChunks } from "../../../src/tsdb/chunk/encode-chunks.ts";
import { PlainColumns } from "../../../src/tsdb/chunk/plain-columns.ts";
import {
  deleteBlock,
  type KnownBlocks,
  minValidTime,
  OpenBlocks,
  removeTemporaryFolders,
  takeInventory,
} from "../../../src/tsdb/compaction/block-directory.ts";
import { cleanBlock, compactBlocks, writeHeadBlock } from "../../../src/tsdb/compaction/compact.ts";
import { compactNext, diskSizeBytes, retireBlocks } from "../../../src/tsdb/compaction/compactor.ts";
import { deleteFromBlock } from "../../../src/tsdb/compaction/delete-series.ts";
import { mergeChunks } from "../../../src/tsdb/compaction/merge-chunks.ts";
import { createSnapshot } from "../../../src/tsdb/compaction/snapshot.ts";
import { hasProgram } from "../../support/program.ts";

let directory: string;
let ulids: number;
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "narthex-compact-"));
  ulids = 0;
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const newUlid = () => `01BX5ZZKBKACTAV9WEVG${String(++ulids).padStart(6, "0")}`;
const options = { newUlid };

type Samples = readonly (readonly [number, number])[];

function columnsOf(samples: Samples): PlainColumns {
  const columns = new PlainColumns(samples.length);
  for (const [i, [time, value]] of samples.entries()) {
    columns.times[i] = time;
    columns.values[i] = value;
  }
  columns.count = samples.length;
  return columns;
}

function samplesOf(chunks: readonly EncodedChunk[]): Samples {
  const columns = new PlainColumns();
  for (const { encoding, bytes } of chunks) decodeChunk(encoding, bytes, -Infinity, Infinity, columns);
  return Array.from({ length: columns.count }, (_, i) => [columns.times[i]!, columns.values[i]!] as const);
}

/** A block with the samples of some series, by name. */
function head(minTime: number, maxTime: number, content: Readonly<Record<string, Samples>>): string {
  const list: ChunkSeries[] = Object.entries(content)
    .map(([name, samples]) => ({
      labels: Labels.fromRecord({ __name__: name, a: "x" }),
      chunks: encodeChunks(columnsOf(samples)),
    }))
    .sort((a, b) => compareLabels(a.labels, b.labels));
  const meta = writeHeadBlock(directory, list, { minTime, maxTime }, options);
  return join(directory, meta!.ulid);
}

const memory = new QueryMemory(2 ** 26);

function contentOf(path: string): Record<string, Samples> {
  const block = Block.open(path);
  const source = block.source(memory);
  const content: Record<string, Samples> = {};
  for (const id of source.select([])) {
    const mark = memory.mark();
    const columns = memory.columns(16);
    source.read(id, -Infinity, Infinity, columns);
    content[source.labels(id).metricName] = Array.from(
      { length: columns.count },
      (_, i) => [columns.times[i]!, columns.values[i]!] as const,
    );
    memory.release(mark);
  }
  source.close();
  block.close();
  return content;
}

function run(from: number, to: number, step = 10, value = 1): Samples {
  const samples: [number, number][] = [];
  for (let time = from; time < to; time += step) samples.push([time, value]);
  return samples;
}

describe("merging the chunks of a series", () => {
  const anySamples = fc
    .uniqueArray(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 150 })
    .map((times) => times.sort((a, b) => a - b));

  test("gives every sample that is not deleted once, in order, the first of those at one time", () => {
    const inputs = fc.array(
      fc.record({
        times: anySamples,
        shift: fc.integer({ min: 0, max: 1500 }),
        deleted: fc.option(fc.tuple(fc.nat(2000), fc.nat(300))),
      }),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(inputs, fc.option(fc.tuple(fc.nat(2000), fc.nat(2000))), (list, range) => {
        const [minTime, maxTime] = range ? [Math.min(...range), Math.max(...range)] : [-Infinity, Infinity];
        const expected = new Map<number, number>();
        const chunks = list.flatMap(({ times, shift, deleted }, input) => {
          const samples = times.map((time) => [time + shift, input] as const);
          const intervals = deleted ? [{ minTime: deleted[0], maxTime: deleted[0] + deleted[1] }] : [];
          return encodeChunks(columnsOf(samples)).map((chunk) => ({ chunk, deleted: intervals }));
        });
        // Chunks are taken in order of their first sample, then in the order given.
        for (const { chunk, deleted } of chunks.toSorted((a, b) => a.chunk.minTime - b.chunk.minTime)) {
          for (const [time, value] of samplesOf([chunk])) {
            if (time < minTime || time > maxTime || isDeleted(deleted, time)) continue;
            if (!expected.has(time)) expected.set(time, value);
          }
        }
        const merged = mergeChunks(chunks, "xor", minTime, maxTime);
        expect(samplesOf(merged)).toEqual([...expected].sort((a, b) => a[0] - b[0]));
        for (const [i, chunk] of merged.entries()) {
          if (i > 0) expect(chunk.minTime).toBeGreaterThan(merged[i - 1]!.maxTime);
          const samples = samplesOf([chunk]);
          expect([samples[0]![0], samples.at(-1)![0]]).toEqual([chunk.minTime, chunk.maxTime]);
          expect(chunkSampleCount(chunk.encoding, chunk.bytes)).toBeLessThanOrEqual(120);
        }
      }),
    );
  });

  test("passes on chunks that nothing touches, byte for byte, and copies only once", () => {
    const [a] = encodeChunks(columnsOf(run(0, 100)));
    const [b] = encodeChunks(columnsOf(run(100, 200)));
    const whole = (chunk: EncodedChunk) => ({ chunk, deleted: [] });
    const merged = mergeChunks([whole(b!), whole(a!), whole({ ...a!, bytes: a!.bytes.slice() })]);
    expect(merged).toEqual([a, b]);
    expect(merged[0]).toBe(a);
  });

  test("drops chunks that are deleted whole without looking into them", () => {
    const chunk = { minTime: 10, maxTime: 20, encoding: 99, bytes: new Uint8Array(0) };
    expect(mergeChunks([{ chunk, deleted: [{ minTime: 10, maxTime: 20 }] }])).toEqual([]);
  });
});

describe("a compaction", () => {
  test("joins blocks behind each other, chunk by chunk", () => {
    const first = head(0, 1000, { m: run(0, 1000), only: run(0, 100) });
    const second = head(1000, 2000, { m: run(1000, 2000), other: run(1500, 1600) });
    const meta = compactBlocks(directory, [first, second], options)!;
    expect(contentOf(join(directory, meta.ulid))).toEqual({
      m: run(0, 2000),
      only: run(0, 100),
      other: run(1500, 1600),
    });
    const [a, b] = [readMeta(first).ulid, readMeta(second).ulid];
    expect(meta).toMatchObject({
      minTime: 0,
      maxTime: 2000,
      stats: { numSamples: 220, numSeries: 3, numChunks: 4 },
      compaction: {
        level: 2,
        sources: [a, b],
        parents: [
          { ulid: a, minTime: 0, maxTime: 1000 },
          { ulid: b, minTime: 1000, maxTime: 2000 },
        ],
        hints: [],
      },
    });
    const again = compactBlocks(
      directory,
      [join(directory, meta.ulid), head(2000, 3000, { m: run(2000, 2010) })],
      options,
    )!;
    expect(again.compaction).toMatchObject({ level: 3, sources: [a, b, again.compaction.parents![1]!.ulid] });
  });

  test("merges blocks that overlap, the value of the first at a time that both have", () => {
    const first = head(0, 1000, { m: run(0, 1000, 10, 1) });
    const second = head(500, 1500, { m: run(505, 1500, 5, 2) });
    const meta = compactBlocks(directory, [first, second], options)!;
    const expected = new Map([...run(505, 1500, 5, 2), ...run(0, 1000, 10, 1)]);
    expect(contentOf(join(directory, meta.ulid))["m"]).toEqual([...expected].sort((a, b) => a[0] - b[0]));
    expect(readMeta(join(directory, meta.ulid))).toMatchObject({ minTime: 0, maxTime: 1500 });
  });

  test("leaves out what is deleted, and writes no block but a mark when nothing is left", () => {
    const first = head(0, 1000, { m: run(0, 1000), n: run(0, 10) });
    deleteFromBlock(first, [new Matcher("=", "__name__", "m")], 100, 499);
    deleteFromBlock(first, [new Matcher("=", "__name__", "n")], -Infinity, Infinity);
    const second = head(1000, 2000, { m: run(1000, 1010) });
    const meta = compactBlocks(directory, [first, second], options)!;
    expect(contentOf(join(directory, meta.ulid))).toEqual({ m: [...run(0, 100), ...run(500, 1010)] });

    const third = head(2000, 3000, { m: run(2000, 3000) });
    deleteFromBlock(third, [], 0, 5000);
    expect(compactBlocks(directory, [third], options)).toBeNull();
    expect(readMeta(third).compaction.deletable).toBe(true);
    expect(takeInventory(directory).superseded.map((block) => block.directory)).toContain(third);
  });

  test("marks blocks it cannot read as failed, and leaves nothing half done", () => {
    const first = head(0, 1000, { m: run(0, 1000) });
    const second = head(1000, 2000, { m: run(1000, 2000) });
    const file = join(second, "chunks/000001");
    const bytes = fs.readFileSync(file);
    bytes[30]! ^= 1;
    fs.writeFileSync(file, bytes);
    expect(() => compactBlocks(directory, [first, second], options)).toThrow("cannot read chunk");
    expect([first, second].map((path) => readMeta(path).compaction.failed)).toEqual([true, true]);
    expect(fs.readdirSync(directory).length).toBe(2);
  });

  test("keeps a hint of all its inputs only where all have it", () => {
    const late = (minTime: number) => {
      const chunks = encodeChunks(columnsOf(run(minTime, minTime + 10)));
      const list = [{ labels: Labels.fromRecord({ a: "1" }), chunks }];
      const meta = writeHeadBlock(
        directory,
        list,
        { minTime, maxTime: minTime + 100, isOutOfOrder: true },
        options,
      );
      return join(directory, meta!.ulid);
    };
    const [a, b] = [late(0), late(100)];
    expect(readMeta(a).compaction).toMatchObject({
      hints: ["from-out-of-order"],
      parents: [{ ulid: "0".repeat(26), minTime: 0, maxTime: 0 }],
    });
    expect(compactBlocks(directory, [a, b], options)!.compaction.hints).toEqual(["from-out-of-order"]);
    expect(compactBlocks(directory, [a, head(0, 50, { m: run(0, 10) })], options)!.compaction.hints).toEqual(
      [],
    );
  });

  test("is found, done and cleaned up after, step by step, until none is due", () => {
    for (let i = 0; i < 10; i++) head(i * 20, i * 20 + 20, { m: run(i * 20, i * 20 + 20, 5) });
    const before = takeInventory(directory).blocks.length;
    expect(before).toBe(10);
    for (;;) {
      const result = compactNext(directory, [20, 60, 180], options);
      if (!result) break;
      for (const block of takeInventory(directory).superseded) deleteBlock(block.directory);
    }
    const { blocks } = takeInventory(directory);
    expect(blocks.map(({ meta }) => `${meta.minTime}-${meta.maxTime} ${meta.compaction.level}`)).toEqual([
      "0-180 3",
      "180-200 1",
    ]);
    expect(blocks.flatMap(({ directory: path }) => contentOf(path)["m"]!)).toEqual(run(0, 200, 5));
  });

  test.skipIf(!hasProgram("promtool"))("gives a block that promtool dumps as it dumped the inputs", () => {
    const dump = (path: string) => {
      fs.mkdirSync(join(path, "wal"), { recursive: true });
      return execFileSync("promtool", ["tsdb", "dump", path], { encoding: "utf8" }).trim().split("\n").sort();
    };
    head(0, 1000, { m: run(0, 1000), n: run(0, 500, 7) });
    head(1000, 2000, { m: run(1000, 2000) });
    const before = dump(directory);
    const { blocks } = takeInventory(directory);
    compactBlocks(
      directory,
      blocks.map((block) => block.directory),
      options,
    );
    for (const block of blocks) deleteBlock(block.directory);
    expect(dump(directory)).toEqual(before);
    expect(before.length).toBe(272);
  });
});

describe("deleting", () => {
  test("marks the samples of the series that match, and says if there were none", () => {
    const path = head(0, 1000, { m: run(0, 1000), n: run(0, 1000), late: run(900, 1000) });
    const name = (value: string) => [new Matcher("=~", "__name__", value)];
    expect(deleteFromBlock(path, name("nothing"), 0, 1000)).toBe(false);
    expect(deleteFromBlock(path, name("late"), 0, 899)).toBe(false);
    expect(deleteFromBlock(path, name("m|late"), 100, 899)).toBe(true);
    expect(deleteFromBlock(path, name("m"), 50, 120)).toBe(true);
    expect(contentOf(path)).toEqual({
      m: [...run(0, 50), ...run(900, 1000)],
      n: run(0, 1000),
      late: run(900, 1000),
    });
    expect(readMeta(path).stats.numTombstones).toBe(1);
  });

  test("frees the disk once tombstones are cleaned", () => {
    const path = head(0, 1000, { m: run(0, 1000), n: run(0, 1000) });
    expect(cleanBlock(directory, path, options)).toBeUndefined();
    deleteFromBlock(path, [new Matcher("=", "__name__", "n")], 0, 2000);
    const meta = cleanBlock(directory, path, options)!;
    expect(meta.compaction).toMatchObject({
      level: 1,
      sources: [meta.ulid],
      parents: [{ ulid: readMeta(path).ulid }],
    });
    expect(contentOf(join(directory, meta.ulid))).toEqual({ m: run(0, 1000) });
    expect(takeInventory(directory).superseded.map((block) => block.directory)).toEqual([path]);
  });
});

describe("a data directory", () => {
  test("is swept of what an interrupted run left, and of nothing else", () => {
    const kept = ["01BX5ZZKBKACTAV9WEVGEMMVRZ", "something.tmp", "wal/checkpoint.00000003", "wal/other.tmp"];
    const gone = [
      "01BX5ZZKBKACTAV9WEVGEMMVRZ.tmp-for-creation",
      "01BX5ZZKBKACTAV9WEVGEMMVRY.tmp-for-deletion",
      "01BX5ZZKBKACTAV9WEVGEMMVRX.tmp",
      "chunk_snapshot.000001.0000000001.tmp",
      "wal/checkpoint.00000004.tmp",
    ];
    for (const name of [...kept, ...gone]) fs.mkdirSync(join(directory, name, "inner"), { recursive: true });
    fs.writeFileSync(join(directory, "file.tmp-for-creation"), "");
    expect(removeTemporaryFolders(directory).sort()).toEqual(
      gone.map((name) => join(directory, name)).sort(),
    );
    for (const name of kept) expect(fs.existsSync(join(directory, name))).toBe(true);
    expect(removeTemporaryFolders(join(directory, "missing"))).toEqual([]);
  });

  test("takes blocks put there by hand, and reports those it cannot read", () => {
    head(1000, 2000, { m: run(1000, 1010) });
    const broken = head(0, 1000, { m: run(0, 10) });
    fs.truncateSync(join(broken, "index"), 10);
    fs.mkdirSync(join(directory, "01BX5ZZKBKACTAV9WEVGEMMVRZ"));
    fs.mkdirSync(join(directory, "lost+found"));
    const inventory = takeInventory(directory);
    expect(inventory.blocks.length).toBe(1);
    expect(inventory.problems.map(({ directory: path }) => path).sort()).toEqual(
      [broken, join(directory, "01BX5ZZKBKACTAV9WEVGEMMVRZ")].sort(),
    );
    expect(inventory.problems.find((problem) => problem.directory === broken)!.reason).toContain("index");
    expect(minValidTime(inventory.blocks)).toBe(2000);
  });

  test("does not miss a block that cannot be read where another has its samples", () => {
    const first = head(0, 1000, { m: run(0, 10) });
    const second = head(1000, 2000, { m: run(1000, 1010) });
    compactBlocks(directory, [first, second], options);
    fs.truncateSync(join(first, "index"), 10);
    const { blocks, superseded, problems } = takeInventory(directory);
    expect([blocks.length, superseded.length, problems.length]).toEqual([1, 1, 0]);
  });

  test("is read through blocks that are opened and closed as they come and go, under running queries", () => {
    const first = head(0, 1000, { m: run(0, 10) });
    const open = new OpenBlocks();
    expect(open.update([first])).toEqual([]);
    const source = open.readable(memory)[0]!.source();
    const second = head(1000, 2000, { m: run(1000, 1010) });
    const meta = compactBlocks(directory, [first, second], options)!;
    const missing = join(directory, "01BX5ZZKBKACTAV9WEVGEMMVRZ");
    expect(open.update([join(directory, meta.ulid), missing]).map((problem) => problem.directory)).toEqual([
      missing,
    ]);
    deleteBlock(first);
    deleteBlock(first);
    expect(source.labelValues("__name__", [])).toEqual(["m"]);
    source.close();
    expect(open.readable(memory).map(({ minTime, maxTime }) => [minTime, maxTime])).toEqual([[0, 1999]]);

    const path = join(directory, meta.ulid);
    deleteFromBlock(path, [], 0, 999);
    open.update([path], [path]);
    expect(open.blocks[0]!.tombstones.size).toBe(1);
    open.close();
    expect(open.blocks).toEqual([]);
  });

  test("is opened by the first query that needs it; one that cannot be is done without, and told once", () => {
    const first = head(0, 1000, { m: run(0, 10) });
    const second = head(1000, 2000, { m: run(1000, 1010) });
    const blocks = takeInventory(directory).blocks.map(({ directory: path, meta }) => {
      return { directory: path, minTime: meta.minTime, maxTime: meta.maxTime - 1, meta };
    });
    fs.truncateSync(join(second, "index"), 10);
    const open = new OpenBlocks();
    const problems: string[] = [];
    open.onProblem = (problem) => problems.push(problem.directory);
    open.list(blocks);
    expect(open.blocks).toEqual([]);
    const [one, other] = open.readable(memory);
    expect([one!.minTime, one!.maxTime, other!.minTime, other!.maxTime]).toEqual([0, 999, 1000, 1999]);
    expect([one!.isReadable(), other!.isReadable(), other!.isReadable()]).toEqual([true, false, false]);
    expect(open.blocks.map((block) => block.directory)).toEqual([first]);
    expect(problems).toEqual([second]);

    const source = one!.source();
    open.list(blocks.slice(1));
    expect(open.blocks).toEqual([]);
    expect(source.labelValues("__name__", [])).toEqual(["m"]);
    source.close();
    expect(open.readable(memory).map((block) => block.isReadable())).toEqual([false]);
    expect(problems).toEqual([second, second]);
    open.close();
  });

  test("is looked at again where it has changed since it was looked at", () => {
    const first = head(0, 1000, { m: run(0, 10) });
    const second = head(1000, 2000, { m: run(1000, 1010) });
    const known: KnownBlocks = new Map();
    const look = () => takeInventory(directory, known);
    expect(look()).toEqual(takeInventory(directory));
    deleteFromBlock(first, [], 0, 999);
    expect(look()).toEqual(takeInventory(directory));
    expect(look().blocks[0]!.meta.stats.numTombstones).toBe(1);
    const third = head(2000, 3000, { m: run(2000, 2010) });
    deleteBlock(second);
    expect(look()).toEqual(takeInventory(directory));
    expect(look().blocks.map((block) => block.directory)).toEqual([first, third]);
    fs.rmSync(join(third, "meta.json"));
    expect(look()).toEqual(takeInventory(directory));
    expect(look().problems.map((problem) => problem.directory)).toEqual([third]);
  });

  test("retires blocks by age and size, after what is superseded", () => {
    const paths = [0, 1, 2, 3].map((i) => head(i * 100, i * 100 + 100, { m: run(i * 100, i * 100 + 100) }));
    writeMeta(paths[0]!, { ...readMeta(paths[0]!), compaction: { level: 1, deletable: true } });
    const inventory = takeInventory(directory);
    const size = inventory.blocks[0]!.sizeBytes;
    const retired = retireBlocks(
      inventory,
      { timeMs: 200, sizeBytes: 2 * size - 1, percentage: 0 },
      0,
      () => 0,
    );
    const names = (blocks: readonly { directory: string }[]) =>
      blocks.map((block) => paths.indexOf(block.directory));
    expect(names(retired.superseded)).toEqual([0]);
    expect(names(retired.byTime)).toEqual([1]);
    expect(names(retired.bySize)).toEqual([2]);
    expect(names(retired.kept)).toEqual([3]);
    const byDisk = retireBlocks(
      inventory,
      { timeMs: 0, sizeBytes: 1, percentage: 50 },
      0,
      () => 6 * size + 6,
    );
    expect(names(byDisk.kept)).toEqual([1, 2, 3]);
    expect(diskSizeBytes(directory)).toBeGreaterThan(1e6);
  });

  test("is copied as a snapshot of links, with the head, that later deletions do not change", () => {
    const path = head(0, 1000, { m: run(0, 1000) });
    const series = [
      { labels: Labels.fromRecord({ __name__: "h" }), chunks: encodeChunks(columnsOf(run(1000, 1100))) },
    ];
    const name = createSnapshot(
      directory,
      takeInventory(directory).blocks,
      [{ series, minTime: 1000, maxTime: 2000 }],
      {
        ...options,
        nowMs: Date.UTC(2006, 0, 2, 15, 4, 5),
        random: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 255),
      },
    );
    expect(name).toBe("20060102T150405Z-01020304050607ff");
    deleteFromBlock(path, [], 0, 5000);
    const snapshot = join(directory, "snapshots", name);
    const { blocks } = takeInventory(snapshot);
    expect(blocks.map((block) => contentOf(block.directory))).toEqual([
      { m: run(0, 1000) },
      { h: run(1000, 1100) },
    ]);
    expect(fs.statSync(join(path, "index")).nlink).toBe(2);
    expect(contentOf(path)).toEqual({});
  });
});

const canMount = process.getuid?.() === 0 && mountTmpfs();

function mountTmpfs(): boolean {
  const at = fs.mkdtempSync(join(tmpdir(), "narthex-mount-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", at]).status === 0;
  if (mounted) spawnSync("umount", [at]);
  fs.rmdirSync(at);
  return mounted;
}

// Needs the right to mount a small disk.
describe.skipIf(!canMount)("a full disk", () => {
  test("ends a compaction with a clear error, leaves the blocks as they were and nothing half written", () => {
    const disk = join(directory, "disk");
    fs.mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=120k", "tmpfs", disk]);
    try {
      const outer = directory;
      directory = disk;
      const values = Array.from({ length: 8000 }, (_, i) => [i, Math.sin(i)] as const);
      const paths = [head(0, 8000, { m: values })];
      directory = outer;
      expect(() => compactBlocks(disk, paths, options)).toThrow(StorageError);
      expect(() => compactBlocks(disk, paths, options)).toThrow("ENOSPC: no space left on device");
      expect(fs.readdirSync(disk)).toEqual([paths[0]!.slice(-26)]);
      expect(readMeta(paths[0]!).compaction.failed).toBeUndefined();
      expect(contentOf(paths[0]!)["m"]).toEqual(values);
    } finally {
      execFileSync("umount", [disk]);
    }
  });
});

test("a merge and a block of the head can be left off: nothing is left behind, and nothing held against the blocks", () => {
  const content = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`m${i}`, [[1, i]] as Samples]));
  const later = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`m${i}`, [[1001, i]] as Samples]));
  const blocks = [head(0, 1000, content), head(1000, 2000, later)];
  const before = fs.readdirSync(directory).sort();
  let questions = 0;
  const isInterrupted = () => ++questions === 2;
  expect(() => compactBlocks(directory, blocks, { ...options, isInterrupted })).toThrow(InterruptedError);
  expect(questions).toBe(2);
  questions = 0;
  const series: ChunkSeries[] = Object.keys(content)
    .sort()
    .map((name) => ({
      labels: Labels.fromRecord({ __name__: name }),
      chunks: encodeChunks(columnsOf([[2001, 1]])),
    }));
  const range = { minTime: 2000, maxTime: 3000 };
  expect(() => writeHeadBlock(directory, series, range, { ...options, isInterrupted })).toThrow(
    InterruptedError,
  );
  expect(fs.readdirSync(directory).sort()).toEqual(before);
  for (const block of blocks) expect(readMeta(block).compaction).not.toHaveProperty("failed");
  expect(compactBlocks(directory, blocks, options)!.stats.numSeries).toBe(600);
});
