/** What the compaction thread does when the main thread calls it. All of it is plain data. */
import type { MatchType } from "../model/matcher.ts";
import type { BlockInfo, BlockProblem } from "../tsdb/compaction/block-directory.ts";
import type { RetentionLimits } from "../tsdb/compaction/retention.ts";
import type { ChunkDistributions } from "./chunk-distributions.ts";
import type { GenerationAnnouncement } from "../tsdb/tsdb.ts";

export interface CompactionThreadOptions {
  readonly dataDirectory: string;
  /** How long the blocks of each level are, ascending. */
  readonly ranges: readonly number[];
  readonly withOverlaps: boolean;
  readonly floats: "xor" | "xor2";
  /** Whether blocks of the head are written past the page cache, as merged ones are. */
  readonly pastPageCache: boolean;
  readonly samplesPerChunk: number;
  readonly maxChunkFileBytes: number;
  /** A file that says which blocks were uploaded; those of the first level wait for that. "" for none. */
  readonly uploadedFile: string;
}

/** What the thread is given at its start. */
export interface CompactionThreadData extends CompactionThreadOptions {
  /** Not 0 while generations and merges are to be left off. */
  readonly interrupt: Int32Array;
}

/** Blocks as they are on disk now. */
export interface BlockList {
  readonly blocks: readonly BlockInfo[];
  readonly problems: readonly BlockProblem[];
}

export type PlainMatcher = readonly [type: MatchType, name: string, value: string];

export interface CompactionCalls {
  /** Writes a sealed generation as a block. @returns whether it held anything */
  writeGeneration(announcement: GenerationAnnouncement): boolean | "interrupted";
  /** Does the compaction that is due most. @returns null when none is */
  compactNext(): { readonly isVertical: boolean } | null | "interrupted";
  list(): BlockList;
  /** What is to stay and what is to go; nothing is deleted yet. */
  retire(
    limits: RetentionLimits,
    headBytes: number,
  ): {
    readonly kept: readonly BlockInfo[];
    readonly doomed: readonly string[];
    readonly byTime: number;
    readonly bySize: number;
    readonly problems: readonly BlockProblem[];
  };
  deleteBlocks(directories: readonly string[]): void;
  /** Marks samples as deleted. @returns the blocks whose tombstones changed */
  deleteSeries(
    selectors: readonly (readonly PlainMatcher[])[],
    minTime: number,
    maxTime: number,
  ): Promise<readonly string[]>;
  /** Writes blocks with tombstones anew, without what they hide. @returns the blocks that are to go now */
  cleanTombstones(): readonly string[];
  /** Of the chunks that were compacted since the thread began. */
  chunkDistributions(): ChunkDistributions;
  snapshot(generations: readonly GenerationAnnouncement[]): string;
  [name: string]: (...args: never[]) => unknown;
}
