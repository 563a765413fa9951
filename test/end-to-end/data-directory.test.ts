/** One data directory, used by Narthex and by Prometheus 2.42 in turn: what one has stored, the other answers. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Labels } from "../../src/model/labels.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../src/model/sample.ts";
import { Tsdb } from "../../src/tsdb/tsdb.ts";
import { ApiClient, eventually } from "../support/api-client.ts";
import { differences } from "../support/compare-results.ts";
import {
  isInstalled,
  removeFolder,
  startNarthex,
  startPrometheus,
  temporaryFolder,
} from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";
import * as protobuf from "../support/protobuf-page.ts";

const MINUTE = 60_000;
const noScrapes = "scrape_configs: []\n";

const blocksIn = (data: string) => readdirSync(data).filter((name) => name.length === 26);

const promtool = (...args: string[]) =>
  execFileSync("promtool", ["tsdb", ...args], { maxBuffer: 2 ** 28, encoding: "utf8" });

/** What `promtool tsdb dump` prints: by series, its samples by time, as Go prints them. */
function dump(data: string): Map<string, Map<number, number>> {
  const series = new Map<string, Map<number, number>>();
  for (const line of promtool("dump", data).trimEnd().split("\n")) {
    const match = /^(\{.*\}) (\S+) (-?\d+)$/.exec(line);
    if (!match) throw new Error(`cannot read the line ${line}`);
    const value = Number(match[2]!.replace("Inf", "Infinity"));
    const samples = series.get(match[1]!) ?? new Map<number, number>();
    if (samples.has(Number(match[3]))) throw new Error(`twice in the dump: ${line}`);
    series.set(match[1]!, samples.set(Number(match[3]), value));
  }
  return series;
}

