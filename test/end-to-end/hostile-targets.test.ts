import { readFileSync } from "node:fs";
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

/** Writes what `next` gives for as long as it gives something and somebody reads. */
function stream(response: ServerResponse, next: () => Buffer | null): void {
  response.writeHead(200, text);
  const more = () => {
    for (let piece = next(); piece !== null; piece = next()) {
      if (response.destroyed) return;
      if (!response.write(piece)) return void response.once("drain", more);
    }
    response.end();
  };
  more();
}

/** A thousand series at a time, no two alike, ten million in all. */
function tenMillionSeries(): () => Buffer | null {
  const lines = Array.from({ length: 1_000 }, (_, i) => `s{a="0000",b="${String(i).padStart(3, "0")}"} 1\n`);
  const block = Buffer.from(lines.join(""));
  const lineBytes = lines[0]!.length;
  let blocks = 0;
  return () => {
    if (blocks === 10_000) return null;
    const id = Buffer.from(String(blocks++).padStart(4, "0"));
    for (let i = 0; i < 1_000; i++) id.copy(block, i * lineBytes + 5);
    // What is written is still being sent while the next is made.
    return Buffer.from(block);
  };
}

/** One label with so many characters, in pieces of a million. */
function longLabel(millions: number): () => Buffer | null {
  const million = Buffer.alloc(1_000_000, 0x78);
  let sent = -1;
  return () => {
    sent++;
    if (sent === 0) return Buffer.from('long{l="');
    if (sent <= millions) return million;
    return sent === millions + 1 ? Buffer.from('"} 1\n') : null;
  };
}

let pageNumber = 0;
const baseMs = Date.now();

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
  "never-ends": (response) => stream(response, () => zeros),
  "is-over-its-body-limit": (response) => stream(response, () => zeros),
  "has-ten-million-series": (response) => stream(response, tenMillionSeries()),
  "has-ten-million-series-and-a-limit": (response) => stream(response, tenMillionSeries()),
  "has-a-label-of-a-billion-characters": (response) => stream(response, longLabel(1_000)),
  "has-a-label-of-a-hundred-million-characters": (response) => stream(response, longLabel(100)),
  "is-over-its-label-limit": (response) => stream(response, longLabel(1)),
  "changes-its-order": (response) => {
    const lines = Array.from({ length: 200 }, (_, i) => `shuffled{i="${i}"} ${i}\n`);
    for (let i = lines.length - 1; i > 0; i--) {
      const other = Math.floor(Math.random() * (i + 1));
      [lines[i], lines[other]] = [lines[other]!, lines[i]!];
    }
    response.writeHead(200, text).end(lines.join(""));
  },
  "goes-back-in-time": (response) => {
    pageNumber++;
    const back = `back ${pageNumber} ${baseMs - pageNumber * 1_000}\n`;
    response.writeHead(200, text).end(`${back}same_time ${pageNumber} ${baseMs}\nplain ${pageNumber}\n`);
  },
  "is-empty": (response) => response.writeHead(200, text).end(""),
};
/** What some of them are configured with beyond the others. Large pages take longer, on a small machine much longer. */
const options: Record<string, string> = {
  "is-over-its-body-limit": "body_size_limit: 1MB",
  "never-ends": slow(),
  "has-ten-million-series": slow(),
  "has-ten-million-series-and-a-limit": `${slow()}, sample_limit: 1000`,
  "has-a-label-of-a-billion-characters": slow(),
  "has-a-label-of-a-hundred-million-characters": slow(),
  "is-over-its-label-limit": "label_value_length_limit: 1000",
};

function slow(): string {
  return "scrape_interval: 30s, scrape_timeout: 30s";
}

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
      (name) =>
        `
  - {job_name: ${name}, metrics_path: /${name}, static_configs: [{targets: ["127.0.0.1:${port}"]}], ${options[name] ?? ""}}`,
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
      120_000,
    );
  }, 150_000);

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
    ["never-ends", /^body size limit exceeded$/],
    ["is-over-its-body-limit", /^body size limit exceeded$/],
    ["has-ten-million-series", /^cannot take page: more than 1048576 samples$/],
    ["has-ten-million-series-and-a-limit", /^sample limit exceeded$/],
    ["has-a-label-of-a-billion-characters", /^body size limit exceeded$/],
    ["has-a-label-of-a-hundred-million-characters", /line/],
    ["is-over-its-label-limit", /^label_value_length_limit exceeded \(metric: long, label name: l/],
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

  test("leaves nothing behind of a page that was refused", async () => {
    expect(await api.instant('{job=~"has-.*|is-over-.*|never-ends",__name__!~"up|scrape_.*"}')).toEqual([]);
    const [scraped] = await api.instant('scrape_samples_scraped{job="has-ten-million-series-and-a-limit"}');
    expect(scraped?.value?.[1]).toBe("10000000");
  });

  test("that changes its order at every scrape keeps its series", async () => {
    expect(await up("changes-its-order")).toBe("1");
    await eventually("pages without new series", async () => {
      const [added] = await api.instant('scrape_series_added{job="changes-its-order"}');
      return added?.value?.[1] === "0";
    });
    const [count] = await api.instant("count(shuffled) + sum(shuffled)");
    expect(count?.value?.[1]).toBe(String(200 + (199 * 200) / 2));
    // Nothing of it ever ended: there are as many values as scrapes.
    const [gaps] = await api.instant(
      "max(count_over_time(shuffled[1m])) == min(count_over_time(shuffled[1m]))",
    );
    expect(gaps).toBeDefined();
  });

  test("that goes back in time is up, and what came first stands", async () => {
    await eventually("several pages", async () => {
      const [pages] = await api.instant('plain{job="goes-back-in-time"}');
      return Number(pages?.value?.[1]) > 2;
    });
    expect(await up("goes-back-in-time")).toBe("1");
    const [back] = await api.instant('back{job="goes-back-in-time"}[1h]');
    expect(back!.values).toEqual([[(baseMs - 1_000) / 1_000, "1"]]);
    const [same] = await api.instant('same_time{job="goes-back-in-time"}[1h]');
    expect(same!.values).toEqual([[baseMs / 1_000, "1"]]);
    const page = await (await fetch(`${narthex.url}/metrics`)).text();
    for (const counter of ["out_of_order", "duplicate_timestamp"]) {
      const total = new RegExp(`^prometheus_target_scrapes_sample_${counter}_total (.*)$`, "m").exec(page);
      expect(Number(total![1])).toBeGreaterThan(1);
    }
  });

  test.skipIf(process.platform !== "linux")("does not take the memory of the server", () => {
    const status = readFileSync(`/proc/${narthex.pid}/status`, "utf8");
    expect(Number(/VmHWM:\s+(\d+) kB/.exec(status)![1])).toBeLessThan(2 * 1024 * 1024);
  });

  test("with an empty page is up and has no samples", async () => {
    expect(await up("is-empty")).toBe("1");
    expect((await api.instant('scrape_samples_scraped{job="is-empty"}'))[0]?.value?.[1]).toBe("0");
  });

  test("leaves the others alone: a good target is scraped every second", async () => {
    // On a machine with too much to do a scrape may come too late by itself: then a later window has to do.
    await eventually(
      "four good seconds",
      async () => {
        const [count] = await api.instant('count_over_time(up{job="good"}[4s])');
        const [least] = await api.instant('min_over_time(up{job="good"}[4s])');
        return Number(count?.value?.[1]) >= 3 && least?.value?.[1] === "1";
      },
      60_000,
    );
  }, 90_000);
});
