import type { Matcher } from "../../model/matcher.ts";
import { Block } from "../block/block.ts";
import { writeMeta } from "../block/meta.ts";
import type { PageCache } from "../block/page-cache.ts";
import { selectSeries } from "../block/select-series.ts";
import { addInterval, intervalCount, writeTombstones } from "../block/tombstones.ts";

/**
 * Marks samples of a block as deleted: those of the series that satisfy every matcher, between two times, both
 * included. Nothing is rewritten; readers leave them out once they have opened the block anew.
 * @returns whether anything was marked
 */
export function deleteFromBlock(
  directory: string,
  matchers: readonly Matcher[],
  minTime: number,
  maxTime: number,
  cache?: PageCache,
): boolean {
  const block = Block.open(directory, cache);
  try {
    const tombstones = new Map(block.tombstones);
    let marked = false;
    for (const id of selectSeries(block.index, matchers)) {
      const chunks = block.index.chunks(id);
      const first = chunks[0]?.minTime ?? Infinity;
      const last = chunks[chunks.length - 1]?.maxTime ?? -Infinity;
      if (first > maxTime || last < minTime) continue;
      // No further than the series' own samples: what comes later under its name is none of ours.
      addInterval(tombstones, id, { minTime: Math.max(minTime, first), maxTime: Math.min(maxTime, last) });
      marked = true;
    }
    if (!marked) return false;
    writeTombstones(directory, tombstones);
    const { meta } = block;
    writeMeta(directory, { ...meta, stats: { ...meta.stats, numTombstones: intervalCount(tombstones) } });
    return true;
  } finally {
    block.close();
  }
}