describe.skipIf(!isInstalled("promtool"))(
  "a directory that Narthex filled, compacted and deleted from",
  () => {
    const folder = temporaryFolder("filled");
    const data = join(folder, "data");
    const endMs = Math.floor(Date.now() / MINUTE) * MINUTE - 2 * MINUTE;
    const startMs = endMs - 180 * MINUTE;
    const stored = new Map<string, Map<number, number>>();
    const staleTimes: number[] = [];
    const window = { start: String(startMs / 1000), end: String(endMs / 1000) };
    let running: SpawnedServer | undefined;

    const queries = [
      "odd",
      "count_over_time({__name__=~'odd|steps|walk|brief'}[10m])",
      "sum by (series) (rate(steps[5m]))",
      "avg_over_time(walk[7m30s])",
      "resets(steps[1h])",
      "changes(walk[20m])",
      "brief",
      "absent(brief)",
      "present_over_time(brief[3m])",
      "stddev_over_time(walk[11m])",
      "last_over_time(odd[9m])",
      "timestamp(walk)",
      'count({__name__=~".+"})',
    ];
    const flags = ["--storage.tsdb.min-block-duration=10m", "--storage.tsdb.max-block-duration=90m"];

    function ingest(): void {
      mkdirSync(data, { recursive: true });
      const words = new Uint32Array(2);
      const number = new Float64Array(words.buffer);
      const odd = [
        0,
        -0,
        NaN,
        Infinity,
        -Infinity,
        5e-324,
        Number.MAX_VALUE,
        0.1 + 0.2,
        2 ** 53 + 2,
        -1e-300,
      ];
      let tsdb = Tsdb.open({ directory: data, blockRangeMs: 10 * MINUTE, generationBytes: 2 ** 26 });
      const append = (labels: Labels, timeMs: number, value: number | "stale") => {
        number[0] = value === "stale" ? NaN : value;
        const [high, low] = value === "stale" ? [STALE_HIGH_WORD, STALE_LOW_WORD] : [words[1]!, words[0]!];
        expect(tsdb.appender.appendFloat(labels, timeMs, high, low)).toBe(0);
        const key = goText(labels);
        stored.set(key, (stored.get(key) ?? new Map<number, number>()).set(timeMs, number[0]));
      };
      const seriesOf = (name: string, series: number) =>
        Labels.fromRecord({ __name__: name, kind: name, series: String(series), quote: 'a "b" \\ ü' });
      let random = 42;
      for (let step = 0, timeMs = startMs + 7; timeMs <= endMs; step++, timeMs += 15_000) {
        // Now and then the server is started anew, which is a new segment of the log, and no new references.
        if (step % 250 === 249) {
          tsdb.close();
          tsdb = Tsdb.open({ directory: data, blockRangeMs: 10 * MINUTE, generationBytes: 2 ** 26 });
        }
        tsdb.appender.begin();
        for (let i = 0; i < 10; i++) {
          append(seriesOf("odd", i), timeMs, odd[(i + step) % odd.length]!);
          append(seriesOf("steps", i), timeMs + i, step % 300 < 290 ? step * (i + 1) : 0);
          random = (Math.imul(random, 1103515245) + 12345) >>> 0;
          append(seriesOf("walk", i), timeMs + 2 * i, random / 7);
        }
        if (step % 100 < 60) append(seriesOf("brief", 0), timeMs, step);
        else if (step % 100 === 60) {
          append(seriesOf("brief", 0), timeMs, "stale");
          staleTimes.push(timeMs);
        }
        tsdb.appender.commit();
      }
      tsdb.close();
    }

    const answers = async (api: ApiClient) => ({
      ranges: await Promise.all(queries.map((query) => api.range(query, startMs, endMs, 47_000))),
      instants: await Promise.all(queries.map((query) => api.instant(query, endMs - 1_234_567))),
      names: await api.get<string[]>("label/__name__/values", window),
      series: (await api.get<object[]>("series", { "match[]": '{series=~"[3-5]"}', ...window }))
        .map((labels) => JSON.stringify(Object.entries(labels).sort()))
        .sort(),
    });
    type Answers = Awaited<ReturnType<typeof answers>>;

    function expectAlike(ours: Answers, theirs: Answers): void {
      for (const [i, query] of queries.entries()) {
        expect(differences(ours.ranges[i]!, theirs.ranges[i]!), query).toEqual([]);
        expect(differences(ours.instants[i]!, theirs.instants[i]!), query).toEqual([]);
      }
      expect(ours.names).toEqual(theirs.names);
      expect(ours.series).toEqual(theirs.series);
    }

    beforeAll(async () => {
      ingest();
      running = await startNarthex({
        folder,
        config: noScrapes,
        flags: [...flags, "--web.enable-admin-api"],
      });
    }, 120_000);

    afterAll(async () => {
      await running?.stop();
      removeFolder(folder);
    });

    test("shows every sample, and after deleting and compacting all but the deleted", async () => {
      const api = new ApiClient(running!.url);
      await eventually("several generations compacted into one block", async () =>
        (await api.get<{ blocks: { compaction: { level: number } }[] }>("status/tsdb/blocks")).blocks.some(
          ({ compaction }) => compaction.level > 1,
        ),
      );
      const count = async () =>
        Number((await api.instant('sum(count_over_time({__name__=~".+"}[4h]))', endMs + 1000))[0]!.value![1]);
      const total = [...stored.values()].reduce((sum, samples) => sum + samples.size, 0);
      expect(await count()).toBe(total - staleTimes.length);

      // One series whole, one in part: half an hour across several blocks, and the newest part in the head.
      const post = (path: string) => fetch(`${running!.url}/api/v1/admin/tsdb/${path}`, { method: "POST" });
      expect((await post('delete_series?match[]=steps{series="3"}')).status).toBe(204);
      const [from, to] = [endMs - 35 * MINUTE, endMs - 5 * MINUTE];
      expect(
        (await post(`delete_series?match[]=walk{series=~"[12]"}&start=${from / 1000}&end=${to / 1000}`))
          .status,
      ).toBe(204);
      for (const [key, samples] of stored) {
        const doomed = key.includes('"steps"') && key.includes('series="3"');
        const cut = key.includes('"walk"') && /series="[12]"/.test(key);
        for (const time of samples.keys())
          if (doomed || (cut && time >= from && time <= to)) samples.delete(time);
        if (samples.size === 0) stored.delete(key);
      }
      const left = [...stored.values()].reduce((sum, samples) => sum + samples.size, 0);
      expect(left).toBeLessThan(total);
      expect(await count()).toBe(left - staleTimes.length);
      expect((await post("clean_tombstones")).status).toBe(204);
      expect(await count()).toBe(left - staleTimes.length);
    }, 60_000);

    test("is read to the last bit by promtool, and by Prometheus alike", async () => {
      const ours = await answers(new ApiClient(running!.url));
      expect(await running!.stop()).toBe(0);
      expect(existsSync(join(data, "lock"))).toBe(false);

      expect(promtool("list", data).trimEnd().split("\n")).toHaveLength(1 + blocksIn(data).length);
      expect(promtool("analyze", data)).toContain("Block ID");
      const dumped = dump(data);
      expect([...dumped.keys()].sort()).toEqual([...stored.keys()].sort());
      for (const [key, samples] of stored) {
        const printed = dumped.get(key)!;
        expect(printed.size, key).toBe(samples.size);
        const wrong = [...samples].filter(([time, value]) => !Object.is(printed.get(time), value));
        expect(wrong, key).toEqual([]);
      }

      if (!isInstalled("prometheus")) return;
      running = await startPrometheus({ folder, config: noScrapes });
      expectAlike(ours, await answers(new ApiClient(running.url)));
      await running.stop("SIGKILL");

      // And back again.
      running = await startNarthex({ folder, config: noScrapes, flags });
      expectAlike(await answers(new ApiClient(running.url)), ours);
    }, 60_000);
  },
);

/** A label set as Go prints it. */
function goText(labels: Labels): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.pairs.length; i += 2) {
    parts.push(`${labels.pairs[i]}=${JSON.stringify(labels.pairs[i + 1])}`);
  }
  return `{${parts.join(", ")}}`;
}
