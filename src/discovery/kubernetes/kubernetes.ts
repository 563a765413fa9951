import type { DiscoveryConfigOf, KubernetesRole } from "../../config/schema/discovery.ts";
import type { DiscoverySurroundings, Mechanism } from "../mechanism.ts";
import type { TargetGroup } from "../target-group.ts";
import { clusterAccess, type ClusterAccess } from "./cluster-access.ts";
import { endpointSliceTargets, SERVICE_NAME_LABEL } from "./endpoint-slice-targets.ts";
import { endpointsTargets } from "./endpoints-targets.ts";
import { ingressTargets } from "./ingress-targets.ts";
import { nodeTargets } from "./node-targets.ts";
import type { Related } from "./object-labels.ts";
import { ObjectStore, type ObjectEvent, type ObjectListing } from "./object-store.ts";
import {
  RESOURCES,
  type Endpoints,
  type EndpointSlice,
  type Ingress,
  type KubernetesObject,
  type Node,
  type Pod,
  type ResourceKind,
  type Service,
} from "./objects.ts";
import { podTargets } from "./pod-targets.ts";
import { serviceTargets } from "./service-targets.ts";

type Config = DiscoveryConfigOf<"kubernetes">;

/** Changes that come together are looked at together. */
const SETTLE_MS = 50;

/** What the group of an object begins with. */
const SOURCE_PREFIX: Readonly<Record<KubernetesRole, string>> = {
  node: "node",
  service: "svc",
  pod: "pod",
  endpoints: "endpoints",
  endpointslice: "endpointslice",
  ingress: "ingress",
};

/**
 * Targets as the objects of a Kubernetes cluster, one group for each object of the role. Other objects are followed
 * as far as the labels of the role's targets come from them.
 *
 * @throws Error where the cluster can't be reached as configured
 */
export function kubernetesDiscovery(config: Config, surroundings: DiscoverySurroundings): Mechanism {
  const access = clusterAccess(config, surroundings);
  return {
    run: async (emit, signal) => {
      const client = surroundings.createHttpClient(access.http);
      try {
        await new ClusterWatch(config, access, client, surroundings, emit).run(signal);
      } finally {
        await client.close();
      }
    },
  };
}

class ClusterWatch {
  private readonly role: KubernetesRole;
  private readonly queueLabels: { readonly queue_name: string };
  private readonly stores = new Map<ResourceKind, ObjectStore<KubernetesObject>>();
  private readonly related: Related;
  /** Objects of the role whose group must be made anew, and since when that is known. */
  private readonly changed = new Map<string, number>();
  private listingsToSync = 0;
  private isFlushing = false;

