/**
 * The compaction thread: writes sealed generations as blocks, merges blocks, deletes what is to go. It lives while
 * there is such work and shares nothing with queries but the files, which never change once they are there.
 */
import { randomBytes } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { ulid } from "ulid";
import { observe } from "../telemetry/distribution.ts";
import { InterruptedError } from "../tsdb/block/block-writer.ts";
import { deleteBlock, type KnownBlocks, takeInventory } from "../tsdb/compaction/block-directory.ts";
import { cleanBlock, type CompactionOptions } from "../tsdb/compaction/compact.ts";
import { compactNext, diskSizeBytes, retireBlocks } from "../tsdb/compaction/compactor.ts";
import { writeGeneration } from "../tsdb/compaction/write-generation.ts";
import { untilUploaded } from "../tsdb/compaction/uploaded-blocks.ts";
import { createSnapshot } from "../tsdb/compaction/snapshot.ts";
import { Generation } from "../tsdb/head/generation.ts";
import { sealedSeries } from "../tsdb/head/sealed-series.ts";
import { emptyChunkDistributions } from "./chunk-distributions.ts";
import type { CompactionCalls, CompactionThreadData } from "./compaction-messages.ts";
import { answerCalls } from "./thread-calls.ts";
import { setThreadPriority } from "./thread-priority.ts";

setThreadPriority("normal");
const { dataDirectory, ranges, withOverlaps, uploadedFile, interrupt, ...blockOptions } =
  workerData as CompactionThreadData;
const isInterrupted = () => Atomics.load(interrupt, 0) !== 0;
const chunks = emptyChunkDistributions();
const options: CompactionOptions = { ...blockOptions, newUlid: () => ulid() };
const firstOptions: CompactionOptions = {
  ...options,
  isInterrupted,
  onChunk(sizeBytes, samples, rangeMs) {
    observe(chunks.sizeBytes, sizeBytes);
    observe(chunks.samples, samples);
    observe(chunks.rangeMs, rangeMs);
  },
};

/** While the thread lives. */
const known: KnownBlocks = new Map();
const inventory = () => takeInventory(dataDirectory, known);

const calls: CompactionCalls = {
  writeGeneration: (announcement) =>
    unlessInterrupted(() => writeGeneration(dataDirectory, announcement, firstOptions, known) !== null),

  compactNext() {
    const held = uploadedFile === "" ? {} : { isHeldBack: untilUploaded(uploadedFile) };
    return unlessInterrupted(() => {
      const all = { ...options, ...held, withOverlaps, known, isInterrupted };
      const result = compactNext(dataDirectory, ranges, all);
      return result && { isVertical: result.isVertical };
    });
  },

  list() {
    const { blocks, problems } = inventory();
    return { blocks, problems };
  },

  retire(limits, headBytes) {
    const found = inventory();
    const retired = retireBlocks(found, limits, headBytes, () => diskSizeBytes(dataDirectory));
    const doomed = [...retired.superseded, ...retired.byTime, ...retired.bySize];
    return {
      kept: retired.kept,
      doomed: doomed.map(({ directory }) => directory),
      byTime: retired.byTime.length,
      bySize: retired.bySize.length,
      problems: found.problems,
    };
  },

  deleteBlocks(directories) {
    for (const directory of directories) deleteBlock(directory);
  },

  async deleteSeries(selectors, minTime, maxTime) {
    // Seldom asked for, and expressions are the larger part of what this thread would load.
    const { Matcher } = await import("../model/matcher.ts");
    const { deleteFromBlock } = await import("../tsdb/compaction/delete-series.ts");
    const changed = new Set<string>();
    for (const { directory, meta } of inventory().blocks) {
      if (meta.minTime > maxTime || meta.maxTime <= minTime) continue;
      for (const selector of selectors) {
        const matchers = selector.map(([type, name, value]) => new Matcher(type, name, value));
        if (deleteFromBlock(directory, matchers, minTime, maxTime)) changed.add(directory);
      }
    }
    return [...changed];
  },

  cleanTombstones() {
    const cleaned: string[] = [];
    for (const { directory } of inventory().blocks) {
      if (cleanBlock(dataDirectory, directory, options) !== undefined) cleaned.push(directory);
    }
    return cleaned;
  },

  chunkDistributions: () => chunks,

  snapshot(announcements) {
    const head = announcements
      .map(({ memory }) => Generation.attach(memory))
      .filter((generation) => generation.hasSamples)
      .map((generation) => ({
        series: sealedSeries(generation),
        minTime: generation.startTime,
        maxTime: generation.endTime,
      }));
    const { blocks } = inventory();
    return createSnapshot(dataDirectory, blocks, head, {
      ...options,
      nowMs: Date.now(),
      random: randomBytes(8),
    });
  },
};
answerCalls(parentPort!, calls);

function unlessInterrupted<T>(work: () => T): T | "interrupted" {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    return "interrupted";
  }
}
