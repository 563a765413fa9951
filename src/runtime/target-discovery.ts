import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { createHash } from "node:crypto";
import type { Registry } from "prom-client";
import { allScrapeConfigs } from "../config/all-scrape-configs.ts";
import type { Config } from "../config/effective-config.ts";
import { glob } from "../config/glob.ts";
import { DISCOVERY_MECHANISMS } from "../config/discovery-mechanisms.ts";
import type { DiscoveryConfigOf, DiscoveryConfigs } from "../config/schema/discovery.ts";
import type { createMechanism } from "../discovery/create-mechanism.ts";
import { staticDiscovery } from "../discovery/static.ts";
import { DiscoveryManager } from "../discovery/discovery-manager.ts";
import type { DiscoverySurroundings } from "../discovery/mechanism.ts";
import { createHttpClient } from "../http-client/index.ts";
import type { TargetGroup } from "../scrape/index.ts";
import type { Logger } from "../telemetry/logger.ts";
import { discoveryCounters } from "./discovery-metrics.ts";

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
  private createMechanism: typeof createMechanism = createStaticOnly;

  constructor(private readonly options: TargetDiscoveryOptions) {
    const counters = discoveryCounters(options.registry);
    const surroundings: DiscoverySurroundings = {
      now: () => Date.now(),
      elapsedMs: () => performance.now(),
      sleep: (durationMs, signal) => delay(durationMs, undefined, { signal }).catch(() => undefined),
      createHttpClient,
      userAgent: options.userAgent,
      environment: process.env,
      log: options.log,
      counters,
      random: Math.random,
    };
    const create: typeof createMechanism = (...of) => this.createMechanism(...of);
    this.scrape = new DiscoveryManager({
      name: "scrape",
      surroundings,
      create,
      onUpdate: (job, groups) => void this.groups.set(job, groups),
      // Once for all jobs that changed: whoever takes them then lets some seconds pass before the next time.
      onUpdated: () => this.options.onScrapeTargets(this.groups),
    });
    this.notify = new DiscoveryManager({
      name: "notify",
      surroundings,
      create,
      onUpdate: (name, groups) => this.options.onAlertmanagers(Number(name.slice("config-".length)), groups),
    });
  }

  async apply(config: Config): Promise<void> {
    const jobs = allScrapeConfigs(config);
    // Half a megabyte of code that many a server does without.
    if ([...jobs, ...config.alerting.alertmanagers].some(asksMechanisms)) {
      ({ createMechanism: this.createMechanism } = await import("../discovery/create-mechanism.ts"));
    }
    const names = new Set(jobs.map((job) => job.jobName));
    for (const job of this.groups.keys()) if (!names.has(job)) this.groups.delete(job);
    this.scrape.apply(new Map(jobs.map((job) => [job.jobName, job])));
    this.notify.apply(new Map(config.alerting.alertmanagers.map((one, index) => [`config-${index}`, one])));
  }

  async stop(): Promise<void> {
    await Promise.all([this.scrape.stop(), this.notify.stop()]);
  }
}

/** Whether a section names more than targets themselves. */
function asksMechanisms(section: DiscoveryConfigs): boolean {
  return DISCOVERY_MECHANISMS.some((name) => name !== "static" && section[`${name}Configs`].length > 0);
}

const createStaticOnly: typeof createMechanism = (name, config) => {
  if (name !== "static") throw new Error(`cannot create ${name} discovery: its code is not loaded`);
  return staticDiscovery(config as readonly DiscoveryConfigOf<"static">[]);
};

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
