import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { fetchJson, queryString, type Endpoint } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, prefixedLabels, sanitizeLabelName, type LabelRecord } from "./target-group.ts";

const CLOUD_API = "https://api.hetzner.cloud/v1";
const ROBOT_API = "https://robot-ws.your-server.de";
const PAGE_SIZE = "50";

interface CloudServer {
  readonly id: number;
  readonly name: string;
  readonly status: string;
  readonly public_net?: {
    readonly ipv4?: { readonly ip: string } | null;
    readonly ipv6?: { readonly ip: string } | null;
  };
  readonly private_net?: readonly { readonly network: number; readonly ip: string }[];
  readonly server_type?: {
    readonly name: string;
    readonly cores: number;
    readonly cpu_type: string;
    readonly memory: number;
    readonly disk: number;
  };
  readonly datacenter?: {
    readonly name: string;
    readonly location: { readonly name: string; readonly network_zone: string };
  } | null;
  readonly image?: {
    readonly name?: string | null;
    readonly description?: string;
    readonly os_flavor?: string;
    readonly os_version?: string | null;
  } | null;
  readonly labels?: Record<string, string>;
}

interface RobotServer {
  readonly server_ip: string | null;
  readonly server_number: number;
  readonly server_name: string;
  readonly dc: string;
  readonly status: string;
  readonly product: string;
  readonly cancelled: boolean;
  readonly subnet?: readonly { readonly ip: string; readonly mask: string }[] | null;
}

interface Page {
  readonly servers?: readonly CloudServer[];
  readonly networks?: readonly { readonly id: number; readonly name: string }[];
  readonly meta?: { readonly pagination?: { readonly next_page?: number | null } };
}

/** Targets as Hetzner's cloud servers or, by its Robot, dedicated ones. */
export function hetznerDiscovery(
  config: DiscoveryConfigOf<"hetzner">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
  const isCloud = config.role === "hcloud";
  const endpoint = {
    client,
    baseUrl: isCloud ? CLOUD_API : ROBOT_API,
    request: { timeoutMs: config.refreshInterval },
  };
  return pollingMechanism(
    {
      mechanism: "hetzner",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        const targets = isCloud
          ? await cloudTargets(endpoint, config, signal)
          : await robotTargets(endpoint, config.port, signal);
        return [{ source: "hetzner", targets, labels: {} }];
      },
      close: () => client.close(),
    },
    surroundings,
  );
}

async function cloudTargets(
  endpoint: Endpoint,
  { labelSelector, port }: DiscoveryConfigOf<"hetzner">,
  signal: AbortSignal,
): Promise<LabelRecord[]> {
  const selector: [string, string][] = labelSelector === "" ? [] : [["label_selector", labelSelector]];
  const serverPages = await allPages(endpoint, "/servers", selector, signal);
  const networkPages = await allPages(endpoint, "/networks", [], signal);
  const networkNames = new Map(
    networkPages.flatMap(({ networks }) => networks ?? []).map(({ id, name }) => [id, name]),
  );
  return serverPages
    .flatMap(({ servers }) => servers ?? [])
    .map((server) => cloudLabels(server, networkNames, port));
}

async function allPages(
  endpoint: Endpoint,
  path: string,
  parameters: readonly [string, string][],
  signal: AbortSignal,
): Promise<Page[]> {
  const pages: Page[] = [];
  for (let number: number | null = 1; number !== null;) {
    const query = queryString([["page", String(number)], ["per_page", PAGE_SIZE], ...parameters]);
    const page: Page = await fetchJson<Page>(endpoint, path + query, signal);
    pages.push(page);
    number = page.meta?.pagination?.next_page ?? null;
  }
  return pages;
}

function cloudLabels(
  server: CloudServer,
  networkNames: ReadonlyMap<number, string>,
  port: number,
): LabelRecord {
  const {
    datacenter,
    image,
    labels,
    private_net: privateNet = [],
    public_net: publicNet,
    server_type: type,
  } = server;
  const C = "__meta_hetzner_hcloud_";
  const address = publicNet?.ipv4?.ip ?? "";
  const result: Record<string, string> = {
    __address__: joinHostPort(address, port),
    __meta_hetzner_role: "hcloud",
    __meta_hetzner_server_id: String(server.id),
    __meta_hetzner_server_name: server.name,
    __meta_hetzner_server_status: server.status,
    __meta_hetzner_public_ipv4: address,
    __meta_hetzner_public_ipv6_network: publicNet?.ipv6?.ip ?? "",
    __meta_hetzner_datacenter: datacenter?.name ?? "",
    [`${C}datacenter_location`]: datacenter?.location.name ?? "",
    [`${C}datacenter_location_network_zone`]: datacenter?.location.network_zone ?? "",
    [`${C}location`]: datacenter?.location.name ?? "",
    [`${C}location_network_zone`]: datacenter?.location.network_zone ?? "",
    [`${C}server_type`]: type?.name ?? "",
    [`${C}cpu_cores`]: String(type?.cores ?? 0),
    [`${C}cpu_type`]: type?.cpu_type ?? "",
    [`${C}memory_size_gb`]: String(Math.trunc(type?.memory ?? 0)),
    [`${C}disk_size_gb`]: String(type?.disk ?? 0),
    ...prefixedLabels(`${C}label_`, labels),
  };
  for (const name of Object.keys(labels ?? {}))
    result[`${C}labelpresent_${sanitizeLabelName(name)}`] = "true";
  if (image) {
    result[`${C}image_name`] = image.name ?? "";
    result[`${C}image_description`] = image.description ?? "";
    result[`${C}image_os_version`] = image.os_version ?? "";
    result[`${C}image_os_flavor`] = image.os_flavor ?? "";
  }
  for (const { ip, network } of privateNet) {
    const name = networkNames.get(network);
    if (name !== undefined) result[`${C}private_ipv4_${sanitizeLabelName(name)}`] = ip;
  }
  return result;
}

async function robotTargets(endpoint: Endpoint, port: number, signal: AbortSignal): Promise<LabelRecord[]> {
  const servers = await fetchJson<readonly { readonly server: RobotServer }[]>(endpoint, "/server", signal);
  return servers.map(({ server }) => {
    const address = server.server_ip ?? "";
    const network = server.subnet?.find(({ ip }) => ip.includes(":"));
    return {
      __address__: joinHostPort(address, port),
      __meta_hetzner_role: "robot",
      __meta_hetzner_server_id: String(server.server_number),
      __meta_hetzner_server_name: server.server_name,
      __meta_hetzner_server_status: server.status,
      __meta_hetzner_public_ipv4: address,
      __meta_hetzner_datacenter: server.dc.toLowerCase(),
      __meta_hetzner_robot_datacenter: server.dc.toLowerCase(),
      __meta_hetzner_robot_product: server.product,
      __meta_hetzner_robot_cancelled: String(server.cancelled),
      ...(network ? { __meta_hetzner_public_ipv6_network: `${network.ip}/${network.mask}` } : {}),
    };
  });
}
