import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { fetchJson } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, sanitizeLabelName, type LabelRecord } from "./target-group.ts";

const API = "https://api.ionos.com/cloudapi/v6";

interface Server {
  readonly id: string;
  readonly metadata?: { readonly state?: string };
  readonly properties?: {
    readonly name?: string;
    readonly availabilityZone?: string;
    readonly cpuFamily?: string;
    readonly type?: string;
    readonly vmState?: string;
    readonly bootCdrom?: { readonly id?: string } | null;
    readonly bootVolume?: { readonly id?: string } | null;
  };
  readonly entities?: {
    readonly nics?: {
      readonly items?: readonly {
        readonly properties?: { readonly name?: string; readonly ips?: readonly string[] };
      }[];
    };
    readonly volumes?: {
      readonly items?: readonly { readonly id?: string; readonly properties?: { readonly image?: string } }[];
    };
  };
}

interface ServerList {
  readonly id?: string;
  readonly items?: readonly Server[];
}

/** Targets as the servers of a data center of IONOS. */
export function ionosDiscovery(
  config: DiscoveryConfigOf<"ionos">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
  const endpoint = { client, baseUrl: API, request: { timeoutMs: config.refreshInterval } };
  return pollingMechanism(
    {
      mechanism: "ionos",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        const path = `/datacenters/${encodeURIComponent(config.datacenterId)}/servers?depth=3`;
        const list = await fetchJson<ServerList>(endpoint, path, signal);
        const targets = (list.items ?? []).flatMap((server) => targetsOf(server, list.id ?? "", config.port));
        return [{ source: config.datacenterId, targets, labels: {} }];
      },
      close: () => client.close(),
    },
    surroundings,
  );
}

/** A server without an address can't be asked. */
function targetsOf(server: Server, listId: string, port: number): LabelRecord[] {
  const { entities, properties } = server;
  const labels: Record<string, string> = {};
  let address = "";
  const all: string[] = [];
  for (const { properties: nic } of entities?.nics?.items ?? []) {
    const ips = nic?.ips ?? [];
    if (ips.length === 0) continue;
    // The first address of the last card wins.
    address = ips[0]!;
    all.push(...ips);
    const name = nic?.name ?? "";
    labels[`__meta_ionos_server_nic_ip_${sanitizeLabelName(name === "" ? "unnamed" : name)}`] =
      `,${ips.join(",")},`;
  }
  if (address === "") return [];
  const bootVolume = properties?.bootVolume?.id ?? "";
  const image = entities?.volumes?.items?.find(({ id }) => id === bootVolume)?.properties?.image ?? "";
  const given = {
    __meta_ionos_server_boot_cdrom_id: properties?.bootCdrom?.id ?? "",
    __meta_ionos_server_boot_image_id: image,
    __meta_ionos_server_boot_volume_id: bootVolume,
  };
  return [
    {
      __address__: joinHostPort(address, port),
      ...labels,
      __meta_ionos_server_ip: `,${all.join(",")},`,
      __meta_ionos_server_id: server.id,
      __meta_ionos_server_name: properties?.name ?? "",
      __meta_ionos_server_availability_zone: properties?.availabilityZone ?? "",
      __meta_ionos_server_cpu_family: properties?.cpuFamily ?? "",
      __meta_ionos_server_lifecycle: server.metadata?.state ?? "",
      __meta_ionos_server_servers_id: listId,
      __meta_ionos_server_state: properties?.vmState ?? "",
      __meta_ionos_server_type: properties?.type ?? "",
      ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== "")),
    },
  ];
}
