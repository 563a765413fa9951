import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { fetchJson, queryString } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, type LabelRecord } from "./target-group.ts";

interface ServiceRegistration {
  readonly ID: string;
  readonly ServiceName: string;
  readonly Namespace: string;
  readonly NodeID: string;
  readonly Datacenter: string;
  readonly Tags?: readonly string[] | null;
  readonly Address: string;
  readonly Port: number;
}

type ServiceList = readonly {
  readonly Namespace: string;
  readonly Services?: readonly { readonly ServiceName: string }[] | null;
}[];

/** Targets as Nomad's own services list them. */
export function nomadDiscovery(
  config: DiscoveryConfigOf<"nomad">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
  const endpoint = {
    client,
    baseUrl: config.server.replace(/\/$/, ""),
    request: { timeoutMs: config.refreshInterval },
  };
  const parameters: (readonly [string, string | null])[] = [
    ["namespace", config.namespace],
    ["region", config.region],
  ];
  if (config.allowStale) parameters.push(["stale", null]);
  const query = queryString(parameters.filter(([, value]) => value !== ""));

  async function refresh(signal: AbortSignal) {
    const targets: LabelRecord[] = [];
    for (const { Services } of await fetchJson<ServiceList>(endpoint, `/v1/services${query}`, signal)) {
      for (const { ServiceName } of Services ?? []) {
        const path = `/v1/service/${encodeURIComponent(ServiceName)}${query}`;
        const instances = await fetchJson<readonly ServiceRegistration[]>(endpoint, path, signal);
        targets.push(...instances.map((instance) => labelsOf(instance, config.tagSeparator)));
      }
    }
    return [{ source: "Nomad", targets, labels: {} }];
  }

  return pollingMechanism(
    {
      mechanism: "nomad",
      configName,
      intervalMs: config.refreshInterval,
      refresh: (signal) =>
        refresh(signal).catch((error: unknown) => {
          surroundings.counters.add("nomad_failures_total");
          throw error;
        }),
      close: () => client.close(),
    },
    surroundings,
  );
}

function labelsOf(service: ServiceRegistration, separator: string): LabelRecord {
  const tags = service.Tags ?? [];
  return {
    __address__: joinHostPort(service.Address, service.Port),
    __meta_nomad_address: service.Address,
    __meta_nomad_dc: service.Datacenter,
    __meta_nomad_namespace: service.Namespace,
    __meta_nomad_node_id: service.NodeID,
    __meta_nomad_service: service.ServiceName,
    __meta_nomad_service_address: service.Address,
    __meta_nomad_service_id: service.ID,
    __meta_nomad_service_port: String(service.Port),
    ...(tags.length > 0 ? { __meta_nomad_tags: separator + tags.join(separator) + separator } : {}),
  };
}
