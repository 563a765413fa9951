import { readFile } from "node:fs/promises";
import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { fetchJson, queryString, type Endpoint } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, type LabelRecord } from "./target-group.ts";

type Config = DiscoveryConfigOf<"scaleway">;

const PAGE_SIZE = 100;

/** Targets as Scaleway's instances or its bare metal servers. */
export function scalewayDiscovery(
  config: Config,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
  return pollingMechanism(
    {
      mechanism: "scaleway",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        const file = config.secretKeyFile;
        const key = file === "" ? config.secretKey.reveal() : (await readFile(file, "utf8")).trim();
        const endpoint: Endpoint = {
          client,
          baseUrl: config.apiUrl.replace(/\/$/, ""),
          request: { timeoutMs: config.refreshInterval, headers: { "x-auth-token": key } },
        };
        const targets =
          config.role === "instance"
            ? await instanceTargets(endpoint, config, signal)
            : await baremetalTargets(endpoint, config, signal);
        return [{ source: "scaleway", targets, labels: {} }];
      },
      close: () => client.close(),
    },
    surroundings,
  );
}

interface Instance {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly hostname: string;
  readonly boot_type: string;
  readonly organization: string;
  readonly project: string;
  readonly commercial_type: string;
  readonly zone: string;
  readonly tags?: readonly string[];
  readonly image?: { readonly id: string; readonly name: string; readonly arch: string } | null;
  readonly location?: {
    readonly cluster_id: string;
    readonly hypervisor_id: string;
    readonly node_id: string;
  } | null;
  readonly security_group?: { readonly id: string; readonly name: string } | null;
  readonly private_ip?: string | null;
  readonly public_ip?: { readonly address: string; readonly family?: string } | null;
  readonly public_ips?: readonly { readonly address: string; readonly family?: string }[] | null;
  readonly ipv6?: { readonly address: string } | null;
}

async function instanceTargets(
  endpoint: Endpoint,
  config: Config,
  signal: AbortSignal,
): Promise<LabelRecord[]> {
  const filters: [string, string][] = [["project", config.projectId]];
  if (config.nameFilter !== "") filters.push(["name", config.nameFilter]);
  if (config.tagsFilter.length > 0) filters.push(["tags", config.tagsFilter.join(",")]);
  const servers = await allPages<Instance>(
    endpoint,
    `/instance/v1/zones/${config.zone}/servers`,
    "per_page",
    filters,
    signal,
  );
  return servers.flatMap((server) => instanceLabels(server, config.port));
}

function instanceLabels(server: Instance, port: number): LabelRecord[] {
  const {
    image,
    location,
    public_ip: publicIp,
    public_ips: publicIps,
    security_group: group,
    tags = [],
  } = server;
  const I = "__meta_scaleway_instance_";
  const all = publicIps ?? (publicIp ? [publicIp] : []);
  const of = (isV6: boolean) =>
    all.map(({ address }) => address).filter((address) => address.includes(":") === isV6);
  const [v4, v6] = [of(false), of(true)];
  const privateIp = server.private_ip ?? "";
  const publicV6 = server.ipv6?.address ?? v6[0] ?? "";
  const address = privateIp || v4[0] || publicV6;
  // What has no address can't be asked.
  if (address === "") return [];
  const given = {
    [`${I}private_ipv4`]: privateIp,
    [`${I}public_ipv4`]: v4[0] ?? "",
    [`${I}public_ipv6`]: publicV6,
    [`${I}public_ipv4_addresses`]: v4.length > 0 ? `,${v4.join(",")},` : "",
    [`${I}public_ipv6_addresses`]: v6.length > 0 ? `,${v6.join(",")},` : "",
    [`${I}tags`]: tags.length > 0 ? `,${tags.join(",")},` : "",
  };
  return [
    {
      __address__: joinHostPort(address, port),
      [`${I}boot_type`]: server.boot_type,
      [`${I}hostname`]: server.hostname,
      [`${I}id`]: server.id,
      [`${I}name`]: server.name,
      [`${I}organization_id`]: server.organization,
      [`${I}project_id`]: server.project,
      [`${I}status`]: server.state,
      [`${I}type`]: server.commercial_type,
      [`${I}zone`]: server.zone,
      // A zone is its region with a number behind it.
      [`${I}region`]: server.zone.replace(/-[0-9]+$/, ""),
      ...(image
        ? { [`${I}image_arch`]: image.arch, [`${I}image_id`]: image.id, [`${I}image_name`]: image.name }
        : {}),
      ...(location
        ? {
            [`${I}location_cluster_id`]: location.cluster_id,
            [`${I}location_hypervisor_id`]: location.hypervisor_id,
            [`${I}location_node_id`]: location.node_id,
          }
        : {}),
      ...(group ? { [`${I}security_group_id`]: group.id, [`${I}security_group_name`]: group.name } : {}),
      ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== "")),
    },
  ];
}

