/**
 * A query thread: takes tasks one by one and answers each with finished bytes. It reads generations in shared memory
 * and blocks on disk by itself; nothing it does can hold up the ingest thread.
 */
import { parentPort, workerData, type TransferListItem } from "node:worker_threads";
import { gzipAnswer } from "../api/gzip-answer.ts";
import { answerQueryTask, type QueryLimits, type QueryServices } from "../api/answer-query-task.ts";
import type { QueryAnswer, QueryTask } from "../api/query-tasks.ts";
import { QueryMemory } from "../kernels/index.ts";
import type { Queryable, Querier } from "../model/storage.ts";
import { PromqlEngine } from "../promql/engine.ts";
import { ReadBudgetError } from "../promql/statistics.ts";
import { createLogger } from "../telemetry/logger.ts";
import { setThreadPriority } from "./thread-priority.ts";
import { warmUp } from "./warm-up.ts";
import { PageCache } from "../tsdb/block/page-cache.ts";
import { OpenBlocks } from "../tsdb/compaction/block-directory.ts";
import { DecodedCache } from "../tsdb/decoded-cache.ts";
import { TsdbReader } from "../tsdb/tsdb-reader.ts";
import { collectGarbage, collectGarbageSoon } from "./collect-garbage.ts";
import type {
  FromQueryThread,
  HeavyWork,
  QueryThreadOptions,
  StorageChanged,
  ToQueryThread,
} from "./query-messages.ts";

/** Without a query for so long, the thread goes on warming up. */
const QUIET_MS = 20;
/** Without a query for so long, what the last ones decoded is given back. */
const KEEP_DECODED_MS = 60_000;
/** A light thread leaves queries of more blocks than this to others: opening and searching them is work, too. */
const LIGHT_BLOCKS = 64;
/** After a query that used more than this, the memory is given back. */
const KEPT_MEMORY_BYTES = 256 * 1024 * 1024;

const options = workerData as QueryThreadOptions;
const port = parentPort!;
const log = createLogger({ level: options.logLevel, format: options.logFormat });
const cancelFlags = new Int32Array(options.cancelFlags);
const memory = new QueryMemory(
  options.engine.memoryBytes,
  options.lane === "light" ? options.decodedBytes / 4 : options.decodedBytes,
);
const decoded = new DecodedCache(memory);
const reader = new TsdbReader(options.control, memory, decoded);
const openBlocks = new OpenBlocks(new PageCache(), decoded);
openBlocks.onProblem = ({ directory, reason }) =>
  log.error({ block: directory, reason }, "cannot open a block for queries");
const { parserOptions, features } = options.engine;
const noLimits: QueryLimits = { deadlineMs: Infinity, isCancelled: () => false };
/** What queries of this thread read from, for as long as it is as little as the lane is for. */
const queryable: Queryable = { querier };
let engine = createEngine(options.engine.defaultSubqueryStepMs, queryable);
/** For looking how large a query is. */
let estimating = createEngine(options.engine.defaultSubqueryStepMs, reader);

const forgetting = setTimeout(giveBack, KEEP_DECODED_MS).unref();

setThreadPriority(options.lane === "heavy" ? "behind" : "first", log);
port.on("message", receive);
send({ type: "ready" });
// Somebody waits for the first query already. What makes the next ones fast is done once there is time between them.
const warmingUp = warmUp((samples) => servicesFor(samples, createEngine(60_000, samples), noLimits), memory);
let isWarm = false;
let quiet = setTimeout(goOnWarmingUp, QUIET_MS);

/** A step, and then the next one unless a query comes. */
function goOnWarmingUp(): void {
  if (warmingUp.next().done) {
    isWarm = true;
    collectGarbage();
  } else quiet = setTimeout(goOnWarmingUp);
}

function receive(message: ToQueryThread): void {
  switch (message.type) {
    case "run":
      run(message);
      return;
    case "generationBorn":
      reader.attach(message.announcement.memory);
      return;
    case "storageChanged":
      useBlocks(message);
      return;
    case "exemplars":
      reader.setExemplars(message.buffer);
      return;
    case "sync":
      send({ type: "synced", id: message.id });
      return;
    case "settings":
      engine = createEngine(message.defaultSubqueryStepMs, queryable);
      estimating = createEngine(message.defaultSubqueryStepMs, reader);
      return;
  }
}

