import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Registry } from "prom-client";
import type { Logger } from "../telemetry/logger.ts";
import type { BlockInfo } from "../tsdb/compaction/block-directory.ts";
import type { RetentionLimits } from "../tsdb/compaction/retention.ts";
import type { GenerationAnnouncement } from "../tsdb/tsdb.ts";
import { BlockMetrics } from "./block-metrics.ts";
import { collectGarbageSoon } from "./collect-garbage.ts";
import type {
  CompactionCalls,
  CompactionThreadData,
  CompactionThreadOptions,
  PlainMatcher,
} from "./compaction-messages.ts";
import type { BlockSpan } from "./query-messages.ts";
import { GivingWay } from "./giving-way.ts";
import { ThreadCaller } from "./thread-calls.ts";

export interface StorageKeeperOptions {
  readonly threadFile: URL;
  /** As the configuration has it now. */
  readonly thread: () => CompactionThreadOptions;
  /** How often the data directory is looked at. */
  readonly intervalMs: number;
  readonly limits: () => RetentionLimits;
  /** Generations that take no more samples, each given once. */
  readonly sealGenerations: () => Promise<readonly GenerationAnnouncement[]>;
  /** What the log takes of the disk. */
  readonly headBytes: () => Promise<number>;
  /** The least sample time of the head, Infinity for an empty one. */
  readonly headMinTime: () => Promise<number>;
  /** Has every reader use these blocks, and none of these generations, before it resolves. */
  readonly tellReaders: (news: StorageNews) => Promise<void>;
  /** A generation is in a block and no reader uses it any more. */
  readonly generationStored: (epoch: number) => Promise<void>;
  readonly registry: Registry;
  readonly log: Logger;
}

export interface StorageNews {
  readonly blocks: readonly BlockSpan[];
  /** Blocks whose tombstones changed. */
  readonly changed: readonly string[];
  readonly droppedGenerations: readonly number[];
}

/** Of the data directory, what tells whether there may be something to do. */
interface WhatIsThere {
  readonly names: readonly string[];
  readonly times: string;
  /** The file of blocks that were uploaded, and the limits. */
  readonly settings: string;
}

type Compaction = ThreadCaller<CompactionCalls>;

/**
 * Keeps the data directory in order: generations become blocks, blocks are merged, old ones go, those that someone put
 * there are noticed. One piece of work at a time, on a thread that is there only while there is work.
 *
 * The order is always: write what is new, have all readers use it, then remove what it replaces. So a crash at any
 * point leaves too much behind, never too little.
 */
export class StorageKeeper {
  /** Blocks in use, in order of time. */
  blocks: readonly BlockInfo[] = [];
  private readonly sealed: GenerationAnnouncement[] = [];
  private readonly reported = new Set<string>();
  private lastSeen = "";
  private working: Promise<unknown> = Promise.resolve();
  private timer: NodeJS.Timeout | null = null;
  private isStopped = false;
  private readonly givingWay = new GivingWay();
  /** Whether the last pass ended before everything was done, for something that goes first. */
  private isUnfinished = false;
  private readonly metrics: BlockMetrics;
  private readonly counters: BlockMetrics["counters"];

  constructor(private readonly options: StorageKeeperOptions) {
    this.metrics = new BlockMetrics(options.registry, {
      blocks: () => this.blocks,
      limits: options.limits,
      headMinTime: options.headMinTime,
    });
    this.counters = this.metrics.counters;
  }

  /** Has readers use the blocks there are. What else is due is done after that, and from then on every interval. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const work = async (compaction: Compaction) => {
        await this.useBlocks(compaction, []);
        resolve();
        await this.lookWith(compaction);
      };
      this.alone(() => this.withThread(work)).catch(reject);
    });
    this.timer = setInterval(() => void this.look(), this.options.intervalMs);
  }

  /** One pass over everything that is due; does nothing where nothing changed. */
  look(): Promise<void> {
    return this.alone(() => this.lookWith(null));
  }

  /** @param thread where it is to be done; on one of its own, if anything is due, where it is null */
  private async lookWith(thread: Compaction | null): Promise<void> {
    this.sealed.push(...(await this.options.sealGenerations()));
    const seen = fingerprintOf(this.whatIsThere());
    const { sizeBytes, percentage } = this.options.limits();
    if (this.sealed.length === 0 && seen === this.lastSeen && sizeBytes === 0 && percentage === 0) return;
    const work = thread ? this.keep(thread) : this.withThread((compaction) => this.keep(compaction));
    const failures = await work.catch((err: unknown) => [err]);
    for (const err of failures) {
      this.counters.compactionsFailed++;
      this.options.log.error({ err }, "cannot keep the data directory in order; it is tried again");
    }
    this.lastSeen = failures.length > 0 || this.isUnfinished ? "" : this.seenAfter(seen);
  }

