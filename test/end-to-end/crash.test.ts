import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiClient, eventually } from "../support/api-client.ts";
import { removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

describe("a server killed in the middle of its work", () => {
  const folder = temporaryFolder("crash");
  let target: Server;
  let config: string;
  let narthex: SpawnedServer | undefined;

  beforeAll(async () => {
    let counter = 0;
    target = createServer((_request, response) => {
      counter++;
      const lines = Array.from({ length: 200 }, (_, i) => `work_total{shard="${i}"} ${counter * (i + 1)}`);
      response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4" }).end(`${lines.join("\n")}\n`);
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const { port } = target.address() as AddressInfo;
    config = `
global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs: [{ job_name: work, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }]
`;
  });

  afterAll(async () => {
    await narthex?.stop();
    target.close();
    removeFolder(folder);
  });

  test("has, after a restart, every sample a query had shown", async () => {
    for (let round = 0; round < 3; round++) {
      narthex = await startNarthex({ folder, config });
      const before = new ApiClient(narthex.url);
      const startMs = Date.now();
      await eventually("some scrapes", async () => (await before.instant("work_total")).length === 200);
      await new Promise((resolve) => setTimeout(resolve, 1500 + 137 * round));
      const shown = await before.instant("work_total[1h]");
      await narthex.stop("SIGKILL");

      narthex = await startNarthex({ folder, config });
      const after = await new ApiClient(narthex.url).instant("work_total[1h]");
      const byShard = new Map(after.map((series) => [series.metric["shard"], series.values!]));
      for (const series of shown) {
        const kept = new Set(byShard.get(series.metric["shard"])?.map(([time, value]) => `${time} ${value}`));
        const lost = series.values!.filter(([time, value]) => !kept.has(`${time} ${value}`));
        expect(lost, `lost of shard ${series.metric["shard"]} in round ${round}`).toEqual([]);
      }
      expect(shown.length).toBe(200);
      expect(Math.max(...shown[0]!.values!.map(([time]) => time * 1000))).toBeGreaterThan(startMs);
      expect(await narthex.stop()).toBe(0);
    }
  }, 60_000);
});
