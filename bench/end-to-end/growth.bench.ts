// How the time of a query grows with the series, the samples and the steps it works on, Prometheus 2.42 and Narthex in
// turn on copies of one write-ahead log. Prints the times and draws them as SVG.
//
//   npm run bench:growth -- [--instances 20] [--hours 6] [--rounds 5] [--images docs/images]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { removeFolder, repositoryRoot, temporaryFolder } from "../../test/support/servers.ts";
import type { SpawnedServer } from "../../test/support/spawned-server.ts";
import { SERIES_PER_INSTANCE, writeWalFixture } from "../../test/support/wal-fixture.ts";
import { linePlots, type PlotPanel } from "../support/line-plot.ts";
import { startBoth } from "../support/start-both.ts";

const { values } = parseArgs({
  options: {
    instances: { type: "string", default: "20" },
    hours: { type: "string", default: "6" },
    rounds: { type: "string", default: "5" },
    images: { type: "string", default: join(repositoryRoot, "docs/images") },
  },
});
const instances = Number(values.instances);
const hours = Number(values.hours);
const rounds = Number(values.rounds);
const SAMPLE_STEP_MS = 15_000;
const HOUR_MS = 3_600_000;
const endMs = Math.floor(Date.now() / SAMPLE_STEP_MS) * SAMPLE_STEP_MS - 60_000;
const startMs = endMs - hours * HOUR_MS;

/** What is asked, with a selector's matchers put in. */
const kinds: { readonly title: string; query(matchers: string): string; readonly seriesShare: number }[] = [
  {
    title: "sum by of rate",
    query: (matchers) => `sum by (code) (rate(http_requests_total${matchers}[5m]))`,
    seriesShare: 80 / SERIES_PER_INSTANCE,
  },
  {
    title: "max_over_time, 1 h",
    query: (matchers) => `max by (zone) (max_over_time(queue_length${matchers}[1h]))`,
    seriesShare: 60 / SERIES_PER_INSTANCE,
  },
  {
    title: "quantile",
    query: (matchers) => `quantile by (zone) (0.9, queue_length${matchers})`,
    seriesShare: 60 / SERIES_PER_INSTANCE,
  },
  {
    title: "histogram_quantile",
    query: (matchers) =>
      `histogram_quantile(0.9, sum by (le) (rate(request_duration_seconds_bucket${matchers}[5m])))`,
    seriesShare: 60 / SERIES_PER_INSTANCE,
  },
];

interface Setting {
  readonly instances: number;
  readonly hours: number;
  readonly stepSeconds: number;
}
const whole: Setting = { instances, hours, stepSeconds: 60 };
const shares = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1];

/** One thing grows, the others stay; `x` is what is drawn to the right. */
const growths: {
  readonly name: string;
  readonly xLabel: string;
  readonly settings: readonly Setting[];
  x(setting: Setting, seriesShare: number): number;
}[] = [
  {
    name: "series",
    xLabel: "series",
    settings: shares.map((share) => ({ ...whole, instances: Math.max(1, Math.round(instances * share)) })),
    x: (setting, seriesShare) => setting.instances * SERIES_PER_INSTANCE * seriesShare,
  },
  {
    // As many steps each time, over a longer and longer stretch.
    name: "samples",
    xLabel: "samples read",
    settings: shares.map((share) => ({
      ...whole,
      hours: hours * share,
      stepSeconds: Math.max(5, whole.stepSeconds * share),
    })),
    x: (setting, seriesShare) =>
      instances * SERIES_PER_INSTANCE * seriesShare * ((setting.hours * HOUR_MS) / SAMPLE_STEP_MS),
  },
  {
    name: "steps",
    xLabel: "steps",
    settings: [240, 120, 60, 30, 15].map((stepSeconds) => ({ ...whole, stepSeconds })),
    x: (setting) => (setting.hours * 3600) / setting.stepSeconds,
  },
];

const folder = temporaryFolder("bench-growth");
const running: SpawnedServer[] = [];
try {
  writeWalFixture({
    dataDirectory: join(folder, "fixture"),
    instances,
    startMs,
    endMs,
    stepMs: SAMPLE_STEP_MS,
  });
  await startBoth(join(folder, "fixture"), folder, running);
  mkdirSync(values.images, { recursive: true });
  for (const { name, xLabel, settings, x } of growths) {
    console.log(`\n${"".padEnd(22)} ${xLabel.padStart(12)}   Prometheus      Narthex     ratio`);
    const panels: PlotPanel[] = [];
    for (const { title, query, seriesShare } of kinds) {
      const theirs: [number, number][] = [];
      const ours: [number, number][] = [];
      for (const setting of settings) {
        const at = x(setting, seriesShare);
        const [a, b] = await timesMs(query(matchersFor(setting.instances)), setting);
        theirs.push([at, a]);
        ours.push([at, b]);
        console.log(
          `${title.padEnd(22)} ${String(Math.round(at)).padStart(12)} ${a.toFixed(1).padStart(9)} ms ${b.toFixed(1).padStart(9)} ms ${(a / b).toFixed(2).padStart(7)} ×`,
        );
      }
      panels.push({
        title,
        lines: [
          { name: "Prometheus 2.42", color: "#d9541a", points: theirs },
          { name: "Narthex", color: "#1a6fd9", points: ours },
        ],
      });
    }
    const image = join(values.images, `growth-${name}.svg`);
    writeFileSync(image, linePlots({ panels, xLabel, yLabel: "ms" }));
  }
} finally {
  for (const server of running) await server.stop();
  removeFolder(folder);
}

/** The first so many instances. */
function matchersFor(count: number): string {
  if (count === instances) return "";
  const names = Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}:9100`);
  return `{instance=~"${names.join("|")}"}`;
}

/** The fastest of some rounds in turn, after one to warm up, for what else the machine does only adds: Prometheus's, Narthex's. */
async function timesMs(query: string, setting: Setting): Promise<[number, number]> {
  const from = (endMs - setting.hours * HOUR_MS) / 1000;
  const parameters = `query=${encodeURIComponent(query)}&start=${from}&end=${endMs / 1000}&step=${setting.stepSeconds}`;
  const times: [number[], number[]] = [[], []];
  for (let round = -1; round < rounds; round++) {
    for (const [index, server] of running.entries()) {
      const begun = performance.now();
      const response = await fetch(`${server.url}/api/v1/query_range?${parameters}`);
      const body = await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`${server.url}: ${Buffer.from(body).toString()}`);
      if (round >= 0) times[index]!.push(performance.now() - begun);
    }
  }
  return [Math.min(...times[0]), Math.min(...times[1])];
}
