import * as fs from "node:fs";
import { join } from "node:path";
import type { ChunkSeriesSource } from "../block/chunk-series.ts";
import { syncFolder } from "../block/file-writer.ts";
import { SNAPSHOTS_FOLDER } from "../file-names.ts";
import { type BlockInfo, linkBlock } from "./block-directory.ts";
import { type CompactionOptions, writeHeadBlock } from "./compact.ts";

/** What the head adds to a snapshot: the series of a generation. */
export interface SnapshotGeneration {
  readonly series: ChunkSeriesSource;
  readonly minTime: number;
  /** Excluded. */
  readonly maxTime: number;
}

export interface SnapshotOptions extends CompactionOptions {
  readonly nowMs: number;
  /** Eight random bytes, so that two snapshots of one second differ. */
  readonly random: Uint8Array;
}

/**
 * Makes `snapshots/<time>-<random>/`, a data directory of its own: hard links of the blocks, and blocks of what the
 * head holds. It costs no disk until the blocks are compacted away.
 * @returns the snapshot's name
 */
export function createSnapshot(
  dataDirectory: string,
  blocks: readonly BlockInfo[],
  head: readonly SnapshotGeneration[],
  options: SnapshotOptions,
): string {
  const name = snapshotName(options.nowMs, options.random);
  const directory = join(dataDirectory, SNAPSHOTS_FOLDER, name);
  fs.mkdirSync(directory, { recursive: true });
  try {
    for (const { directory: block, meta } of blocks) linkBlock(block, join(directory, meta.ulid));
    for (const { series, minTime, maxTime } of head)
      writeHeadBlock(directory, series, { minTime, maxTime }, options);
    syncFolder(directory);
  } catch (error) {
    fs.rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  return name;
}

/** Such as 20060102T150405Z-0123456789abcdef. */
function snapshotName(nowMs: number, random: Uint8Array): string {
  const time = new Date(nowMs).toISOString().slice(0, 19).replaceAll("-", "").replaceAll(":", "");
  return `${time}Z-${Buffer.from(random).toString("hex").padStart(16, "0")}`;
}
