/** Small queries and look-ups, asked without pause while series come and the head's generations become blocks. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiClient } from "../support/api-client.ts";
import { PageServer } from "../support/page-server.ts";
import { removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

describe("what is asked again and again", () => {
  const folder = temporaryFolder("small-tasks");
  let target: PageServer;
  let narthex: SpawnedServer;
  let api: ApiClient;
  let scrapes = 0;

  beforeAll(async () => {
    target = await new PageServer().start();
    target.answer = (_request, response) => {
      scrapes++;
      const growing = Array.from({ length: Math.ceil(scrapes / 10) }, (_, i) => `growing{n="${i}"} 1\n`);
      response.writeHead(200, target.headers).end(`first ${scrapes}\n${growing.join("")}last ${scrapes}\n`);
    };
    const config = `
global: { scrape_interval: 100ms, scrape_timeout: 100ms }
scrape_configs: [{ job_name: growing, static_configs: [{ targets: ["${target.address}"] }] }]
`;
    const flags = [
      "--storage.tsdb.min-block-duration=5s",
      "--storage.tsdb.max-block-duration=5s",
      "--storage.tsdb.block-reload-interval=1s",
      "--query.lookback-delta=1s",
    ];
    narthex = await startNarthex({ folder, config, flags });
    api = new ApiClient(narthex.url);
  });
  afterAll(async () => {
    await narthex.stop();
    target.stop();
    removeFolder(folder);
  });

  const blocks = () => readdirSync(join(folder, "data")).filter((name) => /^[0-9A-Z]{26}$/.test(name)).length;
  /** As a query thread answers it: ranges are never small. */
  const byThread = async (query: string, timeMs: number) => {
    const [series] = await api.range(query, timeMs, timeMs, 1000);
    return series?.values![0]![1] ?? "nothing";
  };
  const atOnce = async (query: string, timeMs: number) => {
    const [series] = await api.instant(query, timeMs);
    return series?.value![1] ?? "nothing";
  };

  test("is answered as a query thread answers it, in whole scrapes, and with every series there is", async () => {
    const deadline = Date.now() + 90_000;
    const seen = new Set<string>();
    let compared = 0;
    while (compared < 200 || seen.size < 10 || blocks() < 2) {
      expect(Date.now()).toBeLessThan(deadline);
      const timeMs = Date.now();
      const before = await atOnce("last", timeMs);
      const answer = await byThread("last", timeMs);
      // Else one came meanwhile.
      if (before === (await atOnce("last", timeMs))) {
        expect(answer).toBe(before);
        compared++;
        if (answer !== "nothing") seen.add(answer);
      }
      expect(await atOnce("last - on (job) first", timeMs)).toMatch(/^(0|nothing)$/);
      // A series that was counted has its value among those that are asked for afterwards.
      const count = await atOnce("count(growing)", Date.now());
      const values = await api.get<string[]>("label/n/values");
      if (count !== "nothing") expect(values.length).toBeGreaterThanOrEqual(Number(count));
    }
  }, 120_000);
});
