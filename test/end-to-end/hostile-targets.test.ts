import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TargetsData } from "../../src/api/types.ts";
import { ApiClient, eventually } from "../support/api-client.ts";
import { removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

const text = { "Content-Type": "text/plain; version=0.0.4" };
const zeros = Buffer.alloc(1024 * 1024, 0x30);

/** What each bad target does with a request. */
const behaviours: Record<string, (response: ServerResponse) => void> = {
  good: (response) => response.writeHead(200, text).end("good_metric 1\n"),
  garbage: (response) => response.writeHead(200, text).end("\u0000\u0001 this is { not metrics\n"),
  hangs: () => undefined,
  "drips-forever": (response) => {
    response.writeHead(200, text);
    const timer = setInterval(() => response.write("#"), 50);
    response.on("close", () => clearInterval(timer));
  },
  "sends-a-gigabyte": (response) => {
    response.writeHead(200, text).write("huge_metric 1\nx");
    let sent = 0;
    const more = () => {
      while (sent++ < 1024) if (!response.write(zeros)) return void response.once("drain", more);
      response.end();
    };
    more();
  },
  "gzip-bomb": (response) => {
    response.writeHead(200, { ...text, "Content-Encoding": "gzip" }).end(bomb);
  },
  "closes-early": (response) => {
    response.writeHead(200, { ...text, "Content-Length": "1000" }).write("cut_metric 1\n");
    setTimeout(() => response.destroy(), 20);
  },
  "repeats-a-series": (response) => response.writeHead(200, text).end("twice 1\ntwice 2\nonce 3\n"),
  "is-an-error": (response) => response.writeHead(500, text).end("no\n"),
  "wrong-type": (response) =>
    response.writeHead(200, { "Content-Type": "application/octet-stream" }).end("x 1\n"),
  "is-empty": (response) => response.writeHead(200, text).end(""),
};
/** 600 MiB in the clear. Made of many members, so that its trailer speaks of 4 MiB only. */
const bombMember = gzipSync(Buffer.alloc(4 * 1024 * 1024, 0x61), { level: 9 });
const bomb = Buffer.concat(Array.from({ length: 150 }, () => bombMember));

describe("a target that misbehaves", () => {
  let target: Server;
  let narthex: SpawnedServer;
  let api: ApiClient;
  const folder = temporaryFolder("hostile");

  beforeAll(async () => {
    target = createServer((request, response) => behaviours[request.url!.split("/")[1]!]!(response));
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const { port } = target.address() as AddressInfo;
    const jobs = Object.keys(behaviours).map(
      (name) => `
  - job_name: ${name}
    metrics_path: /${name}
    static_configs: [{ targets: ["127.0.0.1:${port}"] }]`,
    );
    narthex = await startNarthex({
      folder,
      config: `global: { scrape_interval: 1s, scrape_timeout: 800ms }\nscrape_configs:${jobs.join("")}\n`,
    });
    api = new ApiClient(narthex.url);
    // Every loop has had its first scrape, and the slow ones their time-out.
    await eventually(
      "a verdict on every target",
      async () => {
        const { activeTargets } = await api.get<TargetsData>("targets");
        return activeTargets.length === jobs.length && activeTargets.every((one) => one.health !== "unknown");
      },
      60_000,
    );
  }, 90_000);

  afterAll(async () => {
    await narthex?.stop();
    target?.closeAllConnections();
    target?.close();
    removeFolder(folder);
  });

  async function lastError(job: string): Promise<string> {
    const { activeTargets } = await api.get<TargetsData>("targets", { scrapePool: job });
    return activeTargets[0]!.lastError;
  }

  async function up(job: string): Promise<string | undefined> {
    return (await api.instant(`up{job="${job}"}`))[0]?.value?.[1];
  }

  test.each([
    ["garbage", /./],
    ["hangs", /context deadline exceeded|timed out|timeout/i],
    ["drips-forever", /context deadline exceeded|timed out|timeout/i],
    ["sends-a-gigabyte", /./],
    ["gzip-bomb", /./],
    ["closes-early", /./],
    ["is-an-error", /server returned HTTP status 500/],
    ["wrong-type", /Content-Type|content type/i],
  ])("is down, and %s has an error that says why", async (job, message) => {
    expect(await lastError(job)).toMatch(message);
    expect(await up(job)).toBe("0");
  });

  test("with a repeated series is up, and the first value stands", async () => {
    expect(await up("repeats-a-series")).toBe("1");
    const values = await api.instant('{job="repeats-a-series",__name__=~"twice|once"}');
    expect(Object.fromEntries(values.map((one) => [one.metric["__name__"], one.value![1]]))).toEqual({
      twice: "1",
      once: "3",
    });
  });

  test("with an empty page is up and has no samples", async () => {
    expect(await up("is-empty")).toBe("1");
    expect((await api.instant('scrape_samples_scraped{job="is-empty"}'))[0]?.value?.[1]).toBe("0");
  });

  test("leaves the others alone: a good target is scraped every second", async () => {
    const startMs = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const counts = await api.instant('count_over_time(up{job="good"}[4s])');
    expect(Number(counts[0]?.value?.[1])).toBeGreaterThanOrEqual(3);
    expect((await api.instant('min_over_time(up{job="good"}[4s])', startMs + 5_000))[0]?.value?.[1]).toBe(
      "1",
    );
  }, 20_000);
});
