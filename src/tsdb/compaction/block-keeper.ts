import * as fs from "node:fs";
import type { Matcher } from "../../model/matcher.ts";
import type { ChunkSeriesSource } from "../block/chunk-series.ts";
import type { BlockMeta } from "../block/meta.ts";
import { PageCache } from "../block/page-cache.ts";
import {
  type BlockInfo,
  type BlockInventory,
  type BlockProblem,
  deleteBlock,
  minValidTime,
  removeTemporaryFolders,
  takeInventory,
} from "./block-directory.ts";
import { cleanBlock, type CompactionOptions, type HeadBlockRange, writeHeadBlock } from "./compact.ts";
import { compactNext, diskSizeBytes, retireBlocks } from "./compactor.ts";
import { deleteFromBlock } from "./delete-series.ts";
import type { RetentionLimits } from "./retention.ts";
import { createSnapshot, type SnapshotGeneration } from "./snapshot.ts";

/** What readers have to know when the blocks have changed: for `OpenBlocks.update`. */
export interface BlockList {
  readonly directories: readonly string[];
  /** Blocks whose tombstones have changed. */
  readonly changed: readonly string[];
}

export interface BlockKeeperOptions extends CompactionOptions {
  readonly directory: string;
  /** From `blockRanges`. */
  readonly ranges: readonly number[];
  readonly limits: RetentionLimits;
  /** Whether blocks that overlap are merged. */
  readonly withOverlaps?: boolean;
  /** What log and head take of the disk now. */
  readonly headBytes: () => number;
  /** Told each time the blocks have changed, before any is deleted. */
  readonly onBlocks: (list: BlockList) => void;
  /** Milliseconds of any steady clock, for durations. */
  readonly clock?: () => number;
  readonly onCompaction?: (seconds: number) => void;
}

/** Counted since the start, but for the last three, which are as they are. */
export interface BlockStatistics {
  compactions: number;
  compactionsFailed: number;
  verticalCompactions: number;
  reloads: number;
  timeRetentions: number;
  sizeRetentions: number;
  blocksLoaded: number;
  blocksBytes: number;
  /** The oldest time in any block; Infinity without blocks. */
  minTime: number;
}

/**
 * The one who changes the blocks of a data directory: writes generations, compacts, deletes what has had its time,
 * marks what is deleted. Everything it does waits for the disk, so it lives on a thread of its own; as it is alone
 * there, none of this can get in the way of another.
 */
export class BlockKeeper {
  limits: RetentionLimits;
  readonly statistics: BlockStatistics = {
    compactions: 0,
    compactionsFailed: 0,
    verticalCompactions: 0,
    reloads: 0,
    timeRetentions: 0,
    sizeRetentions: 0,
    blocksLoaded: 0,
    blocksBytes: 0,
    minTime: Infinity,
  };

  private inventory: BlockInventory = { blocks: [], superseded: [], problems: [] };
  private published = "";
  private readonly clock: () => number;
  private readonly compaction: CompactionOptions;

  /**
   * Sweeps the directory of what an interrupted run left, finds its blocks, and deletes those that have had their
   * time. The lock of the directory must be held.
   */
  constructor(private readonly options: BlockKeeperOptions) {
    this.limits = options.limits;
    this.clock = options.clock ?? (() => performance.now());
    // One cache for all the work of this thread.
    this.compaction = { ...options, cache: options.cache ?? new PageCache() };
    fs.mkdirSync(options.directory, { recursive: true });
    removeTemporaryFolders(options.directory);
    this.reload();
  }

  /** Blocks in use, in order of time. */
  get blocks(): readonly BlockInfo[] {
    return this.inventory.blocks;
  }

  /** Blocks that cannot be read, and why. */
  get problems(): readonly BlockProblem[] {
    return this.inventory.problems;
  }

  /** Where the in-order samples of the blocks end: -Infinity without blocks. */
  get minValidTime(): number {
    return minValidTime(this.blocks);
  }

