import { describe, expect, test } from "vitest";
import { discoveryMetrics } from "../../src/discovery/discovery-metrics.ts";
import { DiscoveryCounters } from "../../src/discovery/mechanism.ts";

describe("the numbers of discovery", () => {
  const value = (counters: DiscoveryCounters, name: string) =>
    discoveryMetrics(counters)
      .find((metric) => metric.name === `prometheus_sd_${name}`)!
      .read();

  test("without labels stand at 0 from the start, and so do those of Kubernetes", () => {
    const counters = new DiscoveryCounters();
    expect(value(counters, "dns_lookups_total")).toBe(0);
    expect(value(counters, "kubernetes_failures_total")).toBe(0);
    expect(value(counters, "kubernetes_events_total")).toHaveLength(18);
    expect(value(counters, "discovered_targets")).toEqual([]);
  });

  test("follow what is counted", () => {
    const counters = new DiscoveryCounters();
    counters.add("dns_lookups_total");
    counters.add("dns_lookups_total", {}, 2);
    counters.add("refresh_failures_total", { mechanism: "http", config: "j" });
    counters.set("discovered_targets", { name: "scrape", config: "j" }, 7);
    expect(value(counters, "dns_lookups_total")).toBe(3);
    expect(value(counters, "refresh_failures_total")).toMatchObject([
      { labels: { mechanism: "http", config: "j" }, value: 1 },
    ]);
    expect(value(counters, "discovered_targets")).toMatchObject([{ value: 7 }]);
    counters.remove("discovered_targets", { name: "scrape", config: "j" });
    expect(value(counters, "discovered_targets")).toEqual([]);
  });
});
