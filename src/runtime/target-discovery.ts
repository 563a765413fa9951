import type { Registry } from "prom-client";
import { allScrapeConfigs, type Config } from "../config/effective-config.ts";
import type { TargetGroup } from "../scrape/index.ts";
import type { Logger } from "../telemetry/logger.ts";

export interface TargetDiscoveryOptions {
  readonly registry: Registry;
  readonly log: Logger;
  readonly userAgent: string;
  /** All groups of all jobs, by job, whenever any of them changed. */
  readonly onScrapeTargets: (groups: ReadonlyMap<string, readonly TargetGroup[]>) => void;
  /** The groups of one entry of `alerting.alertmanagers`. */
  readonly onAlertmanagers: (index: number, groups: readonly TargetGroup[]) => void;
}

/** Finds what to scrape and whom to notify. */
export class TargetDiscovery {
  constructor(private readonly options: TargetDiscoveryOptions) {}

  apply(config: Config): void {
    const groups = new Map<string, readonly TargetGroup[]>();
    for (const job of allScrapeConfigs(config)) {
      groups.set(job.jobName, job.staticConfigs.map(staticGroup));
    }
    this.options.onScrapeTargets(groups);
    config.alerting.alertmanagers.forEach((alertmanager, index) => {
      this.options.onAlertmanagers(index, alertmanager.staticConfigs.map(staticGroup));
    });
  }

  async configFilesChanged(_config: Config, _fileName: string): Promise<boolean> {
    return false;
  }

  async stop(): Promise<void> {}
}

function staticGroup(
  {
    targets,
    labels,
  }: { readonly targets: readonly string[]; readonly labels: Readonly<Record<string, string>> },
  index: number,
): TargetGroup {
  return { source: String(index), targets: targets.map((address) => ({ __address__: address })), labels };
}
