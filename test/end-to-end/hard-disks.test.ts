/** Disks that are full, that may not be written, that are someone else's, and blocks that come by hand or break. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Labels } from "../../src/model/labels.ts";
import { Tsdb } from "../../src/tsdb/tsdb.ts";
import { ApiClient, eventually } from "../support/api-client.ts";
import {
  isInstalled,
  removeFolder,
  startNarthex,
  startPrometheus,
  temporaryFolder,
} from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

const MINUTE = 60_000;
const noScrapes = "scrape_configs: []\n";
const isRoot = process.getuid?.() === 0;

const sleep = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));
const blocksIn = (data: string) => readdirSync(data).filter((name) => name.length === 26);

let folder: string;
let data: string;
let running: SpawnedServer | undefined;

beforeEach(() => {
  folder = temporaryFolder("disks");
  data = join(folder, "data");
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  removeFolder(folder);
});

/** Fills a directory with one sample every 15 s. @returns how many */
function fill(directory: string, startMs: number, endMs: number, series = 10): number {
  mkdirSync(directory, { recursive: true });
  const tsdb = Tsdb.open({ directory, blockRangeMs: 10 * MINUTE, generationBytes: 2 ** 26 });
  const words = new Uint32Array(2);
  const number = new Float64Array(words.buffer);
  let count = 0;
  for (let timeMs = startMs; timeMs < endMs; timeMs += 15_000) {
    tsdb.appender.begin();
    for (let i = 0; i < series; i++) {
      number[0] = Math.sqrt(++count);
      tsdb.appender.appendFloat(
        Labels.fromRecord({ __name__: "m", series: String(i) }),
        timeMs,
        words[1]!,
        words[0]!,
      );
    }
    tsdb.appender.commit();
  }
  tsdb.close();
  return count;
}

async function countOf(api: ApiClient, timeMs: number): Promise<number> {
  const [sum] = await api.instant("sum(count_over_time(m[1d]))", timeMs);
  return Number(sum?.value?.[1] ?? 0);
}

