import { hostname } from "node:os";
import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { formatDuration } from "../model/duration.ts";
import { queryString } from "./fetch-json.ts";
import { MAX_ANSWER_BYTES } from "./http.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { prefixedLabels, type LabelRecord, type TargetGroup } from "./target-group.ts";

interface Assignment {
  readonly mesh?: string;
  readonly service?: string;
  readonly labels?: Record<string, string>;
  readonly targets?: readonly {
    readonly name?: string;
    readonly scheme?: string;
    readonly address?: string;
    readonly metrics_path?: string;
    readonly labels?: Record<string, string>;
  }[];
}

interface DiscoveryResponse {
  readonly version_info?: string;
  readonly nonce?: string;
  readonly resources?: readonly Assignment[];
}

const TYPE_URL = "type.googleapis.com/kuma.observability.v1.MonitoringAssignment";
/** What we wait beyond the time the server may hold back its answer. */
const ANSWER_MARGIN_MS = 15_000;

/** Targets as the monitoring assignments of Kuma's control plane. */
export function kumaDiscovery(
  config: DiscoveryConfigOf<"kuma">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
  const query = queryString([["fetch-timeout", formatDuration(config.fetchTimeout)]]);
  const url = `${config.server.replace(/\/$/, "")}/v3/discovery:monitoringassignments${query}`;
  const id = config.clientId || hostname() || "prometheus";
  const { counters, elapsedMs } = surroundings;
  let last: DiscoveryResponse = {};
  let group: TargetGroup = { source: "kuma", targets: [], labels: {} };
  return pollingMechanism(
    {
      mechanism: "kuma",
      configName,
      intervalMs: config.refreshInterval,
      refresh: (signal) => {
        const startedMs = elapsedMs();
        return fetchAssignments(signal)
          .catch((error: unknown) => {
            counters.add("kuma_fetch_failures_total");
            throw error;
          })
          .finally(() => counters.addDuration("kuma_fetch_duration_seconds", {}, startedMs, elapsedMs()));
      },
      close: () => client.close(),
    },
    surroundings,
  );

  async function fetchAssignments(signal: AbortSignal): Promise<readonly TargetGroup[]> {
    const response = await client.request(url, {
      method: "POST",
      body: JSON.stringify({
        version_info: last.version_info ?? "",
        node: { id },
        type_url: TYPE_URL,
        response_nonce: last.nonce ?? "",
      }),
      headers: { "content-type": "application/json", accept: "application/json" },
      timeoutMs: config.fetchTimeout + ANSWER_MARGIN_MS,
      signal,
    });
    const body = await response.read(MAX_ANSWER_BYTES);
    // Nothing has changed since the version we told.
    if (response.status === 304) {
      counters.add("kuma_fetch_skipped_updates_total");
      return [group];
    }
    if (response.status !== 200) throw new Error(`server returned HTTP status ${response.statusLine}`);
    last = JSON.parse(body.toString()) as DiscoveryResponse;
    group = { ...group, targets: (last.resources ?? []).flatMap(targetsOf) };
    return [group];
  }
}

function targetsOf(assignment: Assignment): LabelRecord[] {
  const common = {
    ...prefixedLabels("__meta_kuma_label_", assignment.labels),
    __meta_kuma_mesh: assignment.mesh ?? "",
    __meta_kuma_service: assignment.service ?? "",
  };
  return (assignment.targets ?? []).map((target) => ({
    ...prefixedLabels("__meta_kuma_label_", target.labels),
    ...common,
    __address__: target.address ?? "",
    __scheme__: target.scheme ?? "",
    __metrics_path__: target.metrics_path ?? "",
    instance: target.name ?? "",
    __meta_kuma_dataplane: target.name ?? "",
  }));
}
