/** Which blocks to compact next: pure decisions over what blocks say of themselves. */
import type { BlockHint, BlockMeta } from "../block/meta.ts";

/** Each range is this many of the one before. */
const RANGE_FACTOR = 3;
const MAX_RANGES = 10;
/** A block is rewritten for its tombstones from this share of its series on. */
const TOMBSTONE_SHARE = 0.05;

/**
 * The lengths blocks grow through: the smallest, then three times as long each, up to the greatest allowed; at
 * least the smallest.
 */
export function blockRanges(minBlockMs: number, maxBlockMs: number): number[] {
  const ranges = [minBlockMs];
  while (ranges.length < MAX_RANGES) {
    const next = ranges[ranges.length - 1]! * RANGE_FACTOR;
    if (next > maxBlockMs) break;
    ranges.push(next);
  }
  return ranges;
}

/** Blocks that hold only some series of their time stay among their kind. */
const PARTIAL_HINTS: readonly BlockHint[] = ["from-stale-series", "from-selected-series"];

/**
 * The blocks to compact into one next, in order of time; empty if there is nothing to do. One block alone is to be
 * rewritten without its deleted ranges.
 *
 * @param withOverlaps whether blocks that overlap are merged; they are, unless something else uploads them
 */
export function planCompaction(
  blocks: readonly BlockMeta[],
  ranges: readonly number[],
  withOverlaps = true,
): BlockMeta[] {
  const kinds: BlockMeta[][] = [[], [], []];
  for (const meta of blocks) {
    const hint = PARTIAL_HINTS.findIndex((partial) => meta.compaction.hints?.includes(partial));
    kinds[hint + 1]!.push(meta);
  }
  for (const kind of kinds) {
    const plan = planOfKind(kind, ranges, withOverlaps);
    if (plan.length > 0) return plan;
  }
  return [];
}

function planOfKind(
  blocks: readonly BlockMeta[],
  ranges: readonly number[],
  withOverlaps: boolean,
): BlockMeta[] {
  const sorted = blocks.toSorted((a, b) => a.minTime - b.minTime);
  if (sorted.length === 0) return [];
  const overlapping = withOverlaps ? firstOverlappingRun(sorted) : [];
  if (overlapping.length > 0) return overlapping;
  // The newest block is left alone: it may be being backed up, and late samples may still overlap it.
  const settled = sorted.slice(0, -1);
  const levelled = firstFullWindow(settled, ranges);
  return levelled.length > 0 ? levelled : mostDeletedBlock(settled, ranges);
}

function firstOverlappingRun(sorted: readonly BlockMeta[]): BlockMeta[] {
  let run: BlockMeta[] = [];
  let end = -Infinity;
  for (const [i, meta] of sorted.entries()) {
    if (meta.minTime < end) {
      if (run.length === 0) run = [sorted[i - 1]!];
      run.push(meta);
    } else if (run.length > 0) {
      return run;
    }
    end = Math.max(end, meta.maxTime);
  }
  return run;
}

/** The first group that fills a window of some range, or whose window is over. */
function firstFullWindow(settled: readonly BlockMeta[], ranges: readonly number[]): BlockMeta[] {
  const newest = settled[settled.length - 1];
  if (!newest) return [];
  for (const range of ranges.slice(1)) {
    for (const group of groupsWithin(settled, range)) {
      if (group.length < 2 || group.some(({ compaction }) => compaction.failed)) continue;
      const minTime = group[0]!.minTime;
      const maxTime = group[group.length - 1]!.maxTime;
      if (maxTime - minTime === range || maxTime <= newest.minTime) return group;
    }
  }
  return [];
}

/** Blocks by the aligned window they lie in; those longer than a window, or across its edge, are left out. */
function groupsWithin(sorted: readonly BlockMeta[], range: number): BlockMeta[][] {
  const groups: BlockMeta[][] = [];
  let windowEnd = -Infinity;
  for (const meta of sorted) {
    const group = groups[groups.length - 1];
    if (group && meta.maxTime <= windowEnd) {
      group.push(meta);
      continue;
    }
    const end = (Math.floor(meta.minTime / range) + 1) * range;
    if (meta.maxTime > end) {
      // A block across the edge ends the group before it.
      windowEnd = -Infinity;
      continue;
    }
    windowEnd = end;
    groups.push([meta]);
  }
  return groups;
}

/** The newest block of some length that has lost many of its series, or a short one that has lost them all. */
function mostDeletedBlock(settled: readonly BlockMeta[], ranges: readonly number[]): BlockMeta[] {
  const least = ranges[Math.floor(ranges.length / 2)]!;
  for (const meta of settled.toReversed()) {
    const { numTombstones = 0, numSeries = 0 } = meta.stats;
    if (meta.maxTime - meta.minTime < least) {
      return numTombstones > 0 && numTombstones >= numSeries ? [meta] : [];
    }
    if (numTombstones / (numSeries + 1) > TOMBSTONE_SHARE) return [meta];
  }
  return [];
}
