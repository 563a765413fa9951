import type { Labels } from "../../model/labels.ts";
import { Block } from "./block.ts";
import { type Interval, isDeleted, readTombstones } from "./tombstones.ts";

/** What the tombstones of blocks cover, by series. */
export class DeletedSamples {
  private readonly bySeries = new Map<string, (readonly Interval[])[]>();

  /**
   * Reads the labels of series with tombstones, no samples.
   * @throws CorruptionError, StorageError as `Block.open`
   */
  constructor(blockDirectories: Iterable<string>) {
    for (const directory of blockDirectories) {
      if (readTombstones(directory).size === 0) continue;
      const block = Block.open(directory);
      try {
        for (const [id, intervals] of block.tombstones) this.add(block.index.labels(id).key, intervals);
      } finally {
        block.close();
      }
    }
  }

  private add(key: string, intervals: readonly Interval[]): void {
    const known = this.bySeries.get(key);
    if (known) known.push(intervals);
    else this.bySeries.set(key, [intervals]);
  }

  /** Whether samples of the series at this time were deleted. */
  has(labels: Labels, timeMs: number): boolean {
    if (this.bySeries.size === 0) return false;
    return this.bySeries.get(labels.key)?.some((intervals) => isDeleted(intervals, timeMs)) ?? false;
  }
}