  /**
   * Looks at the directory anew, for blocks put there by hand and for those that have had their time. Once a minute,
   * and after each change.
   */
  reload(changed: readonly string[] = []): void {
    const inventory = takeInventory(this.options.directory);
    const retired = retireBlocks(inventory, this.limits, this.options.headBytes(), () =>
      diskSizeBytes(this.options.directory),
    );
    this.inventory = { ...inventory, blocks: retired.kept };
    const { statistics } = this;
    statistics.reloads++;
    if (retired.byTime.length > 0) statistics.timeRetentions++;
    if (retired.bySize.length > 0) statistics.sizeRetentions++;
    statistics.blocksLoaded = retired.kept.length;
    statistics.blocksBytes = retired.kept.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    statistics.minTime = Math.min(...retired.kept.map(({ meta }) => meta.minTime));
    this.publish(changed);
    for (const { directory } of [...retired.superseded, ...retired.byTime, ...retired.bySize]) {
      deleteBlock(directory);
    }
  }

  private publish(changed: readonly string[]): void {
    const directories = this.blocks.map(({ directory }) => directory);
    const key = directories.join("\n");
    if (key === this.published && changed.length === 0) return;
    this.published = key;
    this.options.onBlocks({ directories, changed });
  }

  /**
   * Writes the samples of a sealed generation as a block, which readers know of when this returns; then the
   * generation may go.
   * @returns null if it had no samples
   * @throws StorageError where the disk refuses: keep the generation and try again
   */
  storeGeneration(series: ChunkSeriesSource, range: Omit<HeadBlockRange, "isOutOfOrder">): BlockMeta | null {
    // A range that blocks already reach past was stored before: these are its late samples.
    const isOutOfOrder = range.maxTime <= this.minValidTime;
    const meta = this.timed(() =>
      writeHeadBlock(this.options.directory, series, { ...range, isOutOfOrder }, this.compaction),
    );
    if (meta) this.reload();
    return meta;
  }

  /**
   * Does the compaction that is due most.
   * @returns whether there was one, and there may be another
   * @throws what made it fail, after counting it; blocks that cannot be read are left alone from then on
   */
  compactOnce(): boolean {
    const { withOverlaps = true, directory, ranges } = this.options;
    const result = this.timed(() => compactNext(directory, ranges, { ...this.compaction, withOverlaps }));
    if (!result) return false;
    if (result.isVertical) this.statistics.verticalCompactions++;
    this.reload();
    return true;
  }

  /** Counts and times a piece of work that writes a block, if it did. */
  private timed<T>(work: () => T | null): T | null {
    const startedMs = this.clock();
    try {
      const result = work();
      if (result !== null) {
        this.statistics.compactions++;
        this.options.onCompaction?.((this.clock() - startedMs) / 1000);
      }
      return result;
    } catch (error) {
      this.statistics.compactionsFailed++;
      throw error;
    }
  }

  /**
   * Marks samples in all blocks as deleted: of the series that satisfy every matcher of any of the sets, between two
   * times, both included. Queries that begin later don't see them.
   */
  deleteSeries(matcherSets: readonly (readonly Matcher[])[], minTime: number, maxTime: number): void {
    const changed = new Set<string>();
    for (const { directory, meta } of this.blocks) {
      if (meta.minTime > maxTime || meta.maxTime <= minTime) continue;
      for (const matchers of matcherSets) {
        if (deleteFromBlock(directory, matchers, minTime, maxTime, this.compaction.cache))
          changed.add(directory);
      }
    }
    if (changed.size > 0) this.reload([...changed]);
  }

  /** Rewrites every block that has deleted samples without them. */
  cleanTombstones(): void {
    for (const { directory } of this.blocks) {
      const cleaned = cleanBlock(this.options.directory, directory, this.compaction);
      if (cleaned !== undefined) this.reload();
    }
  }

  /** @param head what is not in blocks yet, or nothing to leave it out  @returns the snapshot's name */
  snapshot(head: readonly SnapshotGeneration[], nowMs: number, random: Uint8Array): string {
    return createSnapshot(this.options.directory, this.blocks, head, { ...this.compaction, nowMs, random });
  }
}
