import type { Registry } from "prom-client";
import type { Config } from "../config/effective-config.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import { Labels } from "../model/labels.ts";
import { Notifier } from "../rules/notifier.ts";
import type { Logger } from "../telemetry/logger.ts";
import { systemClock } from "./system-clock.ts";

/** The notifier of this server, configured from prometheus.yml. */
export function createNotifier(options: {
  readonly registry: Registry;
  readonly log: Logger;
  readonly queueCapacity: number;
  readonly batchSize: number;
  readonly drainOnStop: boolean;
}): Notifier {
  return new Notifier({ clock: systemClock, ...options });
}

export function applyAlertingConfig(
  notifier: Notifier,
  { alerting, global }: Config,
  userAgent: string,
): void {
  notifier.applyConfig(
    {
      alertRelabelRules: alerting.alertRelabelConfigs,
      alertmanagers: alerting.alertmanagers.map((alertmanager) => ({
        scheme: alertmanager.scheme,
        pathPrefix: alertmanager.pathPrefix,
        timeoutMs: alertmanager.timeout,
        relabelRules: alertmanager.relabelConfigs,
        alertRelabelRules: alertmanager.alertRelabelConfigs,
        http: httpClientOptions(alertmanager, userAgent),
      })),
    },
    Labels.fromRecord(global.externalLabels),
  );
}
