/**
 * The ingest thread, the one writer: scrapes, parses, appends and logs. What it holds lies in shared memory, which
 * the query threads read without asking.
 */
import { appendFileSync } from "node:fs";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { Registry } from "prom-client";
import { ScrapeMemory } from "../kernels/index.ts";
import { Labels } from "../model/labels.ts";
import { Matcher } from "../model/matcher.ts";
import type { Appender } from "../model/storage.ts";
import { LargePages, ScrapeManager, systemClock, zeroCounters, type ScrapeFailure } from "../scrape/index.ts";
import { createLogger } from "../telemetry/logger.ts";
import type { MetricFamilies } from "../telemetry/merge.ts";
import { minValidTime, removeTemporaryFolders, takeInventory } from "../tsdb/compaction/block-directory.ts";
import { repairOldBlocks } from "../tsdb/compaction/repair-old-blocks.ts";
import { Tsdb } from "../tsdb/tsdb.ts";
import type { ReadAheadTask } from "../tsdb/wal/read-ahead.ts";
import { headStatus } from "../tsdb/head/head-status.ts";
import { collectGarbage, collectGarbageSoon } from "./collect-garbage.ts";
import { exportIngestMetrics, observeScrapes } from "./ingest-metrics.ts";
import { SyncDurations } from "./tsdb-metrics.ts";
import type {
  FromIngestThread,
  IngestCalls,
  IngestThreadOptions,
  RuleSamplesMessage,
} from "./ingest-messages.ts";
import { answerCalls } from "./thread-calls.ts";
import { setThreadPriority } from "./thread-priority.ts";

/** So many new series leave enough garbage behind to be worth collecting, once this much time has passed. */
const SERIES_BURST = 10_000;
const TIDY_INTERVAL_MS = 10_000;
/** A replay that took longer than this leaves something behind that is worth collecting at once. */
const LONG_REPLAY_SECONDS = 1;

const options = workerData as IngestThreadOptions;
const port = parentPort!;
const log = createLogger({ level: options.logLevel, format: options.logFormat });

setThreadPriority("first", log);
try {
  run();
} catch (error) {
  send({ type: "failed", error: error instanceof Error ? error.message : String(error) });
}

