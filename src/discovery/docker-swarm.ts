import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { dockerEndpoint, filterQuery, networkLabels } from "./docker-endpoint.ts";
import { fetchJson, type Endpoint } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, prefixedLabels, type LabelRecord } from "./target-group.ts";

type Config = DiscoveryConfigOf<"dockerswarm">;

/** Targets as a Docker swarm's services, tasks or nodes. */
export function dockerSwarmDiscovery(
  config: Config,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const endpoint = dockerEndpoint(config, surroundings);
  return pollingMechanism(
    {
      mechanism: "dockerswarm",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => [
        { source: "DockerSwarm", targets: await findTargets(endpoint, config, signal), labels: {} },
      ],
      close: () => endpoint.client.close(),
    },
    surroundings,
  );
}

function findTargets(endpoint: Endpoint, config: Config, signal: AbortSignal): Promise<LabelRecord[]> {
  if (config.role === "services") return serviceTargets(endpoint, config, signal);
  return config.role === "nodes"
    ? nodeTargets(endpoint, config, signal)
    : taskTargets(endpoint, config, signal);
}

interface Port {
  readonly Name?: string;
  readonly Protocol: string;
  readonly TargetPort: number;
  readonly PublishedPort: number;
  readonly PublishMode: string;
}

interface Service {
  readonly ID: string;
  readonly Spec: {
    readonly Name: string;
    readonly Labels?: Record<string, string> | null;
    readonly Mode: { readonly Replicated?: unknown; readonly Global?: unknown };
    readonly TaskTemplate?: {
      readonly ContainerSpec?: { readonly Image?: string; readonly Hostname?: string } | null;
    };
  };
  readonly Endpoint?: {
    readonly Ports?: readonly Port[] | null;
    readonly VirtualIPs?: readonly { readonly NetworkID: string; readonly Addr: string }[] | null;
  };
  readonly UpdateStatus?: { readonly State?: string } | null;
}

async function serviceTargets(
  endpoint: Endpoint,
  config: Config,
  signal: AbortSignal,
): Promise<LabelRecord[]> {
  const services = await fetchJson<readonly Service[]>(
    endpoint,
    `/services${filterQuery(config.filters)}`,
    signal,
  );
  const networks = await networkLabels(endpoint, "__meta_dockerswarm_", signal);
  return services.flatMap((service) => {
    const container = service.Spec.TaskTemplate?.ContainerSpec;
    const common: LabelRecord = {
      ...serviceLabels(service),
      __meta_dockerswarm_service_task_container_hostname: container?.Hostname ?? "",
      __meta_dockerswarm_service_task_container_image: container?.Image ?? "",
      ...(service.UpdateStatus
        ? { __meta_dockerswarm_service_updating_status: service.UpdateStatus.State ?? "" }
        : {}),
    };
    const ports = tcpPorts(service.Endpoint?.Ports);
    return (service.Endpoint?.VirtualIPs ?? []).flatMap(({ Addr, NetworkID }) => {
      const host = withoutPrefixLength(Addr);
      const shared = { ...common, ...networks.get(NetworkID) };
      if (ports.length === 0) return [{ __address__: joinHostPort(host, config.port), ...shared }];
      return ports.map((port) => ({
        __address__: joinHostPort(host, port.PublishedPort),
        __meta_dockerswarm_service_endpoint_port_name: port.Name ?? "",
        __meta_dockerswarm_service_endpoint_port_publish_mode: port.PublishMode,
        ...shared,
      }));
    });
  });
}

function serviceLabels({ ID, Spec }: Service): LabelRecord {
  const isGlobal = Spec.Mode.Global !== undefined && Spec.Mode.Global !== null;
  const isReplicated = Spec.Mode.Replicated !== undefined && Spec.Mode.Replicated !== null;
  return {
    __meta_dockerswarm_service_id: ID,
    __meta_dockerswarm_service_name: Spec.Name,
    __meta_dockerswarm_service_mode: isGlobal ? "global" : isReplicated ? "replicated" : "",
    ...prefixedLabels("__meta_dockerswarm_service_label_", Spec.Labels),
  };
}

interface Node {
  readonly ID: string;
  readonly Spec: {
    readonly Labels?: Record<string, string> | null;
    readonly Role: string;
    readonly Availability: string;
  };
  readonly Description: {
    readonly Hostname: string;
    readonly Platform?: { readonly Architecture?: string; readonly OS?: string };
    readonly Engine?: { readonly EngineVersion?: string };
  };
  readonly Status: { readonly State: string; readonly Addr: string };
  readonly ManagerStatus?: {
    readonly Leader?: boolean;
    readonly Reachability: string;
    readonly Addr: string;
  } | null;
}

async function nodeTargets(endpoint: Endpoint, config: Config, signal: AbortSignal): Promise<LabelRecord[]> {
  const nodes = await fetchJson<readonly Node[]>(endpoint, `/nodes${filterQuery(config.filters)}`, signal);
  return nodes.map((node) => ({
    __address__: joinHostPort(node.Status.Addr, config.port),
    ...nodeLabels(node),
  }));
}

