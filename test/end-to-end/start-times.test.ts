/** When counters began, from the page of a target to an answer: from memory, after a kill, and from blocks. */
import { readdirSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiClient, eventually } from "../support/api-client.ts";
import { removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

describe("start times, with st-storage", () => {
  const folder = temporaryFolder("start-times");
  const startSeconds = Math.floor(Date.now() / 1000) - 100;
  let target: Server;
  let narthex: SpawnedServer | undefined;
  let config: string;
  let scrapes = 0;

  beforeAll(async () => {
    target = createServer((_request, response) => {
      scrapes++;
      const body = `# TYPE c counter\nc_total ${scrapes}\nc_created ${startSeconds}.25\n# TYPE g gauge\ng 1\n# EOF\n`;
      const type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
      response.writeHead(200, { "Content-Type": type }).end(body);
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const { port } = target.address() as AddressInfo;
    config = `
global: { scrape_interval: 100ms, scrape_timeout: 100ms }
scrape_configs: [{ job_name: counters, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }]
`;
  });
  afterAll(async () => {
    await narthex?.stop();
    target.close();
    removeFolder(folder);
  });

  const start = async (blockRange: string, text: string) => {
    narthex = await startNarthex({
      folder,
      config: text,
      flags: [
        "--enable-feature=st-storage,use-start-timestamps,promql-experimental-functions",
        `--storage.tsdb.min-block-duration=${blockRange}`,
        `--storage.tsdb.max-block-duration=${blockRange}`,
        "--storage.tsdb.block-reload-interval=1s",
      ],
    });
    return new ApiClient(narthex.url);
  };

  test("are there as long as their samples are", async () => {
    const told = async (api: ApiClient) => {
      const [c] = await api.instant("start_timestamp(c_total)");
      return c && Number(c.value![1]);
    };
    let api = await start("2h", config);
    await eventually("a sample with its start time", async () => (await told(api)) === startSeconds + 0.25);
    const seenMs = Date.now();
    expect(Number((await api.instant("start_timestamp(g)"))[0]!.value![1])).toBe(0);
    // No zero is put where the counter began: that is another feature.
    expect(await api.instant("c_total", 1000 * (startSeconds + 10))).toEqual([]);
    expect(await api.instant("c_created")).toEqual([]);

    await narthex!.stop("SIGKILL");
    api = await start("2h", "scrape_configs: []\n");
    expect(await told(api)).toBe(startSeconds + 0.25);

    await narthex!.stop();
    api = await start("1s", config);
    const isBlock = (name: string) => name.length === 26;
    await eventually("a block", () => Promise.resolve(readdirSync(join(folder, "data")).some(isBlock)));
    await narthex!.stop();
    api = await start("1s", "scrape_configs: []\n");
    const [atFirst] = await api.instant("start_timestamp(c_total)", seenMs);
    expect(atFirst && Number(atFirst.value![1])).toBe(startSeconds + 0.25);
  }, 90_000);
});
