import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { createHash } from "node:crypto";
import type { Registry } from "prom-client";
import { allScrapeConfigs, type Config } from "../config/effective-config.ts";
import { glob } from "../config/glob.ts";
import { DiscoveryManager } from "../discovery/discovery-manager.ts";
import { DiscoveryCounters, type DiscoverySurroundings } from "../discovery/mechanism.ts";
import { createHttpClient } from "../http-client/index.ts";
import type { TargetGroup } from "../scrape/index.ts";
import type { Logger } from "../telemetry/logger.ts";
import { exportNumbers } from "../telemetry/metrics.ts";

export interface TargetDiscoveryOptions {
  readonly registry: Registry;
  readonly log: Logger;
  readonly userAgent: string;
  /** All groups of all jobs, by job, whenever any of them changed. */
  readonly onScrapeTargets: (groups: ReadonlyMap<string, readonly TargetGroup[]>) => void;
  /** The groups of one entry of `alerting.alertmanagers`. */
  readonly onAlertmanagers: (index: number, groups: readonly TargetGroup[]) => void;
}

/** Finds what to scrape and whom to notify: one manager for each, since they share nothing. */
export class TargetDiscovery {
  private readonly scrape: DiscoveryManager;
  private readonly notify: DiscoveryManager;
  private readonly groups = new Map<string, readonly TargetGroup[]>();

  constructor(private readonly options: TargetDiscoveryOptions) {
    const counters = new DiscoveryCounters();
    const surroundings: DiscoverySurroundings = {
      now: () => Date.now(),
      sleep: (durationMs, signal) => delay(durationMs, undefined, { signal }).catch(() => undefined),
      createHttpClient,
      userAgent: options.userAgent,
      environment: process.env,
      log: options.log,
      counters,
      random: Math.random,
    };
    this.scrape = new DiscoveryManager({
      name: "scrape",
      surroundings,
      onUpdate: (job, groups) => void this.groups.set(job, groups),
      // Once for all jobs that changed: whoever takes them then lets some seconds pass before the next time.
      onUpdated: () => this.options.onScrapeTargets(this.groups),
    });
    this.notify = new DiscoveryManager({
      name: "notify",
      surroundings,
      onUpdate: (name, groups) => this.options.onAlertmanagers(Number(name.slice("config-".length)), groups),
    });
    exportDiscoveryMetrics(options.registry, counters);
  }

  apply(config: Config): void {
    const jobs = allScrapeConfigs(config);
    const names = new Set(jobs.map((job) => job.jobName));
    for (const job of this.groups.keys()) if (!names.has(job)) this.groups.delete(job);
    this.scrape.apply(new Map(jobs.map((job) => [job.jobName, job])));
    this.notify.apply(new Map(config.alerting.alertmanagers.map((one, index) => [`config-${index}`, one])));
  }

  async stop(): Promise<void> {
    await Promise.all([this.scrape.stop(), this.notify.stop()]);
  }
}

/** A fingerprint of everything a configuration is read from: it changes when any of those files does. */
export function configFingerprint(config: Config, fileName: string): string {
  const hash = createHash("sha256");
  const files = [
    fileName,
    ...[...config.ruleFiles, ...config.scrapeConfigFiles].flatMap((pattern) => glob(pattern)).sort(),
  ];
  for (const file of files) {
    hash.update(file);
    try {
      hash.update(readFileSync(file));
    } catch {
      hash.update("unreadable");
    }
  }
  return hash.digest("hex");
}

function exportDiscoveryMetrics(registry: Registry, counters: DiscoveryCounters): void {
  const metrics = [
    [
      "counter",
      "refresh_failures_total",
      "Number of refresh failures of a discovery mechanism.",
      ["mechanism", "config"],
    ],
    [
      "counter",
      "received_updates_total",
      "Total number of update events received from the discovery mechanisms.",
      ["name"],
    ],
    [
      "counter",
      "updates_total",
      "Total number of update events sent to the consumers of discovery.",
      ["name"],
    ],
    [
      "counter",
      "updates_delayed_total",
      "Total number of update events that could not be sent at once.",
      ["name"],
    ],
    ["counter", "file_read_errors_total", "The number of errors reading discovery files.", []],
    ["counter", "file_watcher_errors_total", "The number of errors watching discovery files.", []],
    ["counter", "http_failures_total", "Number of failures of discovery over HTTP.", []],
    ["counter", "dns_lookups_total", "The number of DNS discovery lookups.", []],
    ["counter", "dns_lookup_failures_total", "The number of DNS discovery lookups that failed.", []],
    ["counter", "consul_rpc_failures_total", "The number of Consul calls that failed.", []],
    ["counter", "nomad_failures_total", "Number of failures of discovery by Nomad.", []],
    ["counter", "kubernetes_events_total", "The number of Kubernetes events handled.", ["role", "event"]],
    ["counter", "kubernetes_failures_total", "The number of failed LIST and WATCH requests.", []],
    ["gauge", "discovered_targets", "Current number of discovered targets.", ["name", "config"]],
    [
      "gauge",
      "last_update_timestamp_seconds",
      "When the targets of a configuration were last sent.",
      ["name", "config"],
    ],
    [
      "gauge",
      "failed_configs",
      "Current number of discovery configurations that could not be set up.",
      ["name"],
    ],
    [
      "gauge",
      "file_mtime_seconds",
      "When a discovery file was last changed, as of its last good read.",
      ["filename"],
    ],
  ] as const;
  exportNumbers(
    registry,
    metrics.map(([type, name, help, labelNames]) => ({
      name: `prometheus_sd_${name}`,
      type,
      help,
      labelNames,
      read: () => {
        const found = counters.read(name);
        // What has no labels is there from the start.
        return labelNames.length === 0 ? (found[0]?.value ?? 0) : found;
      },
    })),
  );
}
