import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { fetchJson, queryString } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, type LabelRecord } from "./target-group.ts";

const API = "https://api.vultr.com";
const PAGE_SIZE = "100";

interface Instance {
  readonly id: string;
  readonly label?: string;
  readonly os?: string;
  readonly os_id?: number;
  readonly region?: string;
  readonly plan?: string;
  readonly main_ip?: string;
  readonly internal_ip?: string;
  readonly v6_main_ip?: string;
  readonly hostname?: string;
  readonly server_status?: string;
  readonly vcpu_count?: number;
  readonly ram?: number;
  readonly allowed_bandwidth?: number;
  readonly disk?: number;
  readonly features?: readonly string[];
  readonly tags?: readonly string[];
}

interface Page {
  readonly instances?: readonly Instance[];
  readonly meta?: { readonly links?: { readonly next?: string } };
}

/** Targets as Vultr's instances. */
export function vultrDiscovery(
  config: DiscoveryConfigOf<"vultr">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
  const endpoint = { client, baseUrl: API, request: { timeoutMs: config.refreshInterval } };
  return pollingMechanism(
    {
      mechanism: "vultr",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        const targets: LabelRecord[] = [];
        let cursor = "";
        do {
          const query = queryString([
            ["per_page", PAGE_SIZE],
            ...(cursor === "" ? [] : [["cursor", cursor] as const]),
          ]);
          const page: Page = await fetchJson<Page>(endpoint, `/v2/instances${query}`, signal);
          targets.push(...(page.instances ?? []).map((instance) => labelsOf(instance, config.port)));
          cursor = page.meta?.links?.next ?? "";
        } while (cursor !== "");
        return [{ source: "Vultr", targets, labels: {} }];
      },
      close: () => client.close(),
    },
    surroundings,
  );
}

function labelsOf(instance: Instance, port: number): LabelRecord {
  const { features = [], tags = [] } = instance;
  const V = "__meta_vultr_instance_";
  return {
    __address__: joinHostPort(instance.main_ip ?? "", port),
    [`${V}id`]: instance.id,
    [`${V}label`]: instance.label ?? "",
    [`${V}os`]: instance.os ?? "",
    [`${V}os_id`]: String(instance.os_id ?? 0),
    [`${V}region`]: instance.region ?? "",
    [`${V}plan`]: instance.plan ?? "",
    [`${V}main_ip`]: instance.main_ip ?? "",
    [`${V}internal_ip`]: instance.internal_ip ?? "",
    [`${V}main_ipv6`]: instance.v6_main_ip ?? "",
    [`${V}hostname`]: instance.hostname ?? "",
    [`${V}server_status`]: instance.server_status ?? "",
    [`${V}vcpu_count`]: String(instance.vcpu_count ?? 0),
    [`${V}ram_mb`]: String(instance.ram ?? 0),
    [`${V}allowed_bandwidth_gb`]: String(instance.allowed_bandwidth ?? 0),
    [`${V}disk_gb`]: String(instance.disk ?? 0),
    ...(features.length > 0 ? { [`${V}features`]: `,${features.join(",")},` } : {}),
    ...(tags.length > 0 ? { [`${V}tags`]: `,${tags.join(",")},` } : {}),
  };
}
