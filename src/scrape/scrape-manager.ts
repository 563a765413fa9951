import type { Metadata } from "../model/metadata.ts";
import type { ScrapePoolOptions, TargetGroup } from "./options.ts";
import type { TargetStatus } from "./scrape-loop.ts";
import { ScrapePool, type PoolStatistics } from "./scrape-pool.ts";
import type { ScrapeCounters, ScrapeSurroundings } from "./surroundings.ts";

const DEFAULT_SYNC_INTERVAL_MS = 5000;

/** Everything the API shows of scraping; plain data. */
export interface ScrapeSnapshot {
  /** By job, in the order of the configuration. */
  readonly pools: readonly {
    readonly jobName: string;
    readonly active: readonly TargetStatus[];
    readonly dropped: readonly Readonly<Record<string, string>>[];
    readonly droppedCount: number;
  }[];
}

export interface TargetMetadataSnapshot {
  readonly target: Readonly<Record<string, string>>;
  readonly metadata: readonly ({ readonly metric: string } & Metadata)[];
}

/** A pool per job: applies configurations and hands every pool its targets. */
export class ScrapeManager {
  private pools = new Map<string, ScrapePool>();
  /** Pools of jobs that are gone, whose series have not ended yet. */
  private readonly retiring = new Set<ScrapePool>();
  private groups: ReadonlyMap<string, readonly TargetGroup[]> = new Map();
  private lastSyncMs = -Infinity;
  private cancelSync: (() => void) | null = null;

  constructor(private readonly shared: ScrapeSurroundings) {}

  /**
   * Takes up a configuration. Pools whose options are the same go on undisturbed; jobs that are gone end their series.
   *
   * @throws Error naming the jobs whose pools could not be made; all others are in place
   */
  apply(jobs: readonly ScrapePoolOptions[]): void {
    const failures: string[] = [];
    const pools = new Map<string, ScrapePool>();
    for (const options of jobs) {
      const { jobName } = options;
      const running = this.pools.get(jobName);
      try {
        if (running === undefined) pools.set(jobName, this.newPool(options));
        else {
          pools.set(jobName, running);
          if (JSON.stringify(running.options) !== JSON.stringify(options)) running.reload(options);
        }
      } catch (error) {
        if (running === undefined) this.shared.counters.poolsFailed++;
        else this.shared.counters.poolReloadsFailed++;
        failures.push(`${jobName}: ${(error as Error).message}`);
      }
    }
    for (const pool of this.retiring) if (pool.hasEnded) this.retiring.delete(pool);
    for (const [jobName, pool] of this.pools) {
      if (pools.has(jobName)) continue;
      pool.stopAndEnd();
      this.retiring.add(pool);
    }
    this.pools = pools;
    if (failures.length > 0) throw new Error(`cannot apply scrape configuration: ${failures.join("; ")}`);
  }

  /** Takes the newest target groups of every job; pools hear of them soon: discovery may change its mind all the time. */
  updateTargets(groups: ReadonlyMap<string, readonly TargetGroup[]>): void {
    this.groups = groups;
    if (this.cancelSync) return;
    const { clock, syncIntervalMs = DEFAULT_SYNC_INTERVAL_MS } = this.shared;
    const waitMs = this.lastSyncMs + syncIntervalMs - clock.now();
    if (waitMs <= 0) this.sync();
    else this.cancelSync = clock.setTimer(() => this.sync(), waitMs);
  }

  private sync(): void {
    this.cancelSync = null;
    this.lastSyncMs = this.shared.clock.now();
    for (const [jobName, pool] of this.pools) pool.sync(this.groups.get(jobName) ?? []);
  }

  private newPool(options: ScrapePoolOptions): ScrapePool {
    const pool = new ScrapePool(options, this.shared);
    this.shared.counters.poolsCreated++;
    const groups = this.groups.get(options.jobName);
    if (groups) pool.sync(groups);
    return pool;
  }

  /** Whether any scrape is under way. */
  get isScraping(): boolean {
    return [...this.pools.values()].some((pool) => pool.isScraping);
  }

  snapshot(): ScrapeSnapshot {
    const pools = [...this.pools.values()].map((pool) => {
      const { targets, count } = pool.dropped();
      return {
        jobName: pool.options.jobName,
        active: pool.statuses(),
        dropped: targets,
        droppedCount: count,
      };
    });
    return { pools };
  }

  metadata(): TargetMetadataSnapshot[] {
    return [...this.pools.values()].flatMap((pool) =>
      pool.metadata().map(({ target, metadata }) => ({
        target,
        metadata: [...metadata].map(([metric, entry]) => ({ metric, ...entry })),
      })),
    );
  }

  get counters(): Readonly<ScrapeCounters> {
    return this.shared.counters;
  }

  statistics(): PoolStatistics[] {
    return [...this.pools.values()].map((pool) => pool.statistics());
  }

  /** Ends all scraping without a mark: the server stops, its targets do not. */
  async stop(): Promise<void> {
    this.cancelSync?.();
    const pools = [...this.pools.values(), ...this.retiring];
    this.pools.clear();
    this.retiring.clear();
    await Promise.all(pools.map((pool) => pool.stop()));
  }
}
