import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { ApiClient, eventually } from "../support/api-client.ts";
import { removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

/** Runs for seconds: millions of steps, twice over. */
const SLOW = "max_over_time((sum_over_time(vector(time())[90d:1s]) + vector(1))[4h:1m])";

describe("a server that is killed while a query runs", () => {
  const folder = temporaryFolder("active-queries");
  let server: SpawnedServer | null = null;

  afterEach(async () => {
    await server?.stop();
    removeFolder(folder);
  });

  test("tells of it at its next start, and not of those that ended, which are in the query log", async () => {
    const config = `global: { query_log_file: ${join(folder, "queries.log")} }\nscrape_configs: []\n`;
    const start = () => startNarthex({ config, folder, flags: ["--query.max-concurrency=3"] });
    server = await start();
    const ask = (query: string) => new ApiClient(server!.url).instant(query).catch(() => null);
    const activeFile = join(folder, "data/queries.active");
    const active = () => readFileSync(activeFile, "utf8").replaceAll("\0", "");

    await ask("vector(1)");
    const unfinished = ask(SLOW);
    await eventually("the query being written down", async () => active().includes("90d:1s"));
    expect(active().match(/"query":/g)).toHaveLength(1);
    await server.stop("SIGKILL");
    await unfinished;
    expect(active()).toContain("90d:1s");

    server = await start();
    await eventually("the log line", async () => server!.log.includes("didn't finish"));
    const line = server.log.split("\n").find((text) => text.includes("didn't finish"))!;
    expect(line).toContain("90d:1s");
    expect(line).not.toContain('vector(1)\\"');
    expect(active()).toBe("[");

    await ask("vector(2)");
    expect(existsSync(join(folder, "queries.log"))).toBe(true);
    const logged = readFileSync(join(folder, "queries.log"), "utf8").trim().split("\n");
    const params = logged.map((text) => (JSON.parse(text) as { params: { query: string } }).params.query);
    expect(params).toEqual(["vector(1)", "vector(2)"]);
  });
});
