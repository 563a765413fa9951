import { joinHostPort, type LabelRecord, type TargetGroup } from "../target-group.ts";
import { metaLabels, namespaceLabels, PREFIX, type Related } from "./object-labels.ts";
import type { Service } from "./objects.ts";

/** A service by its name in the cluster, once for each of its ports. */
export function serviceTargets(service: Service, source: string, related: Related): TargetGroup {
  const { metadata, spec } = service;
  const namespace = metadata.namespace ?? "";
  const type = spec?.type ?? "";
  const shared: Record<string, string> = { [`${PREFIX}service_type`]: type };
  if (type === "ExternalName") shared[`${PREFIX}service_external_name`] = spec?.externalName ?? "";
  else shared[`${PREFIX}service_cluster_ip`] = spec?.clusterIP ?? "";
  if (type === "LoadBalancer") shared[`${PREFIX}service_loadbalancer_ip`] = loadBalancerAddress(service);
  const targets = (spec?.ports ?? []).map((port): LabelRecord => ({
    __address__: joinHostPort(`${metadata.name}.${namespace}.svc`, port.port),
    [`${PREFIX}service_port_name`]: port.name ?? "",
    [`${PREFIX}service_port_number`]: String(port.port),
    [`${PREFIX}service_port_protocol`]: port.protocol ?? "",
    ...shared,
  }));
  return {
    source,
    targets,
    labels: { ...namespaceLabels(namespace, related), ...metaLabels(metadata, "service") },
  };
}

function loadBalancerAddress({ spec, status }: Service): string {
  const given = (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? "").filter((ip) => ip !== "");
  return given.length > 0 ? given.join(",") : (spec?.loadBalancerIP ?? "");
}
