import { describe, expect, test } from "vitest";
import type { BlockMeta } from "../../../src/tsdb/block/meta.ts";
import { blockRanges, planCompaction } from "../../../src/tsdb/compaction/plan.ts";
import {
  blocksBeyondSize,
  blocksBeyondTime,
  sizeLimitBytes,
} from "../../../src/tsdb/compaction/retention.ts";

const HOUR = 3_600_000;

describe("the ranges blocks grow through", () => {
  test.each([
    [2, 31 * 24, [2, 6, 18, 54, 162, 486]],
    [2, 36, [2, 6, 18]],
    [2, 54, [2, 6, 18, 54]],
    [2, 1, [2]],
  ])("from %i hours up to %i are %j", (least, most, expected) => {
    expect(blockRanges(least * HOUR, most * HOUR).map((range) => range / HOUR)).toEqual(expected);
  });
});

interface Sketch {
  readonly failed?: boolean;
  readonly series?: number;
  readonly tombstones?: number;
  readonly hint?: "from-out-of-order" | "from-stale-series";
}

/** A block from one time to another, named by them: `0-20`. */
function block(range: string, sketch: Sketch = {}): BlockMeta {
  const [minTime, maxTime] = range.split(/(?<=\d)-/).map(Number) as [number, number];
  return {
    ulid: range,
    minTime,
    maxTime,
    stats: { numSeries: sketch.series ?? 10, numTombstones: sketch.tombstones ?? 0 },
    compaction: {
      level: 1,
      failed: sketch.failed ?? false,
      ...(sketch.hint ? { hints: [sketch.hint] } : {}),
    },
    version: 1,
  };
}

const ranges = [20, 60, 180, 540, 1620];

function planned(...blocks: readonly (string | BlockMeta)[]): string {
  const metas = blocks.map((each) => (typeof each === "string" ? block(each) : each));
  return planCompaction(metas, ranges)
    .map(({ ulid }) => ulid)
    .join(" ");
}

describe("a plan", () => {
  test.each<[string, readonly (string | BlockMeta)[], string]>([
    ["is empty without blocks", [], ""],
    ["leaves one block alone", ["0-20"], ""],
    ["leaves two alone, of which one is the newest", ["0-20", "20-40"], ""],
    ["waits until the window is over, or full", ["0-20", "20-40", "40-60"], ""],
    [
      "takes a full window once a newer block is there",
      ["0-20", "20-40", "40-60", "60-80"],
      "0-20 20-40 40-60",
    ],
    [
      "takes a window with gaps once a settled block lies behind it",
      ["0-20", "40-60", "60-80", "80-100"],
      "0-20 40-60",
    ],
    [
      "does not take a window with gaps while the settled end in it",
      ["0-20", "40-60", "60-80"],
      "0-20 40-60",
    ],
    [
      "prefers the smaller window",
      ["0-20", "20-40", "40-60", "60-120", "120-180", "180-200"],
      "0-20 20-40 40-60",
    ],
    ["goes on to the larger one", ["0-60", "60-120", "120-180", "180-200"], "0-60 60-120 120-180"],
    ["takes a single block never", ["0-20", "60-80", "120-140", "180-200", "200-220"], "0-20 60-80 120-140"],
    [
      "leaves groups alone in which a compaction failed",
      [block("0-20", { failed: true }), "20-40", "40-60", "60-80"],
      "",
    ],
    ["aligns windows below zero too", ["-60--40", "-40--20", "-20-0", "0-20"], "-60--40 -40--20 -20-0"],
    [
      "leaves out a block across the edge of a window",
      ["0-20", "20-40", "50-70", "80-100", "100-120", "120-140"],
      "0-20 20-40",
    ],
    ["merges blocks that overlap first, the newest included", ["0-20", "20-40", "30-50"], "20-40 30-50"],
    ["merges a run of overlaps at once", ["0-20", "19-40", "35-50", "50-60", "55-70"], "0-20 19-40 35-50"],
    ["sees what lies inside a longer block", ["0-100", "20-40", "60-80", "100-120"], "0-100 20-40 60-80"],
    ["takes blocks in any order", ["60-80", "20-40", "40-60", "0-20"], "0-20 20-40 40-60"],
    [
      "keeps blocks of stale series among themselves",
      ["0-20", block("0-21", { hint: "from-stale-series" }), "20-40"],
      "",
    ],
    [
      "merges out-of-order blocks with those they overlap",
      ["0-20", block("0-21", { hint: "from-out-of-order" })],
      "0-20 0-21",
    ],
  ])("%s", (_, blocks, expected) => {
    expect(planned(...blocks)).toBe(expected);
  });

  test.each<[string, readonly BlockMeta[], string]>([
    [
      "rewrites a long block with many tombstones",
      [block("0-540", { tombstones: 1 }), block("540-560")],
      "0-540",
    ],
    ["and no other one with few", [block("0-540", { series: 100, tombstones: 5 }), block("540-560")], ""],
    [
      "looks no further than the first short block",
      [block("0-540", { tombstones: 9 }), block("540-560"), block("560-580")],
      "",
    ],
    ["takes a short one that is deleted whole", [block("0-20", { tombstones: 10 }), block("20-40")], "0-20"],
    ["spares the newest", [block("0-540"), block("540-1080", { tombstones: 10 })], ""],
  ])("%s", (_, blocks, expected) => {
    expect(planned(...blocks)).toBe(expected);
  });

  test("leaves overlaps alone where it is told to", () => {
    expect(planCompaction([block("0-20"), block("10-30")], ranges, false)).toEqual([]);
  });
});

describe("retention", () => {
  const names = (blocks: readonly { meta: BlockMeta }[]) => blocks.map(({ meta }) => meta.ulid);
  const sized = (...list: [string, number][]) =>
    list.map(([range, sizeBytes]) => ({ meta: block(range), sizeBytes }));

  test("by time deletes what ends so long before the newest, and keeps what ends later", () => {
    const blocks = sized(["0-20", 1], ["20-40", 1], ["40-60", 1]);
    expect(names(blocksBeyondTime(blocks, 20))).toEqual(["20-40", "0-20"]);
    expect(names(blocksBeyondTime(blocks, 21))).toEqual(["0-20"]);
    expect(names(blocksBeyondTime(blocks, 41))).toEqual([]);
    expect(names(blocksBeyondTime(blocks, 0))).toEqual([]);
    expect(names(blocksBeyondTime([], 10))).toEqual([]);
  });

  test("by size counts head and log, keeps the newest, and never an older block without the newer", () => {
    const blocks = sized(["0-20", 10], ["20-40", 60], ["40-60", 30]);
    expect(names(blocksBeyondSize(blocks, 0, 100))).toEqual([]);
    expect(names(blocksBeyondSize(blocks, 1, 100))).toEqual(["0-20"]);
    expect(names(blocksBeyondSize(blocks, 11, 100))).toEqual(["20-40", "0-20"]);
    expect(names(blocksBeyondSize(blocks, 1000, 100))).toEqual(["40-60", "20-40", "0-20"]);
    expect(names(blocksBeyondSize(blocks, 1000, 0))).toEqual([]);
  });

  test("by a share of the disk replaces that by size", () => {
    expect(sizeLimitBytes({ timeMs: 0, sizeBytes: 500, percentage: 0 }, 1000)).toBe(500);
    expect(sizeLimitBytes({ timeMs: 0, sizeBytes: 500, percentage: 7.5 }, 1000)).toBe(75);
  });
});
