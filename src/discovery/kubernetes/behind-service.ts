import { joinHostPort, type LabelRecord } from "../target-group.ts";
import {
  attachedNodeLabels,
  containerLabels,
  containerPortLabels,
  containersOf,
  podLabels,
  type Related,
} from "./object-labels.ts";
import { objectKey, type ObjectReference, type Pod } from "./objects.ts";

/**
 * Gathers the targets of a service's endpoints. Where a pod stands behind one, the target gets its labels; and in the
 * end the pods' other ports, which the service doesn't cover, become targets too.
 */
export class TargetsBehindService {
  readonly targets: LabelRecord[] = [];
  private readonly pods = new Map<string, { readonly pod: Pod; readonly coveredPorts: Set<number> }>();

  constructor(
    private readonly namespace: string,
    private readonly related: Related,
  ) {}

  /** Adds an endpoint that answers on `port`, with what is known of it already. */
  add(
    labels: LabelRecord,
    port: number | undefined,
    reference: ObjectReference | undefined,
    nodeName: string | undefined,
  ): void {
    const onNode = reference?.kind === "Node" ? reference.name : nodeName;
    const withNode = { ...labels, ...attachedNodeLabels(onNode, this.related) };
    const pod =
      reference?.kind === "Pod" && reference.name !== undefined
        ? this.related.pod(reference.namespace ?? this.namespace, reference.name)
        : undefined;
    if (pod === undefined) {
      this.targets.push(withNode);
      return;
    }
    const key = objectKey(pod);
    const seen = this.pods.get(key) ?? { pod, coveredPorts: new Set() };
    if (port !== undefined) seen.coveredPorts.add(port);
    this.pods.set(key, seen);
    this.targets.push({ ...withNode, ...podLabels(pod, this.related), ...matchingPortLabels(pod, port) });
  }

  /** Adds the ports of the pods seen that no endpoint stands for. */
  addUncoveredPorts(): void {
    for (const { coveredPorts, pod } of this.pods.values()) {
      const address = pod.status?.podIP ?? "";
      if (address === "") continue;
      for (const entry of containersOf(pod)) {
        for (const port of entry.container.ports ?? []) {
          if (coveredPorts.has(port.containerPort)) continue;
          this.targets.push({
            __address__: joinHostPort(address, port.containerPort),
            ...containerLabels(entry),
            ...containerPortLabels(port),
            ...podLabels(pod, this.related),
            ...attachedNodeLabels(pod.spec?.nodeName, this.related),
          });
        }
      }
    }
  }
}

/** The container that listens on the port; the last one where several say so. */
function matchingPortLabels(pod: Pod, port: number | undefined): LabelRecord {
  let labels: LabelRecord = {};
  for (const entry of containersOf(pod)) {
    const match = entry.container.ports?.find(({ containerPort }) => containerPort === port);
    if (match !== undefined) labels = { ...containerLabels(entry), ...containerPortLabels(match) };
  }
  return labels;
}
