import type { HttpClient, HttpClientOptions } from "../http-client/index.ts";
import type { TargetGroup } from "./target-group.ts";

/** One way of finding targets, with its configuration. */
export interface Mechanism {
  /**
   * Looks for targets until the signal aborts, and then returns. Each call of `emit` gives the groups that changed.
   * What fails is logged and counted, and what was found before stays.
   */
  run(emit: (groups: readonly TargetGroup[]) => void, signal: AbortSignal): Promise<void>;
}

/** What mechanisms ask of the world. */
export interface DiscoverySurroundings {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds since some moment, for durations: nobody sets this clock. */
  readonly elapsedMs: () => number;
  /** Resolves after the time, or at once when the signal aborts; never rejects. */
  readonly sleep: (durationMs: number, signal: AbortSignal) => Promise<void>;
  readonly createHttpClient: (options: HttpClientOptions) => HttpClient;
  readonly userAgent: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: DiscoveryLog;
  readonly counters: DiscoveryCounters;
  /** Which of several equals to take: from 0 up to below 1. */
  readonly random: () => number;
}

/** The part of a logger that is used here. */
export interface DiscoveryLog {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** How long things took, for whoever makes distributions of that. */
export interface DurationObserver {
  /** Called before the first observation of a label set that is bound to come. */
  expect(name: DurationName, labels: Readonly<Record<string, string>>): void;
  observe(name: DurationName, labels: Readonly<Record<string, string>>, seconds: number): void;
}

/** Numbers of one process about discovery, for its metrics. */
export class DiscoveryCounters {
  private readonly values = new Map<
    string,
    { name: string; labels: Record<string, string>; value: number }
  >();

  /** What can happen to Kubernetes's objects is counted from 0, so that its absence shows too. */
  constructor(
    private readonly durations: DurationObserver = { expect: () => undefined, observe: () => undefined },
  ) {
    for (const role of ["endpointslice", "endpoints", "node", "pod", "service", "ingress"]) {
      for (const event of ["add", "delete", "update"])
        this.add("kubernetes_events_total", { role, event }, 0);
    }
  }

  /** Adds to the number of this name and these labels. */
  add(name: CounterName | GaugeName, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    this.entry(name, labels).value += by;
  }

  set(name: GaugeName, labels: Readonly<Record<string, string>>, value: number): void {
    this.entry(name, labels).value = value;
  }

  remove(name: CounterName | GaugeName, labels: Readonly<Record<string, string>>): void {
    this.values.delete(keyOf(name, labels));
  }

  expectDuration(name: DurationName, labels: Readonly<Record<string, string>> = {}): void {
    this.durations.expect(name, labels);
  }

  /** Notes what took from one moment to another, both of `elapsedMs`. */
  addDuration(
    name: DurationName,
    labels: Readonly<Record<string, string>>,
    fromMs: number,
    toMs: number,
  ): void {
    this.durations.observe(name, labels, (toMs - fromMs) / 1_000);
  }

  /** Every label set under a name with its number. */
  read(
    name: CounterName | GaugeName,
  ): { readonly labels: Readonly<Record<string, string>>; readonly value: number }[] {
    return [...this.values.values()].filter((entry) => entry.name === name);
  }

  private entry(name: string, labels: Readonly<Record<string, string>>) {
    const key = keyOf(name, labels);
    let entry = this.values.get(key);
    if (entry === undefined) this.values.set(key, (entry = { name, labels: { ...labels }, value: 0 }));
    return entry;
  }
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, labels]);
}

export type CounterName =
  | "refresh_failures_total"
  | "received_updates_total"
  | "updates_total"
  | "updates_delayed_total"
  | "file_read_errors_total"
  | "file_watcher_errors_total"
  | "http_failures_total"
  | "dns_lookups_total"
  | "dns_lookup_failures_total"
  | "consul_rpc_failures_total"
  | "nomad_failures_total"
  | "kuma_fetch_failures_total"
  | "kuma_fetch_skipped_updates_total"
  | "kubernetes_events_total"
  | "kubernetes_failures_total"
  | "kubernetes_http_request_total"
  | "kubernetes_workqueue_items_total";

export type GaugeName =
  | "discovered_targets"
  | "last_update_timestamp_seconds"
  | "failed_configs"
  | "file_mtime_seconds"
  | "kubernetes_workqueue_depth";

export type DurationName =
  | "refresh_duration_seconds"
  | "file_scan_duration_seconds"
  | "consul_rpc_duration_seconds"
  | "kuma_fetch_duration_seconds"
  | "kubernetes_http_request_duration_seconds"
  | "kubernetes_workqueue_latency_seconds"
  | "kubernetes_workqueue_work_duration_seconds";

/** A mechanism that asks for all its targets again and again. */
export interface Poll {
  /** Names it in logs and metrics. */
  readonly mechanism: string;
  /** Names the job or jobs in metrics. */
  readonly configName: string;
  readonly intervalMs: number;
  /** Everything there is now. Throws what is wrong; then what was found before stays. */
  readonly refresh: (signal: AbortSignal) => Promise<readonly TargetGroup[]>;
  /** Lets go of connections. */
  readonly close?: () => Promise<void>;
}

/** Asks at once and then at every interval; a source that is no longer told is ended. */
export function pollingMechanism(poll: Poll, surroundings: DiscoverySurroundings): Mechanism {
  const { counters, elapsedMs, log, sleep } = surroundings;
  const labels = { mechanism: poll.mechanism, config: poll.configName };
  counters.add("refresh_failures_total", labels, 0);
  counters.expectDuration("refresh_duration_seconds", labels);
  return {
    async run(emit, signal) {
      let sources = new Set<string>();
      while (!signal.aborted) {
        const startedMs = elapsedMs();
        try {
          const groups = await poll
            .refresh(signal)
            .finally(() => counters.addDuration("refresh_duration_seconds", labels, startedMs, elapsedMs()));
          if (signal.aborted) break;
          const current = new Set(groups.map(({ source }) => source));
          const ended = [...sources].filter((source) => !current.has(source));
          emit([...groups, ...ended.map((source) => ({ source, targets: [], labels: {} }))]);
          sources = current;
        } catch (error) {
          if (signal.aborted) break;
          counters.add("refresh_failures_total", labels);
          log.error({ ...labels, err: error }, "Unable to refresh target groups");
        }
        await sleep(Math.max(0, startedMs + poll.intervalMs - elapsedMs()), signal);
      }
      await poll.close?.();
    },
  };
}
