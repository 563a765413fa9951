// Prometheus 2.42 and Narthex replay copies of one write-ahead log and answer the same queries in turn.
//
//   npm run bench:query -- [--instances 20] [--hours 6] [--rounds 5]
import { cpSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { removeFolder, startNarthex, startPrometheus, temporaryFolder } from "../../test/support/servers.ts";
import type { SpawnedServer } from "../../test/support/spawned-server.ts";
import { geometricMean, median } from "../support/statistics.ts";
import { writeWalFixture } from "../../test/support/wal-fixture.ts";

const { values } = parseArgs({
  options: {
    instances: { type: "string", default: "20" },
    hours: { type: "string", default: "6" },
    rounds: { type: "string", default: "5" },
  },
});
const hours = Number(values.hours);
const rounds = Number(values.rounds);
const stepMs = 15_000;
const endMs = Math.floor(Date.now() / stepMs) * stepMs - 60_000;
const startMs = endMs - hours * 3_600_000;

/** [what, query, step in seconds; 0 for an instant query] */
const queries: [name: string, query: string, stepSeconds: number][] = [
  ["sum by of rate, fine", "sum by (code) (rate(http_requests_total[5m]))", 15],
  ["sum by of rate", "sum by (method, zone) (rate(http_requests_total[5m]))", 60],
  ["rate 1h", "sum by (instance) (rate(http_requests_total[1h]))", 60],
  [
    "ratio of rates",
    'sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))',
    60,
  ],
  ["avg_over_time 1h", "avg by (queue) (avg_over_time(queue_length[1h]))", 60],
  ["max_over_time 3h", "max by (instance) (max_over_time(queue_length[3h]))", 60],
  ["quantile", "quantile by (instance) (0.9, queue_length)", 60],
  ["topk", "topk(5, queue_length)", 60],
  ["topk of sum of rate", "topk(5, sum by (instance, code) (rate(http_requests_total[5m])))", 60],
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
  ["raw matrix", "queue_length", 60],
  ["raw rate matrix", "rate(http_requests_total[5m])", 120],
  ["count by", "count by (zone) (http_requests_total)", 60],
  [
    "vector join",
    "sum by (instance) (rate(http_requests_total[5m])) / on (instance) sum by (instance) (queue_length)",
    60,
  ],
  ["instant sum of rate", "sum by (code) (rate(http_requests_total[5m]))", 0],
];

const folder = temporaryFolder("bench-query");
const running: SpawnedServer[] = [];
try {
  console.log(`writing the log of ${values.instances} instances over ${hours} h …`);
  const fixture = writeWalFixture({
    dataDirectory: join(folder, "fixture"),
    instances: Number(values.instances),
    startMs,
    endMs,
    stepMs,
  });
  console.log(`${fixture.series} series, ${(fixture.samples / 1e6).toFixed(1)} million samples`);
  const config = "scrape_configs: []\n";
  for (const name of ["prometheus", "narthex"]) {
    cpSync(join(folder, "fixture"), join(folder, name, "data"), { recursive: true });
  }
  const replaySeconds: number[] = [];
  for (const [name, start] of [
    ["prometheus", startPrometheus],
    ["narthex", startNarthex],
  ] as const) {
    const begun = performance.now();
    running.push(await start({ config, folder: join(folder, name), timeoutMs: 120_000 }));
    replaySeconds.push((performance.now() - begun) / 1000);
  }
  const [prometheus, narthex] = running as [SpawnedServer, SpawnedServer];
  console.log(
    `start with replay: Prometheus ${replaySeconds[0]!.toFixed(1)} s, Narthex ${replaySeconds[1]!.toFixed(1)} s: ${(replaySeconds[0]! / replaySeconds[1]!).toFixed(1)} ×`,
  );
  await compare(prometheus, narthex);
} finally {
  for (const server of running) await server.stop();
  removeFolder(folder);
}

async function compare(prometheus: SpawnedServer, narthex: SpawnedServer): Promise<void> {
  console.log(
    `\n${"query".padEnd(24)} Prometheus   Narthex    ratio    (medians of ${rounds} rounds in turn, after one warm-up)`,
  );
  const ratios: number[] = [];
  for (const [name, query, stepSeconds] of queries) {
    const theirs: number[] = [];
    const ours: number[] = [];
    let bytes = [0, 0];
    for (let round = -1; round < rounds; round++) {
      const a = await timed(prometheus, query, stepSeconds);
      const b = await timed(narthex, query, stepSeconds);
      bytes = [a.bytes, b.bytes];
      if (round < 0) continue;
      theirs.push(a.ms);
      ours.push(b.ms);
    }
    const ratio = median(theirs) / median(ours);
    ratios.push(ratio);
    const note =
      Math.abs(bytes[0]! - bytes[1]!) > 0.02 * bytes[0]!
        ? `  answers differ in size: ${bytes.join(" / ")}`
        : "";
    console.log(
      `${name.padEnd(24)} ${median(theirs).toFixed(1).padStart(8)} ms ${median(ours).toFixed(1).padStart(8)} ms ${ratio.toFixed(2).padStart(7)} ×${note}`,
    );
  }
  console.log(
    `geometric mean ${geometricMean(ratios).toFixed(2)} ×, worst ${Math.min(...ratios).toFixed(2)} ×`,
  );
}

async function timed(server: SpawnedServer, query: string, stepSeconds: number) {
  const begun = performance.now();
  const response = await fetch(urlOf(server, query, stepSeconds));
  const body = await response.arrayBuffer();
  const ms = performance.now() - begun;
  if (response.status !== 200)
    throw new Error(`${server.url} answered ${response.status}: ${Buffer.from(body).toString()}`);
  return { ms, bytes: body.byteLength };
}

function urlOf(server: SpawnedServer, query: string, stepSeconds: number): string {
  const encoded = encodeURIComponent(query);
  return stepSeconds === 0
    ? `${server.url}/api/v1/query?query=${encoded}&time=${endMs / 1000}`
    : `${server.url}/api/v1/query_range?query=${encoded}&start=${startMs / 1000}&end=${endMs / 1000}&step=${stepSeconds}`;
}
