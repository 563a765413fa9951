import type { HttpClientConfig } from "../config/schema/http-client.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { fetchJson, queryString, type Endpoint } from "./fetch-json.ts";
import type { DiscoverySurroundings } from "./mechanism.ts";
import { prefixedLabels, type LabelRecord } from "./target-group.ts";

/** The Docker engine at `unix:///path`, `tcp://host:port` or an HTTP URL. */
export function dockerEndpoint(
  config: HttpClientConfig & { readonly host: string; readonly refreshInterval: number },
  surroundings: DiscoverySurroundings,
): Endpoint {
  const options = httpClientOptions(config, surroundings.userAgent);
  const client = surroundings.createHttpClient(options);
  const timeoutMs = config.refreshInterval;
  const host = config.host.replace(/\/$/, "");
  if (host.startsWith("unix://")) {
    const unixSocketPath = host.slice("unix://".length);
    return { client, baseUrl: "http://docker", request: { timeoutMs, unixSocketPath } };
  }
  const scheme = options.tls === undefined ? "http://" : "https://";
  return { client, baseUrl: host.replace(/^tcp:\/\//, scheme), request: { timeoutMs } };
}

/** `filters` as the engine's API takes them: a JSON object of lists in the query. */
export function filterQuery(
  filters: readonly { readonly name: string; readonly values: readonly string[] }[],
): string {
  if (filters.length === 0) return "";
  const byName: Record<string, Record<string, boolean>> = {};
  for (const { name, values } of filters) {
    for (const value of values) (byName[name] ??= {})[value] = true;
  }
  return queryString([["filters", JSON.stringify(byName)]]);
}

interface Network {
  readonly Id: string;
  readonly Name: string;
  readonly Scope: string;
  readonly Internal: boolean;
  readonly Ingress: boolean;
  readonly Labels?: Record<string, string> | null;
}

/** The labels of every network by its id, their names beginning with `prefix`. */
export async function networkLabels(
  endpoint: Endpoint,
  prefix: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, LabelRecord>> {
  const networks = await fetchJson<readonly Network[]>(endpoint, "/networks", signal);
  return new Map(
    networks.map((network) => [
      network.Id,
      {
        [`${prefix}network_id`]: network.Id,
        [`${prefix}network_name`]: network.Name,
        [`${prefix}network_scope`]: network.Scope,
        [`${prefix}network_internal`]: String(network.Internal),
        [`${prefix}network_ingress`]: String(network.Ingress),
        ...prefixedLabels(`${prefix}network_label_`, network.Labels),
      },
    ]),
  );
}
