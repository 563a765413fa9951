import type { NumberMetric } from "../telemetry/metrics.ts";
import type { CounterName, DiscoveryCounters, GaugeName } from "./mechanism.ts";

/** Numbers without labels are there from the start, whatever is configured. */
const COUNTERS: readonly { readonly name: CounterName; readonly help: string; readonly isLabelled?: true }[] =
  [
    { name: "received_updates_total", help: "Updates that mechanisms gave.", isLabelled: true },
    { name: "updates_total", help: "Updates handed over.", isLabelled: true },
    { name: "updates_delayed_total", help: "Updates that had to wait.", isLabelled: true },
    { name: "refresh_failures_total", help: "Polls that failed.", isLabelled: true },
    { name: "file_read_errors_total", help: "Target files that could not be read." },
    { name: "file_watcher_errors_total", help: "Folders that could not be watched." },
    { name: "http_failures_total", help: "Target lists that could not be fetched." },
    { name: "dns_lookups_total", help: "Names looked up." },
    { name: "dns_lookup_failures_total", help: "Names that could not be looked up." },
    { name: "consul_rpc_failures_total", help: "Requests to Consul that failed." },
    { name: "nomad_failures_total", help: "Polls of Nomad that failed." },
    { name: "kubernetes_events_total", help: "Objects that came, changed or went.", isLabelled: true },
    { name: "kubernetes_failures_total", help: "Lists and watches that failed." },
  ];

const GAUGES: readonly { readonly name: GaugeName; readonly help: string }[] = [
  { name: "discovered_targets", help: "Targets found now." },
  { name: "last_update_timestamp_seconds", help: "When targets were last handed over." },
  { name: "failed_configs", help: "Mechanisms that could not be made from the configuration." },
];

const KUBERNETES_ROLES = ["endpointslice", "endpoints", "node", "pod", "service", "ingress"];

/** The numbers of discovery by the names under which they are known, for `exportNumbers`. */
export function discoveryMetrics(counters: DiscoveryCounters): NumberMetric[] {
  for (const { isLabelled, name } of COUNTERS) if (!isLabelled) counters.add(name, {}, 0);
  for (const role of KUBERNETES_ROLES) {
    for (const event of ["add", "delete", "update"])
      counters.add("kubernetes_events_total", { role, event }, 0);
  }
  return [
    ...COUNTERS.map(({ help, isLabelled, name }): NumberMetric => ({
      name: `prometheus_sd_${name}`,
      help,
      type: "counter",
      read: () => (isLabelled ? counters.read(name) : (counters.read(name)[0]?.value ?? 0)),
    })),
    ...GAUGES.map(({ help, name }): NumberMetric => ({
      name: `prometheus_sd_${name}`,
      help,
      type: "gauge",
      read: () => counters.read(name),
    })),
    {
      name: "prometheus_sd_file_mtime_seconds",
      help: "When a target file was last changed, as of its last good read.",
      type: "gauge",
      read: () => counters.read("file_mtime_seconds"),
    },
  ];
}
