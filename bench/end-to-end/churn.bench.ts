// A day of series that come and go, on a clock that is turned by hand: the head, the log and the compaction thread as
// the server has them, in a process of its own. Run by `npm run bench:storage -- --part churn`.
//
//   node dist/bench/churn.js [--series 1000000] [--hours 24] [--interval 60] [--lifetime 2]
//
// Targets of 500 series each live for some hours, staggered, and are followed by others, so that about `series`
// different ones are seen in all: the longer the lives, the more of them at a time.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Registry } from "prom-client";
import { Labels } from "../../src/model/labels.ts";
import { collectGarbage } from "../../src/runtime/collect-garbage.ts";
import { StorageKeeper } from "../../src/runtime/storage-keeper.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { blockRanges } from "../../src/tsdb/compaction/plan.ts";
import { Tsdb } from "../../src/tsdb/tsdb.ts";
import { removeFolder, temporaryFolder } from "../../test/support/servers.ts";
import { processUsage } from "../support/process-usage.ts";

const { values } = parseArgs({
  options: {
    series: { type: "string", default: "1000000" },
    hours: { type: "string", default: "24" },
    interval: { type: "string", default: "60" },
    lifetime: { type: "string", default: "2" },
  },
});
const HOUR_MS = 3_600_000;
const BLOCK_MS = 2 * HOUR_MS;
const LONGEST_BLOCK_MS = 36 * HOUR_MS;
const DAYS_KEPT_MS = 15 * 24 * HOUR_MS;
const SERIES_PER_TARGET = 500;
/** How often the keeper looks at what is due, in simulated time. */
const LOOK_EVERY_MS = 5 * 60_000;
const hours = Number(values.hours);
const intervalMs = 1000 * Number(values.interval);
const lifetimeMs = Number(values.lifetime) * HOUR_MS;
const targetCount = Math.ceil(Number(values.series) / SERIES_PER_TARGET);
const generationsOfTargets = Math.max(1, (hours * HOUR_MS) / lifetimeMs + 1);
const slots = Math.max(1, Math.round(targetCount / generationsOfTargets));
const startMs = Math.floor(Date.now() / (3 * BLOCK_MS)) * 3 * BLOCK_MS - hours * HOUR_MS;

/** What is scraped in one place: one target after the other. */
class Slot {
  private target = -1;
  private epoch: number | null = null;
  private readonly refs = new Uint32Array(SERIES_PER_TARGET);
  private readonly values = new Float64Array(SERIES_PER_TARGET);
  private readonly outcomes = new Uint8Array(SERIES_PER_TARGET);

  constructor(private readonly index: number) {}

  scrape(tsdb: Tsdb, timeMs: number): void {
    // Lives are staggered: at any time some targets are young and some are old.
    const age = timeMs - startMs + (this.index / slots) * lifetimeMs;
    const target = this.index + slots * Math.floor(age / lifetimeMs);
    const { appender } = tsdb;
    const epoch = appender.epochAt(timeMs)!;
    appender.begin();
    if (target !== this.target) {
      if (this.epoch === epoch) appender.appendStale(epoch, this.refs, timeMs);
      this.target = target;
      for (let i = 0; i < SERIES_PER_TARGET; i++) {
        this.refs[i] = appender.resolve(epoch, labelsOf(target, i)).ref;
        this.values[i] = i;
      }
    } else if (this.epoch !== epoch) {
      appender.carryOver(this.refs, SERIES_PER_TARGET, this.epoch!, epoch);
    }
    this.epoch = epoch;
    // Two thirds move: counters and gauges; the rest stays as it is.
    for (let i = 0; i < SERIES_PER_TARGET; i++) {
      if (i % 3 === 0) this.values[i]! += (i + (timeMs >>> 10)) & 63;
      else if (i % 3 === 1) this.values[i] = Math.round(1000 * Math.sin(timeMs / 1e6 + i)) / 100;
    }
    appender.appendFloats(epoch, this.refs, this.values, SERIES_PER_TARGET, timeMs, this.outcomes);
    appender.commit();
  }
}