interface BaremetalServer {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly project_id: string;
  readonly offer_name?: string;
  readonly zone: string;
  readonly tags?: readonly string[];
  readonly ips?: readonly { readonly address: string; readonly version: string }[];
  readonly install?: { readonly os_id: string } | null;
}

interface OperatingSystem {
  readonly id: string;
  readonly name: string;
  readonly version: string;
}

async function baremetalTargets(
  endpoint: Endpoint,
  config: Config,
  signal: AbortSignal,
): Promise<LabelRecord[]> {
  const filters: [string, string][] = [["project_id", config.projectId]];
  if (config.nameFilter !== "") filters.push(["name", config.nameFilter]);
  for (const tag of config.tagsFilter) filters.push(["tags", tag]);
  const root = `/baremetal/v1/zones/${config.zone}`;
  const servers = await allPages<BaremetalServer>(endpoint, `${root}/servers`, "page_size", filters, signal);
  const { os = [] } = await fetchJson<{ readonly os?: readonly OperatingSystem[] }>(
    endpoint,
    `${root}/os`,
    signal,
  );
  const systems = new Map(os.map((system) => [system.id, system]));
  return servers.flatMap((server) => baremetalLabels(server, systems, config.port));
}

function baremetalLabels(
  server: BaremetalServer,
  systems: ReadonlyMap<string, OperatingSystem>,
  port: number,
): LabelRecord[] {
  const { ips = [], tags = [] } = server;
  const B = "__meta_scaleway_baremetal_";
  const find = (version: string) => ips.find((ip) => ip.version.toLowerCase() === version)?.address ?? "";
  const [v4, v6] = [find("ipv4"), find("ipv6")];
  const address = v4 || v6;
  if (address === "") return [];
  const system = systems.get(server.install?.os_id ?? "");
  return [
    {
      __address__: joinHostPort(address, port),
      [`${B}id`]: server.id,
      [`${B}name`]: server.name,
      [`${B}project_id`]: server.project_id,
      [`${B}status`]: server.status,
      [`${B}type`]: server.offer_name ?? "",
      [`${B}zone`]: server.zone,
      ...(v4 === "" ? {} : { [`${B}public_ipv4`]: v4 }),
      ...(v6 === "" ? {} : { [`${B}public_ipv6`]: v6 }),
      ...(system ? { [`${B}os_name`]: system.name, [`${B}os_version`]: system.version } : {}),
      ...(tags.length > 0 ? { [`${B}tags`]: `,${tags.join(",")},` } : {}),
    },
  ];
}

/** A page that isn't full is the last. */
async function allPages<T>(
  endpoint: Endpoint,
  path: string,
  sizeName: string,
  filters: readonly [string, string][],
  signal: AbortSignal,
): Promise<T[]> {
  const found: T[] = [];
  for (let page = 1; ; page++) {
    const query = queryString([["page", String(page)], [sizeName, String(PAGE_SIZE)], ...filters]);
    const { servers = [] } = await fetchJson<{ readonly servers?: readonly T[] }>(
      endpoint,
      path + query,
      signal,
    );
    found.push(...servers);
    if (servers.length < PAGE_SIZE) return found;
  }
}