  /** Does what it can: deleting old blocks must not wait for a disk that is full. @returns what went wrong */
  private async keep(compaction: Compaction): Promise<unknown[]> {
    this.counters.compactionsTriggered++;
    const failures: unknown[] = [];
    this.isUnfinished = false;
    for (const work of ["storeGenerations", "compactBlocks", "removeRetired"] as const) {
      // What is left waits for the next start: a stop is not to wait for it.
      if (this.isStopped || this.isUnfinished) break;
      await this[work](compaction).catch((err: unknown) => failures.push(err));
    }
    return failures;
  }

  private async storeGenerations(compaction: Compaction): Promise<void> {
    const { log } = this.options;
    while (this.sealed.length > 0 && !this.isStopped) {
      const announcement = this.sealed[0]!;
      const startedMs = performance.now();
      const { isEarly = false } = announcement;
      try {
        const hasBlock = await this.writing(() => compaction.call("writeGeneration", [announcement]));
        if (this.gaveWay(hasBlock)) return;
        this.counters.staleCompactions += Number(isEarly);
        this.counters.compactions += Number(hasBlock);
        const seconds = (performance.now() - startedMs) / 1000;
        if (hasBlock) this.metrics.observeCompaction(seconds);
        if (isEarly) this.metrics.observeStaleCompaction(seconds);
        await this.useBlocks(compaction, [announcement.epoch]);
        await this.options.generationStored(announcement.epoch);
        this.counters.truncations++;
        log.info(
          { epoch: announcement.epoch, ms: Math.round(performance.now() - startedMs), hasBlock },
          "a generation of the head is in a block",
        );
      } catch (err) {
        this.counters.truncationsFailed++;
        this.counters.staleCompactionsFailed += Number(isEarly);
        throw err;
      }
      this.sealed.shift();
      // A generation's memory is given back when no thread's heap refers to it.
      collectGarbageSoon();
    }
  }

  private async compactBlocks(compaction: Compaction): Promise<void> {
    while (!this.isStopped) {
      const startedMs = performance.now();
      const done = await this.writing(() => compaction.call("compactNext", []));
      if (this.gaveWay(done) || done === null) break;
      this.counters.compactions++;
      this.metrics.observeCompaction((performance.now() - startedMs) / 1000);
      this.counters.verticalCompactions += Number(done.isVertical);
      this.options.log.info(
        { ms: Math.round(performance.now() - startedMs), vertical: done.isVertical },
        "blocks were compacted",
      );
      await this.removeRetired(compaction);
      if (this.givingWay.isWanted) {
        this.isUnfinished = true;
        return;
      }
    }
  }

  /** Whether a piece of work was left off for something that goes first. */
  private gaveWay<T>(outcome: T | "interrupted"): outcome is "interrupted" {
    const isInterrupted = outcome === "interrupted";
    this.givingWay.note(isInterrupted ? "interrupted" : "done");
    this.isUnfinished ||= isInterrupted;
    return isInterrupted;
  }

  /** Has readers use the blocks that are to stay, then deletes the others. */
  private async removeRetired(compaction: Compaction): Promise<void> {
    const retired = await compaction.call("retire", [this.options.limits(), await this.options.headBytes()]);
    this.report(retired.problems);
    await this.tell(retired.kept, [], []);
    if (retired.doomed.length === 0) return;
    await compaction.call("deleteBlocks", [retired.doomed]);
    this.counters.timeRetentions += Number(retired.byTime > 0);
    this.counters.sizeRetentions += Number(retired.bySize > 0);
    this.options.log.info(
      { blocks: retired.doomed.length, by_time: retired.byTime, by_size: retired.bySize },
      "blocks were deleted",
    );
  }

  private async useBlocks(
    compaction: Compaction,
    droppedGenerations: readonly number[],
    changed: readonly string[] = [],
  ) {
    const { blocks, problems } = await compaction.call("list", []);
    this.report(problems);
    await this.tell(blocks, droppedGenerations, changed);
  }

  private async tell(
    blocks: readonly BlockInfo[],
    droppedGenerations: readonly number[],
    changed: readonly string[],
  ) {
    this.counters.reloads++;
    await this.options.tellReaders({
      blocks: blocks.map(({ directory, meta }) => ({
        directory,
        minTime: meta.minTime,
        maxTime: meta.maxTime - 1,
        meta,
      })),
      changed,
      droppedGenerations,
    });
    this.blocks = blocks;
  }