function labelsOf(target: number, i: number): Labels {
  return Labels.fromRecord({
    __name__: `service_${i % 50}_total`,
    code: String(200 + (i % 7)),
    handler: `/api/${Math.floor(i / 50)}`,
    instance: `10.${target >> 16}.${(target >> 8) & 255}.${target & 255}:8080`,
    job: "service",
    namespace: `team-${target % 20}`,
    pod: `service-${(target * 2654435761) % 4294967296}`,
    zone: `zone-${target % 3}`,
  });
}

const directory = temporaryFolder("bench-churn");
const log = createLogger({ level: "error", format: "logfmt" });
const tsdb = Tsdb.open({ directory: join(directory, "data") });
const keeper = new StorageKeeper({
  threadFile: new URL("../compaction-thread.js", import.meta.url),
  thread: () => ({
    dataDirectory: tsdb.directory,
    ranges: blockRanges(BLOCK_MS, LONGEST_BLOCK_MS),
    withOverlaps: true,
    floats: "xor",
    samplesPerChunk: 120,
    maxChunkFileBytes: 512 * 1024 * 1024,
    uploadedFile: "",
    pastPageCache: false,
  }),
  // It is told when to look.
  intervalMs: 2 ** 31 - 1,
  limits: () => ({ timeMs: DAYS_KEPT_MS, sizeBytes: 0, percentage: 0 }),
  sealGenerations: () =>
    Promise.resolve(tsdb.sealGenerations().map(({ epoch, memory }) => ({ epoch, memory }))),
  headBytes: () => Promise.resolve(tsdb.walBytes),
  headMinTime: () => Promise.resolve(tsdb.head.minTime),
  tellReaders: () => Promise.resolve(),
  async generationStored(epoch) {
    await tsdb.generationStored(epoch);
    collectGarbage();
  },
  registry: new Registry(),
  log,
});

try {
  await keeper.start();
  const all = Array.from({ length: slots }, (_, i) => new Slot(i));
  console.log(
    `${slots * SERIES_PER_TARGET} series at a time, each for ${values.lifetime} h, every ${values.interval} s`,
  );
  console.log("hour  series seen  in the head  blocks      log  resident      peak  CPU");
  let samples = 0;
  for (let timeMs = startMs; timeMs < startMs + hours * HOUR_MS; timeMs += intervalMs) {
    for (const [i, slot] of all.entries()) slot.scrape(tsdb, timeMs + Math.floor((i / slots) * intervalMs));
    samples += slots * SERIES_PER_TARGET;
    const elapsedMs = timeMs + intervalMs - startMs;
    if (elapsedMs % LOOK_EVERY_MS === 0) await keeper.look();
    if (elapsedMs % HOUR_MS === 0) report(elapsedMs / HOUR_MS);
  }
  console.log(`${(samples / 1e6).toFixed(0)} million samples`);
} finally {
  await keeper.stop();
  tsdb.close();
  removeFolder(directory);
}

function report(hour: number): void {
  const { cpuSeconds, residentBytes, peakResidentBytes } = processUsage(process.pid);
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`.padStart(9);
  const seen = Math.round(slots * SERIES_PER_TARGET * Math.max(1, (hour * HOUR_MS) / lifetimeMs + 1));
  console.log(
    `${String(hour).padStart(4)}${String(Math.min(seen, slots * SERIES_PER_TARGET * generationsOfTargets)).padStart(13)}` +
      `${String(tsdb.head.seriesCount).padStart(13)}${String(keeper.blocks.length).padStart(8)}` +
      `${mebibytes(tsdb.walBytes)} ${mebibytes(residentBytes)} ${mebibytes(peakResidentBytes)}  ${cpuSeconds.toFixed(0)} s`,
  );
}
