import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { fetchJson, type Endpoint } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, sanitizeLabelName, type LabelRecord } from "./target-group.ts";

const API = "https://api.digitalocean.com";
const PAGE_SIZE = 200;

interface Droplet {
  readonly id: number;
  readonly name: string;
  readonly size_slug?: string;
  readonly status?: string;
  readonly vpc_uuid?: string;
  readonly features?: readonly string[];
  readonly tags?: readonly string[];
  readonly image?: { readonly slug?: string; readonly name?: string };
  readonly region?: { readonly slug?: string };
  readonly networks?: { readonly v4?: readonly Address[]; readonly v6?: readonly Address[] };
}

interface Address {
  readonly ip_address: string;
  readonly type: string;
}

interface Database {
  readonly id: string;
  readonly name: string;
  readonly engine?: string;
  readonly version?: string;
  readonly status?: string;
  readonly region?: string;
  readonly size?: string;
  readonly num_nodes?: number;
  readonly tags?: readonly string[] | null;
  readonly connection?: { readonly host?: string };
  readonly private_connection?: { readonly host?: string };
}

interface Page {
  readonly droplets?: readonly Droplet[];
  readonly databases?: readonly Database[];
  readonly links?: { readonly pages?: { readonly next?: string } };
}

/** Targets as DigitalOcean's droplets or managed databases. */
export function digitalOceanDiscovery(
  config: DiscoveryConfigOf<"digitalocean">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
  const endpoint = { client, baseUrl: API, request: { timeoutMs: config.refreshInterval } };
  return pollingMechanism(
    {
      mechanism: "digitalocean",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        const pages = await allPages(
          endpoint,
          config.role === "databases" ? "databases" : "droplets",
          signal,
        );
        const targets = pages.flatMap(({ databases, droplets }) => [
          ...(droplets ?? []).flatMap((droplet) => dropletTargets(droplet, config.port)),
          ...(databases ?? []).flatMap((database) => databaseTargets(database, config.port)),
        ]);
        return [{ source: "DigitalOcean", targets, labels: {} }];
      },
      close: () => client.close(),
    },
    surroundings,
  );
}

async function allPages(endpoint: Endpoint, list: string, signal: AbortSignal): Promise<Page[]> {
  const pages: Page[] = [];
  for (let number = 1; ; number++) {
    const page = await fetchJson<Page>(endpoint, `/v2/${list}?page=${number}&per_page=${PAGE_SIZE}`, signal);
    pages.push(page);
    if (!page.links?.pages?.next) return pages;
  }
}

/** A droplet without an address of version 4 isn't ready. */
function dropletTargets(droplet: Droplet, port: number): LabelRecord[] {
  const { features = [], networks, tags = [] } = droplet;
  if ((networks?.v4 ?? []).length === 0) return [];
  const find = (list: readonly Address[] | undefined, type: string) =>
    list?.find((address) => address.type === type)?.ip_address ?? "";
  const publicIp = find(networks?.v4, "public");
  return [
    {
      __address__: joinHostPort(publicIp, port),
      __meta_digitalocean_droplet_id: String(droplet.id),
      __meta_digitalocean_droplet_name: droplet.name,
      __meta_digitalocean_image: droplet.image?.slug ?? "",
      __meta_digitalocean_image_name: droplet.image?.name ?? "",
      __meta_digitalocean_private_ipv4: find(networks?.v4, "private"),
      __meta_digitalocean_public_ipv4: publicIp,
      __meta_digitalocean_public_ipv6: find(networks?.v6, "public"),
      __meta_digitalocean_region: droplet.region?.slug ?? "",
      __meta_digitalocean_size: droplet.size_slug ?? "",
      __meta_digitalocean_status: droplet.status ?? "",
      __meta_digitalocean_vpc: droplet.vpc_uuid ?? "",
      ...(features.length > 0 ? { __meta_digitalocean_features: `,${features.join(",")},` } : {}),
      ...(tags.length > 0 ? { __meta_digitalocean_tags: `,${tags.join(",")},` } : {}),
    },
  ];
}

function databaseTargets(database: Database, port: number): LabelRecord[] {
  const host = database.connection?.host ?? "";
  const privateHost = database.private_connection?.host ?? "";
  const address = privateHost || host;
  if (address === "") return [];
  const labels: Record<string, string> = {
    __address__: joinHostPort(address, port),
    __meta_digitalocean_db_id: database.id,
    __meta_digitalocean_db_name: database.name,
    __meta_digitalocean_db_engine: database.engine ?? "",
    __meta_digitalocean_db_version: database.version ?? "",
    __meta_digitalocean_db_status: database.status ?? "",
    __meta_digitalocean_db_region: database.region ?? "",
    __meta_digitalocean_db_size: database.size ?? "",
    __meta_digitalocean_db_num_nodes: String(database.num_nodes ?? 0),
    __meta_digitalocean_db_host: host,
    __meta_digitalocean_db_private_host: privateHost,
  };
  for (const tag of database.tags ?? [])
    labels[`__meta_digitalocean_db_tag_${sanitizeLabelName(tag)}`] = "true";
  return [labels];
}
