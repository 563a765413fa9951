import { createHash } from "node:crypto";
import { createHttpClient, type PageClient } from "../http-client/index.ts";
import type { Labels } from "../model/labels.ts";
import type { Metadata } from "../model/metadata.ts";
import { compileRules, type CompiledRelabelRules } from "../model/relabel.ts";
import { acceptHeader, type ScrapeProtocol } from "./exposition/negotiate.ts";
import type { ScrapePoolOptions, TargetGroup } from "./options.ts";
import { ScrapeLoop, type ScrapeJob, type TargetStatus } from "./scrape-loop.ts";
import { TargetSeries } from "./target-series.ts";
import type { ScrapeSurroundings } from "./surroundings.ts";
import { targetsOf, type Target } from "./target.ts";

/** Numbers of one job, behind the metrics with a `scrape_job` label; plain data. */
export interface PoolStatistics {
  readonly jobName: string;
  readonly syncs: number;
  readonly syncsFailed: number;
  readonly targets: number;
  readonly targetLimit: number;
  /** Different names and values in the labels of its targets. */
  readonly symbols: number;
  readonly metadataEntries: number;
  readonly metadataBytes: number;
}

/** A loop per target of one job, started and stopped as targets come and go. */
export class ScrapePool {
  private job: ScrapeJob;
  private relabelRules: CompiledRelabelRules;
  private loops = new Map<string, ScrapeLoop>();
  /** Counted anew for every set of targets. */
  private counted: { readonly loops: object; readonly symbols: number } | null = null;
  /** Loops that ended but still owe markers to their series. */
  private readonly ending = new Set<ScrapeLoop>();
  private groups: readonly TargetGroup[] = [];
  private groupsFingerprint = "";
  private droppedTargets: readonly Labels[] = [];
  private syncs = 0;
  private syncsFailed = 0;

  /** @throws Error for rules that do not compile */
  constructor(
    options: ScrapePoolOptions,
    private readonly shared: ScrapeSurroundings,
  ) {
    this.relabelRules = compileRules(options.relabelRules, options.nameValidation);
    this.job = jobOf(options, shared.userAgent);
  }

  get options(): ScrapePoolOptions {
    return this.job.options;
  }

  /** Takes up the whole set of the job's target groups. */
  sync(groups: readonly TargetGroup[]): void {
    const { clock, observer } = this.shared;
    const startedMs = clock.elapsedMs();
    // Every set of groups is told to every job, though most of the time it is another job's that changed.
    const fingerprint = createHash("md5").update(JSON.stringify(groups)).digest("base64");
    this.syncs++;
    if (fingerprint === this.groupsFingerprint) return;
    this.groupsFingerprint = fingerprint;
    this.groups = groups;
    const targets = this.buildTargets();
    const kept = new Map<string, ScrapeLoop>();
    for (const target of targets) {
      const running = this.loops.get(target.identity);
      kept.set(target.identity, running ?? this.newLoop(target, new TargetSeries(this.shared.memory)));
    }
    const before = this.loops;
    this.loops = kept;
    this.enforceTargetLimit();
    for (const [identity, loop] of before) if (!kept.has(identity)) this.end(loop);
    for (const [identity, loop] of kept) if (!before.has(identity)) loop.start();
    observer?.targetsSynced(this.options.jobName, (clock.elapsedMs() - startedMs) / 1000);
  }

  /**
   * Restarts every loop with new options. Series stay as they are where the options that shape them are the same; else
   * the old ones end unless the new ones are equal.
   */
  reload(options: ScrapePoolOptions): void {
    const { clock, observer, counters } = this.shared;
    const startedMs = clock.elapsedMs();
    const relabelRules = compileRules(options.relabelRules, options.nameValidation);
    const job = jobOf(options, this.shared.userAgent);
    const keepsSeries = seriesShape(options) === seriesShape(this.options);
    void this.job.client.close();
    this.job = job;
    this.relabelRules = relabelRules;

    const before = new Map<string, ScrapeLoop>();
    for (const loop of this.loops.values()) {
      loop.stop();
      before.set(likeness(loop.target), loop);
    }
    this.loops = new Map();
    for (const target of this.buildTargets()) {
      const old = before.get(likeness(target));
      const series = old && keepsSeries ? old.series : new TargetSeries(this.shared.memory);
      const loop = this.newLoop(target, series);
      if (old) loop.inherit(old);
      if (old && keepsSeries) before.delete(likeness(target));
      this.loops.set(target.identity, loop);
    }
    this.enforceTargetLimit();
    for (const loop of before.values()) this.end(loop);
    for (const loop of this.loops.values()) loop.start();
    counters.poolReloads++;
    observer?.poolReloaded(options.scrapeIntervalMs, (clock.elapsedMs() - startedMs) / 1000);
  }

  /** Ends scraping and, two intervals later, the series: the job is gone. */
  stopAndEnd(): void {
    for (const loop of this.loops.values()) this.end(loop);
    this.loops.clear();
    void this.job.client.close();
  }

