import type { Labels } from "../model/labels.ts";
import type { Alert } from "./alert.ts";

/** Alerts as version 2 of Alertmanager's API takes them. */
export function encodeAlerts(alerts: readonly Alert[]): string {
  return JSON.stringify(
    alerts.map((alert) => ({
      annotations: Object.fromEntries(alert.annotations),
      endsAt: new Date(alert.endsAtMs).toISOString(),
      startsAt: new Date(alert.startsAtMs).toISOString(),
      generatorURL: alert.generatorUrl,
      labels: Object.fromEntries(labelEntries(alert.labels)),
    })),
  );
}

function labelEntries({ pairs }: Labels): [string, string][] {
  const entries: [string, string][] = [];
  for (let i = 0; i < pairs.length; i += 2) entries.push([pairs[i]!, pairs[i + 1]!]);
  return entries;
}
