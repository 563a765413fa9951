import {
  DISCOVERY_MECHANISMS,
  discoveryIdentity,
  IDLE_MECHANISMS,
  type DiscoveryMechanismName,
} from "../config/discovery-mechanisms.ts";
import type { DiscoveryConfigs } from "../config/schema/discovery.ts";
import type { AnyDiscoveryConfig, createMechanism } from "./create-mechanism.ts";
import type { DiscoverySurroundings, Mechanism } from "./mechanism.ts";
import { soundGroup, type TargetGroup } from "./target-group.ts";

export interface DiscoveryManagerOptions {
  /** `scrape` or `notify`: stands in metrics. */
  readonly name: string;
  readonly surroundings: DiscoverySurroundings;
  /** Called with all groups of a job whenever some changed. */
  readonly onUpdate: (job: string, groups: readonly TargetGroup[]) => void;
  /** Called after the updates of all jobs that changed together. */
  readonly onUpdated?: () => void;
  /** Between two updates lies at least this, once they come in quick succession. 5 s by default. */
  readonly maxUpdateIntervalMs?: number;
  readonly create: typeof createMechanism;
}

const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 5_000;

/**
 * Runs the mechanisms that jobs ask for, and hands each job all the groups found for it. Jobs that ask for the same
 * share one mechanism; a new configuration leaves alone what is still asked for.
 */
export class DiscoveryManager {
  private readonly providers = new Map<string, Provider>();
  private jobs = new Set<string>();
  private readonly changedJobs = new Set<string>();
  private readonly stopping = new AbortController();
  private readonly ends = new Set<Promise<void>>();
  private waitMs = FIRST_WAIT_MS;
  private isSending = false;

  constructor(private readonly options: DiscoveryManagerOptions) {
    const { name, surroundings } = options;
    for (const counter of ["received_updates_total", "updates_total", "updates_delayed_total"] as const) {
      surroundings.counters.add(counter, { name }, 0);
    }
    surroundings.counters.set("failed_configs", { name }, 0);
  }

  /** Takes a new configuration: what every job, by its name, wants to be found. */
  apply(configs: ReadonlyMap<string, DiscoveryConfigs>): void {
    const { counters } = this.options.surroundings;
    const wanted = new Map<
      string,
      { jobs: Set<string>; mechanism: DiscoveryMechanismName; config: AnyDiscoveryConfig }
    >();
    for (const [job, lists] of configs) {
      for (const { config, mechanism, identity } of wantedOf(lists)) {
        const entry = wanted.get(identity) ?? { jobs: new Set(), mechanism, config };
        entry.jobs.add(job);
        wanted.set(identity, entry);
      }
    }
    for (const [identity, provider] of this.providers) {
      if (wanted.has(identity)) continue;
      provider.stop();
      this.providers.delete(identity);
      for (const job of provider.jobs) this.changedJobs.add(job);
    }
    let failed = 0;
    for (const [identity, { config, jobs, mechanism }] of wanted) {
      const provider = this.providers.get(identity);
      if (provider !== undefined) this.moveJobs(provider, jobs);
      else if (!this.start(identity, mechanism, config, jobs)) failed++;
    }
    for (const job of this.jobs) {
      if (configs.has(job)) continue;
      this.changedJobs.delete(job);
      for (const name of ["discovered_targets", "last_update_timestamp_seconds"] as const) {
        counters.remove(name, this.labels(job));
      }
    }
    // Every new job hears at once what there is, be it nothing.
    for (const job of configs.keys()) if (!this.jobs.has(job)) this.changedJobs.add(job);
    this.jobs = new Set(configs.keys());
    for (const job of this.changedJobs) if (!this.jobs.has(job)) this.changedJobs.delete(job);
    counters.set("failed_configs", { name: this.options.name }, failed);
    this.waitMs = FIRST_WAIT_MS;
    this.sendSoon();
  }

  /** Stops everything that runs. */
  async stop(): Promise<void> {
    this.stopping.abort();
    for (const provider of this.providers.values()) provider.stop();
    this.providers.clear();
    await Promise.all(this.ends);
  }