  private report(problems: readonly { readonly directory: string; readonly reason: string }[]): void {
    for (const { directory, reason } of problems) {
      if (this.reported.has(directory)) continue;
      this.reported.add(directory);
      this.counters.reloadFailures++;
      this.options.log.error(
        { block: directory, reason },
        "a block cannot be read and is left out; look at it, or delete it",
      );
    }
  }

  // ── what an administrator asks for ──

  /**
   * Marks samples in blocks. What is being written is left off for it, and begun anew: a block is written of what was
   * there before, and would bring back what is deleted meanwhile.
   * @throws Error when a block cannot be marked
   */
  async deleteSeries(
    selectors: readonly (readonly PlainMatcher[])[],
    minTime: number,
    maxTime: number,
  ): Promise<void> {
    await this.givingWay.first(() =>
      this.alone(() =>
        this.withThread(async (compaction) => {
          const changed = await compaction.call("deleteSeries", [selectors, minTime, maxTime]);
          await this.useBlocks(compaction, [], changed);
        }),
      ),
    );
    if (this.isUnfinished) void this.look().catch(() => undefined);
  }

  cleanTombstones(): Promise<void> {
    return this.alone(() =>
      this.withThread(async (compaction) => {
        const startedMs = performance.now();
        const cleaned = new Set(await this.writing(() => compaction.call("cleanTombstones", [])));
        const { blocks } = await compaction.call("list", []);
        await this.tell(
          blocks.filter(({ directory }) => !cleaned.has(directory)),
          [],
          [],
        );
        await compaction.call("deleteBlocks", [[...cleaned]]);
        this.metrics.observeCleanup((performance.now() - startedMs) / 1000);
      }),
    );
  }

  /** @returns the snapshot's folder name */
  snapshot(generations: readonly GenerationAnnouncement[]): Promise<string> {
    return this.alone(() => this.withThread((compaction) => compaction.call("snapshot", [generations])));
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    if (this.timer) clearInterval(this.timer);
    await this.working.catch(() => undefined);
  }

  /** One piece of work after the other. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const next = this.working.then(() => {
      if (this.isStopped) throw new Error("the server is stopping");
      return work();
    });
    this.working = next.catch(() => undefined);
    return next;
  }

  private async writing<T>(write: () => Promise<T>): Promise<T> {
    this.metrics.isWritingBlock = true;
    try {
      return await write();
    } finally {
      this.metrics.isWritingBlock = false;
    }
  }

  private async withThread<T>(work: (compaction: Compaction) => Promise<T>): Promise<T> {
    const worker = new Worker(this.options.threadFile, {
      workerData: { ...this.options.thread(), interrupt: this.givingWay.flag } satisfies CompactionThreadData,
      name: "compaction",
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    const caller: Compaction = new ThreadCaller<CompactionCalls>(worker);
    let cause = "it ended";
    worker.on("error", (error) => (cause = error.message));
    worker.on("exit", () => caller.abandon(`the compaction thread is gone: ${cause}`));
    try {
      return await work(caller);
    } finally {
      const chunks = await caller.call("chunkDistributions", []).catch(() => null);
      if (chunks) this.metrics.addChunks(chunks);
      await worker.terminate();
    }
  }

  /**
   * What is seen once nothing is left to do. If there are other blocks than ours by now, it is what was seen before:
   * then they are noticed the next time.
   */
  private seenAfter(before: string): string {
    const after = this.whatIsThere();
    const ours = new Set(this.blocks.map(({ directory }) => basename(directory)));
    const areOurs = after.names.length === ours.size && after.names.every((name) => ours.has(name));
    return areOurs && before.endsWith(after.settings) ? fingerprintOf(after) : before;
  }

  private whatIsThere(): WhatIsThere {
    const { dataDirectory, uploadedFile } = this.options.thread();
    const uploadedMs = statSync(uploadedFile, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const settings = JSON.stringify([uploadedMs, this.options.limits()]);
    let names: string[];
    try {
      names = readdirSync(dataDirectory)
        .filter((name) => name.length === 26)
        .sort();
    } catch {
      return { names: [], times: "unreadable", settings };
    }
    const times = names.map((name) => {
      try {
        return statSync(join(dataDirectory, name, "meta.json")).mtimeMs;
      } catch {
        return 0;
      }
    });
    return { names, times: JSON.stringify(times), settings };
  }
}

/** Changes whenever a block comes, goes or gets tombstones, and with the retention limits. */
function fingerprintOf({ names, times, settings }: WhatIsThere): string {
  return `${names.join(" ")} ${times} ${settings}`;
}