  constructor(
    private readonly config: Config,
    private readonly access: ClusterAccess,
    private readonly client: ConstructorParameters<typeof ObjectStore>[0],
    private readonly surroundings: DiscoverySurroundings,
    private readonly emit: (groups: readonly TargetGroup[]) => void,
  ) {
    // An empty role was refused with the configuration.
    this.role = config.role as KubernetesRole;
    this.queueLabels = { queue_name: this.role };
    const find =
      <T extends KubernetesObject>(kind: ResourceKind) =>
      (namespace: string, name: string) =>
        this.stores.get(kind)?.get(`${namespace}/${name}`) as T | undefined;
    this.related = {
      attaches: config.attachMetadata,
      node: (name) => this.stores.get("node")?.get(name) as Node | undefined,
      namespace: (name) => this.stores.get("namespace")?.get(name),
      pod: find<Pod>("pod"),
      service: find<Service>("service"),
      replicaSet: find("replicaset"),
      job: find("job"),
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const kinds = this.kinds();
    const listings = [...kinds].flatMap((kind) => this.listings(kind).map((listing) => ({ kind, listing })));
    for (const kind of kinds) {
      const store = new ObjectStore<KubernetesObject>(
        this.client,
        this.surroundings,
        this.access.credential,
        (event, key, object) => this.onEvent(kind, event, key, object, signal),
      );
      this.stores.set(kind, store);
    }
    // Nothing is told before everything was read once: a target would come without its node or its pod.
    this.listingsToSync = listings.length;
    const onSynced = () => {
      if (--this.listingsToSync === 0) this.flushSoon(signal);
    };
    await Promise.all(
      listings.map(({ kind, listing }) => this.stores.get(kind)!.follow(listing, once(onSynced), signal)),
    );
    this.forgetQueue();
  }

  /** What must be followed for the role. */
  private kinds(): Set<ResourceKind> {
    const { attachMetadata } = this.config;
    const kinds = new Set<ResourceKind>([this.role]);
    const isBehindService = this.role === "endpoints" || this.role === "endpointslice";
    if (isBehindService) for (const kind of ["service", "pod"] as const) kinds.add(kind);
    if (isBehindService || this.role === "pod") {
      if (attachMetadata.node) kinds.add("node");
      if (attachMetadata.deployment) kinds.add("replicaset");
      if (attachMetadata.cronjob) kinds.add("job");
    }
    if (attachMetadata.namespace && this.role !== "node") kinds.add("namespace");
    return kinds;
  }

  private listings(kind: ResourceKind): ObjectListing[] {
    const { api, isNamespaced, plural } = RESOURCES[kind];
    const selector = this.config.selectors.find(({ role }) => role === kind);
    const selectors = { labelSelector: selector?.label ?? "", fieldSelector: selector?.field ?? "" };
    const { names, ownNamespace } = this.config.namespaces;
    const namespaces = new Set(names);
    if (ownNamespace && this.access.ownNamespace !== "") namespaces.add(this.access.ownNamespace);
    if (!isNamespaced || namespaces.size === 0)
      return [{ url: `${this.access.baseUrl}${api}${plural}`, ...selectors }];
    return [...namespaces].map((namespace) => ({
      url: `${this.access.baseUrl}${api}namespaces/${encodeURIComponent(namespace)}/${plural}`,
      ...selectors,
    }));
  }

  private onEvent(
    kind: ResourceKind,
    event: ObjectEvent,
    key: string,
    object: KubernetesObject,
    signal: AbortSignal,
  ) {
    if (kind in SOURCE_PREFIX)
      this.surroundings.counters.add("kubernetes_events_total", { role: kind, event });
    if (kind === this.role) this.enqueue(key);
    else for (const dependent of this.dependents(kind, key, object)) this.enqueue(dependent);
    this.flushSoon(signal);
  }

  private enqueue(key: string): void {
    const { counters, elapsedMs } = this.surroundings;
    if (this.changed.has(key)) return;
    this.changed.set(key, elapsedMs());
    counters.add("kubernetes_workqueue_items_total", this.queueLabels);
    counters.add("kubernetes_workqueue_depth", this.queueLabels, 1);
  }

  /** The objects of the role whose labels may come from another object. */
  private *dependents(kind: ResourceKind, key: string, { metadata }: KubernetesObject): Iterable<string> {
    for (const [candidate, object] of this.stores.get(this.role)!.entries()) {
      const { labels, name, namespace } = object.metadata;
      if (
        kind === "namespace"
          ? namespace !== metadata.name
          : kind !== "node" && namespace !== metadata.namespace
      ) {
        continue;
      }
      if (kind === "service") {
        const serviceName = this.role === "endpointslice" ? labels?.[SERVICE_NAME_LABEL] : name;
        if (serviceName !== metadata.name) continue;
      }
      if (kind === "node" && this.role === "pod" && (object as Pod).spec?.nodeName !== key) continue;
      yield candidate;
    }
  }

  private flushSoon(signal: AbortSignal): void {
    if (this.isFlushing || this.listingsToSync > 0) return;
    this.isFlushing = true;
    void this.surroundings.sleep(SETTLE_MS, signal).then(() => {
      this.isFlushing = false;
      if (!signal.aborted && this.changed.size > 0) this.flush();
    });
  }

  private flush(): void {
    const { counters, elapsedMs } = this.surroundings;
    const startedMs = elapsedMs();
    const groups: TargetGroup[] = [];
    for (const [key, enqueuedMs] of this.changed) {
      counters.addDuration("kubernetes_workqueue_latency_seconds", this.queueLabels, enqueuedMs, startedMs);
      const beganMs = elapsedMs();
      groups.push(this.groupOf(key));
      counters.addDuration(
        "kubernetes_workqueue_work_duration_seconds",
        this.queueLabels,
        beganMs,
        elapsedMs(),
      );
    }
    this.forgetQueue();
    this.emit(groups);
  }

  private forgetQueue(): void {
    this.surroundings.counters.add("kubernetes_workqueue_depth", this.queueLabels, -this.changed.size);
    this.changed.clear();
  }

  private groupOf(key: string): TargetGroup {
    const source = `${SOURCE_PREFIX[this.role]}/${key}`;
    const object = this.stores.get(this.role)!.get(key);
    if (object === undefined) return { source, targets: [], labels: {} };
    switch (this.role) {
      case "node":
        return nodeTargets(object as Node, source);
      case "service":
        return serviceTargets(object as Service, source, this.related);
      case "pod":
        return podTargets(object as Pod, source, this.related);
      case "endpoints":
        return endpointsTargets(object as Endpoints, source, this.related);
      case "endpointslice":
        return endpointSliceTargets(object as EndpointSlice, source, this.related);
      case "ingress":
        return ingressTargets(object as Ingress, source, this.related);
    }
  }
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) action();
    isDone = true;
  };
}
