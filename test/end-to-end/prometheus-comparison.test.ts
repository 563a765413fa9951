import { cpSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiClient, eventually } from "../support/api-client.ts";
import { differences } from "../support/compare-results.ts";
import { labelsAsIn3 } from "../support/labels-as-in-3.ts";
import {
  isInstalled,
  removeFolder,
  startNarthex,
  startPrometheus,
  temporaryFolder,
} from "../support/servers.ts";
import { freePort, SpawnedServer } from "../support/spawned-server.ts";
import { writeWalFixture } from "../support/wal-fixture.ts";

const dashboardQueries = [
  "http_requests_total",
  'http_requests_total{code=~"5.."}',
  'http_requests_total{method!="GET",code!~"2.*"}',
  "sum(rate(http_requests_total[5m]))",
  "sum by (code) (rate(http_requests_total[5m]))",
  "sum by (instance, method) (rate(http_requests_total[1m]))",
  "sum without (instance, handler) (rate(http_requests_total[10m]))",
  'sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))',
  'sum by (instance) (rate(http_requests_total{code="500"}[5m])) / on (instance) sum by (instance) (rate(http_requests_total[5m]))',
  "increase(http_requests_total[15m])",
  "irate(http_requests_total[2m])",
  "delta(queue_length[10m])",
  "idelta(queue_length[2m])",
  "deriv(queue_length[10m])",
  "resets(queue_length[30m])",
  "changes(queue_length[30m])",
  "avg_over_time(queue_length[30m])",
  "max_over_time(queue_length[1h])",
  "min_over_time(queue_length[1h])",
  "sum_over_time(queue_length[20m])",
  "count_over_time(queue_length[20m])",
  "stddev_over_time(queue_length[20m])",
  "quantile_over_time(0.9, queue_length[20m])",
  "last_over_time(queue_length[20m])",
  "topk(3, queue_length)",
  "bottomk(3, sum by (queue) (queue_length))",
  "quantile by (zone) (0.9, queue_length)",
  "avg by (zone) (queue_length)",
  "max by (zone, queue) (queue_length)",
  "min without (queue) (queue_length)",
  "count by (zone) (queue_length > 500)",
  "stddev by (zone) (queue_length)",
  'count_values by (zone) ("length", floor(queue_length / 1000))',
  "histogram_quantile(0.99, sum by (le) (rate(request_duration_seconds_bucket[5m])))",
  "histogram_quantile(0.5, sum by (le, handler, zone) (rate(request_duration_seconds_bucket[5m])))",
  "queue_length > bool 500",
  "queue_length offset 10m",
  "queue_length - queue_length offset 5m",
  // Not [30m:1m]: 2.42 still has the left end of a range in it, 3.x does not.
  "max_over_time(sum by (zone) (rate(http_requests_total[5m]))[29m30s:1m])",
  'label_replace(sum by (instance) (queue_length), "host", "$1", "instance", "(.*):.*")',
  "predict_linear(queue_length[30m], 3600)",
  "clamp_min(queue_length, 0) and on (instance) http_requests_total",
  "absent(nothing_of_this_name)",
  "sort_desc(sum by (zone) (queue_length))",
];

describe.skipIf(!isInstalled("prometheus"))("beside Prometheus 2.42 on copies of one write-ahead log", () => {
  const folder = temporaryFolder("comparison");
  const endMs = Math.floor(Date.now() / 60_000) * 60_000 - 120_000;
  const startMs = endMs - 3 * 3_600_000;
  const servers: SpawnedServer[] = [];
  let ours: ApiClient;
  let theirs: ApiClient;

  beforeAll(async () => {
    writeWalFixture({ dataDirectory: join(folder, "fixture"), instances: 3, startMs, endMs, stepMs: 15_000 });
    for (const name of ["narthex", "prometheus"]) {
      cpSync(join(folder, "fixture"), join(folder, name, "data"), { recursive: true });
    }
    const config = "scrape_configs: []\n";
    servers.push(await startNarthex({ config, folder: join(folder, "narthex") }));
    servers.push(await startPrometheus({ config, folder: join(folder, "prometheus") }));
    [ours, theirs] = servers.map((server) => new ApiClient(server.url)) as [ApiClient, ApiClient];
  }, 120_000);

  afterAll(async () => {
    for (const server of servers) await server.stop();
    removeFolder(folder);
  });

  test.each(dashboardQueries)("answers a range of %s alike", async (query) => {
    const a = await ours.range(query, startMs + 3_600_000, endMs, 60_000);
    const b = await theirs.range(query, startMs + 3_600_000, endMs, 60_000);
    expect(differences(a, b)).toEqual([]);
    if (!query.startsWith("absent")) expect(b.length).toBeGreaterThan(0);
  });

  test.each(dashboardQueries)("answers an instant of %s alike", async (query) => {
    const timeMs = endMs - 1_234_567;
    expect(differences(await ours.instant(query, timeMs), await theirs.instant(query, timeMs))).toEqual([]);
  });

  test("gives the same series, label names and label values", async () => {
    const window = { start: String(startMs / 1000), end: String(endMs / 1000) };
    for (const [path, parameters] of [
      ["series", { "match[]": ["queue_length", '{__name__=~"http.*",code="500"}'], ...window }],
      ["labels", window],
      ["labels", { "match[]": "queue_length", ...window }],
      ["label/queue/values", window],
      ["label/code/values", { "match[]": '{method="PUT"}', ...window }],
      ["label/__name__/values", window],
    ] as const) {
      const sorted = (values: unknown[]) => values.map((value) => JSON.stringify(value)).sort();
      const a = await ours.get<unknown[]>(path, parameters);
      const b = await theirs.get<unknown[]>(path, parameters);
      expect(sorted(a), path).toEqual(sorted(b));
    }
  });
});

