// Heavy queries, eight at a time, while pages are scraped: what do the scrapes, the memory and a small query feel?
// Prometheus 2.42 and Narthex scrape the same pages all the time and take the pressure one after the other.
//
//   npm run bench:pressure -- [--pressure-seconds 300] [--pressure-series 100000] [--pressure-interval 5]
//                             [--instances 20] [--hours 6]
import { setPriority } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { removeFolder, temporaryFolder } from "../../test/support/servers.ts";
import type { SpawnedServer } from "../../test/support/spawned-server.ts";
import { writeWalFixture } from "../../test/support/wal-fixture.ts";
import { processUsage } from "../support/process-usage.ts";
import { ServedPages } from "../support/served-pages.ts";
import { startBoth } from "../support/start-both.ts";
import { median, quantile } from "../support/statistics.ts";

const { values } = parseArgs({
  options: {
    instances: { type: "string", default: "20" },
    hours: { type: "string", default: "6" },
    "pressure-seconds": { type: "string", default: "300" },
    "pressure-series": { type: "string", default: "100000" },
    "pressure-interval": { type: "string", default: "5" },
  },
});
const hours = Number(values.hours);
const pressureSeconds = Number(values["pressure-seconds"]);
const scrapedSeries = Number(values["pressure-series"]);
const intervalSeconds = Number(values["pressure-interval"]);
const TARGETS = 20;
const HEAVY_AT_ONCE = 8;
/** A small query is asked so often; heavy ones without pause. */
const SMALL_EVERY_MS = 100;
const STEP_MS = 15_000;
const MEBIBYTE = 2 ** 20;
const endMs = Math.floor(Date.now() / STEP_MS) * STEP_MS - 60_000;
const startMs = endMs - hours * 3_600_000;

const folder = temporaryFolder("bench-pressure");
const running: SpawnedServer[] = [];
const pages = await ServedPages.start(Math.ceil(scrapedSeries / TARGETS));
try {
  const fixture = writeWalFixture({
    dataDirectory: join(folder, "fixture"),
    instances: Number(values.instances),
    startMs,
    endMs,
    stepMs: STEP_MS,
  });
  console.log(
    `${fixture.series} series with ${(fixture.samples / 1e6).toFixed(1)} million samples are stored, ${scrapedSeries} are scraped every ${intervalSeconds} s`,
  );
  const config = pages.scrapeConfig("pressure", TARGETS, `${intervalSeconds}s`);
  await startBoth(join(folder, "fixture"), folder, running, config);
  // What measures must not wait for a processor itself; the servers were started before, so they do not inherit it.
  for (const pid of [process.pid, pages.pid]) goAhead(pid);
  // Every target was scraped, and its series are known.
  await pause(4 * intervalSeconds * 1000);
  for (const [index, name] of ["Prometheus", "Narthex"].entries()) await pressure(name, running[index]!);
} finally {
  for (const server of running) await server.stop();
  pages.stop();
  removeFolder(folder);
}

async function pressure(name: string, server: SpawnedServer): Promise<void> {
  const query =
    'sum by (code, handler) (rate({__name__=~"http_requests_total|request_duration_seconds_bucket"}[1h]))';
  const heavy = `${server.url}/api/v1/query_range?query=${encodeURIComponent(query)}&start=${startMs / 1000}&end=${endMs / 1000}&step=15`;
  const small = `${server.url}/api/v1/query?query=${encodeURIComponent('up{replica="3"}')}`;
  await pages.latenessMs(intervalSeconds, name);
  const residentMiB: number[] = [];
  const begun = performance.now();
  const ends = begun + pressureSeconds * 1000;
  let heavyDone = 0;
  let failed = 0;
  const workers = Array.from({ length: HEAVY_AT_ONCE }, async () => {
    while (performance.now() < ends) {
      const response = await fetch(heavy);
      await response.arrayBuffer();
      if (response.status === 200) heavyDone++;
      else failed++;
    }
  });
  const smallMs: number[] = [];
  while (performance.now() < ends) {
    const asked = performance.now();
    await (await fetch(small)).arrayBuffer();
    smallMs.push(performance.now() - asked);
    if (smallMs.length % 20 === 0) residentMiB.push(processUsage(server.pid).residentBytes / MEBIBYTE);
    await pause(SMALL_EVERY_MS);
  }
  await Promise.all(workers);
  const late = await pages.latenessMs(intervalSeconds, name);
  const half = residentMiB.length >> 1;
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  const mib = (value: number) => `${value.toFixed(0)} MiB`;
  console.log(`
${name}, ${HEAVY_AT_ONCE} heavy queries at once for ${pressureSeconds} s
  heavy queries answered   ${heavyDone}${failed > 0 ? `, ${failed} FAILED` : ""}
  small queries            ${smallMs.length}: p50 ${ms(median(smallMs))}, p99 ${ms(quantile(smallMs, 0.99))}, most ${ms(Math.max(...smallMs))}
  scrapes                  ${late.length}: late p99 ${ms(quantile(late, 0.99))}, most ${ms(Math.max(...late))}, more than 50 ms: ${late.filter((one) => one > 50).length}
  resident memory          most ${mib(Math.max(...residentMiB.slice(0, half)))} in the first half, ${mib(Math.max(...residentMiB.slice(half)))} in the second; ever ${mib(processUsage(server.pid).peakResidentBytes / MEBIBYTE)}`);
}

/** Needs privileges; without them the figures are those of a machine that is a little busier. */
function goAhead(pid: number): void {
  try {
    setPriority(pid, -10);
  } catch (error) {
    console.log(`cannot give process ${pid} priority: ${(error as Error).message}`);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
