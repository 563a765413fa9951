import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TargetsData } from "../../src/api/types.ts";
import { ApiClient, eventually } from "../support/api-client.ts";
import { FakeServer } from "../support/fake-server.ts";
import { removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

/** What the tests change, with what it is at first. */
const FIRST = {
  interval: "1s",
  externalLabels: "site: one",
  path: "/a",
  alertmanager: "/first",
  outOfOrder: "0s",
  retention: "15d",
  maxExemplars: 100,
  queryLog: "queries-1.log",
  failureLog: "failures-1.log",
  jobs: "",
};

const text = { "content-type": "text/plain; version=0.0.4" };

describe("a reload", () => {
  const folder = temporaryFolder("reload");
  const startMs = Date.now();
  let target: FakeServer;
  let narthex: SpawnedServer;
  let api: ApiClient;
  /** The labels of the alerts that each Alertmanager was sent, by the prefix of its path. */
  const alerts = new Map<string, Record<string, string>[]>();
  /** A sample with a time of its own. */
  let timedSampleMs = startMs;

  const config = (is: Partial<typeof FIRST> = {}) => {
    const { host } = new URL(target.url);
    const now = { ...FIRST, ...is };
    return `
global:
  scrape_interval: ${now.interval}
  scrape_timeout: 1s
  evaluation_interval: 1s
  external_labels: { ${now.externalLabels} }
  query_log_file: ${now.queryLog}
  scrape_failure_log_file: ${now.failureLog}
rule_files: [rules.yml]
storage:
  tsdb: { out_of_order_time_window: ${now.outOfOrder}, retention: { time: ${now.retention} } }
  exemplars: { max_exemplars: ${now.maxExemplars} }
alerting:
  alertmanagers:
    - path_prefix: ${now.alertmanager}
      file_sd_configs: [{ files: [alertmanagers.yml] }]
scrape_configs:
  - job_name: kept
    scrape_interval: 1s
    static_configs: [{ targets: ["${host}"] }]
  - job_name: moved
    metrics_path: ${now.path}
    static_configs: [{ targets: ["${host}"] }]
  - job_name: broken
    metrics_path: /broken
    static_configs: [{ targets: ["${host}"] }]
  - job_name: timed
    metrics_path: /timed
    static_configs: [{ targets: ["${host}"] }]
${now.jobs}
`;
  };

  const write = (name: string, content: string) => writeFileSync(join(folder, name), content);
  const rules = (name: string) => `
groups:
  - name: g
    rules:
      - { record: ${name}, expr: vector(1) }
      - { alert: Always, expr: vector(1) }
`;

  async function reload(content: string): Promise<number> {
    write("prometheus.yml", content);
    const answer = await fetch(`${narthex.url}/-/reload`, { method: "POST" });
    await answer.text();
    return answer.status;
  }

  const value = async (query: string) => (await api.instant(query))[0]?.value?.[1];
  const own = async (name: string) => {
    const page = await (await fetch(`${narthex.url}/metrics`)).text();
    return new RegExp(`^${name} (.*)$`, "m").exec(page)?.[1];
  };
  const read = (name: string) =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), "utf8") : "";
  const lines = (name: string) => read(name).split("\n").length - 1;

  function takeAlerts(request: IncomingMessage, path: string): void {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const sent = (JSON.parse(body) as { labels: Record<string, string> }[]).map(({ labels }) => labels);
      alerts.set(path, [...(alerts.get(path) ?? []), ...sent]);
    });
  }

  beforeAll(async () => {
    target = await FakeServer.start((request, url, response) => {
      if (url.pathname.endsWith("/api/v2/alerts")) takeAlerts(request, url.pathname.split("/")[1]!);
      if (url.pathname === "/broken") response.writeHead(500);
      else response.writeHead(200, text);
      response.end(url.pathname === "/timed" ? `timed 1 ${timedSampleMs}\n` : "good 1\n");
    });
    write("alertmanagers.yml", `[{ targets: ["${new URL(target.url).host}"] }]`);
    write("rules.yml", rules("recorded:one"));
    narthex = await startNarthex({
      folder,
      config: config(),
      flags: [
        "--web.enable-lifecycle",
        "--enable-feature=exemplar-storage",
        "--rules.alert.resend-delay=1s",
        "--config.auto-reload",
        "--config.auto-reload-interval=1s",
      ],
    });
    api = new ApiClient(narthex.url);
    await eventually("a first scrape", async () => (await value('up{job="kept"}')) === "1");
    await eventually("a first alert", () => Promise.resolve(alerts.has("first")));
  }, 60_000);

  afterAll(async () => {
    await narthex?.stop();
    await target?.stop();
    removeFolder(folder);
  });

  test("takes up new jobs and leaves off old ones, whose series end", async () => {
    const job = `
  - job_name: extra
    static_configs: [{ targets: ["${new URL(target.url).host}"] }]`;
    expect(await reload(config({ jobs: job, path: "/b" }))).toBe(200);
    await eventually("the new job", async () => (await value('up{job="extra"}')) === "1");
    await eventually("the new path", () => Promise.resolve(target.requests.includes("GET /b")));
    expect(await reload(config())).toBe(200);
    await eventually("its end", async () => (await api.instant('up{job="extra"}')).length === 0);
    const { activeTargets } = await api.get<TargetsData>("targets");
    expect(activeTargets.map(({ scrapePool }) => scrapePool).sort()).toEqual([
      ...["broken", "kept", "moved", "timed"],
    ]);
  });

  test("follows the files of an Alertmanager's discovery, its prefix and the external labels", async () => {
    expect(await reload(config({ alertmanager: "/second", externalLabels: "site: two" }))).toBe(200);
    await eventually("an alert", () => Promise.resolve(alerts.has("second")));
    expect(alerts.get("first")!.every(({ site }) => site === "one")).toBe(true);
    expect(alerts.get("second")!.every(({ site }) => site === "two")).toBe(true);
    const sent = alerts.get("first")!.length;
    const next = alerts.get("second")!.length + 2;
    await eventually("more alerts", () => Promise.resolve(alerts.get("second")!.length >= next));
    expect(alerts.get("first")!.length).toBe(sent);
  });

  test("changes retention and the number of exemplars", async () => {
    expect(await own("prometheus_tsdb_exemplar_max_exemplars")).toBe("100");
    expect(await reload(config({ retention: "3d", maxExemplars: 7 }))).toBe(200);
    const { storageRetention } = await api.get<{ storageRetention: string }>("status/runtimeinfo");
    expect(storageRetention).toBe("3d");
    expect(await own("prometheus_tsdb_exemplar_max_exemplars")).toBe("7");
  });

  test("opens the window for samples out of order", async () => {
    const samples = async () =>
      (await api.instant("timed[5m]"))[0]?.values?.map(([seconds]) => Math.round(seconds * 1_000)) ?? [];
    await eventually("the sample", async () => (await samples()).includes(startMs));
    timedSampleMs = startMs - 10_000;
    await eventually(
      "its refusal",
      async () => Number(await own("prometheus_target_scrapes_sample_out_of_order_total")) > 0,
    );
    expect(await samples()).toEqual([startMs]);
    expect(await reload(config({ outOfOrder: "10m" }))).toBe(200);
    await eventually("both", async () => (await samples()).length === 2);
    expect(await samples()).toEqual([startMs - 10_000, startMs]);
    timedSampleMs = startMs;
  });

  test("moves the logs of queries and of failed scrapes to other files", async () => {
    await api.instant("vector(1)");
    await eventually("lines", () =>
      Promise.resolve(lines("queries-1.log") > 0 && lines("failures-1.log") > 0),
    );
    expect(await reload(config({ queryLog: "queries-2.log", failureLog: "failures-2.log" }))).toBe(200);
    await api.instant("vector(2)");
    await eventually("lines", () =>
      Promise.resolve(lines("queries-2.log") > 0 && lines("failures-2.log") > 0),
    );
    expect(read("queries-2.log")).toContain('"vector(2)"');
    expect(read("queries-1.log")).not.toContain('"vector(2)"');
    const before = [lines("queries-1.log"), lines("failures-1.log")];
    const next = lines("failures-2.log") + 2;
    await eventually("more failures", () => Promise.resolve(lines("failures-2.log") >= next));
    expect([lines("queries-1.log"), lines("failures-1.log")]).toEqual(before);
    expect(await reload(config())).toBe(200);
  });

  test("of rules comes by itself once their file changes, and again as long as it fails", async () => {
    await eventually("the first rule", async () => (await value("recorded:one")) === "1");
    write("rules.yml", rules("recorded:two"));
    await eventually("the second rule", async () => (await value("recorded:two")) === "1");
    await eventually("the end of the first", async () => (await api.instant("recorded:one")).length === 0);
    write("rules.yml", "groups: [{ name: g, rules: [{ record: r, expr: '1 +' }] }]");
    const failed = "prometheus_config_last_reload_successful";
    await eventually("the failure", async () => (await own(failed)) === "0");
    expect(await value("recorded:two")).toBe("1");
    const failures = () => narthex.log.split("Error reloading config").length;
    const next = failures() + 2;
    await eventually("more attempts", () => Promise.resolve(failures() >= next));
    write("rules.yml", rules("recorded:three"));
    await eventually("the third rule", async () => (await value("recorded:three")) === "1");
    expect(await own(failed)).toBe("1");
  });

  test("of a file that is wrong changes nothing, by request and by signal", async () => {
    const wrong = config().replace("scrape_configs:", "no_such_thing: 1\nscrape_configs:");
    expect(await reload(wrong)).toBe(500);
    expect(await own("prometheus_config_last_reload_successful")).toBe("0");
    const { yaml } = await api.get<{ yaml: string }>("status/config");
    expect(yaml).toContain("job_name: kept");
    expect(yaml).not.toContain("no_such_thing");
    write("prometheus.yml", config({ externalLabels: "site: three" }));
    narthex.process.kill("SIGHUP");
    await eventually("the signal's work", async () =>
      (await api.get<{ yaml: string }>("status/config")).yaml.includes("site: three"),
    );
    expect(await own("prometheus_config_last_reload_successful")).toBe("1");
  });

  test("never touched the job that stayed the same: no gap, no end, no second series", async () => {
    const endMs = Date.now();
    const [first] = (await api.instant('up{job="kept"}[10m]'))[0]!.values!;
    const beginMs = Math.ceil(first![0] * 1_000);
    // A stale marker would make a hole up to the next scrape, a late scrape none.
    const series = await api.range('up{job="kept"}', beginMs, endMs, 100);
    expect(series).toHaveLength(1);
    expect(series[0]!.values!.length).toBe(Math.floor((endMs - beginMs) / 100) + 1);
    const holes = '(up{job="kept"} == 1) unless on (job) good{job="kept"}';
    expect(await api.range(holes, beginMs, endMs, 100)).toEqual([]);
  });
});