function run(): void {
  // Before the lock, as Prometheus does it: what is half made or half deleted is nobody's.
  removeTemporaryFolders(options.dataDirectory);
  let inventory = takeInventory(options.dataDirectory);
  const mended = repairOldBlocks(inventory.problems.map(({ directory }) => directory));
  if (mended.length > 0) {
    log.info({ blocks: mended }, "blocks of an early release have the right version in meta.json now");
    inventory = takeInventory(options.dataDirectory);
  }
  const registry = new Registry();
  const syncs = new SyncDurations(registry);
  const tsdb = Tsdb.open({
    minValidTime: minValidTime(inventory.blocks),
    maxExemplars: options.maxExemplars,
    logsMetadata: options.logsMetadata,
    snapshotsHead: options.snapshotsHead,
    keepsSeriesState: options.keepsSeriesState,
    startTimes: options.startTimes,
    onExemplarBuffer: (buffer) => send({ type: "exemplarBuffer", buffer }),
    directory: options.dataDirectory,
    noLock: options.noLockfile,
    blockRangeMs: options.blockRangeMs,
    sealDelayMs: options.sealDelayMs,
    outOfOrderWindowMs: options.outOfOrderWindowMs,
    staleThreshold: options.staleThreshold,
    walSegmentBytes: options.walSegmentBytes,
    walCompression: options.walCompression,
    onGeneration: (announcement) => send({ type: "generationBorn", announcement }),
    onWalSync: syncs.wal,
    onLateWalSync: syncs.lateWal,
    startReadAhead,
    onReplayProgress: (progress) => send({ type: "replaying", progress }),
  });
  const { snapshot, snapshotFault } = tsdb.replay;
  if (snapshot !== null) {
    log.info(
      { series: snapshot.series, samples: snapshot.samples },
      "the head is read from its snapshot; of the write-ahead log only what came after it",
    );
  }
  if (snapshotFault !== null) {
    log.warn(
      { reason: snapshotFault },
      "the snapshot of the head cannot be used; the write-ahead log is replayed whole",
    );
  }
  // What only the replay needed is tens of megabytes, for as long as nobody looks after it.
  if (tsdb.replay.durationSeconds > LONG_REPLAY_SECONDS) collectGarbage();
  if (tsdb.replay.fault !== null)
    log.warn({ fault: tsdb.replay.fault }, "the write-ahead log was damaged and is repaired");
  const { recoveredSamples, headChunkCorruptions } = tsdb.replay;
  if (recoveredSamples + headChunkCorruptions > 0) {
    log.warn(
      { samples: recoveredSamples, damaged_files: headChunkCorruptions },
      "head chunks beside the write-ahead log held samples that it had lost",
    );
  }

  const counters = zeroCounters();
  const scraping = new ScrapeManager({
    appender: tsdb.appender,
    memory: new ScrapeMemory(),
    largePages: new LargePages(),
    clock: systemClock,
    log,
    counters,
    observer: observeScrapes(registry),
    logFailure,
    offsetSeed: options.offsetSeed,
    userAgent: options.userAgent,
    timestampToleranceMs: options.timestampToleranceMs,
    syncIntervalMs: options.syncIntervalMs,
    appendsMetadata: options.logsMetadata,
    zerosAtStart: options.zerosAtStart,
    storesStartTimes: options.startTimes !== "none",
    addsTypeAndUnit: options.addsTypeAndUnit,
  });
  exportIngestMetrics(registry, { tsdb, syncs, scraping, counters });

  let tidiedAtSeries = 0;
  const tidying = setInterval(() => {
    const { seriesCreated, seriesCarried } = tsdb.statistics;
    if (seriesCreated + seriesCarried - tidiedAtSeries < SERIES_BURST) return;
    tidiedAtSeries = seriesCreated + seriesCarried;
    collectGarbage();
  }, TIDY_INTERVAL_MS);

  const calls: IngestCalls = {
    applyJobs: (jobs) => scraping.apply(jobs),
    updateTargets: (groups) => scraping.updateTargets(groups),
    appendRuleSamples: (message) => appendRuleSamples(tsdb.appender, message),
    targets: () => scraping.snapshot(),
    metadata: () => scraping.metadata(),
    tsdbStatus: (limit) => headStatus(tsdb.head, limit),
    metrics: async () => (await registry.getMetricsAsJSON()) as unknown as MetricFamilies,
    async generationStored(epoch) {
      await tsdb.generationStored(epoch).catch((err: unknown) => {
        log.warn(
          { err },
          "the write-ahead log cannot be shortened; it is tried again with the next generation",
        );
      });
      collectGarbageSoon();
    },
    applyStorage({ outOfOrderWindowMs, staleThreshold, maxExemplars }) {
      tsdb.head.outOfOrderWindowMs = outOfOrderWindowMs;
      tsdb.head.staleThreshold = staleThreshold;
      tsdb.exemplars.resize(maxExemplars);
    },
    deleteSeries(selectors, minTime, maxTime) {
      for (const selector of selectors) {
        const matchers = selector.map(([type, name, value]) => new Matcher(type, name, value));
        tsdb.deleteSeries(matchers, minTime, maxTime);
      }
    },
    sealGenerations: () => tsdb.announceSealed(),
    openGenerations: () =>
      tsdb.head.generations.map(({ generation: { epoch, memory } }) => ({ epoch, memory })),
    headMinTime: () => tsdb.head.minTime,
    logBytes: () => tsdb.walBytes + tsdb.lateWalBytes,
    async stop() {
      clearInterval(tidying);
      await scraping.stop();
      const startedMs = performance.now();
      try {
        tsdb.close();
        if (options.snapshotsHead) {
          const ms = Math.round(performance.now() - startedMs);
          log.info({ ms }, "a snapshot of the head is written");
        }
      } catch (err) {
        log.error({ err }, "cannot end the storage as it should; the next start reads the write-ahead log");
      }
    },
  };
  answerCalls(port, calls);
  const { durationSeconds, corruptions } = tsdb.replay;
  send({ type: "opened", control: tsdb.head.control.buffer, replaySeconds: durationSeconds, corruptions });
}

/** A thread that cannot start, or ends early, is missed by the replay, which goes on without it. */
function startReadAhead(task: ReadAheadTask): void {
  const file = new URL("./log-reader-thread.js", import.meta.url);
  const worker = new Worker(file, {
    workerData: task,
    name: "log-reader",
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
  worker.on("error", (err) => log.debug({ err }, "the log is read by the ingest thread alone"));
  worker.unref();
}

function appendRuleSamples(
  appender: Appender,
  { timeMs, series, values, histograms }: RuleSamplesMessage,
): Uint8Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  appender.begin();
  try {
    const outcomes = Uint8Array.from(series, (pairs, i) => {
      const labels = Labels.fromSortedPairs(pairs);
      const histogram = histograms?.[i];
      return histogram
        ? appender.appendHistogram(labels, timeMs, histogram)
        : appender.appendFloat(labels, timeMs, words[2 * i + 1]!, words[2 * i]!);
    });
    appender.commit();
    return outcomes;
  } catch (error) {
    appender.rollback();
    throw error;
  }
}

function logFailure({ file, jobName, url, error }: ScrapeFailure): void {
  const line = {
    time: new Date().toISOString(),
    level: "ERROR",
    source: "scrape",
    msg: error,
    job_name: jobName,
    target: url,
  };
  try {
    appendFileSync(file, `${JSON.stringify(line)}\n`);
  } catch (err) {
    log.error({ err, file }, "cannot write the scrape failure log");
  }
}

function send(message: FromIngestThread): void {
  port.postMessage(message);
}
