/** The blocks of a data directory: which there are, which go, and how they go. */
import * as fs from "node:fs";
import { join } from "node:path";
import type { QueryMemory } from "../../kernels/query-memory.ts";
import { Block } from "../block/block.ts";
import { syncFolder } from "../block/file-writer.ts";
import type { BlockMeta } from "../block/meta.ts";
import { PageCache } from "../block/page-cache.ts";
import {
  isBlockName,
  isTemporaryBlockFolder,
  isTemporaryCheckpoint,
  TMP_FOR_DELETION,
  WAL_FOLDER,
} from "../file-names.ts";
import type { DecodedCache } from "../decoded-cache.ts";
import type { SeriesSource } from "../series-source.ts";

export interface BlockInfo {
  readonly directory: string;
  readonly meta: BlockMeta;
  readonly sizeBytes: number;
  /** What a reader of it keeps of its symbols. */
  readonly symbolTableBytes: number;
}

/** A block that cannot be read: it stays where it is, out of use, for someone to look at. */
export interface BlockProblem {
  readonly directory: string;
  readonly reason: string;
}

export interface BlockInventory {
  /** Blocks in use, in order of time. */
  readonly blocks: readonly BlockInfo[];
  /** Blocks whose samples are in another one, or that have none: to be deleted. */
  readonly superseded: readonly BlockInfo[];
  readonly problems: readonly BlockProblem[];
}

/**
 * Removes what an interrupted run left half made or half deleted. Call it before anything else is opened.
 * @returns the folders removed
 */
export function removeTemporaryFolders(dataDirectory: string): string[] {
  const removed: string[] = [];
  const sweep = (directory: string, isTemporary: (name: string) => boolean) => {
    for (const entry of foldersOf(directory)) {
      if (!isTemporary(entry)) continue;
      const path = join(directory, entry);
      fs.rmSync(path, { recursive: true, force: true });
      removed.push(path);
    }
  };
  sweep(dataDirectory, isTemporaryBlockFolder);
  sweep(join(dataDirectory, WAL_FOLDER), isTemporaryCheckpoint);
  return removed;
}

function foldersOf(directory: string): string[] {
  try {
    return fs
      .readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Looks at every block of the directory, those put there by hand too. Cheap: reads no samples. */
export function takeInventory(dataDirectory: string): BlockInventory {
  const found: BlockInfo[] = [];
  const problems: BlockProblem[] = [];
  // Only looking: what it reads need not stay.
  const cache = new PageCache(1 << 20);
  for (const name of foldersOf(dataDirectory).filter(isBlockName)) {
    const directory = join(dataDirectory, name);
    try {
      const block = Block.open(directory, cache);
      const { meta, sizeBytes, index } = block;
      found.push({ directory, meta, sizeBytes, symbolTableBytes: index.symbolTableBytes });
      block.close();
    } catch (error) {
      problems.push({ directory, reason: (error as Error).message });
    }
  }
  const parents = new Set(
    found.flatMap(({ meta }) => meta.compaction.parents?.map(({ ulid }) => ulid) ?? []),
  );
  const isSuperseded = ({ meta }: BlockInfo) => meta.compaction.deletable === true || parents.has(meta.ulid);
  return {
    blocks: found.filter((block) => !isSuperseded(block)).sort((a, b) => a.meta.minTime - b.meta.minTime),
    superseded: found.filter(isSuperseded),
    // What is whole elsewhere is not missed.
    problems: problems.filter(({ directory }) => !parents.has(directory.slice(-26))),
  };
}

/** Deletes a block. Those who have it open go on reading it; a crash on the way leaves nothing that looks like it. */
export function deleteBlock(directory: string): void {
  const doomed = directory + TMP_FOR_DELETION;
  fs.rmSync(doomed, { recursive: true, force: true });
  try {
    fs.renameSync(directory, doomed);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  fs.rmSync(doomed, { recursive: true, force: true });
}

/** The end of what blocks hold of the samples that came in order: the head need not take older ones from the log. */
export function minValidTime(blocks: readonly BlockInfo[]): number {
  let time = -Infinity;
  for (const { meta } of blocks) {
    if ((meta.compaction.hints?.length ?? 0) === 0) time = Math.max(time, meta.maxTime);
  }
  return time;
}

/** The blocks that one thread has open for its queries. */
export class OpenBlocks {
  private readonly open = new Map<string, Block>();

  /** @param cache shared by all blocks of the thread, as is `decoded`, where samples are kept for later queries */
  constructor(
    private readonly cache: PageCache = new PageCache(),
    private readonly decoded: DecodedCache | null = null,
  ) {}

  /**
   * Opens what is new, closes what is gone; queries that have begun go on with what they have.
   * @param directories all the blocks there are to be
   * @param changed those whose tombstones have changed since they were opened
   * @returns those that could not be opened: the others are in use
   */
  update(directories: readonly string[], changed: readonly string[] = []): BlockProblem[] {
    const problems: BlockProblem[] = [];
    const wanted = new Set(directories);
    for (const [directory, block] of this.open) {
      if (wanted.has(directory) && !changed.includes(directory)) continue;
      block.close();
      this.decoded?.forget(block);
      this.open.delete(directory);
    }
    for (const directory of directories) {
      if (this.open.has(directory)) continue;
      try {
        this.open.set(directory, Block.open(directory, this.cache));
      } catch (error) {
        problems.push({ directory, reason: (error as Error).message });
      }
    }
    return problems;
  }

  get blocks(): Block[] {
    return [...this.open.values()].sort((a, b) => a.meta.minTime - b.meta.minTime);
  }

  /** For `TsdbReader.setBlocks`: the blocks as things a query may read; both ends included. */
  readable(memory: QueryMemory): { minTime: number; maxTime: number; source(): SeriesSource }[] {
    return this.blocks.map((block) => ({
      minTime: block.meta.minTime,
      maxTime: block.meta.maxTime - 1,
      source: () => block.source(memory),
    }));
  }

  close(): void {
    for (const block of this.open.values()) block.close();
    this.open.clear();
  }
}

/** Hard links of every file of a block into another folder: no bytes are copied, and what is linked never changes. */
export function linkBlock(directory: string, target: string): void {
  fs.mkdirSync(target, { recursive: true });
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    const from = join(directory, entry.name);
    const to = join(target, entry.name);
    if (entry.isDirectory()) linkBlock(from, to);
    else if (!entry.name.endsWith(".tmp")) fs.linkSync(from, to);
  }
  syncFolder(target);
}
