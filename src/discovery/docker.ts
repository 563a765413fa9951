import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { compareUtf8 } from "../model/labels.ts";
import { dockerEndpoint, filterQuery, networkLabels } from "./docker-endpoint.ts";
import { fetchJson } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, prefixedLabels, type LabelRecord } from "./target-group.ts";

interface Attachment {
  readonly NetworkID: string;
  readonly IPAddress: string;
}

interface Container {
  readonly Id: string;
  readonly Names?: readonly string[] | null;
  readonly Image?: string;
  readonly ImageID?: string;
  readonly Labels?: Record<string, string> | null;
  readonly HostConfig: { readonly NetworkMode: string };
  readonly Ports?:
    | readonly {
        readonly PrivatePort: number;
        readonly PublicPort?: number;
        readonly IP?: string;
        readonly Type: string;
      }[]
    | null;
  readonly NetworkSettings?: { readonly Networks?: Record<string, Attachment | null> | null } | null;
}

/** Targets as the containers of one Docker engine: one for each network and TCP port of each. */
export function dockerDiscovery(
  config: DiscoveryConfigOf<"docker">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const endpoint = dockerEndpoint(config, surroundings);
  return pollingMechanism(
    {
      mechanism: "docker",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        const path = `/containers/json${filterQuery(config.filters)}`;
        const containers = await fetchJson<readonly Container[]>(endpoint, path, signal);
        const networks = await networkLabels(endpoint, "__meta_docker_", signal);
        const byId = new Map(containers.map((container) => [container.Id, container]));
        const targets = containers
          .filter(({ Names }) => (Names ?? []).length > 0)
          .flatMap((container) => targetsOf(container, byId, networks, config));
        return [{ source: "Docker", targets, labels: {} }];
      },
      close: () => endpoint.client.close(),
    },
    surroundings,
  );
}

function targetsOf(
  container: Container,
  byId: ReadonlyMap<string, Container>,
  networks: ReadonlyMap<string, LabelRecord>,
  { hostNetworkingHost, matchFirstNetwork, port: fallbackPort }: DiscoveryConfigOf<"docker">,
): LabelRecord[] {
  const mode = container.HostConfig.NetworkMode;
  const common: LabelRecord = {
    __meta_docker_container_id: container.Id,
    __meta_docker_container_name: container.Names![0]!,
    __meta_docker_container_network_mode: mode,
    __meta_docker_container_image: container.Image ?? "",
    __meta_docker_container_image_id: container.ImageID ?? "",
    ...prefixedLabels("__meta_docker_container_label_", container.Labels),
  };
  const attachments = attachmentsOf(container, byId);
  const tcpPorts = (container.Ports ?? []).filter(({ Type }) => Type === "tcp");
  return (matchFirstNetwork ? attachments.slice(0, 1) : attachments).flatMap(({ IPAddress, NetworkID }) => {
    const shared = { __meta_docker_network_ip: IPAddress, ...common, ...networks.get(NetworkID) };
    if (tcpPorts.length === 0) {
      const address = mode === "host" ? hostNetworkingHost : joinHostPort(IPAddress, fallbackPort);
      return [{ __address__: address, ...shared }];
    }
    return tcpPorts.map(({ IP, PrivatePort, PublicPort }) => ({
      __address__: joinHostPort(IPAddress, PrivatePort),
      __meta_docker_port_private: String(PrivatePort),
      ...(PublicPort
        ? { __meta_docker_port_public: String(PublicPort), __meta_docker_port_public_ip: IP ?? "" }
        : {}),
      ...shared,
    }));
  });
}

/** The networks a container is on, by name; one that shares another's network is on that one's. */
function attachmentsOf(container: Container, byId: ReadonlyMap<string, Container>): Attachment[] {
  const seen = new Set<string>();
  let current: Container | undefined = container;
  while (current !== undefined && !seen.has(current.Id)) {
    seen.add(current.Id);
    const networks: Record<string, Attachment | null> = current.NetworkSettings?.Networks ?? {};
    const names = Object.keys(networks).sort(compareUtf8);
    if (names.length > 0) return names.map((name) => networks[name]!).filter((network) => network !== null);
    const shared: string | undefined = /^container:(.+)$/.exec(current.HostConfig.NetworkMode)?.[1];
    current = shared === undefined ? undefined : byId.get(shared);
  }
  return [];
}
