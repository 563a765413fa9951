import { joinHostPort, type TargetGroup } from "../target-group.ts";
import { TargetsBehindService } from "./behind-service.ts";
import { metaLabels, namespaceLabels, PREFIX, type Related } from "./object-labels.ts";
import type { EndpointAddress, Endpoints } from "./objects.ts";

/** Every address and port of an Endpoints object, with the service of its name and the pods behind it. */
export function endpointsTargets(endpoints: Endpoints, source: string, related: Related): TargetGroup {
  const { metadata, subsets } = endpoints;
  const namespace = metadata.namespace ?? "";
  const found = new TargetsBehindService(namespace, related);
  for (const { addresses, notReadyAddresses, ports } of subsets ?? []) {
    for (const { name, port, protocol } of ports ?? []) {
      const add = (endpoint: EndpointAddress, isReady: boolean) => {
        const labels: Record<string, string> = {
          __address__: joinHostPort(endpoint.ip, port),
          [`${PREFIX}endpoint_port_name`]: name ?? "",
          [`${PREFIX}endpoint_port_protocol`]: protocol ?? "",
          [`${PREFIX}endpoint_ready`]: String(isReady),
        };
        if (endpoint.targetRef !== undefined) {
          labels[`${PREFIX}endpoint_address_target_kind`] = endpoint.targetRef.kind ?? "";
          labels[`${PREFIX}endpoint_address_target_name`] = endpoint.targetRef.name ?? "";
        }
        if (endpoint.nodeName !== undefined) labels[`${PREFIX}endpoint_node_name`] = endpoint.nodeName;
        if (endpoint.hostname !== undefined) labels[`${PREFIX}endpoint_hostname`] = endpoint.hostname;
        found.add(labels, port, endpoint.targetRef, endpoint.nodeName);
      };
      for (const endpoint of addresses ?? []) add(endpoint, true);
      for (const endpoint of notReadyAddresses ?? []) add(endpoint, false);
    }
  }
  found.addUncoveredPorts();
  const service = related.service(namespace, metadata.name);
  return {
    source,
    targets: found.targets,
    labels: {
      ...namespaceLabels(namespace, related),
      ...metaLabels(metadata, "endpoints"),
      ...(service ? metaLabels(service.metadata, "service") : {}),
    },
  };
}
