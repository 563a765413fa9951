import { posix } from "node:path";
import { LabelsBuilder } from "../model/labels.ts";
import { relabelInPlace, type CompiledRelabelRules } from "../model/relabel.ts";

const ADDRESS = "__address__";
const SCHEME = "__scheme__";
const ALERTS_PATH = "__alerts_path__";
const API_PATH = "/api/v2/alerts";

/** Targets as discovery finds them: labels of each, and those all of them share where they have none of their own. */
export interface AlertmanagerTargetGroup {
  readonly targets: readonly Readonly<Record<string, string>>[];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The URLs that alerts are posted to, and those that relabelling drops.
 * @throws Error when an address is no host: nothing of its group is used then
 */
export function alertmanagerEndpoints(
  group: AlertmanagerTargetGroup,
  options: { readonly scheme: string; readonly pathPrefix: string; readonly rules: CompiledRelabelRules },
): { readonly active: readonly string[]; readonly dropped: readonly string[] } {
  const active: string[] = [];
  const dropped: string[] = [];
  for (const target of group.targets) {
    const labels = new LabelsBuilder();
    for (const [name, value] of Object.entries(group.labels)) labels.set(name, value);
    for (const [name, value] of Object.entries(target)) labels.set(name, value);
    labels.set(SCHEME, options.scheme).set(ALERTS_PATH, posix.join("/", options.pathPrefix, API_PATH));
    const before = labels.labels();
    if (!relabelInPlace(labels, options.rules)) {
      dropped.push(endpointUrl(new LabelsBuilder(before)));
      continue;
    }
    const address = labels.get(ADDRESS);
    if (address.includes("/")) throw new Error(`${JSON.stringify(address)} is not a valid hostname`);
    active.push(endpointUrl(labels));
  }
  return { active, dropped };
}

function endpointUrl(labels: LabelsBuilder): string {
  const path = labels.get(ALERTS_PATH);
  // What has a meaning in a URL has none in a path label.
  const escaped = encodeURI(path).replace(/[?#]/g, encodeURIComponent);
  return `${labels.get(SCHEME)}://${labels.get(ADDRESS)}${escaped.startsWith("/") ? "" : "/"}${escaped}`;
}
