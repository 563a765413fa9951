/** A log that is long enough for a thread of its own to read it ahead of the replay. */
import { closeSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ApiClient, eventually } from "../support/api-client.ts";
import { removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";
import { writeWalFixture } from "../support/wal-fixture.ts";

const HOUR_MS = 3_600_000;
const startMs = Math.floor(Date.now() / (2 * HOUR_MS)) * 2 * HOUR_MS - 4 * HOUR_MS;
const hours = 4.5;
const config = "scrape_configs: []\n";

describe("a long log", () => {
  const folder = temporaryFolder("long-log");
  const running: SpawnedServer[] = [];
  afterAll(async () => {
    for (const server of running) await server.stop("SIGKILL");
    removeFolder(folder);
  });

  async function start(name: string): Promise<SpawnedServer> {
    const server = await startNarthex({ folder: join(folder, name), config });
    running.push(server);
    return server;
  }

  async function countSamples(server: SpawnedServer): Promise<number> {
    const query = `sum(count_over_time({__name__=~".+"}[6h]))`;
    const [found] = await new ApiClient(server.url).instant(query, startMs + (hours + 0.5) * HOUR_MS);
    return Number((found as unknown as { value: [number, string] } | undefined)?.value[1] ?? 0);
  }

  function writeLog(name: string) {
    return writeWalFixture({
      dataDirectory: join(folder, name, "data"),
      instances: 20,
      startMs,
      endMs: startMs + hours * HOUR_MS,
      stepMs: 30_000,
      jitterMs: 5,
    });
  }

  test("gives every sample, also at starts after the server was killed", async () => {
    const { samples } = writeLog("sound");
    for (let i = 0; i < 2; i++) {
      const server = await start("sound");
      expect(await countSamples(server)).toBe(samples);
      await server.stop("SIGKILL");
    }
  }, 120_000);

  test("that is damaged gives all before the damage, the same at every start", async () => {
    const { samples } = writeLog("damaged");
    const wal = join(folder, "damaged", "data", "wal");
    const segment = join(wal, readdirSync(wal).filter((name) => /^\d+$/.test(name))[0]!);
    const { size } = statSync(segment);
    expect(size).toBeGreaterThan(16 * 1024 * 1024);
    const descriptor = openSync(segment, "r+");
    writeSync(descriptor, Buffer.alloc(64, 0x5a), 0, 64, Math.floor(0.9 * size));
    closeSync(descriptor);

    const server = await start("damaged");
    const found = await countSamples(server);
    expect(found).toBeGreaterThan(0.85 * samples);
    expect(found).toBeLessThan(0.95 * samples);
    await eventually("the log is repaired", () => Promise.resolve(statSync(segment).size < size), 10_000);
    await server.stop("SIGKILL");
    expect(await countSamples(await start("damaged"))).toBe(found);
  }, 120_000);
});
