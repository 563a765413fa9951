import { joinHostPort, prefixedLabels, type LabelRecord, type TargetGroup } from "../target-group.ts";
import { TargetsBehindService } from "./behind-service.ts";
import { metaLabels, namespaceLabels, presence, PREFIX, type Related } from "./object-labels.ts";
import type { EndpointSlice, SliceEndpoint, SlicePort } from "./objects.ts";

/** The label by which a slice names its service. */
export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

const SLICE = `${PREFIX}endpointslice_`;

/** Every endpoint, port and address of an EndpointSlice, with its service and the pods behind it. */
export function endpointSliceTargets(slice: EndpointSlice, source: string, related: Related): TargetGroup {
  const { addressType, endpoints, metadata, ports } = slice;
  const namespace = metadata.namespace ?? "";
  const service = related.service(namespace, metadata.labels?.[SERVICE_NAME_LABEL] ?? "");
  const families = service?.spec?.ipFamilies ?? [];
  // A service of two families has each endpoint twice: only its first family counts.
  if (families.length > 1 && families[0] !== addressType) return { source, targets: [], labels: {} };
  const found = new TargetsBehindService(namespace, related);
  for (const endpoint of endpoints ?? []) {
    for (const port of ports ?? []) {
      const number = port.port ?? undefined;
      for (const address of endpoint.addresses ?? []) {
        const labels = {
          __address__: number === undefined ? address : joinHostPort(address, number),
          ...portLabels(port),
          ...endpointLabels(endpoint),
        };
        found.add(labels, number, endpoint.targetRef, endpoint.nodeName);
      }
    }
  }
  found.addUncoveredPorts();
  return {
    source,
    targets: found.targets,
    labels: {
      ...namespaceLabels(namespace, related),
      ...metaLabels(metadata, "endpointslice"),
      [`${SLICE}address_type`]: addressType ?? "",
      ...(service ? metaLabels(service.metadata, "service") : {}),
    },
  };
}

function portLabels({ appProtocol, name, port, protocol }: SlicePort): LabelRecord {
  return defined({
    [`${SLICE}port_name`]: name,
    [`${SLICE}port_protocol`]: protocol,
    [`${SLICE}port`]: port,
    [`${SLICE}port_app_protocol`]: appProtocol,
  });
}

function endpointLabels(endpoint: SliceEndpoint): LabelRecord {
  const { conditions, deprecatedTopology, hostname, nodeName, targetRef, zone } = endpoint;
  return {
    ...defined({
      [`${SLICE}endpoint_conditions_ready`]: conditions?.ready,
      [`${SLICE}endpoint_conditions_serving`]: conditions?.serving,
      [`${SLICE}endpoint_conditions_terminating`]: conditions?.terminating,
      [`${SLICE}address_target_kind`]: targetRef && (targetRef.kind ?? ""),
      [`${SLICE}address_target_name`]: targetRef && (targetRef.name ?? ""),
      [`${SLICE}endpoint_hostname`]: hostname,
      [`${SLICE}endpoint_node_name`]: nodeName,
      [`${SLICE}endpoint_zone`]: zone,
    }),
    ...prefixedLabels(`${SLICE}endpoint_topology_`, deprecatedTopology),
    ...presence(`${SLICE}endpoint_topology_present_`, deprecatedTopology),
  };
}

/** The labels whose value is there. */
function defined(
  values: Readonly<Record<string, string | number | boolean | null | undefined>>,
): LabelRecord {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === null || value === undefined ? [] : [[name, String(value)]],
    ),
  );
}
