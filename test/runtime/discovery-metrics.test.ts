import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { pollingMechanism } from "../../src/discovery/mechanism.ts";
import { discoveryCounters } from "../../src/runtime/discovery-metrics.ts";
import { realSurroundings } from "../support/discovery-surroundings.ts";

const P = "prometheus_sd_";

async function samples(registry: Registry): Promise<Map<string, string>> {
  const lines = (await registry.metrics()).split("\n").filter((line) => /^[a-z]/.test(line));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), line.slice(space + 1)] as const;
    }),
  );
}

describe("the metrics of discovery", () => {
  test("that have no labels are there from the start, as are Kubernetes's events and Consul's calls", async () => {
    const registry = new Registry();
    discoveryCounters(registry);
    const found = await samples(registry);
    for (const name of [
      ...["file_read_errors_total", "file_watcher_errors_total", "http_failures_total", "dns_lookups_total"],
      ...["dns_lookup_failures_total", "consul_rpc_failures_total", "nomad_failures_total"],
      ...["linode_failures_total", "azure_failures_total", "azure_cache_hit_total"],
      ...["kuma_fetch_failures_total", "kuma_fetch_skipped_updates_total", "kubernetes_failures_total"],
      ...["file_scan_duration_seconds_count", "kuma_fetch_duration_seconds_count"],
      'kubernetes_events_total{role="pod",event="delete"}',
      'consul_rpc_duration_seconds_count{endpoint="catalog",call="services"}',
      'consul_rpc_duration_seconds_count{endpoint="catalog",call="service"}',
    ]) {
      expect([name, found.get(P + name)]).toEqual([name, "0"]);
    }
    expect(found.get(`${P}kuma_fetch_duration_seconds{quantile="0.99"}`)).toBe("Nan");
    expect(found.get("prometheus_treecache_zookeeper_failures_total")).toBe("0");
    expect(found.get("prometheus_treecache_watcher_goroutines")).toBe("0");
  });

  test("of a poll are made with it, and count and time every refresh", async () => {
    const registry = new Registry();
    const stopping = new AbortController();
    let nowMs = 0;
    let refreshes = 0;
    const mechanism = pollingMechanism(
      {
        mechanism: "http",
        configName: "j",
        intervalMs: 60_000,
        refresh: () => {
          nowMs += 500;
          if (++refreshes === 3) stopping.abort();
          return refreshes === 2 ? Promise.reject(new Error("no")) : Promise.resolve([]);
        },
      },
      {
        ...realSurroundings({ maxSleepMs: 0 }),
        elapsedMs: () => nowMs,
        counters: discoveryCounters(registry),
      },
    );
    const labels = '{mechanism="http",config="j"}';
    const before = await samples(registry);
    expect(before.get(`${P}refresh_failures_total${labels}`)).toBe("0");
    expect(before.get(`${P}refresh_duration_seconds_count${labels}`)).toBe("0");
    expect(before.get(`${P}refresh_duration_histogram_seconds_count{mechanism="http"}`)).toBe("0");
    await mechanism.run(() => undefined, stopping.signal);
    const after = await samples(registry);
    expect(after.get(`${P}refresh_failures_total${labels}`)).toBe("1");
    expect(after.get(`${P}refresh_duration_seconds_count${labels}`)).toBe("3");
    expect(after.get(`${P}refresh_duration_seconds_sum${labels}`)).toBe("1.5");
    expect(after.get(`${P}refresh_duration_seconds{quantile="0.5",mechanism="http",config="j"}`)).toBe("0.5");
    expect(after.get(`${P}refresh_duration_histogram_seconds_bucket{le="0.1",mechanism="http"}`)).toBe("0");
    expect(after.get(`${P}refresh_duration_histogram_seconds_bucket{le="1",mechanism="http"}`)).toBe("3");
  });
});
