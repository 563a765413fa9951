// Prometheus 2.42 and Narthex open copies of one data directory, blocks and log, and answer the same queries in turn.
//
//   npm run bench:query -- [--instances 20,200] [--hours 6] [--rounds 7] [--data FOLDER] [--only TEXT]
//
// Prometheus makes the data directory out of a generated log, so that what is older than its head lies in blocks.
// With --data it is kept in that folder and used again. The first number of instances is asked --rounds times, the others
// a third as often; 200 series each. What takes milliseconds is asked as often as fills half a second on the slower of
// the two: its medians are those of servers that have come to know it, and what the first answer took stands behind.
// First of all both answer a small query in turn for 15 seconds, that code is compiled.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { removeFolder, startPrometheus, temporaryFolder } from "../../test/support/servers.ts";
import type { SpawnedServer } from "../../test/support/spawned-server.ts";
import { processUsage, threadTimeMs } from "../support/process-usage.ts";
import { startBoth } from "../support/start-both.ts";
import { geometricMean, median } from "../support/statistics.ts";
import { writeWalFixture } from "../../test/support/wal-fixture.ts";

const { values } = parseArgs({
  options: {
    instances: { type: "string", default: "20,200" },
    hours: { type: "string", default: "6" },
    rounds: { type: "string", default: "7" },
    data: { type: "string", default: "" },
    only: { type: "string", default: "" },
  },
});
const hours = Number(values.hours);
const stepMs = 15_000;
const WARM_UP_ROUNDS = 5;
/** Both answer small queries in turn for so long first: V8 compiles what serves a request after some thousands of them. */
const SMALL_WARM_UP_MS = 15_000;
const SMALL_QUERY = 'queue_length{instance="10.0.0.2:9100", queue="queue-5"}';
/** A query is asked as often as fills this, on the slower of the two, within bounds. */
const FILLED_MS = 500;
const MOST_ROUNDS = 1_000;

/** [what, query, step in seconds; 0 for an instant query] */
const queries: [name: string, query: string, stepSeconds: number][] = [
  ["sum by of rate, step 15 s", "sum by (code) (rate(http_requests_total[5m]))", 15],
  ["sum by of rate", "sum by (method, zone) (rate(http_requests_total[5m]))", 60],
  ["sum by of rate over 1 h", "sum by (instance) (rate(http_requests_total[1h]))", 60],
  [
    "ratio of rates",
    'sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))',
    60,
  ],
  ["avg of increase", "avg by (handler) (increase(http_requests_total[10m]))", 60],
  ["topk of sum of rate", "topk(5, sum by (instance, code) (rate(http_requests_total[5m])))", 60],
  ["sum of irate", "sum by (code) (irate(http_requests_total[5m]))", 60],
  ["avg_over_time 1 h", "avg by (queue) (avg_over_time(queue_length[1h]))", 60],
  ["max_over_time 3 h", "max by (instance) (max_over_time(queue_length[3h]))", 60],
  ["quantile_over_time", "max by (zone) (quantile_over_time(0.9, queue_length[30m]))", 120],
  ["stddev_over_time", "max by (zone) (stddev_over_time(queue_length[30m]))", 120],
  ["deriv", "avg by (zone) (deriv(queue_length[10m]))", 60],
  ["changes", "sum by (instance) (changes(queue_length[10m]))", 60],
  ["quantile by", "quantile by (instance) (0.9, queue_length)", 60],
  ["topk", "topk(5, queue_length)", 60],
  ["count by", "count by (zone) (http_requests_total)", 60],
  ["stddev by", "stddev by (queue) (queue_length)", 60],
  [
    "histogram_quantile",
    "histogram_quantile(0.99, sum by (le) (rate(request_duration_seconds_bucket[5m])))",
    60,
  ],
  [
    "histogram_quantile by",
    "histogram_quantile(0.5, sum by (le, handler) (rate(request_duration_seconds_bucket[5m])))",
    60,
  ],
  [
    "join of aggregates",
    "sum by (instance) (rate(http_requests_total[5m])) / on (instance) sum by (instance) (queue_length)",
    60,
  ],
  [
    "join of many series",
    "sum by (zone) (queue_length / on (instance) group_left () max by (instance) (queue_length))",
    60,
  ],
  ["filter", "count by (zone) (queue_length > 5000)", 60],
  ["and", "count(queue_length > 2000 and queue_length < 8000)", 60],
  ["or, unless", "count((queue_length < 2000 or queue_length > 8000) unless queue_length < 1000)", 60],
  ["subquery", "max_over_time(sum by (zone) (rate(http_requests_total[5m]))[30m:1m])", 60],
  [
    "label_replace",
    'sum by (host) (label_replace(rate(http_requests_total[5m]), "host", "$1", "instance", "(.*):.*"))',
    60,
  ],
  ["arithmetic, clamp", "max by (zone) (clamp_max(abs(queue_length - 5000) * 2, 6000))", 60],
  ["raw matrix", "queue_length", 60],
  ["raw rate matrix", "rate(http_requests_total[5m])", 120],
  ["one dashboard graph", 'rate(http_requests_total{instance="10.0.0.3:9100", code="500"}[5m])', 60],
  ["instant sum of rate", "sum by (code) (rate(http_requests_total[5m]))", 0],
  [
    "instant histogram_quantile",
    "histogram_quantile(0.9, sum by (le) (rate(request_duration_seconds_bucket[5m])))",
    0,
  ],
  ["instant topk", "topk(10, queue_length)", 0],
  ["instant vector", "queue_length", 0],
  ["instant increase over 6 h", "sum by (code) (increase(http_requests_total[6h]))", 0],
  ["instant, one series", 'queue_length{instance="10.0.0.3:9100", queue="queue-7"}', 0],
];
/** Shown apart: no PromQL in them. */
const lookUps: [name: string, path: string][] = [
  ["series", "/api/v1/series?match[]=queue_length"],
  ["series of one instance", '/api/v1/series?match[]={instance="10.0.0.3:9100"}'],
  ["label names", "/api/v1/labels?"],
  ["label values", "/api/v1/label/instance/values?"],
  ["label values, matched", "/api/v1/label/queue/values?match[]=queue_length"],
];

