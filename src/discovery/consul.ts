import type { DiscoveryConfigOf } from "../config/schema/discovery.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { fetchJson, fetchJsonWithHeaders, queryString, type Endpoint } from "./fetch-json.ts";
import type { DiscoverySurroundings, Mechanism } from "./mechanism.ts";
import { joinHostPort, prefixedLabels, type LabelRecord, type TargetGroup } from "./target-group.ts";

/** How long the server may hold back an answer until something changes. */
const WAIT_MS = 120_000;
/** What we wait for an answer beyond that. */
const ANSWER_MARGIN_MS = 15_000;
const RETRY_MS = 15_000;

/**
 * Targets as Consul's catalog lists them: one long poll watches the names of the services, and one for each of them
 * its instances with their health.
 */
export function consulDiscovery(
  config: DiscoveryConfigOf<"consul">,
  surroundings: DiscoverySurroundings,
): Mechanism {
  return { run: (emit, signal) => new ConsulWatch(config, surroundings, emit).run(signal) };
}

interface ServiceEntry {
  readonly Node: {
    readonly Node: string;
    readonly Address: string;
    readonly Meta?: Record<string, string> | null;
    readonly TaggedAddresses?: Record<string, string> | null;
  };
  readonly Service: {
    readonly ID: string;
    readonly Address: string;
    readonly Port: number;
    readonly Tags?: readonly string[] | null;
    readonly Meta?: Record<string, string> | null;
    readonly Namespace?: string;
    readonly Partition?: string;
  };
  readonly Checks?: readonly { readonly CheckID: string; readonly Status: string }[] | null;
}

class ConsulWatch {
  private readonly endpoint: Endpoint;
  private datacenter: string;
  private readonly services = new Map<string, AbortController>();
  private readonly watches = new Set<Promise<void>>();

