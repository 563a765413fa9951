/** One data directory, used by Narthex and by Prometheus 2.42 in turn: what one has stored, the other answers. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Labels } from "../../src/model/labels.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../src/model/sample.ts";
import { Tsdb } from "../../src/tsdb/tsdb.ts";
import { ApiClient, eventually, type Series } from "../support/api-client.ts";
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

describe.skipIf(!isInstalled("prometheus")).each([
  { first: "Prometheus 2.42", second: "Narthex" },
  { first: "Narthex", second: "Prometheus 2.42" },
] as const)("a directory that $first left", ({ first, second }) => {
  const folder = temporaryFolder("left");
  const data = join(folder, "first", "data");
  const startMs = Date.now();
  let target: Server;
  let config: string;
  let leaver: SpawnedServer | undefined;
  let taker: SpawnedServer | undefined;
  let scrapes = 0;
  /** Of which range samples were deleted, in seconds. */
  let deleted = { minTime: 0, maxTime: 0 };
  /** Whether the target gives samples with times of the past. */
  let givesLate = true;

  const features = "--enable-feature=exemplar-storage,native-histograms";
  const durations = ["--storage.tsdb.min-block-duration=2s", "--storage.tsdb.max-block-duration=18s"];

  function textPage(): string {
    scrapes++;
    const lines = ["# TYPE steps counter"];
    for (let i = 0; i < 20; i++) {
      lines.push(
        `steps_total{series="${i}"} ${scrapes * (i + 1)} # {trace_id="${scrapes}-${i}"} ${scrapes / 8} ${Date.now() / 1000}`,
      );
    }
    lines.push("# TYPE odd gauge", `odd ${["NaN", "+Inf", "-Inf", "-0", "5e-324"][scrapes % 5]}`);
    lines.push("# TYPE doomed gauge", `doomed{part="a"} ${scrapes}`, `doomed{part="b"} ${scrapes}`);
    if (scrapes % 20 < 12) lines.push("# TYPE brief gauge", `brief ${scrapes}`);
    if (givesLate) {
      // Some late by a little, some by several blocks, some not late at all.
      lines.push("# TYPE late gauge");
      for (const [i, lateMs] of [0, 700, 3000, 9000, 15_000].entries()) {
        // Even when on time and odd when late: of two values of one moment, each server may show either.
        const isLate = (scrapes + i) % 3 === 0 && lateMs > 0;
        const timeMs = 2 * Math.floor((Date.now() - (isLate ? lateMs : 0)) / 2) + Number(isLate);
        lines.push(`late{series="${i}"} ${scrapes} ${timeMs / 1000}`);
      }
    }
    return `${lines.join("\n")}\n# EOF\n`;
  }

  function protobufPage(): Buffer {
    const count = (i: number) => scrapes * (i + 1);
    return protobuf.page(
      protobuf.family(
        "native_seconds",
        protobuf.FamilyType.histogram,
        protobuf.message([
          7,
          "bytes",
          protobuf.message(
            [1, "varint", count(0) + count(1) + count(2) + scrapes],
            [2, "double", scrapes * 1.5],
            [5, "sint", scrapes % 40 < 20 ? 3 : 2],
            [6, "double", 0.001],
            [7, "varint", scrapes],
            [12, "bytes", protobuf.message([1, "sint", 2], [2, "varint", 3])],
            [13, "packed-sint", [count(0), count(1) - count(0), count(2) - count(1)]],
          ),
        ]),
      ),
    );
  }

  const queries = [
    "steps_total",
    "odd",
    "brief",
    "late",
    "timestamp(late)",
    "doomed",
    "rule:steps:sum",
    "up",
    "scrape_samples_scraped",
    "histogram_count(native_seconds)",
    "histogram_sum(native_seconds)",
    'ALERTS_FOR_STATE{alertname="Always"}',
  ];

  beforeAll(async () => {
    target = createServer((request, response) => {
      if (request.url === "/native") {
        const type =
          "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
        response.writeHead(200, { "Content-Type": type }).end(protobufPage());
      } else {
        const type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        response.writeHead(200, { "Content-Type": type }).end(textPage());
      }
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const { port } = target.address() as AddressInfo;
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "rules.yml"),
      `
groups:
  - name: rules
    interval: 500ms
    rules:
      - { record: "rule:steps:sum", expr: sum(steps_total) }
      - { alert: Always, expr: up == 1, for: 1h }
`,
    );
    config = `
global: { scrape_interval: 203ms, scrape_timeout: 200ms }
rule_files: [${join(folder, "rules.yml")}]
storage: { tsdb: { out_of_order_time_window: 30s } }
scrape_configs:
  - { job_name: text, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }
  - { job_name: native, metrics_path: /native, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }
`;
    await startUp();
  }, 60_000);

  afterAll(async () => {
    await leaver?.stop();
    await taker?.stop();
    target.close();
    removeFolder(folder);
  });

  function start(server: typeof first, home: string, text: string): Promise<SpawnedServer> {
    const flags = [features, ...durations, "--web.enable-admin-api"];
    return server === "Narthex"
      ? startNarthex({
          folder: home,
          config: text.replace("global: {", "global: { scrape_native_histograms: true,"),
          flags: [...flags, "--storage.tsdb.block-reload-interval=1s"],
        })
      : startPrometheus({ folder: home, config: text, flags });
  }

  async function startUp(): Promise<void> {
    await leaver?.stop();
    givesLate = true;
    leaver = await start(first, join(folder, "first"), config);
  }

  async function answers(api: ApiClient, endMs: number) {
    const window = { start: String(startMs / 1000), end: String(endMs / 1000) };
    const exemplars = await api.get<{ seriesLabels: Record<string, string>; exemplars: object[] }[]>(
      "query_exemplars",
      { query: "steps_total", start: window.start, end: String((endMs + 10 * MINUTE) / 1000) },
    );
    return {
      ranges: await Promise.all(queries.map((query) => api.range(query, startMs, endMs, 337))),
      // Sample by sample; functions over ranges would differ where a sample lies on the left end, which 2.42 has in it.
      samples: await api.instant('{__name__=~".+",__name__!="native_seconds"}[1h]', endMs),
      histograms: await api.instant("native_seconds[1h]", endMs),
      names: await api.get<string[]>("label/__name__/values", window),
      exemplars: exemplars.flatMap(({ seriesLabels, exemplars }) =>
        exemplars.map((exemplar) => JSON.stringify([seriesLabels["series"], exemplar])),
      ),
    };
  }
  type Answers = Awaited<ReturnType<typeof answers>>;

  /** Has the first server do everything for a while; what it answers in the end, and up to when. */
  async function runFor(durationMs: number): Promise<{ endMs: number; theirs: Answers }> {
    await sleep(durationMs);
    givesLate = false;
    await sleep(1000);
    const api = new ApiClient(leaver!.url);
    const admin = `${leaver!.url}/api/v1/admin/tsdb`;
    const to = (Date.now() - 2000) / 1000;
    const path = `delete_series?match[]=doomed{part="a"}&match[]=late{series="2"}&start=${to - 4}&end=${to}`;
    expect((await fetch(`${admin}/${path}`, { method: "POST" })).status).toBe(204);
    await sleep(1000);
    const endMs = Date.now() - 500;
    deleted = { minTime: to - 4, maxTime: to };
    return { endMs, theirs: await answers(api, endMs) };
  }

  const isDeletedSeries = ({ metric }: Series) => metric["__name__"] === "late" && metric["series"] === "2";

  /** What an answer has of the series in the range of which it was deleted. */
  const leftOfDeleted = (samples: readonly Series[]) =>
    samples
      .filter(isDeletedSeries)
      .flatMap(({ values }) => values!)
      .filter(([time]) => time >= deleted.minTime && time <= deleted.maxTime)
      .map(([time, value]) => `${value} @${time}`);

  /** Starts the other server on a copy and compares. */
  async function expectAlikeOf(name: string, endMs: number, theirs: Answers): Promise<void> {
    const copy = join(folder, name);
    cpSync(data, join(copy, "data"), { recursive: true });
    const blockEnds = blocksIn(data).map((block) => {
      const meta = readFileSync(join(data, block, "meta.json"), "utf8");
      return (JSON.parse(meta) as { maxTime: number }).maxTime;
    });
    taker = await start(second, copy, "storage: { tsdb: { out_of_order_time_window: 30s } }\n");
    const ours = await answers(new ApiClient(taker.url), endMs);
    // Of late samples, 2.42 deletes those in blocks only; of those in its memory, Narthex deletes the ones it is told of.
    const left = leftOfDeleted(ours.samples);
    const isLeftAlike = left.length === leftOfDeleted(theirs.samples).length;
    expect(leftOfDeleted(theirs.samples)).toEqual(expect.arrayContaining(left));
    expect(isLeftAlike || second === "Narthex").toBe(true);
    const compared = (series: readonly Series[]) =>
      isLeftAlike ? series : series.filter(({ metric }) => metric["series"] !== "2");
    for (const [i, query] of queries.entries()) {
      expect(
        differences(compared(ours.ranges[i]!), compared(theirs.ranges[i]!)),
        `${query} of ${copy}`,
      ).toEqual([]);
      expect(theirs.ranges[i]!.length, query).toBeGreaterThan(0);
    }
    expect(differences(compared(ours.samples), compared(theirs.samples))).toEqual([]);
    expect(ours.histograms).toEqual(theirs.histograms);
    expect(JSON.stringify(theirs.histograms)).toContain("buckets");
    expect(ours.names).toEqual(theirs.names);
    // Those whose log is gone are only in the memory of a running server; the newest of every series are in the log.
    const known = new Set(theirs.exemplars);
    expect(ours.exemplars.filter((exemplar) => !known.has(exemplar)).filter(isBefore(endMs))).toEqual([]);
    const newest = ours.exemplars.filter((exemplar) => known.has(exemplar));
    // Those of all twenty series, unless a slow machine scraped nothing after the newest block.
    const isOld = isBefore(Math.max(...blockEnds));
    const wanted = theirs.exemplars.filter((exemplar) => !isOld(exemplar)).map(seriesOf);
    expect(newest.map(seriesOf)).toEqual(expect.arrayContaining(wanted));
    expect(await taker.stop()).toBe(0);
  }

  test(`by kill -9 is answered from by ${second} as before`, async () => {
    const { endMs, theirs } = await runFor(18_000);
    await leaver!.stop("SIGKILL");
    // Otherwise it has not been put to the test.
    expect(readdirSync(join(data, "wal")).some((file) => file.startsWith("checkpoint."))).toBe(true);
    expect(readdirSync(join(data, "wbl")).length).toBeGreaterThan(0);
    expect(blocksIn(data).length).toBeGreaterThan(1);
    await expectAlikeOf("killed", endMs, theirs);
  }, 240_000);

  test("after a clean stop, too", async () => {
    await startUp();
    const { endMs, theirs } = await runFor(6_000);
    expect(await leaver!.stop()).toBe(0);
    await expectAlikeOf("stopped", endMs, theirs);
  }, 240_000);
});

/** Of an exemplar as `answers` has it. */
const seriesOf = (exemplar: string) => (JSON.parse(exemplar) as [string])[0];

const isBefore = (timeMs: number) => (exemplar: string) =>
  (JSON.parse(exemplar) as [string, { timestamp: number }])[1].timestamp * 1000 < timeMs;

const sleep = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));

/** A label set as Go prints it. */
function goText(labels: Labels): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.pairs.length; i += 2) {
    parts.push(`${labels.pairs[i]}=${JSON.stringify(labels.pairs[i + 1])}`);
  }
  return `{${parts.join(", ")}}`;
}
