import { joinHostPort, type LabelRecord, type TargetGroup } from "../target-group.ts";
import {
  attachedNodeLabels,
  containerLabels,
  containerPortLabels,
  containersOf,
  namespaceLabels,
  podLabels,
  PREFIX,
  type Related,
} from "./object-labels.ts";
import type { Pod } from "./objects.ts";

/** Every port of every container of a pod; a container without ports stands with the bare address. */
export function podTargets(pod: Pod, source: string, related: Related): TargetGroup {
  const { metadata, spec, status } = pod;
  const address = status?.podIP ?? "";
  const nodeName = spec?.nodeName ?? "";
  const isMissingNode = related.attaches.node && related.node(nodeName) === undefined;
  if (address === "" || isMissingNode) return { source, targets: [], labels: {} };
  const statuses = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  const targets = containersOf(pod).flatMap((entry): LabelRecord[] => {
    const { container } = entry;
    const shared = {
      ...containerLabels(entry),
      [`${PREFIX}pod_container_id`]: statuses.find(({ name }) => name === container.name)?.containerID ?? "",
    };
    const ports = container.ports ?? [];
    if (ports.length === 0) return [{ __address__: address, ...shared }];
    return ports.map((port) => ({
      __address__: joinHostPort(address, port.containerPort),
      ...shared,
      ...containerPortLabels(port),
    }));
  });
  return {
    source,
    targets,
    labels: {
      ...namespaceLabels(metadata.namespace ?? "", related),
      ...podLabels(pod, related),
      ...attachedNodeLabels(nodeName, related),
    },
  };
}
