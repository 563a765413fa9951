// Prometheus 2.42 and Narthex scrape the same pages at the same time, and the kernel counts what each uses.
//
//   npm run bench:ingest -- [--targets 20] [--series 5000] [--interval 2s] [--warm-up 30] [--seconds 120] [--churn 0]
//                           [--identity] [--victoria]
//
// What runs ten times a second is compiled after minutes: for processor time in the steady state, `--warm-up 220`.
// `--churn 0.1`: a tenth of each target's series have other labels at every scrape. `--identity`: pages are not
// compressed. `--victoria`: VictoriaMetrics, Debian's, scrapes them too; its memory is the other anchor.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  removeFolder,
  startNarthex,
  startPrometheus,
  temporaryFolder,
  type ServerOptions,
} from "../../test/support/servers.ts";
import { freePort, SpawnedServer } from "../../test/support/spawned-server.ts";
import { processUsage } from "../support/process-usage.ts";
import { ServedPages } from "../support/served-pages.ts";
import { quantile } from "../support/statistics.ts";

const { values } = parseArgs({
  options: {
    targets: { type: "string", default: "20" },
    series: { type: "string", default: "5000" },
    interval: { type: "string", default: "2s" },
    "warm-up": { type: "string", default: "30" },
    seconds: { type: "string", default: "120" },
    churn: { type: "string", default: "0" },
    identity: { type: "boolean", default: false },
    victoria: { type: "boolean", default: false },
  },
});
const targets = Number(values.targets);
const series = Number(values.series);
const seconds = Number(values.seconds);
const intervalSeconds = Number.parseFloat(values.interval) / (values.interval.endsWith("ms") ? 1000 : 1);
const activeSeries = targets * series;

/** Each with the beginning of the user agent by which the pages' server knows it. */
const contestants: readonly {
  readonly name: string;
  readonly userAgent: string;
  readonly start: (options: ServerOptions) => Promise<SpawnedServer>;
}[] = [
  { name: "prometheus", userAgent: "Prometheus", start: startPrometheus },
  ...(values.victoria ? [{ name: "victoria", userAgent: "vm_promscrape", start: startVictoria }] : []),
  { name: "narthex", userAgent: "Narthex", start: startNarthex },
];

const pages = await ServedPages.start(series, {
  churn: Number(values.churn),
  compresses: !values.identity,
});
const folder = temporaryFolder("bench-ingest");
const config = pages.scrapeConfig("bench", targets, values.interval);

const running: { name: string; userAgent: string; server: SpawnedServer; idleBytes: number }[] = [];
try {
  const idle = new Map<string, number>();
  for (const { name, start } of contestants) idle.set(name, await idleBytes(start, `idle-${name}`));
  for (const { name, userAgent, start } of contestants) {
    const server = await start({ config, folder: join(folder, name) });
    running.push({ name, userAgent, server, idleBytes: idle.get(name)! });
  }
  console.log(
    `${targets} targets × ${series} series every ${values.interval}, ${values.churn} churn, ${values.identity ? "plain" : "gzip"} pages; warm-up ${values["warm-up"]} s, measured ${seconds} s`,
  );
  await sleep(1000 * Number(values["warm-up"]));
  for (const { userAgent } of running) await pages.latenessMs(intervalSeconds, userAgent);
  const before = running.map(({ server }) => processUsage(server.pid).cpuSeconds);
  const startedMs = performance.now();
  const resident: number[][] = running.map(() => []);
  while (performance.now() - startedMs < seconds * 1000) {
    await sleep(1000);
    for (const [i, { server }] of running.entries())
      resident[i]!.push(processUsage(server.pid).residentBytes);
  }
  const samples = (activeSeries * (performance.now() - startedMs)) / 1000 / intervalSeconds;
  const after = running.map(({ server }) => processUsage(server.pid).cpuSeconds);

  const results = running.map(({ name, idleBytes }, i) => {
    const nsPerSample = ((after[i]! - before[i]!) * 1e9) / samples;
    const bytes = quantile(resident[i]!, 0.5);
    return { name, nsPerSample, bytes, grownBytes: bytes - idleBytes, idleBytes };
  });
  for (const [i, { name, nsPerSample, bytes, grownBytes, idleBytes }] of results.entries()) {
    const { server, userAgent } = running[i]!;
    const count = await instantValue(server, 'sum(scrape_samples_scraped{job="bench"})');
    const up = await instantValue(server, 'sum(up{job="bench"})');
    const late = await pages.latenessMs(intervalSeconds, userAgent);
    console.log(
      `${name.padEnd(10)} ${nsPerSample.toFixed(0).padStart(6)} ns CPU/sample ${mebibytes(bytes).padStart(6)} MiB resident (${mebibytes(idleBytes)} idle) ${(bytes / activeSeries).toFixed(0).padStart(6)} B/series (${(grownBytes / activeSeries).toFixed(0)} above idle); ${up} up, ${count} samples a round; gaps off the interval p50 ${quantile(late, 0.5).toFixed(1)} ms, p99 ${quantile(late, 0.99).toFixed(1)} ms, max ${quantile(late, 1).toFixed(1)} ms`,
    );
  }
  const ours = results.at(-1)!;
  for (const theirs of results.slice(0, -1)) {
    console.log(
      `${theirs.name} / narthex: ${(theirs.nsPerSample / ours.nsPerSample).toFixed(2)} × the CPU per sample, ${(theirs.bytes / ours.bytes).toFixed(2)} × the resident memory per active series (${(theirs.grownBytes / ours.grownBytes).toFixed(2)} × above idle)`,
    );
  }
} finally {
  for (const { server } of running) await server.stop();
  pages.stop();
  removeFolder(folder);
}

/** VictoriaMetrics reads the same scrape configuration; it is asked in Prometheus's way, too. */
async function startVictoria({ config, folder }: ServerOptions): Promise<SpawnedServer> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "prometheus.yml");
  writeFileSync(path, config);
  const port = await freePort();
  return SpawnedServer.start({
    command: "victoria-metrics",
    args: [
      ...[`-promscrape.config=${path}`, `-httpListenAddr=127.0.0.1:${port}`],
      ...[`-storageDataPath=${join(folder, "data")}`, "-search.latencyOffset=1s"],
    ],
    url: `http://127.0.0.1:${port}`,
    readyPath: "/health",
  });
}

/** What a server without anything to do holds, some seconds after its start. */
async function idleBytes(start: (options: ServerOptions) => Promise<SpawnedServer>, name: string) {
  const server = await start({ config: "scrape_configs: []\n", folder: join(folder, name) });
  await sleep(6_000);
  const { residentBytes } = processUsage(server.pid);
  await server.stop();
  return residentBytes;
}

async function instantValue(server: SpawnedServer, query: string): Promise<string> {
  const response = await fetch(`${server.url}/api/v1/query?query=${encodeURIComponent(query)}`);
  const body = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  return body.data.result[0]?.value[1] ?? "nothing";
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
