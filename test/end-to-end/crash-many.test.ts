/** Kills the server at random moments of everything it does to the data directory, again and again. */
import { readdirSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiClient, eventually, type Series } from "../support/api-client.ts";
import { removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

const kills = Number(process.env["NARTHEX_KILLS"] ?? "20");

/** Generations of a second, looked after as often: the log is cut, blocks are written and compacted all the time. */
const flags = [
  "--storage.tsdb.min-block-duration=1s",
  "--storage.tsdb.max-block-duration=9s",
  "--storage.tsdb.block-reload-interval=1s",
  "--web.enable-admin-api",
  "--enable-feature=memory-snapshot-on-shutdown",
];

/** What is done while the kill comes; `nothing` leaves appending, block writes and compactions. */
const deeds = ["nothing", "delete_series", "clean_tombstones", "snapshot", "stop"] as const;

describe("a server killed again and again", () => {
  const folder = temporaryFolder("crash-many");
  /** By series, what queries have shown and nobody deleted. */
  const shown = new Map<string, Map<number, string>>();
  /** Until when samples of doomed_total were deleted, with an answer that they are. */
  let deletedUntilMs = 0;
  let target: Server;
  let config: string;
  let narthex: SpawnedServer | undefined;

  beforeAll(async () => {
    let scrapes = 0;
    const taken = new Set<number>();
    target = createServer((_request, response) => {
      scrapes++;
      const lines = Array.from({ length: 20 }, (_, i) => `work_total{shard="${i}"} ${scrapes * (i + 1)}`);
      lines.push(`doomed_total ${scrapes}`, `churned{scrape="${Math.floor(scrapes / 20)}"} ${scrapes}`);
      // One that comes and goes, so that there are staleness markers.
      if (scrapes % 7 < 5) lines.push(`at_times ${scrapes}`);
      // Some come late, by up to several blocks; never two of one time, of which either may be kept.
      for (let i = 0; i < 3; i++) {
        let timeMs = Date.now();
        if ((scrapes + i) % 3 !== 0) timeMs -= Math.floor(Math.random() * 8000);
        while (taken.has(timeMs)) timeMs--;
        taken.add(timeMs);
        lines.push(`late{series="${i}"} ${scrapes} ${timeMs}`);
      }
      response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4" }).end(`${lines.join("\n")}\n`);
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const { port } = target.address() as AddressInfo;
    config = `
global: { scrape_interval: 50ms, scrape_timeout: 50ms }
storage: { tsdb: { out_of_order_time_window: 20s } }
scrape_configs: [{ job_name: work, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }]
`;
  });

  afterAll(async () => {
    await narthex?.stop();
    target.close();
    removeFolder(folder);
  });

  const selectAll = (api: ApiClient) =>
    api.instant('{__name__=~"work_total|doomed_total|churned|at_times|late"}[1h]');

  function remember(answer: readonly Series[]): void {
    for (const { metric, values } of answer) {
      const key = JSON.stringify(Object.entries(metric).sort());
      const known = shown.get(key) ?? new Map<number, string>();
      shown.set(key, known);
      for (const [time, value] of values!) known.set(time, value);
    }
  }

  function forgetDoomed(untilMs: number): void {
    for (const [key, samples] of shown) {
      if (!key.includes("doomed_total")) continue;
      for (const time of samples.keys()) if (time * 1000 <= untilMs) samples.delete(time);
    }
  }

  /** What was shown once and is not there, or not the same; at most a few, for reading. */
  function missingFrom(answer: readonly Series[]): string[] {
    const found = new Map(
      answer.map(({ metric, values }) => [JSON.stringify(Object.entries(metric).sort()), new Map(values)]),
    );
    const missing: string[] = [];
    for (const [key, samples] of shown) {
      for (const [time, value] of samples) {
        const now = found.get(key)?.get(time);
        if (now !== value) missing.push(`${key} ${time} ${value}, now ${now}`);
      }
    }
    return missing.slice(0, 10).concat(missing.length > 10 ? `and ${missing.length - 10} more` : []);
  }

  test(`has lost nothing after ${kills} kills`, { timeout: 60_000 + kills * 6_000 }, async () => {
    let compacted = 0;
    for (let round = 0; round < kills; round++) {
      const deed = deeds[round % deeds.length]!;
      narthex = await startNarthex({ folder, config, flags });
      const api = new ApiClient(narthex.url);
      const where = `round ${round}, ${deed}`;

      const before = await selectAll(api);
      expect(missingFrom(before), `lost before ${where}`).toEqual([]);
      const undead = before.find(({ metric }) => metric["__name__"] === "doomed_total");
      expect(
        undead?.values!.filter(([time]) => time * 1000 <= deletedUntilMs) ?? [],
        `come back before ${where}`,
      ).toEqual([]);

      const startedMs = Date.now();
      await eventually("a scrape", async () => {
        const [newest] = await api.instant("timestamp(doomed_total)");
        return newest !== undefined && Number(newest.value![1]) * 1000 > startedMs;
      });
      await sleep(Math.random() * 1500);
      remember(await selectAll(api));

      const post = (path: string) => fetch(`${narthex!.url}/api/v1/admin/tsdb/${path}`, { method: "POST" });
      let answered: Promise<unknown> = Promise.resolve();
      if (deed === "delete_series") {
        const untilMs = startedMs - 500;
        // From now on they may be gone.
        forgetDoomed(untilMs);
        answered = post(`delete_series?match[]=doomed_total&end=${untilMs / 1000}`).then((response) => {
          expect(response.status).toBe(204);
          deletedUntilMs = untilMs;
        });
      } else if (deed === "stop") narthex.process.kill("SIGTERM");
      else if (deed !== "nothing") answered = post(deed);
      // An answer that the kill cuts off is no answer.
      const settled = answered.catch((error: unknown) => {
        if (!(error instanceof TypeError)) throw error;
      });
      await sleep(Math.random() * 200);
      compacted = Math.max(compacted, levelOfBlocks(join(folder, "data")));
      await narthex.stop("SIGKILL");
      await settled;
    }

    narthex = await startNarthex({ folder, config, flags });
    expect(missingFrom(await selectAll(new ApiClient(narthex.url))), "lost after the last kill").toEqual([]);
    expect(await narthex.stop()).toBe(0);
    // The kills fell among block writes and deletions, not on a log alone.
    expect(compacted).toBeGreaterThan(1);
  });
});

const sleep = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));

function levelOfBlocks(dataDirectory: string): number {
  return readdirSync(dataDirectory).filter((name) => name.length === 26).length;
}
