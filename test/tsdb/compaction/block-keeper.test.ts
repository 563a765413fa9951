import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Labels } from "../../../src/model/labels.ts";
import { Matcher } from "../../../src/model/matcher.ts";
import { readMeta } from "../../../src/tsdb/block/meta.ts";
import { encodeChunks } from "../../../src/tsdb/chunk/encode-chunks.ts";
import { PlainColumns } from "../../../src/tsdb/chunk/plain-columns.ts";
import {
  BlockKeeper,
  type BlockKeeperOptions,
  type BlockList,
} from "../../../src/tsdb/compaction/block-keeper.ts";
import { takeInventory } from "../../../src/tsdb/compaction/block-directory.ts";

let directory: string;
let ulids: number;
let lists: BlockList[];
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "narthex-keeper-"));
  ulids = 0;
  lists = [];
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const NO_LIMITS = { timeMs: 0, sizeBytes: 0, percentage: 0 };

function keeper(options: Partial<BlockKeeperOptions> = {}): BlockKeeper {
  return new BlockKeeper({
    directory,
    ranges: [100, 300, 900],
    limits: NO_LIMITS,
    newUlid: () => `01BX5ZZKBKACTAV9WEVG${String(++ulids).padStart(6, "0")}`,
    headBytes: () => 0,
    onBlocks: (list) => {
      // Whoever is told of a block must find it there.
      for (const path of list.directories) expect(fs.existsSync(join(path, "meta.json"))).toBe(true);
      lists.push(list);
    },
    ...options,
  });
}

/** One series with a sample every ten milliseconds of the range. */
function* samples(minTime: number, maxTime: number, name = "m") {
  const columns = new PlainColumns();
  for (let time = minTime; time < maxTime; time += 10) {
    columns.reserve(columns.count + 1);
    columns.times[columns.count++] = time;
  }
  yield { labels: Labels.fromRecord({ __name__: name }), chunks: encodeChunks(columns) };
}

function store(target: BlockKeeper, minTime: number): void {
  target.storeGeneration(samples(minTime, minTime + 100), { minTime, maxTime: minTime + 100 });
}

const ranges = (target: BlockKeeper) => target.blocks.map(({ meta }) => `${meta.minTime}-${meta.maxTime}`);