function nodeLabels({ Description, ID, ManagerStatus, Spec, Status }: Node): LabelRecord {
  return {
    __meta_dockerswarm_node_id: ID,
    __meta_dockerswarm_node_address: Status.Addr,
    __meta_dockerswarm_node_availability: Spec.Availability,
    __meta_dockerswarm_node_engine_version: Description.Engine?.EngineVersion ?? "",
    __meta_dockerswarm_node_hostname: Description.Hostname,
    __meta_dockerswarm_node_platform_architecture: Description.Platform?.Architecture ?? "",
    __meta_dockerswarm_node_platform_os: Description.Platform?.OS ?? "",
    __meta_dockerswarm_node_role: Spec.Role,
    __meta_dockerswarm_node_status: Status.State,
    ...(ManagerStatus
      ? {
          __meta_dockerswarm_node_manager_address: ManagerStatus.Addr,
          __meta_dockerswarm_node_manager_leader: String(ManagerStatus.Leader ?? false),
          __meta_dockerswarm_node_manager_reachability: ManagerStatus.Reachability,
        }
      : {}),
    ...prefixedLabels("__meta_dockerswarm_node_label_", Spec.Labels),
  };
}

interface Task {
  readonly ID: string;
  readonly ServiceID: string;
  readonly NodeID: string;
  readonly Slot?: number;
  readonly DesiredState: string;
  readonly Spec?: { readonly ContainerSpec?: { readonly Labels?: Record<string, string> | null } | null };
  readonly Status: {
    readonly State: string;
    readonly ContainerStatus?: { readonly ContainerID?: string } | null;
    readonly PortStatus?: { readonly Ports?: readonly Port[] | null } | null;
  };
  readonly NetworksAttachments?:
    | readonly { readonly Network: { readonly ID: string }; readonly Addresses?: readonly string[] | null }[]
    | null;
}

async function taskTargets(endpoint: Endpoint, config: Config, signal: AbortSignal): Promise<LabelRecord[]> {
  const tasks = await fetchJson<readonly Task[]>(endpoint, `/tasks${filterQuery(config.filters)}`, signal);
  const services = await fetchJson<readonly Service[]>(endpoint, "/services", signal);
  const nodes = await fetchJson<readonly Node[]>(endpoint, "/nodes", signal);
  const networks = await networkLabels(endpoint, "__meta_dockerswarm_", signal);
  const serviceById = new Map(services.map((service) => [service.ID, service]));
  const nodeById = new Map(nodes.map((node) => [node.ID, node]));

  return tasks.flatMap((task) => {
    const service = serviceById.get(task.ServiceID);
    const node = nodeById.get(task.NodeID);
    const containerStatus = task.Status.ContainerStatus;
    const common: LabelRecord = {
      __meta_dockerswarm_task_id: task.ID,
      __meta_dockerswarm_task_desired_state: task.DesiredState,
      __meta_dockerswarm_task_state: task.Status.State,
      __meta_dockerswarm_task_slot: String(task.Slot ?? 0),
      ...(containerStatus ? { __meta_dockerswarm_task_container_id: containerStatus.ContainerID ?? "" } : {}),
      ...prefixedLabels("__meta_dockerswarm_container_label_", task.Spec?.ContainerSpec?.Labels),
      ...(service ? serviceLabels(service) : {}),
      ...(node ? nodeLabels(node) : {}),
    };
    const onHost = tcpPorts(task.Status.PortStatus?.Ports).map((port) => ({
      __address__: joinHostPort(node?.Status.Addr ?? "", port.PublishedPort),
      __meta_dockerswarm_task_port_publish_mode: port.PublishMode,
      ...common,
    }));
    const servicePorts = tcpPorts(service?.Endpoint?.Ports);
    const onNetworks = (task.NetworksAttachments ?? []).flatMap(({ Addresses, Network }) =>
      (Addresses ?? []).flatMap((address) => {
        const host = withoutPrefixLength(address);
        const shared = { ...common, ...networks.get(Network.ID) };
        if (servicePorts.length === 0) return [{ __address__: joinHostPort(host, config.port), ...shared }];
        return servicePorts.map((port) => ({
          __address__: joinHostPort(host, port.TargetPort),
          __meta_dockerswarm_task_port_publish_mode: port.PublishMode,
          ...shared,
        }));
      }),
    );
    return [...onHost, ...onNetworks];
  });
}

function tcpPorts(ports: readonly Port[] | null | undefined): readonly Port[] {
  return (ports ?? []).filter(({ Protocol }) => Protocol === "tcp");
}

/** `10.0.0.2/24` is the host 10.0.0.2. */
function withoutPrefixLength(address: string): string {
  return address.replace(/\/[0-9]+$/, "");
}
