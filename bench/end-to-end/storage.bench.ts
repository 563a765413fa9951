// The storage of Prometheus 2.42 and of Narthex on copies of the same data: replay of the log, compaction, bytes on
// disk, a thousand blocks; compaction while both scrape; and a day of churning series, which only Narthex can be given in
// minutes.
//
//   npm run bench:storage -- [--part log|blocks|merging|running|many-blocks|churn] [--series 50000] [--hours 9.5]
//                            [--interval 30] [--many-blocks 1000] [--churn-series 1000000] [--churn-interval 60]
//                            [--keep FOLDER]
//
// `merging` alone takes the blocks that a run with --keep left in that folder.
// Processor time is all of a process, as the kernel counts it; peaks are VmHWM, set back when the work begins.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ulid } from "ulid";
import { Labels } from "../../src/model/labels.ts";
import { writeBlock } from "../../src/tsdb/block/block-writer.ts";
import { encodeChunks } from "../../src/tsdb/chunk/encode-chunks.ts";
import { PlainColumns } from "../../src/tsdb/chunk/plain-columns.ts";
import { removeFolder, repositoryRoot, temporaryFolder } from "../../test/support/servers.ts";
import { SERIES_PER_INSTANCE, writeWalFixture } from "../../test/support/wal-fixture.ts";
import { MeasuredServer, serverKinds, sleep, type ServerKind } from "../support/measured-server.ts";
import { ServedPages } from "../support/served-pages.ts";

const { values } = parseArgs({
  options: {
    part: { type: "string" },
    series: { type: "string", default: "50000" },
    hours: { type: "string", default: "9.5" },
    interval: { type: "string", default: "30" },
    "many-blocks": { type: "string", default: "1000" },
    "churn-series": { type: "string", default: "1000000" },
    "churn-interval": { type: "string", default: "60" },
    keep: { type: "string" },
  },
});
const HOUR_MS = 3_600_000;
const BLOCK_MS = 2 * HOUR_MS;
const MERGED_BLOCK_MS = 3 * BLOCK_MS;
const TIMEOUT_MS = 600_000;
/** Blocks stay as they are cut. */
const WITHOUT_MERGING = ["--storage.tsdb.max-block-duration=2h"];
const hours = Number(values.hours);
/** So that the first three blocks fill a range of the next level, and all lies in the past. */
const startMs = Math.floor(Date.now() / MERGED_BLOCK_MS) * MERGED_BLOCK_MS - 2 * MERGED_BLOCK_MS;
/** A block is cut once the range after it is half over. */
const cutBlocks = Math.floor((hours - 1) / 2);

const folder = values.keep ?? temporaryFolder("bench-storage");
const of = (kind: ServerKind, ...names: string[]) => join(folder, kind, ...names);
type Measured<T> = Record<ServerKind, T>;

try {
  const isWanted = (part: string) => values.part === undefined || values.part === part;
  if (isWanted("log") || isWanted("blocks")) await measureLog();
  if (isWanted("blocks") || isWanted("merging")) await measureMerging();
  if (isWanted("running")) await measureRunning(Number(values.series));
  if (isWanted("many-blocks")) await measureManyBlocks(Number(values["many-blocks"]));
  if (isWanted("churn")) {
    console.log(
      "\n── a day of churning series, Narthex alone: Prometheus has no clock that could be turned ──",
    );
    const script = join(repositoryRoot, "dist/bench/churn.js");
    const flags = ["--series", values["churn-series"], "--interval", values["churn-interval"]];
    execFileSync(process.execPath, [script, ...flags], { stdio: "inherit" });
  }
} finally {
  if (values.keep === undefined) removeFolder(folder);
}

// ───────────────────────────────── replay, head → blocks, bytes on disk ─────────────────────────────────

