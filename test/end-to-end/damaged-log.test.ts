/** Prometheus left a directory, and the disk damaged its log: its moved head chunks hold what the log lost. */
import { closeSync, cpSync, openSync, readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiClient, eventually, type Series } from "../support/api-client.ts";
import {
  isInstalled,
  removeFolder,
  startNarthex,
  startPrometheus,
  temporaryFolder,
} from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

describe.skipIf(!isInstalled("prometheus"))("a directory of Prometheus's with a damaged log", () => {
  const folder = temporaryFolder("damaged-log");
  const noScrapes = "scrape_configs: []\n";
  const running: SpawnedServer[] = [];
  let target: Server;
  let scrapes = 0;

  beforeAll(async () => {
    target = createServer((_request, response) => {
      scrapes++;
      const lines = Array.from({ length: 50 }, (_, i) => `steps{series="${i}"} ${scrapes * i + 0.1}`);
      response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4" }).end(`${lines.join("\n")}\n`);
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
  });
  afterAll(async () => {
    for (const server of running) await server.stop("SIGKILL");
    target.close();
    removeFolder(folder);
  });

  const samplesOf = (series: readonly Series[]) =>
    new Map(series.map(({ metric, values }) => [JSON.stringify(Object.entries(metric).sort()), values]));

  test("gives Narthex all that it gives Prometheus, and on every later start", async () => {
    const first = join(folder, "first");
    const { port } = target.address() as AddressInfo;
    const prometheus = await startPrometheus({
      folder: first,
      config: `
global: { scrape_interval: 40ms, scrape_timeout: 40ms }
scrape_configs: [{ job_name: steps, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }]
`,
    });
    running.push(prometheus);
    await eventually("two chunks of each series are full", () => Promise.resolve(scrapes > 280), 30_000);
    // Only a clean stop has it write all of its moved chunks.
    await prometheus.stop();
    const nowMs = Date.now();

    // The log, from a fifth on, is noise.
    const wal = join(first, "data", "wal");
    const segment = join(wal, readdirSync(wal).filter((name) => /^\d+$/.test(name))[0]!);
    const descriptor = openSync(segment, "r+");
    writeSync(descriptor, Buffer.alloc(4096, 0x5a), 0, 4096, Math.floor(statSync(segment).size / 5));
    closeSync(descriptor);
    const moved = join(first, "data", "chunks_head", "000001");
    expect(
      readFileSync(moved)
        .subarray(8, 64)
        .some((byte) => byte !== 0),
    ).toBe(true);
    const second = join(folder, "second");
    cpSync(join(first, "data"), join(second, "data"), { recursive: true });

    const answer = async (server: SpawnedServer) => {
      const api = new ApiClient(server.url);
      return samplesOf(await api.instant("steps[10m]", nowMs));
    };
    const theirs = await startPrometheus({ folder: second, config: noScrapes });
    running.push(theirs);
    const wanted = await answer(theirs);
    expect(wanted.size).toBe(50);
    for (const samples of wanted.values()) expect(samples!.length).toBeGreaterThan(100);

    for (let start = 0; start < 2; start++) {
      const narthex = await startNarthex({ folder: first, config: noScrapes });
      running.push(narthex);
      expect(await answer(narthex)).toEqual(wanted);
      await narthex.stop("SIGKILL");
    }
    const back = await startPrometheus({ folder: first, config: noScrapes });
    running.push(back);
    expect(await answer(back)).toEqual(wanted);
  }, 120_000);

  test("gives Narthex what a snapshot of the head has, too, and each sample once", async () => {
    const first = join(folder, "with-snapshot");
    const second = join(folder, "with-snapshot-copy");
    const { port } = target.address() as AddressInfo;
    const flags = ["--enable-feature=memory-snapshot-on-shutdown"];
    const prometheus = await startPrometheus({
      folder: first,
      flags,
      config: `
global: { scrape_interval: 40ms, scrape_timeout: 40ms }
scrape_configs: [{ job_name: steps, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }]
`,
    });
    running.push(prometheus);
    const before = scrapes;
    await eventually("chunks are half full", () => Promise.resolve(scrapes > before + 60), 30_000);
    await prometheus.stop();
    const nowMs = Date.now();
    const data = join(first, "data");
    expect(readdirSync(data).some((name) => /^chunk_snapshot\.\d+\.\d+$/.test(name))).toBe(true);
    const answer = async (server: SpawnedServer) =>
      samplesOf(await new ApiClient(server.url).instant("steps[10m]", nowMs));

    // The log is whole: all of it is there twice, and shown once.
    cpSync(data, join(second, "data"), { recursive: true });
    const theirs = await startPrometheus({ folder: second, config: noScrapes, flags });
    running.push(theirs);
    const wanted = await answer(theirs);
    expect(wanted.size).toBe(50);
    const whole = join(folder, "with-snapshot-whole");
    cpSync(data, join(whole, "data"), { recursive: true });
    const unharmed = await startNarthex({ folder: whole, config: noScrapes });
    running.push(unharmed);
    expect(await answer(unharmed)).toEqual(wanted);

    const wal = join(data, "wal");
    const segment = join(wal, readdirSync(wal).filter((name) => /^\d+$/.test(name))[0]!);
    const descriptor = openSync(segment, "r+");
    writeSync(descriptor, Buffer.alloc(4096, 0x5a), 0, 4096, Math.floor(statSync(segment).size / 2));
    closeSync(descriptor);
    const damaged = await startNarthex({ folder: first, config: noScrapes });
    running.push(damaged);
    expect(await answer(damaged)).toEqual(wanted);
  }, 120_000);
});