  /** Whether any scrape is under way. */
  get isScraping(): boolean {
    return [...this.loops.values()].some((loop) => loop.isScraping);
  }

  /** Whether nothing is scraped any more and no series is left to end. */
  get hasEnded(): boolean {
    return this.loops.size === 0 && this.ending.size === 0;
  }

  /** Ends scraping and leaves the series as they are: the server stops. */
  async stop(): Promise<void> {
    for (const loop of this.loops.values()) loop.stop();
    for (const loop of this.ending) loop.cancelEnd();
    this.ending.clear();
    await this.job.client.close();
  }

  statuses(): TargetStatus[] {
    return [...this.loops.values()].map((loop) => loop.status);
  }

  /** Discovered labels of dropped targets, as many as the job keeps, and how many there are. */
  dropped(): { readonly targets: readonly Readonly<Record<string, string>>[]; readonly count: number } {
    const limit = this.options.keepDroppedTargets || this.droppedTargets.length;
    return {
      targets: this.droppedTargets.slice(0, limit).map((labels) => labels.toRecord()),
      count: this.droppedTargets.length,
    };
  }

  metadata(): {
    readonly target: Readonly<Record<string, string>>;
    readonly metadata: ReadonlyMap<string, Metadata>;
  }[] {
    return [...this.loops.values()].map((loop) => ({
      target: loop.target.labels.toRecord(),
      metadata: loop.series.metadata(),
    }));
  }

  statistics(): PoolStatistics {
    let metadataEntries = 0;
    let metadataBytes = 0;
    for (const { series } of this.loops.values()) {
      const size = series.metadataSize();
      metadataEntries += size.entries;
      metadataBytes += size.bytes;
    }
    return {
      jobName: this.options.jobName,
      syncs: this.syncs,
      syncsFailed: this.syncsFailed,
      targets: this.loops.size,
      targetLimit: this.options.targetLimit,
      symbols: this.countSymbols(),
      metadataEntries,
      metadataBytes,
    };
  }

  private countSymbols(): number {
    if (this.counted?.loops !== this.loops) {
      const symbols = new Set<string>();
      for (const { target } of this.loops.values()) for (const text of target.labels.pairs) symbols.add(text);
      this.counted = { loops: this.loops, symbols: symbols.size };
    }
    return this.counted.symbols;
  }

  private buildTargets(): readonly Target[] {
    const { targets, dropped, failures } = targetsOf(this.groups, this.options, this.relabelRules);
    this.droppedTargets = dropped;
    this.syncsFailed += failures.length;
    for (const failure of failures) {
      this.shared.log.error({ scrape_pool: this.options.jobName, err: failure }, "Creating target failed");
    }
    return targets;
  }

  private newLoop(target: Target, series: TargetSeries): ScrapeLoop {
    return new ScrapeLoop(
      target,
      this.job,
      this.shared,
      series,
      acceptHeader(protocolsOf(target, this.options), this.options.escaping),
    );
  }

  private end(loop: ScrapeLoop): void {
    this.ending.add(loop);
    loop.onEnded = () => this.ending.delete(loop);
    loop.stopAndEnd();
  }

  private enforceTargetLimit(): void {
    const { targetLimit } = this.options;
    const isOver = targetLimit > 0 && this.loops.size > targetLimit;
    if (isOver) this.shared.counters.exceededTargetLimit++;
    const error = isOver
      ? new Error(`target_limit exceeded (number of targets: ${this.loops.size}, limit: ${targetLimit})`)
      : null;
    for (const loop of this.loops.values()) loop.forcedError = error;
  }
}

function jobOf(options: ScrapePoolOptions, userAgent: string): ScrapeJob {
  const metricRelabelRules = compileRules(options.metricRelabelRules, options.nameValidation);
  const client: PageClient = createHttpClient({ ...options.httpClient, userAgent });
  return { options, client, metricRelabelRules };
}

/** Native histograms travel in protobuf only, so a target that is to give them is asked for it first. */
function protocolsOf(target: Target, options: ScrapePoolOptions): readonly ScrapeProtocol[] {
  const { scrapeProtocols } = options;
  const isAsked = target.scrapeNativeHistograms === options.scrapeNativeHistograms;
  if (isAsked || !target.scrapeNativeHistograms) return scrapeProtocols;
  return scrapeProtocols.includes("PrometheusProto")
    ? scrapeProtocols
    : ["PrometheusProto", ...scrapeProtocols];
}

/** Where the same series come from, however often and by whatever internal labels. */
function likeness(target: Target): string {
  return `${target.labels.key}\n${target.url}`;
}

/** The options that decide which series a page becomes. */
function seriesShape(options: ScrapePoolOptions): string {
  const shape: Partial<ScrapePoolOptions> = { ...options };
  for (const name of ["scrapeIntervalMs", "scrapeTimeoutMs", "sampleLimit", "httpClient"] as const)
    delete shape[name];
  return JSON.stringify(shape);
}