async function measureLog(): Promise<void> {
  const instances = Math.round(Number(values.series) / SERIES_PER_INSTANCE);
  const stepMs = 1000 * Number(values.interval);
  const { series, samples } = writeWalFixture({
    dataDirectory: join(folder, "fixture"),
    instances,
    startMs,
    endMs: startMs + hours * HOUR_MS,
    stepMs,
    jitterMs: 5,
  });
  const logBytes = sizeOf(join(folder, "fixture", "wal"));
  console.log(
    `── a log of ${series} series every ${values.interval} s for ${hours} h: ${millions(samples)} samples, ${mebibytes(logBytes)} ──`,
  );
  const measured = await ofBoth(async (kind) => {
    const idle = await startOnNothing(kind);
    cpSync(join(folder, "fixture"), of(kind, "data"), { recursive: true });
    return withServer(kind, of(kind), WITHOUT_MERGING, async (server) => {
      const replayed = server.replayed!;
      await server.restsAfter(() => blocksIn(of(kind, "data")).length >= cutBlocks, TIMEOUT_MS);
      const { cpuSeconds, peakResidentBytes, residentBytes } = server.usage;
      return {
        replayText: server.replayText,
        replay: replayed.seconds,
        ready: server.ready!.seconds,
        replayCpu: replayed.usage.cpuSeconds,
        held: replayed.usage.residentBytes,
        cutCpu: cpuSeconds - replayed.usage.cpuSeconds - idle.cpuSeconds,
        peak: peakResidentBytes,
        above: peakResidentBytes - replayed.usage.residentBytes,
        after: residentBytes,
      };
    });
  });
  const { prometheus: theirs, narthex: ours } = measured;
  console.log(`replay by their own logs: ${theirs.replayText} and ${ours.replayText} s`);
  row("start to replayed", theirs.replay, ours.replay, seconds);
  row("start to ready", theirs.ready, ours.ready, seconds);
  row("CPU until replayed", theirs.replayCpu, ours.replayCpu, seconds);
  row("resident then", theirs.held, ours.held, mebibytes);
  console.log(`head → ${cutBlocks} blocks, CPU without that of a start on nothing:`);
  row("CPU", theirs.cutCpu, ours.cutCpu, seconds);
  row("peak resident memory", theirs.peak, ours.peak, mebibytes);
  row("above what it held", theirs.above, ours.above, mebibytes);
  row("resident at the end", theirs.after, ours.after, mebibytes);
  console.log("on disk, bytes a sample:");
  const disk = { prometheus: bytesPerSample("prometheus"), narthex: bytesPerSample("narthex") };
  for (const what of ["chunks", "index", "blocks", "log"] as const) {
    row(what, disk.prometheus[what], disk.narthex[what], (bytes) => bytes.toFixed(3));
  }
}

/** What starting takes that has nothing to do with the log: threads that warm up, code that loads. */
async function startOnNothing(kind: ServerKind): Promise<{ readonly cpuSeconds: number }> {
  return withServer(kind, of(kind, "nothing"), [], async (server) => {
    await server.restsAfter(() => true, TIMEOUT_MS);
    return { cpuSeconds: server.usage.cpuSeconds - server.replayed!.usage.cpuSeconds };
  });
}

/** Of blocks: by the samples in them. Of the log (with what else the head keeps on disk): by the samples left in it. */
function bytesPerSample(kind: ServerKind) {
  const data = of(kind, "data");
  const blocks = blocksIn(data);
  let samples = 0;
  let [chunks, index, all] = [0, 0, 0];
  for (const block of blocks) {
    const meta = JSON.parse(readFileSync(join(block, "meta.json"), "utf8")) as {
      stats: { numSamples: number };
    };
    samples += meta.stats.numSamples;
    chunks += sizeOf(join(block, "chunks"));
    index += statSync(join(block, "index")).size;
    all += sizeOf(block);
  }
  const left = (samples / (2 * cutBlocks)) * (hours - 2 * cutBlocks);
  const log = sizeOf(join(data, "wal")) + sizeOf(join(data, "chunks_head"));
  return { chunks: chunks / samples, index: index / samples, blocks: all / samples, log: log / left };
}

// ───────────────────────────────────────── block + block → block ─────────────────────────────────────────

/**
 * Both are given the blocks that Narthex wrote, while they run with nothing to do. Those of Prometheus begin with their
 * first sample, a little behind the range, and would wait for another one.
 */
