import * as fs from "node:fs";
import type { BlockMeta } from "../block/meta.ts";
import { type BlockInfo, type BlockInventory, type KnownBlocks, takeInventory } from "./block-directory.ts";
import { type CompactionOptions, compactBlocks } from "./compact.ts";
import { planCompaction } from "./plan.ts";
import { blocksBeyondSize, blocksBeyondTime, type RetentionLimits, sizeLimitBytes } from "./retention.ts";

/** Whether a block has to be left alone for now. */
export type BlockFilter = (meta: BlockMeta) => boolean;

export interface CompactionResult {
  readonly inputs: readonly BlockMeta[];
  /** Null if none of the inputs had a sample left. */
  readonly output: BlockMeta | null;
  /** Whether the inputs overlapped in time. */
  readonly isVertical: boolean;
}

/**
 * Does the one compaction that is due most, if any is. Call it until it gives null; after each, let readers know of
 * the new block, then delete what it superseded.
 */
export function compactNext(
  dataDirectory: string,
  ranges: readonly number[],
  options: CompactionOptions & {
    readonly withOverlaps?: boolean;
    readonly isHeldBack?: BlockFilter;
    /** Blocks that were looked at before. */
    readonly known?: KnownBlocks;
  },
): CompactionResult | null {
  const { blocks } = takeInventory(dataDirectory, options.known);
  const metas = blocks.map(({ meta }) => meta);
  // Nothing is merged across a block that is held back: what came out would overlap it.
  const held = options.isHeldBack === undefined ? -1 : metas.findIndex(options.isHeldBack);
  const free = held < 0 ? metas : metas.slice(0, held);
  const inputs = planCompaction(free, ranges, options.withOverlaps ?? true);
  if (inputs.length === 0) return null;
  const directoryOf = new Map(blocks.map(({ meta, directory }) => [meta.ulid, directory]));
  const output = compactBlocks(
    dataDirectory,
    inputs.map(({ ulid }) => directoryOf.get(ulid)!),
    options,
  );
  const isVertical = inputs.some((meta, i) => i > 0 && meta.minTime < inputs[i - 1]!.maxTime);
  return { inputs, output, isVertical };
}

/** Blocks that are to go now, by the reason why. Let readers know before you delete them. */
export interface RetiredBlocks {
  readonly superseded: readonly BlockInfo[];
  readonly byTime: readonly BlockInfo[];
  readonly bySize: readonly BlockInfo[];
  /** The blocks that stay, in order of time. */
  readonly kept: readonly BlockInfo[];
}

/**
 * @param headBytes what the log and the head take of the disk
 * @param diskBytes the size of the disk, asked for only where a limit is a share of it
 */
export function retireBlocks(
  inventory: BlockInventory,
  limits: RetentionLimits,
  headBytes: number,
  diskBytes: () => number,
): RetiredBlocks {
  const { blocks, superseded } = inventory;
  const byTime = blocksBeyondTime(blocks, limits.timeMs);
  const left = blocks.filter((block) => !byTime.includes(block));
  const maxBytes = sizeLimitBytes(limits, limits.percentage > 0 ? diskBytes() : 0);
  const bySize = blocksBeyondSize(left, headBytes, maxBytes);
  return { superseded, byTime, bySize, kept: left.filter((block) => !bySize.includes(block)) };
}

/** The size of the disk a directory is on. */
export function diskSizeBytes(directory: string): number {
  const { blocks, bsize } = fs.statfsSync(directory);
  return blocks * bsize;
}