const metric = async (server: SpawnedServer, name: string) => {
  const page = await (await fetch(`${server.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, "m").exec(page)?.[1]);
};

describe("the head", () => {
  test("lets go of generations that are in blocks, and of their log", async () => {
    const endMs = Math.floor(Date.now() / MINUTE) * MINUTE;
    const count = fill(data, endMs - 180 * MINUTE, endMs);
    const segments = readdirSync(join(data, "wal")).length;
    running = await startNarthex({
      folder,
      config: noScrapes,
      flags: ["--storage.tsdb.min-block-duration=10m", "--storage.tsdb.block-reload-interval=1s"],
    });
    const server = running;
    const api = new ApiClient(server.url);
    await eventually("all but the newest generations in blocks", async () => {
      const chunks = await metric(server, "prometheus_tsdb_head_chunks");
      return chunks > 0 && chunks <= 10 * 2 * 3;
    });
    await eventually("a shorter log", () =>
      Promise.resolve(
        readdirSync(join(data, "wal")).filter((name) => !name.includes(".")).length < segments / 2,
      ),
    );
    expect(await countOf(api, endMs)).toBe(count);
    await running.stop("SIGKILL");
    running = await startNarthex({ folder, config: noScrapes });
    expect(await countOf(new ApiClient(running.url), endMs)).toBe(count);
  });
});

describe("blocks", () => {
  const flags = ["--storage.tsdb.min-block-duration=10m", "--storage.tsdb.block-reload-interval=1s"];
  const endMs = Math.floor(Date.now() / (10 * MINUTE)) * 10 * MINUTE;

  async function withBlocks(extra: readonly string[] = []): Promise<ApiClient> {
    running = await startNarthex({ folder, config: noScrapes, flags: [...flags, ...extra] });
    const server = running;
    await eventually(
      "blocks in use",
      async () => (await metric(server, "prometheus_tsdb_blocks_loaded")) > 0,
    );
    return new ApiClient(running.url);
  }

  test("put into the directory by hand show within the reload interval", async () => {
    const elsewhere = join(folder, "elsewhere");
    const hours = 5 * 60 * MINUTE;
    const theirs = fill(join(elsewhere, "data"), endMs - hours - 60 * MINUTE, endMs - hours);
    const other = await startNarthex({ folder: elsewhere, config: noScrapes, flags });
    await eventually("blocks of another server", () =>
      Promise.resolve(blocksIn(join(elsewhere, "data")).length > 0),
    );
    const made = await fetch(`${other.url}/-/ready`);
    expect(made.status).toBe(200);
    await sleep(1500);
    expect(await other.stop()).toBe(0);

    const ours = fill(data, endMs - 60 * MINUTE, endMs);
    const api = await withBlocks();
    expect(await countOf(api, endMs)).toBe(ours);
    for (const block of blocksIn(join(elsewhere, "data"))) {
      // As one who copies carefully: under another name first.
      cpSync(join(elsewhere, "data", block), join(data, `${block}.copy`), { recursive: true });
      renameSync(join(data, `${block}.copy`), join(data, block));
    }
    const shown = await eventually("more samples than before", async () => {
      const count = await countOf(api, endMs);
      return count > ours + theirs / 2 && count;
    });
    // The newest of theirs are still in the log of the other server.
    expect(shown).toBeLessThanOrEqual(ours + theirs);
  });

  test("that are damaged are left out and reported, and the others serve on", async () => {
    const count = fill(data, endMs - 180 * MINUTE, endMs);
    await withBlocks(["--storage.tsdb.max-block-duration=10m"]);
    await sleep(1500);
    await running!.stop();
    const [damaged] = blocksIn(data).sort();
    truncateSync(join(data, damaged!, "index"), 100);
    const { numSamples } = (
      JSON.parse(readFileSync(join(data, damaged!, "meta.json"), "utf8")) as { stats: { numSamples: number } }
    ).stats;
    const api = await withBlocks(["--storage.tsdb.max-block-duration=10m"]);
    expect(await countOf(api, endMs)).toBe(count - numSamples);
    expect(running!.log).toContain(damaged);
    expect(await metric(running!, "prometheus_tsdb_reloads_failures_total")).toBeGreaterThan(0);
    expect(existsSync(join(data, damaged!, "index"))).toBe(true);
  });

  test("go by age and by size", async () => {
    const count = fill(data, endMs - 300 * MINUTE, endMs);
    let api = await withBlocks(["--storage.tsdb.max-block-duration=10m"]);
    expect(await countOf(api, endMs)).toBe(count);
    // 30 ranges of ten minutes, the newest of which stay in memory. A stop does not wait for those still to come.
    await eventually("its blocks", () => Promise.resolve(blocksIn(data).length >= 27));
    await running!.stop();
    const total = blocksIn(data).length;

    api = await withBlocks(["--storage.tsdb.max-block-duration=10m", "--storage.tsdb.retention.time=2h"]);
    await eventually("old blocks gone", () => Promise.resolve(blocksIn(data).length < total));
    // Whole blocks go, those that end two hours or more before the newest.
    const [oldest] = await api.instant('min_over_time(timestamp(m{series="0"})[1d:15s])', endMs);
    expect(Number(oldest!.value![1]) * 1000).toBeGreaterThan(endMs - 160 * MINUTE);
    await eventually(
      "its count",
      async () => (await metric(running!, "prometheus_tsdb_time_retentions_total")) > 0,
    );
    await running!.stop();

    const left = blocksIn(data).length;
    expect(left).toBeGreaterThan(2);
    api = await withBlocks(["--storage.tsdb.max-block-duration=10m", "--storage.tsdb.retention.size=100KB"]);
    await eventually("blocks beyond the size gone", () => Promise.resolve(blocksIn(data).length < left));
    await eventually(
      "its count",
      async () => (await metric(running!, "prometheus_tsdb_size_retentions_total")) > 0,
    );
    expect(await countOf(api, endMs)).toBeGreaterThan(0);
  });
});

describe("a data directory in use", () => {
  test("is refused with the process that has it, which goes on undisturbed", async () => {
    running = await startNarthex({ folder, config: noScrapes });
    await expect(startNarthex({ folder, config: noScrapes })).rejects.toThrow(
      new RegExp(`cannot lock ${data}: process ${running.pid} has it open`),
    );
    expect((await fetch(`${running.url}/-/healthy`)).status).toBe(200);
    expect(await running.stop()).toBe(0);
    running = await startNarthex({ folder, config: noScrapes });
  });

  test.skipIf(!isInstalled("prometheus"))("by Prometheus is refused, too", async () => {
    // Upstream's default; Debian has turned it round.
    running = await startPrometheus({ folder, config: noScrapes, flags: ["--storage.tsdb.use-lockfile"] });
    await expect(startNarthex({ folder, config: noScrapes })).rejects.toThrow(
      /cannot lock .*: process \d+ has it open/,
    );
    await running.stop();
    running = await startNarthex({ folder, config: noScrapes });
  });
});

describe("a data directory that cannot be written", () => {
  test.skipIf(!isRoot || !canMount())("gives a clear error, and is as it was", async () => {
    const count = fill(data, Date.now() - 60 * MINUTE, Date.now());
    execFileSync("mount", ["--bind", data, data]);
    try {
      execFileSync("mount", ["-o", "remount,ro,bind", data]);
      await expect(startNarthex({ folder, config: noScrapes })).rejects.toThrow(
        /cannot .*read-only file system/i,
      );
    } finally {
      execFileSync("umount", [data]);
    }
    running = await startNarthex({ folder, config: noScrapes });
    expect(await countOf(new ApiClient(running.url), Date.now())).toBe(count);
  });
});

/** Whether this user may mount at all: containers often forbid it even to root. */
function canMount(): boolean {
  const place = temporaryFolder("mount");
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", place], { stdio: "ignore" });
    execFileSync("umount", [place]);
    return true;
  } catch {
    return false;
  } finally {
    removeFolder(place);
  }
}

// Only root may mount a small disk; elsewhere the units' tests with failing files have to do.
describe.skipIf(!isRoot || !canMount())("a disk that is full", () => {
  let target: Server;
  let config: string;

  beforeAll(async () => {
    let scrapes = 0;
    target = createServer((_request, response) => {
      scrapes++;
      // Values that do not compress, so that the disk fills in seconds.
      const lines = Array.from(
        { length: 2000 },
        (_, i) => `noise{series="${i}"} ${Math.random() * (i + scrapes)}`,
      );
      response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4" }).end(`${lines.join("\n")}\n`);
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const { port } = target.address() as AddressInfo;
    config = `
global: { scrape_interval: 100ms, scrape_timeout: 100ms }
scrape_configs: [{ job_name: noise, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }]
`;
  });

  afterAll(() => void target.close());

  test("keeps what it has, says so, and takes samples again when there is room", async () => {
    mkdirSync(data);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", data]);
    try {
      const ballast = join(data, "ballast");
      writeFileSync(ballast, Buffer.alloc(4 << 20));
      running = await startNarthex({
        folder,
        config,
        flags: ["--storage.tsdb.min-block-duration=2s", "--storage.tsdb.block-reload-interval=1s"],
      });
      const api = new ApiClient(running.url);
      const newest = async () => Number((await api.instant("max(timestamp(noise))"))[0]?.value?.[1] ?? 0);
      await eventually("some samples", async () => (await newest()) > 0);
      await eventually(
        "an error about space",
        () => Promise.resolve(/no space left/i.test(running!.log)),
        40_000,
      );
      await sleep(2000);
      const fullMs = Date.now();
      const before = await api.instant("noise[10m]", fullMs);
      expect((await fetch(`${running.url}/-/healthy`)).status).toBe(200);

      rmSync(ballast);
      await eventually(
        "samples from after there was room",
        async () => (await newest()) * 1000 > fullMs + 500,
      );
      const kept = async (server: SpawnedServer) => {
        const now = await new ApiClient(server.url).instant("noise[10m]", fullMs);
        const byLabels = new Map(
          now.map(({ metric: labels, values }) => [JSON.stringify(labels), new Map(values)]),
        );
        for (const { metric: labels, values } of before) {
          const found = byLabels.get(JSON.stringify(labels));
          const lost = values!.filter(([time, value]) => found?.get(time) !== value);
          expect(lost, JSON.stringify(labels)).toEqual([]);
        }
      };
      await kept(running);
      await running.stop("SIGKILL");
      running = await startNarthex({ folder, config: noScrapes });
      await kept(running);
      await running.stop();
    } finally {
      await running?.stop("SIGKILL");
      execFileSync("umount", [data]);
    }
  }, 110_000);
});
