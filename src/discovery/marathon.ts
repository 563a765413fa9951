import { readFile } from "node:fs/promises";
import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { fetchJson } from "./fetch-json.ts";
import { pollingMechanism, type DiscoverySurroundings, type Mechanism } from "./mechanism.ts";
import { joinHostPort, prefixedLabels, type LabelRecord, type TargetGroup } from "./target-group.ts";

interface Task {
  readonly id: string;
  readonly host: string;
  readonly ports?: readonly number[] | null;
  readonly ipAddresses?: readonly { readonly ipAddress: string }[] | null;
}

interface PortMapping {
  readonly labels?: Record<string, string> | null;
  readonly containerPort?: number;
  readonly hostPort?: number;
  readonly servicePort?: number;
}

interface App {
  readonly id: string;
  readonly tasks?: readonly Task[] | null;
  readonly labels?: Record<string, string> | null;
  readonly container?: {
    readonly docker?: {
      readonly image?: string;
      readonly portMappings?: readonly PortMapping[] | null;
    } | null;
    readonly portMappings?: readonly PortMapping[] | null;
  } | null;
  readonly portDefinitions?:
    readonly { readonly labels?: Record<string, string> | null; readonly port?: number }[] | null;
  readonly networks?: readonly { readonly mode: string }[] | null;
  readonly requirePorts?: boolean;
}

/** Targets as the tasks of Marathon's apps, one for each of their ports. */
export function marathonDiscovery(
  config: DiscoveryConfigOf<"marathon">,
  configName: string,
  surroundings: DiscoverySurroundings,
): Mechanism {
  const client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
  return pollingMechanism(
    {
      mechanism: "marathon",
      configName,
      intervalMs: config.refreshInterval,
      refresh: async (signal) => {
        const server = config.servers[Math.floor(surroundings.random() * config.servers.length)]!;
        const token =
          config.authTokenFile === "" ? config.authToken.reveal() : await readToken(config.authTokenFile);
        const endpoint = {
          client,
          baseUrl: server.replace(/\/$/, ""),
          request: {
            timeoutMs: config.refreshInterval,
            headers: token === "" ? {} : { authorization: `token=${token}` },
          },
        };
        const { apps } = await fetchJson<{ readonly apps: readonly App[] }>(
          endpoint,
          "/v2/apps/?embed=apps.tasks",
          signal,
        );
        return apps.map(groupOf);
      },
      close: () => client.close(),
    },
    surroundings,
  );
}

async function readToken(path: string): Promise<string> {
  return (await readFile(path, "utf8")).trim();
}

function groupOf(app: App): TargetGroup {
  return {
    source: app.id,
    targets: targetsOf(app),
    labels: {
      __meta_marathon_app: app.id,
      __meta_marathon_image: app.container?.docker?.image ?? "",
      ...prefixedLabels("__meta_marathon_app_label_", app.labels),
    },
  };
}

/** A port of an app; 0 stands for the one that each task was given in its place. */
interface AppPort {
  readonly port: number;
  readonly labels: LabelRecord;
}

function targetsOf(app: App): LabelRecord[] {
  const onContainerNetwork = app.networks?.[0]?.mode === "container";
  const appPorts = portsOf(app, onContainerNetwork);
  return (app.tasks ?? []).flatMap((task) => {
    const taskPorts = task.ports ?? [];
    const ports = appPorts.length > 0 ? appPorts : taskPorts.map((port): AppPort => ({ port, labels: {} }));
    const address = onContainerNetwork ? task.ipAddresses?.[0]?.ipAddress : undefined;
    return ports.map(({ labels, port }, i) => ({
      __address__: joinHostPort(
        address ?? task.host,
        port === 0 && taskPorts.length === ports.length ? taskPorts[i]! : port,
      ),
      __meta_marathon_task: task.id,
      __meta_marathon_port_index: String(i),
      ...labels,
    }));
  });
}

function portsOf(app: App, onContainerNetwork: boolean): readonly AppPort[] {
  const inContainer = app.container?.portMappings ?? [];
  const mappings = inContainer.length > 0 ? inContainer : (app.container?.docker?.portMappings ?? []);
  if (mappings.length > 0) {
    return mappings.map(({ containerPort, hostPort, labels }) => ({
      port: (onContainerNetwork ? containerPort : hostPort) ?? 0,
      labels: prefixedLabels("__meta_marathon_port_mapping_label_", labels),
    }));
  }
  return (app.portDefinitions ?? []).map(({ labels, port }) => ({
    // Unless ports are required, this one only names the service; where a task listens is its own.
    port: app.requirePorts === true ? (port ?? 0) : 0,
    labels: prefixedLabels("__meta_marathon_port_definition_label_", labels),
  }));
}