  private start(
    identity: string,
    mechanismName: DiscoveryMechanismName,
    config: AnyDiscoveryConfig,
    jobs: Set<string>,
  ): boolean {
    const { create, surroundings } = this.options;
    const [firstJob] = jobs;
    let mechanism: Mechanism;
    try {
      mechanism = create(mechanismName, config, firstJob!, surroundings);
    } catch (err) {
      surroundings.log.error(
        { mechanism: mechanismName, config: firstJob, err },
        "Cannot create service discovery",
      );
      return false;
    }
    const provider = new Provider(jobs);
    this.providers.set(identity, provider);
    const receive = (groups: readonly TargetGroup[]) => {
      if (provider.signal.aborted) return;
      surroundings.counters.add("received_updates_total", { name: this.options.name });
      for (const job of provider.jobs) this.changedJobs.add(job);
      provider.receive(groups.map(soundGroup));
      this.sendSoon();
    };
    const end = mechanism
      .run(receive, provider.signal)
      .catch((err: unknown) => {
        if (!provider.signal.aborted) {
          surroundings.log.error(
            { mechanism: mechanismName, config: firstJob, err },
            "Service discovery ended",
          );
        }
      })
      .finally(() => this.ends.delete(end));
    this.ends.add(end);
    return true;
  }

  /** Who comes new to a running mechanism gets what it has found so far. */
  private moveJobs(provider: Provider, jobs: Set<string>): void {
    for (const job of jobs) if (!provider.jobs.has(job)) this.changedJobs.add(job);
    for (const job of provider.jobs) if (!jobs.has(job)) this.changedJobs.add(job);
    provider.jobs = jobs;
  }

  /** Sends what changed, then waits before the next time: longer as long as there is always something new. */
  private sendSoon(): void {
    if (this.isSending || this.stopping.signal.aborted) return;
    this.isSending = true;
    void this.sendWhileChanging();
  }

  private async sendWhileChanging(): Promise<void> {
    const { counters, sleep } = this.options.surroundings;
    // What is found at the same moment goes out together.
    await Promise.resolve();
    while (this.changedJobs.size > 0 && !this.stopping.signal.aborted) {
      this.sendChanged();
      await sleep(this.waitMs, this.stopping.signal);
      if (this.changedJobs.size === 0) this.waitMs = FIRST_WAIT_MS;
      else {
        counters.add("updates_delayed_total", { name: this.options.name });
        this.waitMs = Math.min(this.waitMs * 2, this.options.maxUpdateIntervalMs ?? MAX_WAIT_MS);
      }
    }
    this.isSending = false;
  }

  private sendChanged(): void {
    const { counters, log, now } = this.options.surroundings;
    const jobs = [...this.changedJobs];
    this.changedJobs.clear();
    for (const job of jobs) {
      const groups = [...this.providers.values()]
        .filter((provider) => provider.jobs.has(job))
        .flatMap((provider) => provider.groups());
      const targetCount = groups.reduce((count, { targets }) => count + targets.length, 0);
      counters.set("discovered_targets", this.labels(job), targetCount);
      counters.set("last_update_timestamp_seconds", this.labels(job), now() / 1_000);
      try {
        this.options.onUpdate(job, groups);
      } catch (err) {
        log.error({ config: job, err }, "Cannot hand over targets");
      }
    }
    counters.add("updates_total", { name: this.options.name });
    this.options.onUpdated?.();
  }

  private labels(job: string) {
    return { name: this.options.name, config: job };
  }
}

/** A mechanism that runs, what it has found, and who wants it. */
class Provider {
  private readonly stopping = new AbortController();
  private readonly bySource = new Map<string, TargetGroup>();

  constructor(public jobs: Set<string>) {}

  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  receive(groups: readonly TargetGroup[]): void {
    for (const group of groups) {
      if (group.targets.length === 0) this.bySource.delete(group.source);
      else this.bySource.set(group.source, group);
    }
  }

  groups(): TargetGroup[] {
    return [...this.bySource.values()];
  }

  stop(): void {
    this.stopping.abort();
  }
}

interface Wanted {
  readonly mechanism: DiscoveryMechanismName;
  readonly config: AnyDiscoveryConfig;
  readonly identity: string;
}

function wantedOf(lists: DiscoveryConfigs): Wanted[] {
  return DISCOVERY_MECHANISMS.flatMap((mechanism): Wanted[] => {
    const configs = lists[`${mechanism}Configs`] as readonly never[];
    if (configs.length === 0 || IDLE_MECHANISMS.includes(mechanism)) return [];
    // All static lists of a job are one mechanism, whose groups are told apart by their place.
    if (mechanism === "static") {
      const identity = configs.map((config) => discoveryIdentity(mechanism, config)).join("\n");
      return [{ mechanism, config: lists.staticConfigs, identity }];
    }
    return configs.map((config) => ({ mechanism, config, identity: discoveryIdentity(mechanism, config) }));
  });
}