  constructor(
    private readonly config: DiscoveryConfigOf<"consul">,
    private readonly surroundings: DiscoverySurroundings,
    private readonly emit: (groups: readonly TargetGroup[]) => void,
  ) {
    const token = config.token.reveal();
    const address = config.server.includes("://") ? config.server : `${config.scheme}://${config.server}`;
    this.endpoint = {
      client: surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent)),
      baseUrl: `${address}${config.pathPrefix.replace(/\/$/, "")}`,
      request: {
        timeoutMs: WAIT_MS + ANSWER_MARGIN_MS,
        headers: token === "" ? {} : { "x-consul-token": token },
      },
    };
    this.datacenter = config.datacenter;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { services, tags } = this.config;
    await this.findDatacenter(signal);
    if (services.length > 0 && tags.length === 0) {
      for (const name of services) this.startService(name, signal);
    } else await this.watchCatalog(signal);
    await Promise.all(this.watches);
    await this.endpoint.client.close();
  }

  private async findDatacenter(signal: AbortSignal): Promise<void> {
    while (this.datacenter === "" && !signal.aborted) {
      await this.attempt(signal, async () => {
        const self = await fetchJson<{ readonly Config?: { readonly Datacenter?: string } }>(
          this.endpoint,
          "/v1/agent/self",
          signal,
        );
        this.datacenter = self.Config?.Datacenter ?? "";
        if (this.datacenter === "") throw new Error("invalid value '' for Config.Datacenter");
      });
    }
  }

  private async watchCatalog(signal: AbortSignal): Promise<void> {
    await this.longPoll<Record<string, readonly string[]>>(
      "services",
      (index) => `/v1/catalog/services${this.query(index, [])}`,
      signal,
      (catalog) => {
        const wanted = new Set(Object.keys(catalog).filter((name) => this.wants(name, catalog[name] ?? [])));
        for (const name of wanted) if (!this.services.has(name)) this.startService(name, signal);
        for (const [name, watch] of this.services) {
          if (wanted.has(name)) continue;
          watch.abort();
          this.services.delete(name);
          this.emit([{ source: name, targets: [], labels: {} }]);
        }
      },
    );
  }

  private wants(name: string, tags: readonly string[]): boolean {
    const { services, tags: wantedTags } = this.config;
    return (
      (services.length === 0 || services.includes(name)) && wantedTags.every((tag) => tags.includes(tag))
    );
  }

  private startService(name: string, signal: AbortSignal): void {
    const stop = new AbortController();
    this.services.set(name, stop);
    const path = `/v1/health/service/${encodeURIComponent(name)}`;
    const watch = this.longPoll<readonly ServiceEntry[]>(
      "service",
      (index) =>
        path +
        this.query(
          index,
          this.config.tags.map((tag) => ["tag", tag] as const),
          this.config.healthFilter,
        ),
      AbortSignal.any([signal, stop.signal]),
      (entries) => {
        this.emit([
          {
            source: name,
            targets: entries.map((entry) => this.labelsOf(entry)),
            labels: { __meta_consul_service: name, __meta_consul_dc: this.datacenter },
          },
        ]);
      },
    ).finally(() => this.watches.delete(watch));
    this.watches.add(watch);
  }

  private query(
    index: string,
    more: readonly (readonly [string, string])[],
    filter = this.config.filter,
  ): string {
    const { allowStale, namespace, nodeMeta, partition } = this.config;
    const parameters: (readonly [string, string | null])[] = [
      ...more,
      ["index", index],
      ["wait", `${WAIT_MS}ms`],
    ];
    if (allowStale) parameters.push(["stale", null]);
    const named = { dc: this.datacenter, ns: namespace, partition, filter };
    for (const [name, value] of Object.entries(named)) if (value !== "") parameters.push([name, value]);
    for (const [key, value] of Object.entries(nodeMeta)) parameters.push(["node-meta", `${key}:${value}`]);
    return queryString(parameters);
  }

  /** Asks again and again, each time for what is newer than the last answer. */
  private async longPoll<T>(
    call: "services" | "service",
    pathAt: (index: string) => string,
    signal: AbortSignal,
    onChange: (body: T) => void,
  ): Promise<void> {
    const { counters, elapsedMs, sleep } = this.surroundings;
    let lastIndex = "0";
    while (!signal.aborted) {
      const startedMs = elapsedMs();
      const succeeded = await this.attempt(signal, async () => {
        const asked = fetchJsonWithHeaders<T>(this.endpoint, pathAt(lastIndex), signal);
        const { body, headers } = await asked.finally(() => {
          const labels = { endpoint: "catalog", call };
          counters.addDuration("consul_rpc_duration_seconds", labels, startedMs, elapsedMs());
        });
        if (signal.aborted) return;
        const index = String(headers["x-consul-index"] ?? "0");
        const isSame = index === lastIndex && index !== "0";
        // An index that goes back means that the server started anew.
        lastIndex = Number(index) < Number(lastIndex) ? "0" : index;
        if (!isSame) onChange(body);
      });
      if (succeeded) await sleep(Math.max(0, startedMs + this.config.refreshInterval - elapsedMs()), signal);
    }
  }

  /** Whether it went well; if not, that is counted and some time has passed. */
  private async attempt(signal: AbortSignal, action: () => Promise<void>): Promise<boolean> {
    const { counters, log, sleep } = this.surroundings;
    try {
      await action();
      return true;
    } catch (err) {
      if (signal.aborted) return false;
      counters.add("consul_rpc_failures_total");
      log.error({ server: this.config.server, err }, "Error refreshing service list from Consul");
      await sleep(RETRY_MS, signal);
      return false;
    }
  }

  private labelsOf({ Checks, Node, Service }: ServiceEntry): LabelRecord {
    const { tagSeparator } = this.config;
    return {
      __address__: joinHostPort(Service.Address || Node.Address, Service.Port),
      __meta_consul_address: Node.Address,
      __meta_consul_node: Node.Node,
      __meta_consul_namespace: Service.Namespace ?? "",
      __meta_consul_partition: Service.Partition ?? "",
      __meta_consul_tags: tagSeparator + (Service.Tags ?? []).join(tagSeparator) + tagSeparator,
      __meta_consul_service_address: Service.Address,
      __meta_consul_service_port: String(Service.Port),
      __meta_consul_service_id: Service.ID,
      __meta_consul_health: aggregatedHealth(Checks ?? []),
      ...prefixedLabels("__meta_consul_metadata_", Node.Meta),
      ...prefixedLabels("__meta_consul_service_metadata_", Service.Meta),
      ...prefixedLabels("__meta_consul_tagged_address_", Node.TaggedAddresses),
    };
  }
}

/** The worst of all checks; maintenance beats them all. */
function aggregatedHealth(checks: NonNullable<ServiceEntry["Checks"]>): string {
  const isMaintained = checks.some(
    ({ CheckID }) => CheckID === "_node_maintenance" || CheckID.startsWith("_service_maintenance:"),
  );
  if (isMaintained) return "maintenance";
  for (const status of ["critical", "warning"])
    if (checks.some(({ Status }) => Status === status)) return status;
  return checks.every(({ Status }) => Status === "passing") ? "passing" : "";
}
