import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiClient, eventually, type Series } from "../support/api-client.ts";
import { labelsAsIn3 } from "../support/labels-as-in-3.ts";
import { PageRecorder } from "../support/page-recorder.ts";
import { areExportersInstalled, RealExporters } from "../support/real-exporters.ts";
import {
  isInstalled,
  removeFolder,
  startNarthex,
  startPrometheus,
  temporaryFolder,
} from "../support/servers.ts";
import { freePort, type SpawnedServer } from "../support/spawned-server.ts";

const PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

/** Everything through the recorder under its own name, and once more without it. */
function configuration(exporters: RealExporters, recorder: PageRecorder, prometheusPort: number): string {
  const plain = [...exporters.addresses, ["prometheus", `127.0.0.1:${prometheusPort}`] as const].map(
    ([job, address]) => ({
      job,
      more: `
    ${job === "pushgateway" ? "honor_labels: true" : ""}
    static_configs: [{ targets: ["${address}"], labels: { rack: "r 1" } }]`,
    }),
  );
  const probes = ["http_2xx", "tcp"].map((module) => ({
    job: `probe-${module}`,
    more: `
    metrics_path: /probe
    params: { module: [${module}] }
    static_configs: [{ targets: ["${exporters.addresses.get("nginx")}"] }]
    relabel_configs:
      - { source_labels: [__address__], target_label: __param_target }
      - { source_labels: [__param_target], target_label: instance }
      - { target_label: __address__, replacement: "${exporters.addresses.get("blackbox")}" }`,
  }));
  const jobs = [...plain, ...probes].flatMap(({ job, more }) => [
    `
  - job_name: ${job}
    proxy_url: ${recorder.url}${more}`,
    // What was pushed has its own job and instance: scraped twice, it would be the same series.
    job === "pushgateway"
      ? ""
      : `
  - job_name: direct-${job}${more}`,
  ]);
  return `global: { scrape_interval: 2s, scrape_timeout: 2s }\nscrape_configs:${jobs.join("")}\n`;
}

/** Series by their labels as 3.x writes them, each with its value. */
function byLabels(series: readonly Series[]): Map<string, string> {
  return new Map(
    series.map(({ metric, value }) => [
      JSON.stringify(Object.entries(labelsAsIn3(metric)).sort()),
      value![1],
    ]),
  );
}

/** What one has and the other hasn't, or has with another value; short enough to read. */
function mapDifferences(ours: ReadonlyMap<string, string>, theirs: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  for (const [labels, value] of theirs) {
    if (!ours.has(labels)) found.push(`missing: ${labels} ${value}`);
    else if (ours.get(labels) !== value) found.push(`${labels}: ${ours.get(labels)} instead of ${value}`);
  }
  for (const [labels, value] of ours) if (!theirs.has(labels)) found.push(`too much: ${labels} ${value}`);
  return found.slice(0, 20);
}

/** The jobs that have series of their targets, not only about their scrapes. */
function jobsOf(series: ReadonlyMap<string, string>): string[] {
  const labels = [...series.keys()].map((key) => new Map(JSON.parse(key) as [string, string][]));
  const scraped = labels.filter((one) => !/^(up|scrape_.*)$/.test(one.get("__name__")!));
  return [...new Set(scraped.map((one) => one.get("job")!))].sort();
}