describe.skipIf(!isInstalled("prometheus") || !isInstalled("prometheus-node-exporter"))(
  "beside Prometheus 2.42 on the same live targets",
  () => {
    const folder = temporaryFolder("live-comparison");
    // Five minutes when the proof is run by hand, less in every test run.
    const seconds = Number(process.env["NARTHEX_LIVE_SECONDS"] ?? "12");
    const servers: SpawnedServer[] = [];

    afterAll(async () => {
      for (const server of servers) await server.stop();
      removeFolder(folder);
    });

    test(
      "stores the same series, with the same number of samples give or take the edges",
      async () => {
        const [exporterPort, narthexPort] = [await freePort(), await freePort()];
        servers.push(
          await SpawnedServer.start({
            command: "prometheus-node-exporter",
            args: [`--web.listen-address=127.0.0.1:${exporterPort}`],
            url: `http://127.0.0.1:${exporterPort}`,
            readyPath: "/metrics",
          }),
        );
        const config = `
global: { scrape_interval: 2s, scrape_timeout: 2s }
scrape_configs:
  - { job_name: node, static_configs: [{ targets: ["127.0.0.1:${exporterPort}"] }] }
  - { job_name: narthex, static_configs: [{ targets: ["127.0.0.1:${narthexPort}"] }] }
`;
        const narthex = await startNarthex({ config, folder: join(folder, "narthex"), port: narthexPort });
        servers.push(narthex);
        const prometheus = await startPrometheus({ config, folder: join(folder, "prometheus") });
        servers.push(prometheus);
        const [ours, theirs] = [new ApiClient(narthex.url), new ApiClient(prometheus.url)];
        for (const api of [ours, theirs]) {
          await eventually("both targets up", async () => (await api.instant("up == 1")).length === 2);
        }
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000));

        const nowMs = Date.now() - 1000;
        const selector = '{job=~"node|narthex"}';
        const keys = async (api: ApiClient) =>
          (await api.instant(`last_over_time(${selector}[${seconds - 4}s])`, nowMs))
            .map((series) => JSON.stringify(Object.entries(labelsAsIn3(series.metric)).sort()))
            .sort();
        const names = async (api: ApiClient) =>
          (await api.instant(`count by (__name__, job) (${selector})`, nowMs))
            .map((series) =>
              JSON.stringify([series.metric["job"], series.metric["__name__"], series.value![1]]),
            )
            .sort();
        expect(await keys(ours)).toEqual(await keys(theirs));
        expect(await names(ours)).toEqual(await names(theirs));

        const scrapes = async (api: ApiClient) =>
          Number(
            (await api.instant(`count_over_time(up{job="node"}[${seconds - 4}s])`, nowMs))[0]!.value![1],
          );
        expect(Math.abs((await scrapes(ours)) - (await scrapes(theirs)))).toBeLessThanOrEqual(1);
        // What does not move between the two servers' scrapes must be the very same.
        for (const query of [
          'sum by (fstype) (node_filesystem_size_bytes{job="node"})',
          'node_uname_info{job="node"}',
          'count by (mode) (node_cpu_seconds_total{job="node"})',
          'sum(node_memory_MemTotal_bytes{job="node"})',
          'node_boot_time_seconds{job="node"}',
        ]) {
          expect(
            differences(await ours.instant(query, nowMs), await theirs.instant(query, nowMs)),
            query,
          ).toEqual([]);
        }
      },
      60_000 + seconds * 1000,
    );
  },
);
