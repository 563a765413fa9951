import { joinHostPort, sanitizeLabelName, type TargetGroup } from "../target-group.ts";
import { metaLabels, PREFIX } from "./object-labels.ts";
import type { Node } from "./objects.ts";

/** The kinds of addresses a node may be reached by, best first. */
const ADDRESS_TYPES = ["InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"];

/** The kubelet of a node. */
export function nodeTargets(node: Node, source: string): TargetGroup {
  const { metadata, spec, status } = node;
  const addresses = status?.addresses ?? [];
  const labels: Record<string, string> = {
    ...metaLabels(metadata, "node"),
    [`${PREFIX}node_provider_id`]: spec?.providerID ?? "",
  };
  for (const { status: state, type } of status?.conditions ?? []) {
    labels[`${PREFIX}node_condition_${sanitizeLabelName(type.toLowerCase())}`] = state.toLowerCase();
  }
  const best = ADDRESS_TYPES.map((wanted) => addresses.find(({ type }) => type === wanted)).find(Boolean);
  if (best === undefined) return { source, targets: [], labels };
  const target: Record<string, string> = {
    __address__: joinHostPort(best.address, status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0),
    instance: metadata.name,
  };
  for (const { address, type } of addresses)
    target[`${PREFIX}node_address_${sanitizeLabelName(type)}`] ??= address;
  return { source, targets: [target], labels };
}