describe.skipIf(!isInstalled("prometheus") || !areExportersInstalled())(
  "beside Prometheus 2.42 on real exporters",
  () => {
    const folder = temporaryFolder("exporters");
    let exporters: RealExporters;
    let recorder: PageRecorder;
    const servers: SpawnedServer[] = [];
    let ours: ApiClient;
    let theirs: ApiClient;
    let pageCount = 0;

    beforeAll(async () => {
      exporters = await RealExporters.start(folder);
      recorder = await PageRecorder.start("text/plain;version=0.0.4");
      const port = await freePort();
      const config = configuration(exporters, recorder, port);
      const targetCount = config.split("job_name").length - 1;
      pageCount = config.split("proxy_url").length - 1;
      const flags = ["--enable-feature=exemplar-storage"];
      servers.push(await startPrometheus({ config, folder: `${folder}/prometheus`, port, flags }));
      servers.push(await startNarthex({ config, folder: `${folder}/narthex`, flags }));
      [theirs, ours] = servers.map((server) => new ApiClient(server.url)) as [ApiClient, ApiClient];
      for (const api of [ours, theirs]) {
        await eventually("everything up", async () => (await api.instant("up == 1")).length === targetCount);
      }
    }, 120_000);

    afterAll(async () => {
      await Promise.all(servers.map((server) => server.stop()));
      await exporters?.stop();
      await recorder?.stop();
      removeFolder(folder);
    });

    const both = async (query: string) => {
      const nowMs = Date.now();
      const [a, b] = await Promise.all([ours.instant(query, nowMs), theirs.instant(query, nowMs)]);
      return [byLabels(a), byLabels(b)] as const;
    };

    /** What a scrape takes is its own; all else of a page that both got must be the same. */
    const RECORDED = '{job=~".+",job!~"direct-.*",__name__!="scrape_duration_seconds"}';

    test.each([
      ["the older text", "text/plain;version=0.0.4"],
      ["what 2.42 asks for", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"],
      [
        "what 3.14 asks for",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
      ],
      ["protobuf", `${PROTOBUF},text/plain;version=0.0.4;q=0.5`],
    ])(
      "stores every series of the same pages, in %s, with the same labels and values",
      async (_what, accept) => {
        recorder.turnOver(accept);
        // The third request of a page comes when the scrape of the second is over, and with it all that was new.
        await eventually("every page scraped", () => Promise.resolve(recorder.hasServed(pageCount, 2, 3)));
        const types = [...(await recorder.contentTypes()).values()];
        expect(types.some((type) => type.startsWith(accept.split(";")[0]!))).toBe(true);
        // Pushgateway's own have no job of their own, and so that of the target.
        const names = [...exporters.addresses.keys(), "prometheus", "backup", "nightly"];
        const wanted = [...names, "probe-http_2xx", "probe-tcp"].sort();
        let differences: string[] = [];
        let jobs: string[] = [];
        // On a machine with too much to do a scrape may fail on one side; the next one makes it good.
        await eventually("the same series", async () => {
          const [a, b] = await both(RECORDED);
          differences = mapDifferences(a, b);
          jobs = jobsOf(b);
          return differences.length === 0 && jobs.length >= wanted.length && b.size > 2_500;
        }).catch(() => undefined);
        expect(differences).toEqual([]);
        expect(jobs).toEqual(wanted);
      },
      60_000,
    );

    test("keeps the times that collectd gives its samples", async () => {
      const nowMs = Date.now();
      const samples = async (api: ApiClient) =>
        (await api.instant('{job="collectd",__name__=~"collectd_.*"}[5m]', nowMs)).flatMap(
          ({ metric, values }) => values!.map((point) => JSON.stringify([metric, ...point])),
        );
      // Both have scraped the recorded pages, all of which were new to both; what is on its way now, neither has.
      const [a, b] = [await samples(ours), await samples(theirs)];
      expect(a.sort()).toEqual(b.sort());
      expect(b.length).toBeGreaterThan(20);
    });

    test("knows the same types, helps and units", async () => {
      const metadata = async (api: ApiClient) => {
        const found = await api.get<{ target: Record<string, string>; metric: string }[]>(
          "targets/metadata",
          { match_target: '{job=~"direct-.*"}' },
        );
        return found.map((entry) => JSON.stringify(Object.entries(entry).sort())).sort();
      };
      const [a, b] = [await metadata(ours), await metadata(theirs)];
      expect(a).toEqual(b);
      expect(b.length).toBeGreaterThan(1_000);
    });

    test("keeps the same exemplars", async () => {
      const exemplars = async (api: ApiClient) => {
        const found = await api.get<{ seriesLabels: Record<string, string>; exemplars: object[] }[]>(
          "query_exemplars",
          { query: 'app_requests_total{job="prom-client"}', start: "0", end: String(Date.now() / 1000) },
        );
        return found.map((entry) => JSON.stringify(entry)).sort();
      };
      const [a, b] = [await exemplars(ours), await exemplars(theirs)];
      expect(a).toEqual(b);
      expect(b.length).toBe(3);
    });

    test("finds the same series when each asks the exporters itself, and the same values where they rest", async () => {
      const direct = '{job=~"direct-.*"}';
      let differences: string[] = [];
      // A series that one has seen appear, the other sees a second later.
      const isSame = async () => {
        const [a, b] = (await both(direct)).map(
          (series) => new Map([...series.keys()].map((key) => [key, ""])),
        );
        differences = mapDifferences(a!, b!);
        return differences.length === 0;
      };
      await eventually("the same series", isSame).catch(() => undefined);
      expect(differences).toEqual([]);
      // Where neither saw a change in the window, neither can have missed one that the other saw.
      const resting = async (api: ApiClient, nowMs: number) => {
        // Not the gauges in which whoever asks sees itself: connections, requests in flight.
        const names = ".*_(total|bucket|count|sum|info|size_bytes|time_seconds)";
        const series = await api.instant(`{job=~"direct-.*",__name__=~"${names}"}[9s]`, nowMs);
        return byLabels(
          series.flatMap(({ metric, values }) =>
            values!.length > 2 && new Set(values!.map(([, value]) => value)).size === 1
              ? [{ metric, value: values![0]! }]
              : [],
          ),
        );
      };
      const nowMs = Date.now();
      const [a, b] = [await resting(ours, nowMs), await resting(theirs, nowMs)];
      const shared = [...b].filter(([labels]) => a.has(labels));
      expect(shared.filter(([labels, value]) => a.get(labels) !== value)).toEqual([]);
      expect(shared.length).toBeGreaterThan(800);
    }, 60_000);
  },
);