const folder = temporaryFolder("bench-query");
const agent = new Agent({ keepAlive: true });
try {
  for (const [index, instances] of values.instances.split(",").map(Number).entries()) {
    const rounds = Math.max(2, Math.round(Number(values.rounds) / (index === 0 ? 1 : 3)));
    await benchmark(instances, rounds);
  }
} finally {
  agent.destroy();
  removeFolder(folder);
}

/** A data directory and the times it holds. */
interface Data {
  readonly directory: string;
  readonly startMs: number;
  readonly endMs: number;
}

async function benchmark(instances: number, rounds: number): Promise<void> {
  const data = await prepareData(instances);
  console.log(
    `\n## ${instances * 200} series × ${hours} h, ${((instances * 200 * hours * 3.6e6) / stepMs / 1e6).toFixed(1)} million samples`,
  );
  const place = join(folder, `series-${instances * 200}`);
  const running: SpawnedServer[] = [];
  try {
    const seconds = await startBoth(data.directory, place, running);
    const [prometheus, narthex] = running as [SpawnedServer, SpawnedServer];
    console.log(`start: Prometheus ${seconds[0].toFixed(1)} s, Narthex ${seconds[1].toFixed(1)} s`);
    await compare(prometheus, narthex, data, rounds);
  } finally {
    for (const server of running) await server.stop();
    removeFolder(place);
  }
}

/** Writes a log and has Prometheus turn into blocks what it holds longer than its head reaches. */
async function prepareData(instances: number): Promise<Data> {
  const home = join(values.data === "" ? folder : values.data, `data-${instances}-${hours}h`);
  const directory = join(home, "data");
  const known = join(home, "times.json");
  if (existsSync(known))
    return { directory, ...(JSON.parse(readFileSync(known, "utf8")) as Pick<Data, "startMs" | "endMs">) };
  mkdirSync(home, { recursive: true });
  const endMs = Math.floor(Date.now() / stepMs) * stepMs - 60_000;
  const startMs = endMs - hours * 3_600_000;
  console.log(`writing the log of ${instances} instances over ${hours} h …`);
  writeWalFixture({ dataDirectory: directory, instances, startMs, endMs, stepMs });
  const prometheus = await startPrometheus({
    config: "scrape_configs: []\n",
    folder: home,
    timeoutMs: 240_000,
  });
  try {
    const deadline = Date.now() + 600_000;
    // It compacts a minute after its start, block by block, until its head is short enough.
    for (let stable = 0; stable < 6;) {
      if (Date.now() > deadline) throw new Error("Prometheus made no blocks within ten minutes");
      const before = blocksIn(directory);
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      stable = blocksIn(directory) === before && before !== "" && !before.includes("tmp") ? stable + 1 : 0;
    }
  } finally {
    await prometheus.stop();
  }
  writeFileSync(known, JSON.stringify({ startMs, endMs }));
  return { directory, startMs, endMs };
}

function blocksIn(directory: string): string {
  return readdirSync(directory)
    .filter((name) => name.startsWith("01"))
    .join(" ");
}

