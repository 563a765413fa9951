/** What of the storage a reload changes, seen from outside. */
import { readdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Block } from "../../src/tsdb/block/block.ts";
import { ChunkEncoding } from "../../src/tsdb/chunk/encoding.ts";
import { ApiClient, eventually } from "../support/api-client.ts";
import { removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

describe("a server whose storage settings are reloaded", () => {
  const folder = temporaryFolder("storage-reload");
  const data = join(folder, "data");
  let target: Server;
  let narthex: SpawnedServer;
  let api: ApiClient;
  let scrapes = 0;

  const configOf = (tsdb: string) => `
global: { scrape_interval: 100ms, scrape_timeout: 100ms }
storage: { tsdb: ${tsdb} }
scrape_configs: [{ job_name: steps, static_configs: [{ targets: ["127.0.0.1:${port()}"] }] }]
`;
  const port = () => (target.address() as AddressInfo).port;

  beforeAll(async () => {
    target = createServer((_request, response) => {
      const type = "text/plain; version=0.0.4";
      response.writeHead(200, { "Content-Type": type }).end(`steps ${++scrapes / 3}\n`);
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    narthex = await startNarthex({
      folder,
      config: configOf("{}"),
      flags: [
        "--storage.tsdb.min-block-duration=2s",
        "--storage.tsdb.max-block-duration=2s",
        "--storage.tsdb.block-reload-interval=1s",
        "--web.enable-lifecycle",
      ],
    });
    api = new ApiClient(narthex.url);
  }, 60_000);
  afterAll(async () => {
    await narthex?.stop();
    target.close();
    removeFolder(folder);
  });

  /** The encodings of chunks of each block, by its name. */
  function encodings(): Map<string, number[]> {
    const found = new Map<string, number[]>();
    for (const name of readdirSync(data).filter((entry) => entry.length === 26)) {
      const block = Block.open(join(data, name));
      const all = [...block.chunkSeries()].flatMap(({ chunks }) => chunks.map(({ encoding }) => encoding));
      block.close();
      found.set(name, [...new Set(all)]);
    }
    return found;
  }

  async function reload(tsdb: string): Promise<void> {
    writeFileSync(join(folder, "prometheus.yml"), configOf(tsdb));
    const answer = await fetch(`${narthex.url}/-/reload`, { method: "POST" });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
  }

  test("writes new blocks in the encoding that is asked for now, and reads both", async () => {
    const before = await eventually("a block", async () => encodings().size > 0 && encodings());
    expect([...before.values()].every((each) => each[0] === ChunkEncoding.xor && each.length === 1)).toBe(
      true,
    );
    await reload("{ chunk_encoding: { floats: xor2 } }");
    await eventually("a block with the other encoding", async () =>
      [...encodings().values()].some((each) => each[0] === ChunkEncoding.xor2 && each.length === 1),
    );
    const nowMs = Date.now();
    const [series] = await api.instant("steps[2m]", nowMs);
    const values = series!.values!.map(([, value]) => Math.round(3 * Number(value)));
    expect(values).toEqual([...new Set(values)].sort((one, other) => one - other));
    const [answered] = await api.instant("sum_over_time(up[2m])", nowMs);
    expect(values.length).toBe(Number(answered!.value![1]));
    expect(values.length).toBeGreaterThan(20);
  }, 60_000);

  test("tells its new retention", async () => {
    await reload("{ retention: { time: 3d, size: 2GB } }");
    const info = await api.get<{ storageRetention: string }>("status/runtimeinfo");
    expect(info.storageRetention).toBe("3d or 2GiB");
  });
});

test("series that ended leave the head early once a reload asks for it, and stay to be read", async () => {
  const folder = temporaryFolder("stale-series");
  let scrapes = 0;
  const target = createServer((_request, response) => {
    const lines = ["steady 1"];
    if (scrapes++ < 5) for (let i = 0; i < 50; i++) lines.push(`gone{series="${i}"} ${i}`);
    response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4" }).end(`${lines.join("\n")}\n`);
  });
  await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
  const { port } = target.address() as AddressInfo;
  const configOf = (threshold: number) => `
global: { scrape_interval: 200ms, scrape_timeout: 200ms }
storage: { tsdb: { stale_series_compaction_threshold: ${threshold} } }
scrape_configs: [{ job_name: churn, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }]
`;
  const narthex = await startNarthex({
    folder,
    config: configOf(0),
    flags: ["--storage.tsdb.block-reload-interval=1s", "--web.enable-lifecycle"],
  });
  const staleSeries = async () => {
    const page = await (await fetch(`${narthex.url}/metrics`)).text();
    return Number(/^prometheus_tsdb_head_stale_series (\d+)$/m.exec(page)![1]);
  };
  try {
    await eventually("series that ended", async () => (await staleSeries()) >= 50);
    writeFileSync(join(folder, "prometheus.yml"), configOf(0.5));
    expect((await fetch(`${narthex.url}/-/reload`, { method: "POST" })).status).toBe(200);
    await eventually("a head without them", async () => (await staleSeries()) === 0);
    const api = new ApiClient(narthex.url);
    const [ended] = await api.instant("count(count_over_time(gone[10m]))");
    expect(ended!.value![1]).toBe("50");
    await eventually("what goes on goes on", async () => (await api.instant("steady")).length === 1);
    expect(readdirSync(join(folder, "data")).some((name) => name.length === 26)).toBe(true);
  } finally {
    await narthex.stop();
    target.close();
    removeFolder(folder);
  }
}, 60_000);

test("an encoding without room for start timestamps is refused where they are to be stored", async () => {
  const folder = temporaryFolder("no-room");
  const config = "storage: { tsdb: { chunk_encoding: { floats: xor } } }\nscrape_configs: []\n";
  await expect(
    startNarthex({ folder, config, flags: ["--enable-feature=st-storage"], timeoutMs: 20_000 }),
  ).rejects.toThrow(/chunk_encoding\.floats' must not be 'xor'/);
  removeFolder(folder);
});

describe("a server told anew by a signal or by a request", () => {
  const folder = temporaryFolder("storage-signals");
  const data = join(folder, "data");
  let target: Server;
  let narthex: SpawnedServer;
  let isLate = false;

  const configOf = (storage: string) => `
global: { scrape_interval: 100ms, scrape_timeout: 100ms }
storage: ${storage}
scrape_configs: [{ job_name: steps, static_configs: [{ targets: ["127.0.0.1:${(target.address() as AddressInfo).port}"] }] }]
`;

  beforeAll(async () => {
    let scrapes = 0;
    target = createServer((_request, response) => {
      scrapes++;
      const lines = Array.from(
        { length: 5 },
        (_, i) => `steps_total{i="${i}"} ${scrapes} # {n="${scrapes}"} 1`,
      );
      const timeMs = Date.now() - (isLate && scrapes % 2 === 0 ? 20_000 : 0);
      lines.unshift("# TYPE steps counter");
      lines.push("# TYPE late gauge", `late ${scrapes} ${timeMs / 1000}`);
      const type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
      response.writeHead(200, { "Content-Type": type }).end(`${lines.join("\n")}\n# EOF\n`);
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    narthex = await startNarthex({
      folder,
      config: configOf("{}"),
      flags: [
        "--storage.tsdb.min-block-duration=2s",
        "--storage.tsdb.max-block-duration=2s",
        "--storage.tsdb.block-reload-interval=1s",
        "--web.enable-lifecycle",
        "--enable-feature=exemplar-storage",
      ],
    });
  }, 60_000);
  afterAll(async () => {
    await narthex?.stop();
    target.close();
    removeFolder(folder);
  });

  async function metric(name: string): Promise<number> {
    const page = await (await fetch(`${narthex.url}/metrics`)).text();
    const line = page.split("\n").find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
    return Number(line!.slice(line!.lastIndexOf(" ") + 1));
  }

  async function reload(how: "signal" | "request", storage: string): Promise<void> {
    writeFileSync(join(folder, "prometheus.yml"), configOf(storage));
    if (how === "signal") {
      narthex.process.kill("SIGHUP");
      return;
    }
    expect((await fetch(`${narthex.url}/-/reload`, { method: "POST" })).status).toBe(200);
  }

  const blocks = () => readdirSync(data).filter((name) => name.length === 26);

  test.each(["signal", "request"] as const)("keeps as many exemplars as it says now: by %s", async (how) => {
    const stored = () => metric("prometheus_tsdb_exemplar_exemplars_in_storage");
    await reload(how, "{ exemplars: { max_exemplars: 1000 } }");
    await eventually("many", async () => (await stored()) > 20);
    await reload(how, "{ exemplars: { max_exemplars: 10 } }");
    await eventually("ten", async () => (await stored()) === 10);
    expect(await metric("prometheus_tsdb_exemplar_max_exemplars")).toBe(10);
  });

  test.each(["signal", "request"] as const)("takes late samples, and no more, by %s", async (how) => {
    const taken = () => metric("prometheus_tsdb_head_out_of_order_samples_appended_total");
    isLate = true;
    await reload(how, "{ tsdb: { out_of_order_time_window: 1m } }");
    const before = await taken();
    await eventually("late samples", async () => (await taken()) > before + 2);
    await reload(how, "{ tsdb: { out_of_order_time_window: 0s } }");
    const refused = () => metric("prometheus_tsdb_out_of_bound_samples_total");
    const refusedBefore = await refused();
    await eventually("refusals", async () => (await refused()) > refusedBefore + 2);
    const after = await taken();
    const refusedAfter = await refused();
    await eventually("more refusals", async () => (await refused()) > refusedAfter + 2);
    expect(await taken()).toBe(after);
    isLate = false;
  });

  test.each([
    { how: "signal", limit: "time: 1s", counter: "time_retentions_total" },
    { how: "request", limit: "size: 1B", counter: "size_retentions_total" },
  ] as const)("deletes blocks by the limit $limit, by $how", async ({ how, limit, counter }) => {
    await reload(how, "{ tsdb: { retention: { time: 15d } } }");
    await eventually("three blocks", async () => blocks().length > 2);
    const before = await metric(`prometheus_tsdb_${counter}`);
    await reload(how, `{ tsdb: { retention: { ${limit} } } }`);
    await eventually("blocks go", async () => (await metric(`prometheus_tsdb_${counter}`)) > before);
    await eventually("few stay", async () => blocks().length < 3);
  });

  test("tells a limit by the share of the disk, and acts by it", async () => {
    await reload("request", "{ tsdb: { retention: { percentage: 100 } } }");
    expect(await metric("prometheus_tsdb_retention_limit_percentage")).toBe(100);
    await eventually("blocks stay", async () => blocks().length > 2);
    await reload("request", "{ tsdb: { retention: { percentage: 0.000001 } } }");
    await eventually("blocks go", async () => blocks().length < 2);
  });
}, 60_000);
