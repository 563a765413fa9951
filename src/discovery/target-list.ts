import { isValidLabelName } from "../model/label-name.ts";
import { quote } from "../model/quote.ts";
import type { LabelRecord } from "./target-group.ts";

/** An entry of the lists that files and HTTP servers give: addresses, and the labels they share. */
export interface TargetListEntry {
  readonly targets: readonly string[];
  readonly labels: LabelRecord;
}

/**
 * Reads the JSON form of a target list, `[{"targets": ["host:port"], "labels": {"name": "value"}}]`. Other keys than
 * these two are mistakes.
 *
 * @throws Error saying which entry is wrong
 */
export function parseTargetList(text: string): TargetListEntry[] {
  const list: unknown = JSON.parse(text);
  if (list === null) return [];
  if (!Array.isArray(list)) throw new Error("expected a list of target groups");
  return list.map((entry: unknown, i) => {
    if (entry === null) throw new Error(`nil target group item found (index ${i})`);
    if (typeof entry !== "object" || Array.isArray(entry)) throw new Error(`target group ${i} is no object`);
    const { targets = [], labels = {}, ...others } = entry as Record<string, unknown>;
    const [unknownKey] = Object.keys(others);
    if (unknownKey !== undefined) throw new Error(`target group ${i}: unknown field ${quote(unknownKey)}`);
    return { targets: readTargets(targets ?? [], i), labels: readLabels(labels ?? {}, i) };
  });
}

function readTargets(targets: unknown, i: number): string[] {
  if (!Array.isArray(targets)) throw new Error(`target group ${i}: targets must be a list`);
  return targets.map((target: unknown) => {
    if (typeof target !== "string") throw new Error(`target group ${i}: a target must be a string`);
    return target;
  });
}

function readLabels(labels: unknown, i: number): LabelRecord {
  if (typeof labels !== "object" || labels === null || Array.isArray(labels)) {
    throw new Error(`target group ${i}: labels must be an object`);
  }
  for (const [name, value] of Object.entries(labels)) {
    if (!isValidLabelName(name))
      throw new Error(`target group ${i}: ${quote(name)} is not a valid label name`);
    if (typeof value !== "string")
      throw new Error(`target group ${i}: the value of label ${name} must be a string`);
  }
  return labels as LabelRecord;
}