/** The new blocks first, then the generations they replace: no moment without either. */
function useBlocks({ blocks, changed, droppedGenerations }: StorageChanged): void {
  openBlocks.list(blocks, changed);
  reader.setBlocks(openBlocks.readable(memory));
  for (const epoch of droppedGenerations) reader.detach(epoch);
  // A generation's memory is given back when no thread's heap refers to it.
  if (droppedGenerations.length > 0) collectGarbageSoon();
}

/** @throws ReadBudgetError */
function querier(minTime: number, maxTime: number): Querier {
  if (options.lane === "light" && reader.blocksWithin(minTime, maxTime) > LIGHT_BLOCKS) {
    throw new ReadBudgetError(options.heavySamples);
  }
  return reader.querier(minTime, maxTime);
}

function createEngine(defaultSubqueryStepMs: number, itsQueryable: Queryable): PromqlEngine {
  const { lookbackMs, maxSamples } = options.engine;
  const now = () => Date.now();
  return new PromqlEngine({
    queryable: itsQueryable,
    memory,
    parserOptions,
    lookbackMs,
    defaultSubqueryStepMs,
    maxSamples,
    features,
    now,
  });
}

function servicesFor(
  itsQueryable: Queryable,
  itsEngine: PromqlEngine,
  limits: QueryLimits,
  queuedSeconds = 0,
): QueryServices {
  return {
    engine: itsEngine,
    queryable: itsQueryable,
    parserOptions,
    limits,
    perStepStatistics: options.engine.perStepStatistics,
    queuedSeconds,
    columns: () => memory.columns(1024),
  };
}

function run({
  id,
  task,
  mayGzip,
  deadlineMs,
  slot,
  queuedMs,
}: Extract<ToQueryThread, { type: "run" }>): void {
  const isLight = options.lane === "light";
  const isCancelled = () => Atomics.load(cancelFlags, slot) !== 0;
  const limits = { deadlineMs, isCancelled, ...(isLight ? { readBudget: options.heavySamples } : {}) };
  if (isLight) {
    const work = estimate(task);
    if (work.estimatedSamples > options.heavySamples) {
      send({ type: "heavy", id, ...work });
      return;
    }
  }
  forgetting.refresh();
  if (!isWarm) {
    clearTimeout(quiet);
    quiet = setTimeout(goOnWarmingUp, QUIET_MS);
  }
  const mark = memory.mark();
  try {
    const whole = answerQueryTask(task, servicesFor(queryable, engine, limits, queuedMs / 1000));
    const answer = mayGzip ? gzipAnswer(whole) : whole;
    send({ type: "answer", id, answer }, buffersOf(answer));
  } catch (error) {
    if (!(error instanceof ReadBudgetError)) throw error;
    send({ type: "heavy", id, estimatedSamples: error.budget, division: null });
  } finally {
    memory.release(mark);
  }
  if (memory.peakBytes > KEPT_MEMORY_BYTES) giveBack();
}

/** Lets go of what is kept for queries to come, and of the memory of those that were. */
function giveBack(): void {
  reader.forget();
  if (memory.peakBytes > 0 || decoded.usedBytes > 0) memory.renew();
}

/**
 * About how many samples a task would read, where looking is worth it: a range. An instant query is simply begun, and
 * given up when it turns out to be large, for most are small and looking twice would be most of their time.
 */
function estimate(task: QueryTask): HeavyWork {
  if (task.kind === "explain") return task.run ? { ...estimate(task.task), division: null } : SMALL;
  if (task.kind !== "range") return SMALL;
  try {
    const { samples, division } = estimating.estimate(task.query, task.startMs, task.endMs, task.stepMs);
    return { estimatedSamples: samples, division };
  } catch {
    // What is wrong with it is for the real run to say.
    return SMALL;
  }
}

const SMALL: HeavyWork = { estimatedSamples: 0, division: null };

/** Each part once, if all of its memory is its own: what shares memory with others is copied instead. */
function buffersOf(answer: QueryAnswer): TransferListItem[] {
  return answer.parts
    .filter((part) => part.byteLength > 65_536 && part.buffer instanceof ArrayBuffer)
    .map((part) => part.buffer as ArrayBuffer);
}

function send(message: FromQueryThread, transfer: TransferListItem[] = []): void {
  port.postMessage(message, transfer);
}
