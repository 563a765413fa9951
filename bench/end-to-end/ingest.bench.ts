// Prometheus 2.42 and Narthex scrape the same pages at the same time, and the kernel counts what each uses.
//
//   npm run bench:ingest -- [--targets 20] [--series 5000] [--interval 2s] [--seconds 120] [--churn 0] [--identity]
import { spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  removeFolder,
  repositoryRoot,
  startNarthex,
  startPrometheus,
  temporaryFolder,
} from "../../test/support/servers.ts";
import { freePort, type SpawnedServer } from "../../test/support/spawned-server.ts";
import { processUsage } from "../support/process-usage.ts";
import { quantile } from "../support/statistics.ts";

const { values } = parseArgs({
  options: {
    targets: { type: "string", default: "20" },
    series: { type: "string", default: "5000" },
    interval: { type: "string", default: "2s" },
    seconds: { type: "string", default: "120" },
    churn: { type: "string", default: "0" },
    identity: { type: "boolean", default: false },
  },
});
const targets = Number(values.targets);
const series = Number(values.series);
const seconds = Number(values.seconds);
const intervalSeconds = Number.parseFloat(values.interval) / (values.interval.endsWith("ms") ? 1000 : 1);
const activeSeries = targets * series;

const pagePort = await freePort();
const pages = spawn(
  process.execPath,
  [join(repositoryRoot, "dist/bench/page-server.js"), String(pagePort), String(series), values.churn],
  { stdio: ["pipe", "inherit", "inherit"] },
);
const folder = temporaryFolder("bench-ingest");
// An identity encoding is asked for by `enable_compression`, which 2.42 does not know: it is left out for gzip.
const config = `
global: { scrape_interval: ${values.interval}, scrape_timeout: ${values.interval} }
scrape_configs:
  - job_name: bench
    static_configs:
${Array.from(
  { length: targets },
  (_, i) =>
    `      - { targets: ["127.0.0.1:${pagePort}"], labels: { __metrics_path__: "/${i}/metrics", replica: "${i}" } }`,
).join("\n")}
`;
const running: SpawnedServer[] = [];
try {
  const idle = {
    prometheus: await idleBytes(startPrometheus, "idle-prometheus"),
    narthex: await idleBytes(startNarthex, "idle-narthex"),
  };
  const prometheus = await startPrometheus({ config, folder: join(folder, "prometheus") });
  running.push(prometheus);
  const narthex = await startNarthex({ config, folder: join(folder, "narthex") });
  running.push(narthex);
  const servers = { prometheus, narthex };

  console.log(
    `${targets} targets × ${series} series every ${values.interval}, ${values.churn} churn, gzip; warm-up 30 s, measured ${seconds} s`,
  );
  await sleep(30_000);
  await lateness();
  const before = { prometheus: processUsage(prometheus.pid), narthex: processUsage(narthex.pid) };
  const startedMs = performance.now();
  const resident: Record<keyof typeof servers, number[]> = { prometheus: [], narthex: [] };
  while (performance.now() - startedMs < seconds * 1000) {
    await sleep(1000);
    for (const name of ["prometheus", "narthex"] as const) {
      resident[name].push(processUsage(servers[name].pid).residentBytes);
    }
  }
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  const samples = (activeSeries * elapsedSeconds) / intervalSeconds;
  const result = Object.fromEntries(
    (["prometheus", "narthex"] as const).map((name) => {
      const cpuSeconds = processUsage(servers[name].pid).cpuSeconds - before[name].cpuSeconds;
      return [name, { nsPerSample: (cpuSeconds * 1e9) / samples, resident: quantile(resident[name], 0.5) }];
    }),
  ) as Record<keyof typeof servers, { nsPerSample: number; resident: number }>;
  for (const [name, server] of Object.entries(servers)) {
    const count = await instantValue(server, 'sum(scrape_samples_scraped{job="bench"})');
    const up = await instantValue(server, 'sum(up{job="bench"})');
    const { nsPerSample, resident: bytes } = result[name as keyof typeof servers];
    console.log(
      `${name.padEnd(10)} ${nsPerSample.toFixed(0).padStart(6)} ns CPU/sample  ${(bytes / 2 ** 20).toFixed(0).padStart(5)} MiB resident  ${(bytes / activeSeries).toFixed(0).padStart(6)} B/series  (${up} up, ${count} samples a round)`,
    );
  }
  const { prometheus: theirs, narthex: ours } = result;
  console.log(
    `ratio      ${(theirs.nsPerSample / ours.nsPerSample).toFixed(2)} × less CPU per sample, ${(theirs.resident / ours.resident).toFixed(2)} × less resident memory per active series`,
  );
  const [theirGrowth, ourGrowth] = [theirs.resident - idle.prometheus, ours.resident - idle.narthex];
  console.log(
    `above idle (${(idle.prometheus / 2 ** 20).toFixed(0)} and ${(idle.narthex / 2 ** 20).toFixed(0)} MiB): ${(theirGrowth / activeSeries).toFixed(0)} and ${(ourGrowth / activeSeries).toFixed(0)} B/series, ${(theirGrowth / ourGrowth).toFixed(2)} × less`,
  );
  const late = await lateness();
  console.log(
    `gaps between scrapes off the interval (both servers): p50 ${quantile(late, 0.5).toFixed(1)} ms, p99 ${quantile(late, 0.99).toFixed(1)} ms, max ${Math.max(...late).toFixed(1)} ms`,
  );
} finally {
  for (const server of running) await server.stop();
  pages.stdin.end();
  pages.kill();
  removeFolder(folder);
}

/** What a server without anything to do holds, some seconds after its start. */
async function idleBytes(start: typeof startNarthex, name: string): Promise<number> {
  const server = await start({ config: "scrape_configs: []\n", folder: join(folder, name) });
  await sleep(6_000);
  const { residentBytes } = processUsage(server.pid);
  await server.stop();
  return residentBytes;
}

async function lateness(): Promise<number[]> {
  const response = await fetch(`http://127.0.0.1:${pagePort}/lateness?interval=${intervalSeconds * 1000}`);
  return (await response.json()) as number[];
}

async function instantValue(server: SpawnedServer, query: string): Promise<string> {
  const response = await fetch(`${server.url}/api/v1/query?query=${encodeURIComponent(query)}`);
  const body = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  return body.data.result[0]?.value[1] ?? "nothing";
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
