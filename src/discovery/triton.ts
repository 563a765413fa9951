import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { tlsOptions } from "../config/http-client-options.ts";
import { fetchJson, queryString } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, type LabelRecord } from "./target-group.ts";

interface Containers {
  readonly containers?: readonly {
    readonly groups?: readonly string[] | null;
    readonly server_uuid: string;
    readonly vm_alias?: string;
    readonly vm_brand?: string;
    readonly vm_image_uuid?: string;
    readonly vm_uuid: string;
  }[];
}

interface ComputeNodes {
  readonly cns?: readonly { readonly server_hostname?: string; readonly server_uuid: string }[];
}

/** Targets as the containers or the compute nodes that Triton's container monitor knows. */
export function tritonDiscovery(
  config: DiscoveryConfigOf<"triton">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient({
    tls: tlsOptions(config.tlsConfig),
    userAgent: surroundings.userAgent,
  });
  const endpoint = {
    client,
    baseUrl: `https://${config.endpoint}:${config.port}`,
    request: { timeoutMs: config.refreshInterval },
  };
  const addressOf = (uuid: string) => joinHostPort(`${uuid}.${config.dnsSuffix}`, config.port);
  const query = config.groups.length === 0 ? "" : queryString([["groups", config.groups.join(",")]]);

  async function findContainers(signal: AbortSignal): Promise<LabelRecord[]> {
    const path = `/v${config.version}/discover${query}`;
    const { containers = [] } = await fetchJson<Containers>(endpoint, path, signal);
    return containers.map((container) => ({
      __address__: addressOf(container.vm_uuid),
      __meta_triton_machine_id: container.vm_uuid,
      __meta_triton_machine_alias: container.vm_alias ?? "",
      __meta_triton_machine_brand: container.vm_brand ?? "",
      __meta_triton_machine_image: container.vm_image_uuid ?? "",
      __meta_triton_server_id: container.server_uuid,
      ...((container.groups ?? []).length > 0
        ? { __meta_triton_groups: `,${container.groups!.join(",")},` }
        : {}),
    }));
  }

  async function findNodes(signal: AbortSignal): Promise<LabelRecord[]> {
    const path = `/v${config.version}/gz/discover${query}`;
    const { cns = [] } = await fetchJson<ComputeNodes>(endpoint, path, signal);
    return cns.map((node) => ({
      __address__: addressOf(node.server_uuid),
      __meta_triton_machine_id: node.server_uuid,
      __meta_triton_machine_alias: node.server_hostname ?? "",
    }));
  }

  return pollingMechanism(
    {
      mechanism: "triton",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        const targets = config.role === "cn" ? await findNodes(signal) : await findContainers(signal);
        return [{ source: endpoint.baseUrl, targets, labels: {} }];
      },
      close: () => client.close(),
    },
    surroundings,
  );
}
