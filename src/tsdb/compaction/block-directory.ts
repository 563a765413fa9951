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
  META_FILE,
  TMP_FOR_DELETION,
  TOMBSTONES_FILE,
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

/** Blocks that were looked at before, by directory, with what would change if they did. */
export type KnownBlocks = Map<string, { readonly stamp: string; readonly info: BlockInfo }>;

/**
 * Looks at every block of the directory, those put there by hand too. Cheap: reads no samples.
 * @param known of those in it that have not changed, only that is looked at; what is found is put into it
 */
export function takeInventory(dataDirectory: string, known: KnownBlocks = new Map()): BlockInventory {
  const found: BlockInfo[] = [];
  const problems: BlockProblem[] = [];
  // Only looking: what it reads need not stay.
  const cache = new PageCache(1 << 20);
  const names = foldersOf(dataDirectory).filter(isBlockName);
  const directories = new Set(names.map((name) => join(dataDirectory, name)));
  for (const directory of known.keys()) if (!directories.has(directory)) known.delete(directory);
  for (const directory of directories) {
    try {
      const stamp = stampOf(directory);
      let info = known.get(directory);
      if (info?.stamp !== stamp) known.set(directory, (info = { stamp, info: look(directory, cache) }));
      found.push(info.info);
    } catch (error) {
      known.delete(directory);
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

/** What changes in a block, other than by damage: meta.json and its tombstones, which are replaced. */
function stampOf(directory: string): string {
  const stamps = [META_FILE, TOMBSTONES_FILE].map((name) => {
    const stat = fs.statSync(join(directory, name), { throwIfNoEntry: false });
    return stat === undefined ? "" : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
  });
  return stamps.join(" ");
}

function look(directory: string, cache: PageCache): BlockInfo {
  const block = Block.open(directory, cache);
  try {
    const { meta, sizeBytes, index } = block;
    return { directory, meta, sizeBytes, symbolTableBytes: index.symbolTableBytes };
  } finally {
    block.close();
  }
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

/** A block, as much of it as must be known to tell whether a query needs it. */
export interface ListedBlock {
  readonly directory: string;
  readonly minTime: number;
  /** Included. */
  readonly maxTime: number;
  /** What meta.json says, where that is known. */
  readonly meta?: BlockMeta;
}

/** The blocks of one thread's queries: open from the first query on that needs them. */
export class OpenBlocks {
  private readonly listed = new Map<string, ListedBlock>();
  private readonly open = new Map<string, Block>();
  /** Those that a query could not open; it is tried again when blocks come or go. */
  private readonly broken = new Set<string>();
  /** Told of each of them: queries do without. */
  onProblem: (problem: BlockProblem) => void = () => undefined;

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
    this.closeAllBut(new Set(directories), changed);
    for (const directory of directories) {
      if (this.open.has(directory)) continue;
      try {
        const block = Block.open(directory, this.cache);
        this.open.set(directory, block);
        const { minTime, maxTime } = block.meta;
        this.listed.set(directory, { directory, minTime, maxTime: maxTime - 1 });
      } catch (error) {
        problems.push({ directory, reason: (error as Error).message });
      }
    }
    return problems;
  }

  /** As `update`, but a block is opened when a query needs it. */
  list(blocks: readonly ListedBlock[], changed: readonly string[] = []): void {
    this.closeAllBut(new Set(blocks.map(({ directory }) => directory)), changed);
    for (const block of blocks) this.listed.set(block.directory, block);
  }

  private closeAllBut(wanted: ReadonlySet<string>, changed: readonly string[]): void {
    this.broken.clear();
    for (const directory of this.listed.keys()) {
      if (wanted.has(directory) && !changed.includes(directory)) continue;
      this.listed.delete(directory);
      const block = this.open.get(directory);
      if (block === undefined) continue;
      block.close();
      this.decoded?.forget(block);
      this.open.delete(directory);
    }
  }

  /** Those that are open. */
  get blocks(): Block[] {
    return [...this.open.values()].sort((a, b) => a.meta.minTime - b.meta.minTime);
  }

  /** For `TsdbReader.setBlocks`: the blocks as things a query may read; both ends included. */
  readable(memory: QueryMemory): {
    minTime: number;
    maxTime: number;
    isReadable(): boolean;
    source(): SeriesSource;
  }[] {
    const inOrder = [...this.listed.values()].sort((a, b) => a.minTime - b.minTime);
    return inOrder.map((listed) => ({
      minTime: listed.minTime,
      maxTime: listed.maxTime,
      isReadable: () => this.isReadable(listed),
      source: () => this.opened(listed).source(memory),
    }));
  }

  private isReadable(listed: ListedBlock): boolean {
    if (this.broken.has(listed.directory)) return false;
    try {
      this.opened(listed);
      return true;
    } catch (error) {
      this.broken.add(listed.directory);
      this.onProblem({ directory: listed.directory, reason: (error as Error).message });
      return false;
    }
  }

  private opened({ directory, meta }: ListedBlock): Block {
    let block = this.open.get(directory);
    if (block === undefined) this.open.set(directory, (block = Block.open(directory, this.cache, meta)));
    return block;
  }

  close(): void {
    for (const block of this.open.values()) block.close();
    this.open.clear();
    this.listed.clear();
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