describe("the keeper of blocks", () => {
  test("tells readers of each block it writes, and of nothing when nothing changed", () => {
    const target = keeper();
    expect(target.minValidTime).toBe(-Infinity);
    store(target, 0);
    store(target, 100);
    target.reload();
    expect(lists.map(({ directories }) => directories.length)).toEqual([1, 2]);
    expect(target.minValidTime).toBe(200);
    expect(target.storeGeneration([], { minTime: 200, maxTime: 300 })).toBeNull();
    expect(target.statistics).toMatchObject({ compactions: 2, blocksLoaded: 2, minTime: 0 });
    expect(target.statistics.blocksBytes).toBe(
      target.blocks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    );
  });

  test("compacts what is due, tells readers before it deletes, and counts", () => {
    const target = keeper();
    for (let i = 0; i < 5; i++) store(target, i * 100);
    expect(target.compactOnce()).toBe(true);
    expect(ranges(target)).toEqual(["0-300", "300-400", "400-500"]);
    expect(takeInventory(directory).superseded).toEqual([]);
    expect(fs.readdirSync(directory).length).toBe(3);
    expect(target.compactOnce()).toBe(false);
    expect(target.statistics).toMatchObject({ compactions: 6, verticalCompactions: 0 });
  });

  test("stores late samples of a stored range as a block that overlaps, and merges the two", () => {
    const target = keeper();
    store(target, 0);
    store(target, 100);
    target.storeGeneration(samples(5, 95, "late"), { minTime: 0, maxTime: 100 });
    expect(target.blocks.map(({ meta }) => meta.compaction.hints ?? []).flat()).toEqual([
      "from-out-of-order",
    ]);
    expect(target.minValidTime).toBe(200);
    expect(target.compactOnce()).toBe(true);
    expect(target.blocks.map(({ meta }) => [meta.minTime, meta.stats.numSeries])).toEqual([
      [0, 2],
      [100, 1],
    ]);
    expect(target.statistics.verticalCompactions).toBe(1);
  });

  test("leaves overlaps alone where it is told to", () => {
    const target = keeper({ withOverlaps: false });
    store(target, 0);
    store(target, 0);
    expect(target.compactOnce()).toBe(false);
  });

  test("deletes blocks that have had their time, at once when limits change", () => {
    const target = keeper();
    for (let i = 0; i < 4; i++) store(target, i * 1000);
    target.limits = { ...NO_LIMITS, timeMs: 2000 };
    target.reload();
    expect(ranges(target)).toEqual(["2000-2100", "3000-3100"]);
    target.limits = { ...NO_LIMITS, sizeBytes: target.statistics.blocksBytes - 1 };
    target.reload();
    expect(ranges(target)).toEqual(["3000-3100"]);
    expect(lists.at(-1)!.directories.length).toBe(1);
    expect(fs.readdirSync(directory).length).toBe(1);
    expect(target.statistics).toMatchObject({ timeRetentions: 1, sizeRetentions: 1, blocksLoaded: 1 });
  });

  test("counts log and head in the size", () => {
    let headBytes = 0;
    const target = keeper({ headBytes: () => headBytes, limits: { ...NO_LIMITS, sizeBytes: 1_000_000 } });
    store(target, 0);
    headBytes = 1_000_000;
    target.reload();
    expect(target.blocks).toEqual([]);
    expect(target.minValidTime).toBe(-Infinity);
  });

  test("sweeps up after an interrupted run and finishes what it had decided", () => {
    const first = keeper();
    for (let i = 0; i < 3; i++) store(first, i * 100);
    fs.cpSync(directory, `${directory}-before`, { recursive: true });
    store(first, 300);
    first.compactOnce();
    // As if the run had ended before the inputs were deleted.
    for (const name of fs.readdirSync(`${directory}-before`)) {
      fs.cpSync(join(`${directory}-before`, name), join(directory, name), { recursive: true });
    }
    fs.rmSync(`${directory}-before`, { recursive: true });
    fs.mkdirSync(join(directory, "01BX5ZZKBKACTAV9WEVGEMMVRZ.tmp-for-creation"));
    const second = keeper();
    expect(ranges(second)).toEqual(["0-300", "300-400"]);
    expect(fs.readdirSync(directory).length).toBe(2);
  });

  test("takes a block put there by hand, and reports one it cannot read without losing the others", () => {
    const target = keeper();
    store(target, 0);
    const [block] = target.blocks;
    const copy = join(directory, "01BX5ZZKBKACTAV9WEVGEMMVRZ");
    fs.cpSync(block!.directory, copy, { recursive: true });
    fs.rmSync(join(copy, "index"));
    target.reload();
    expect(target.problems).toEqual([
      { directory: copy, reason: expect.stringContaining("ENOENT") as string },
    ]);
    expect(ranges(target)).toEqual(["0-100"]);
    fs.cpSync(join(block!.directory, "index"), join(copy, "index"));
    target.reload();
    expect(ranges(target)).toEqual(["0-100", "0-100"]);
    expect(target.problems).toEqual([]);
  });

  test("counts a compaction that fails, and leaves its blocks alone from then on", () => {
    const target = keeper();
    for (let i = 0; i < 4; i++) store(target, i * 100);
    const file = join(target.blocks[1]!.directory, "chunks/000001");
    const bytes = fs.readFileSync(file);
    bytes[bytes.length - 1]! ^= 1;
    fs.writeFileSync(file, bytes);
    expect(() => target.compactOnce()).toThrow("cannot read chunk");
    expect(target.statistics.compactionsFailed).toBe(1);
    expect(target.compactOnce()).toBe(false);
    expect(target.blocks.length).toBe(4);
  });

  test("deletes series, tells which blocks changed, and cleans up on request", () => {
    const target = keeper();
    target.storeGeneration([...samples(0, 100, "a"), ...samples(0, 100, "b")], { minTime: 0, maxTime: 100 });
    store(target, 100);
    const name = (value: string) => [new Matcher("=", "__name__", value)];
    target.deleteSeries([name("none")], 0, 1000);
    expect(lists.length).toBe(2);
    target.deleteSeries([name("a"), name("m")], 0, 99);
    expect(lists.at(-1)!.changed).toEqual([target.blocks[0]!.directory]);
    expect(readMeta(target.blocks[0]!.directory).stats.numTombstones).toBe(1);
    target.cleanTombstones();
    expect(target.blocks.map(({ meta }) => meta.stats.numSeries)).toEqual([1, 1]);
    target.deleteSeries([name("b")], 0, 1000);
    target.cleanTombstones();
    expect(ranges(target)).toEqual(["100-200"]);
    expect(fs.readdirSync(directory).length).toBe(1);
  });

  test("makes snapshots that are data directories of their own", () => {
    const target = keeper();
    store(target, 0);
    const name = target.snapshot(
      [{ series: samples(100, 150), minTime: 100, maxTime: 200 }],
      Date.UTC(2026, 0, 1),
      new Uint8Array(8),
    );
    expect(name).toBe("20260101T000000Z-0000000000000000");
    const { blocks } = takeInventory(join(directory, "snapshots", name));
    expect(blocks.map(({ meta }) => meta.stats.numSamples)).toEqual([10, 5]);
    expect(ranges(target)).toEqual(["0-100"]);
  });
});
