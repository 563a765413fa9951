import { Histogram, type Registry } from "prom-client";
import {
  DiscoveryCounters,
  type CounterName,
  type DurationName,
  type DurationObserver,
  type GaugeName,
} from "../discovery/mechanism.ts";
import { exportNumbers } from "../telemetry/metrics.ts";
import { WindowSummary } from "../telemetry/window-summary.ts";

const PREFIX = "prometheus_sd_";
const QUANTILES = [0.5, 0.9, 0.99];

type NumberRow = readonly [name: CounterName | GaugeName, help: string, labelNames?: readonly string[]];

const COUNTERS: readonly NumberRow[] = [
  ["refresh_failures_total", "Refreshes of a mechanism that failed.", ["mechanism", "config"]],
  ["received_updates_total", "Updates that came from the mechanisms.", ["name"]],
  ["updates_total", "Updates that were handed on.", ["name"]],
  ["updates_delayed_total", "Updates that could not be handed on at once.", ["name"]],
  ["file_read_errors_total", "Files with targets that could not be read."],
  ["file_watcher_errors_total", "Folders of files with targets that could not be watched."],
  ["http_failures_total", "Refreshes over HTTP that failed."],
  ["dns_lookups_total", "DNS names that were looked up."],
  ["dns_lookup_failures_total", "DNS names whose look-up failed."],
  ["consul_rpc_failures_total", "Requests to Consul that failed."],
  ["nomad_failures_total", "Refreshes from Nomad that failed."],
  ["kuma_fetch_failures_total", "Fetches from Kuma that failed."],
  ["kuma_fetch_skipped_updates_total", "Fetches from Kuma that brought nothing new."],
  ["kubernetes_events_total", "Events of Kubernetes objects that were handled.", ["role", "event"]],
  ["kubernetes_failures_total", "Lists and watches of Kubernetes objects that failed."],
  ["kubernetes_http_request_total", "Requests to Kubernetes by the status of the answer.", ["status_code"]],
  ["kubernetes_workqueue_items_total", "Objects that had to be looked at anew.", ["queue_name"]],
];

const GAUGES: readonly NumberRow[] = [
  ["discovered_targets", "Targets that are discovered now.", ["name", "config"]],
  ["last_update_timestamp_seconds", "When targets were last handed on.", ["name", "config"]],
  ["failed_configs", "Configurations of discovery that could not be set up.", ["name"]],
  ["file_mtime_seconds", "When a file with targets was changed, as of its last good read.", ["filename"]],
  ["kubernetes_workqueue_depth", "Objects that wait to be looked at anew.", ["queue_name"]],
];

/** Of mechanisms that can be configured but find nothing yet: nothing of theirs can have happened. */
const STILL: readonly (readonly [type: "counter" | "gauge", name: string, help: string])[] = [
  ["counter", "prometheus_sd_linode_failures_total", "Refreshes from Linode that failed."],
  ["counter", "prometheus_sd_azure_failures_total", "Refreshes from Azure that failed."],
  ["counter", "prometheus_sd_azure_cache_hit_total", "Answers of Azure that were still in memory."],
  ["counter", "prometheus_treecache_zookeeper_failures_total", "Requests to ZooKeeper that failed."],
  ["gauge", "prometheus_treecache_watcher_goroutines", "Watchers of ZooKeeper's trees."],
];

interface DurationRow {
  readonly help: string;
  readonly labelNames?: readonly string[];
  /** Without quantiles it is a sum and a count. */
  readonly quantiles?: readonly number[];
}

const DURATIONS: Readonly<Record<DurationName, DurationRow>> = {
  refresh_duration_seconds: {
    help: "How long a refresh of a mechanism takes.",
    labelNames: ["mechanism", "config"],
    quantiles: QUANTILES,
  },
  file_scan_duration_seconds: { help: "How long it takes to read the files.", quantiles: QUANTILES },
  consul_rpc_duration_seconds: {
    help: "How long a request to Consul takes, the wait for something new included.",
    labelNames: ["endpoint", "call"],
    quantiles: QUANTILES,
  },
  kuma_fetch_duration_seconds: { help: "How long a fetch from Kuma takes.", quantiles: QUANTILES },
  kubernetes_http_request_duration_seconds: {
    help: "How long Kubernetes takes to begin an answer.",
    labelNames: ["endpoint"],
  },
  kubernetes_workqueue_latency_seconds: {
    help: "How long an object waits to be looked at anew.",
    labelNames: ["queue_name"],
  },
  kubernetes_workqueue_work_duration_seconds: {
    help: "How long it takes to look at an object anew.",
    labelNames: ["queue_name"],
  },
};

/** What discovery counts and times, exported under Prometheus's names. */
export function discoveryCounters(registry: Registry): DiscoveryCounters {
  const counters = new DiscoveryCounters(exportDurations(registry));
  for (const call of ["service", "services"])
    counters.expectDuration("consul_rpc_duration_seconds", { endpoint: "catalog", call });
  const numbers = (type: "counter" | "gauge", rows: readonly NumberRow[]) =>
    rows.map(([name, help, labelNames = []]) => ({
      name: PREFIX + name,
      type,
      help,
      labelNames,
      // What has no labels is there from the start.
      read: () => (labelNames.length === 0 ? (counters.read(name)[0]?.value ?? 0) : counters.read(name)),
    }));
  exportNumbers(registry, [
    ...numbers("counter", COUNTERS),
    ...numbers("gauge", GAUGES),
    ...STILL.map(([type, name, help]) => ({ name, type, help, read: () => 0 })),
    // An object is looked at from beginning to end before anybody can ask for this page.
    ...["unfinished_work_seconds", "longest_running_processor_seconds"].map((name) => ({
      name: `${PREFIX}kubernetes_workqueue_${name}`,
      type: "gauge" as const,
      help: "How long objects have been looked at that are not finished.",
      labelNames: ["queue_name"],
      read: () => counters.read("kubernetes_workqueue_depth").map(({ labels }) => ({ labels, value: 0 })),
    })),
  ]);
  return counters;
}

function exportDurations(registry: Registry): DurationObserver {
  const registers = [registry];
  const summaries = new Map(
    Object.entries(DURATIONS).map(([name, { help, labelNames = [], quantiles = [] }]) => [
      name,
      new WindowSummary({ name: PREFIX + name, help, labelNames, quantiles, registers }),
    ]),
  );
  const refreshHistogram = new Histogram({
    name: `${PREFIX}refresh_duration_histogram_seconds`,
    help: DURATIONS.refresh_duration_seconds.help,
    labelNames: ["mechanism"],
    buckets: [0.01, 0.1, 1, 10],
    registers,
  });
  const mechanisms = new Set<string>();
  return {
    expect: (name, labels) => {
      summaries.get(name)!.zero(labels);
      const { mechanism } = labels;
      if (name !== "refresh_duration_seconds" || mechanism === undefined || mechanisms.has(mechanism)) return;
      mechanisms.add(mechanism);
      refreshHistogram.zero({ mechanism });
    },
    observe: (name, labels, seconds) => {
      summaries.get(name)!.observe(labels, seconds);
      const { mechanism } = labels;
      if (name === "refresh_duration_seconds" && mechanism !== undefined)
        refreshHistogram.observe({ mechanism }, seconds);
    },
  };
}