async function measureMerging(): Promise<void> {
  console.log(`\n── 3 blocks of 2 h → 1 of 6 h (those that Narthex wrote above) ──`);
  const measured = await ofBoth(async (kind) => {
    const data = of(kind, "merging", "data");
    const waiting = of(kind, "merging", "waiting");
    removeFolder(of(kind, "merging"));
    return withServer(kind, of(kind, "merging"), [], async (server) => {
      for (const block of blocksIn(of("narthex", "data"))) {
        cpSync(block, join(waiting, block.slice(-26)), { recursive: true });
      }
      await server.restsAfter(() => true, TIMEOUT_MS);
      const before = server.usage;
      server.resetPeak();
      for (const block of blocksIn(waiting)) renameSync(block, join(data, block.slice(-26)));
      await server.restsAfter(() => blocksIn(data).length === cutBlocks - 2, TIMEOUT_MS);
      const after = server.usage;
      return {
        cpu: after.cpuSeconds - before.cpuSeconds,
        peak: after.peakResidentBytes,
        above: after.peakResidentBytes - before.residentBytes,
        bytes: Math.max(...blocksIn(data).map(sizeOf)),
      };
    });
  });
  const { prometheus: theirs, narthex: ours } = measured;
  row("CPU", theirs.cpu, ours.cpu, seconds);
  row("peak resident memory", theirs.peak, ours.peak, mebibytes);
  row("above what it held", theirs.above, ours.above, mebibytes);
  row("size of the block", theirs.bytes, ours.bytes, mebibytes);
}

// ───────────────────────────────── head → block while pages are scraped ─────────────────────────────────

/**
 * As in a server that just runs, but faster: both scrape the same pages at the same time, so often that a block of two
 * minutes has as many samples as one of two hours has at 30 s, until each has stored some of them.
 */
async function measureRunning(series: number): Promise<void> {
  const run = { targets: 10, interval: "500ms", blockMinutes: 2, blocks: 3, settlingMs: 30_000 };
  console.log(
    `\n── ${series} series every ${run.interval}, blocks of ${run.blockMinutes} min, until there are ${run.blocks} ──`,
  );
  const pages = await ServedPages.start(series / run.targets);
  const config = pages.scrapeConfig("bench", run.targets, run.interval);
  const flags = ["min", "max"].map((end) => `--storage.tsdb.${end}-block-duration=${run.blockMinutes}m`);
  const servers: MeasuredServer[] = [];
  try {
    for (const kind of serverKinds) {
      servers.push(await MeasuredServer.start(kind, of(kind, "running"), flags, config));
    }
    await sleep(run.settlingMs);
    for (const server of servers) server.resetPeak();
    const hasStored = ({ kind }: MeasuredServer) =>
      blocksIn(of(kind, "running", "data")).length >= run.blocks;
    const deadline = performance.now() + 2 * (run.blocks + 2) * run.blockMinutes * 60_000;
    while (!servers.every(hasStored)) {
      if (performance.now() > deadline) throw new Error("a server does not store its blocks");
      await sleep(1000);
    }
    await sleep(run.settlingMs);
    const [theirs, ours] = servers.map(({ usage }) => usage);
    row("peak resident memory", theirs!.peakResidentBytes, ours!.peakResidentBytes, mebibytes);
    row("resident at the end", theirs!.residentBytes, ours!.residentBytes, mebibytes);
    row("CPU, scraping and all", theirs!.cpuSeconds, ours!.cpuSeconds, seconds);
  } finally {
    for (const server of servers) await server.stop();
    pages.stop();
  }
}

// ───────────────────────────────────────── a thousand blocks ─────────────────────────────────────────

