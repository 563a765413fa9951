import { LabelsBuilder, type Labels } from "../model/labels.ts";
import { relabelInPlace, type CompiledRelabelRules } from "../model/relabel.ts";
import type { Alert } from "./alert.ts";

/** Adds the external labels that an alert lacks, then applies the rules; without the alerts that these drop. */
export function relabelAlerts(
  alerts: readonly Alert[],
  externalLabels: Labels,
  rules: CompiledRelabelRules,
): readonly Alert[] {
  if (externalLabels.size === 0 && rules.length === 0) return alerts;
  const kept: Alert[] = [];
  const builder = new LabelsBuilder();
  for (const alert of alerts) {
    builder.reset(alert.labels);
    const { pairs } = externalLabels;
    for (let i = 0; i < pairs.length; i += 2) {
      if (!alert.labels.has(pairs[i]!)) builder.set(pairs[i]!, pairs[i + 1]!);
    }
    if (relabelInPlace(builder, rules)) kept.push({ ...alert, labels: builder.labels() });
  }
  return kept;
}