async function compare(
  prometheus: SpawnedServer,
  narthex: SpawnedServer,
  data: Data,
  rounds: number,
): Promise<void> {
  console.log(
    `\n${"query".padEnd(28)}  Prometheus     Narthex    ratio      processor time of both    ratio   rounds   the first answer of both    (medians of the rounds in turn, after two)`,
  );
  // Threads come, and code is compiled, with the first heavy queries.
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    for (const [, query, stepSeconds] of queries.slice(0, 3)) {
      for (const server of [prometheus, narthex]) await request(server, pathOf(query, stepSeconds, data));
    }
  }
  for (const end = Date.now() + SMALL_WARM_UP_MS; Date.now() < end;) {
    for (const server of [prometheus, narthex]) await request(server, pathOf(SMALL_QUERY, 0, data));
  }
  const ratios: Ratios[] = [];
  for (const [name, query, stepSeconds] of queries) {
    if (!name.includes(values.only)) continue;
    ratios.push(await race(name, prometheus, narthex, pathOf(query, stepSeconds, data), rounds));
  }
  const times = ratios.map(({ time }) => time);
  const work = ratios.map((ratio) => ratio.work);
  console.log(
    `geometric mean of ${ratios.length}: ${geometricMean(times).toFixed(2)} ×, worst ${Math.min(...times).toFixed(2)} ×; of processor time ${geometricMean(work).toFixed(2)} ×, worst ${Math.min(...work).toFixed(2)} ×; resident now: Prometheus ${mebibytes(prometheus)}, Narthex ${mebibytes(narthex)}`,
  );
  for (const [name, path] of lookUps) {
    if (!name.includes(values.only)) continue;
    const range = `&start=${data.startMs / 1000}&end=${data.endMs / 1000}`;
    await race(name, prometheus, narthex, encodeURI(path) + range, rounds);
  }
}

function mebibytes(server: SpawnedServer): string {
  const { residentBytes, peakResidentBytes } = processUsage(server.pid);
  return `${(residentBytes / 2 ** 20).toFixed(0)} MiB (peak ${(peakResidentBytes / 2 ** 20).toFixed(0)})`;
}

/** How many times faster Narthex is, and how many times less it works. */
interface Ratios {
  readonly time: number;
  readonly work: number;
}

async function race(
  name: string,
  prometheus: SpawnedServer,
  narthex: SpawnedServer,
  path: string,
  rounds: number,
): Promise<Ratios> {
  const theirs: number[] = [];
  const ours: number[] = [];
  const theirWork: number[] = [];
  const ourWork: number[] = [];
  let first = "";
  let note = "";
  for (let round = -2; round < rounds || (round < MOST_ROUNDS && needsMore(theirs, ours)); round++) {
    const a = await timed(prometheus, path);
    const b = await timed(narthex, path);
    if (round < 0) {
      const sizes = [a, b].map(({ body }) => (body[0] === 0x1f ? gunzipSync(body).length : body.length));
      if (Math.abs(sizes[0]! - sizes[1]!) > 0.02 * sizes[0]! + 64)
        note = `  answers differ in size: ${sizes.join(" / ")}`;
      if (round === -2) first = `${a.ms.toFixed(1).padStart(9)} ms ${b.ms.toFixed(1).padStart(8)} ms`;
      continue;
    }
    theirs.push(a.ms);
    ours.push(b.ms);
    theirWork.push(a.workMs);
    ourWork.push(b.workMs);
  }
  const shown = (a: readonly number[], b: readonly number[]) =>
    `${median(a).toFixed(1).padStart(8)} ms ${median(b).toFixed(1).padStart(8)} ms ${(median(a) / median(b)).toFixed(2).padStart(7)} ×`;
  console.log(
    `${name.padEnd(28)} ${shown(theirs, ours)}   ${shown(theirWork, ourWork)} ${String(ours.length).padStart(7)} ${first}${note}`,
  );
  return { time: median(theirs) / median(ours), work: median(theirWork) / median(ourWork) };
}

function needsMore(theirs: readonly number[], ours: readonly number[]): boolean {
  const sum = (times: readonly number[]) => times.reduce((total, ms) => total + ms, 0);
  return Math.max(sum(theirs), sum(ours)) < FILLED_MS;
}

interface Timed {
  readonly ms: number;
  /** Processor time of all its threads meanwhile. */
  readonly workMs: number;
  readonly body: Buffer;
}

/** From the request to the last byte, compressed as a browser would have it; nothing is decoded on the clock. */
async function timed(server: SpawnedServer, path: string): Promise<Timed> {
  const before = threadTimeMs(server.pid);
  const { ms, body } = await request(server, path);
  return { ms, body, workMs: threadTimeMs(server.pid) - before };
}

function request(server: SpawnedServer, path: string): Promise<{ ms: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    get(server.url + path, { agent, headers: { "accept-encoding": "gzip" } }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const ms = performance.now() - begun;
        if (response.statusCode !== 200)
          reject(new Error(`${server.url}${path} answered ${response.statusCode}`));
        else resolve({ ms, body: Buffer.concat(parts) });
      });
    }).on("error", reject);
  });
}

function pathOf(query: string, stepSeconds: number, { startMs, endMs }: Data): string {
  const encoded = encodeURIComponent(query);
  return stepSeconds === 0
    ? `/api/v1/query?query=${encoded}&time=${endMs / 1000}`
    : `/api/v1/query_range?query=${encoded}&start=${startMs / 1000}&end=${endMs / 1000}&step=${stepSeconds}`;
}