async function measureManyBlocks(count: number): Promise<void> {
  const perBlock = { series: 100, samples: 24 };
  console.log(`\n── ${count} blocks of ${perBlock.series} series × ${perBlock.samples} samples ──`);
  const firstMs = startMs - count * BLOCK_MS;
  const source = join(folder, "many-blocks");
  for (let i = 0; i < count; i++) writeSmallBlock(source, firstMs + i * BLOCK_MS, perBlock);
  const flags = [...WITHOUT_MERGING, "--storage.tsdb.retention.time=10y"];
  const query = `/api/v1/query?query=${encodeURIComponent(`sum(count_over_time(small_total[${2 * count}h]))`)}&time=${startMs / 1000}`;
  const measured = await ofBoth(async (kind) => {
    cpSync(source, of(kind, "many", "data"), { recursive: true });
    return withServer(kind, of(kind, "many"), flags, async (server) => {
      await server.restsAfter(() => true, TIMEOUT_MS);
      const opened = server.usage;
      const first = await server.query(query);
      const second = await server.query(query);
      const result = JSON.parse(first.body) as { data: { result: { value: [number, string] }[] } };
      const found = Number(result.data.result[0]?.value[1]);
      const expected = count * perBlock.series * perBlock.samples;
      if (found !== expected) throw new Error(`${kind} found ${found} samples of ${expected}`);
      return {
        ready: server.ready!.seconds,
        cpu: opened.cpuSeconds,
        resident: opened.residentBytes,
        first: first.seconds,
        second: second.seconds,
        afterwards: server.usage.residentBytes,
      };
    });
  });
  const { prometheus: theirs, narthex: ours } = measured;
  row("start to ready", theirs.ready, ours.ready, seconds);
  row("CPU until at rest", theirs.cpu, ours.cpu, seconds);
  row("resident then", theirs.resident, ours.resident, mebibytes);
  row("first query over all", theirs.first, ours.first, seconds);
  row("second", theirs.second, ours.second, seconds);
  row("resident afterwards", theirs.afterwards, ours.afterwards, mebibytes);
}

function writeSmallBlock(
  dataDirectory: string,
  minTime: number,
  { series, samples }: { readonly series: number; readonly samples: number },
): void {
  const id = ulid(minTime);
  const columns = new PlainColumns(samples);
  const all = Array.from({ length: series }, (_, i) => {
    columns.clear();
    for (let sample = 0; sample < samples; sample++) {
      columns.times[sample] = minTime + 1 + Math.floor((sample * BLOCK_MS) / samples);
      columns.values[sample] = i * sample;
    }
    columns.count = samples;
    const name = {
      __name__: "small_total",
      instance: `10.0.0.${Math.floor(i / 10)}:9100`,
      kind: `kind-${i}`,
    };
    return { labels: Labels.fromRecord(name), chunks: encodeChunks(columns) };
  });
  all.sort((a, b) => (a.labels.key < b.labels.key ? -1 : 1));
  mkdirSync(dataDirectory, { recursive: true });
  const compaction = { level: 1, sources: [id] };
  writeBlock(dataDirectory, all, { ulid: id, minTime, maxTime: minTime + BLOCK_MS, compaction });
}

// ───────────────────────────────────────── what they share ─────────────────────────────────────────

/** One after the other: two at once would compete for the processor. */
async function ofBoth<T>(measure: (kind: ServerKind) => Promise<T>): Promise<Measured<T>> {
  const measured: Partial<Measured<T>> = {};
  for (const kind of serverKinds) measured[kind] = await measure(kind);
  return measured as Measured<T>;
}

async function withServer<T>(
  kind: ServerKind,
  place: string,
  flags: readonly string[],
  measure: (server: MeasuredServer) => Promise<T>,
): Promise<T> {
  const server = await MeasuredServer.start(kind, place, flags);
  try {
    return await measure(server);
  } finally {
    await server.stop();
  }
}

function blocksIn(data: string): string[] {
  if (!existsSync(data)) return [];
  const isBlock = (name: string) => name.length === 26;
  return readdirSync(data)
    .filter(isBlock)
    .sort()
    .map((name) => join(data, name));
}

/** Bytes of a file, or of all files in a folder. */
function sizeOf(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.size ?? 0;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

function row(what: string, theirs: number, ours: number, format: (value: number) => string): void {
  const cell = (value: number) => format(value).padStart(12);
  const ratio = ours > 0 ? `${(theirs / ours).toFixed(2)} ×` : "";
  console.log(`${what.padEnd(24)}${cell(theirs)}${cell(ours)}${ratio.padStart(10)}`);
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

function mebibytes(value: number): string {
  return `${(value / 2 ** 20).toFixed(1)} MiB`;
}

function millions(value: number): string {
  return `${(value / 1e6).toFixed(1)} million`;
}
