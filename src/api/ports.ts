/**
 * What the routes ask of the server. The runtime implements it; a test hands in an object of its own. Everything is
 * plain data, or a promise of it where another thread has to be asked.
 */
import type { Registry } from "prom-client";
import type { FamilyJson } from "../telemetry/family-json.ts";
import type { AnchoredRegexp } from "../model/regexp.ts";
import type { QueryAnswer, QueryTask } from "./query-tasks.ts";
import type {
  ActiveTargetBody,
  AlertmanagersData,
  BuildInfoData,
  DroppedTargetBody,
  NotificationBody,
  RelabelStepsData,
  RuleGroupBody,
  RuntimeInfoData,
  TsdbStatusData,
  WalReplayData,
} from "./types.ts";

export interface Ports {
  readonly queries: QueryPort;
  readonly targets: TargetsPort;
  readonly rules: RulesPort;
  readonly status: StatusPort;
  readonly lifecycle: LifecyclePort;
  readonly admin: AdminPort;
  readonly metrics: MetricsPort;
  readonly notifications: NotificationsPort;
}

export interface QueryPort {
  /**
   * The answer to a task that takes next to nothing; null where it is to be `run`.
   * @param mayGzip as for `run`
   */
  answerAtOnce(task: QueryTask, origin: QueryOrigin, mayGzip: boolean): QueryAnswer | null;
  /**
   * Never rejects: what goes wrong is an answer too.
   * @param mayGzip whether an answer may come compressed
   */
  run(task: QueryTask, origin: QueryOrigin, signal: AbortSignal, mayGzip: boolean): Promise<QueryAnswer>;
}

/** Who asks, for the query log. */
export interface QueryOrigin {
  readonly clientIP: string;
  readonly method: string;
  readonly path: string;
}

export interface TargetMetadata {
  readonly metric: string;
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

export interface TargetsPort {
  active(): Promise<readonly ActiveTargetBody[]>;
  dropped(): Promise<{
    readonly targets: readonly DroppedTargetBody[];
    readonly counts: Readonly<Record<string, number>>;
  }>;
  scrapePools(): Promise<readonly string[]>;
  /** The pool's configuration as YAML, or null if there is no such pool. */
  scrapePoolConfig(pool: string): Promise<string | null>;
  /** Metadata by active target. */
  metadata(): Promise<
    readonly {
      readonly target: Readonly<Record<string, string>>;
      readonly metadata: readonly TargetMetadata[];
    }[]
  >;
  relabelSteps(pool: string, labels: Readonly<Record<string, string>>): Promise<RelabelStepsData | null>;
  alertmanagers(): Promise<AlertmanagersData>;
}

export interface RulesPort {
  /** All groups, sorted by file and then name. */
  groups(): readonly RuleGroupBody[];
}

export interface StatusPort {
  readonly buildInfo: BuildInfoData;
  config(): string;
  flags(): Readonly<Record<string, string>>;
  runtimeInfo(): Promise<RuntimeInfoData>;
  tsdb(limit: number): Promise<TsdbStatusData>;
  blocks(): Promise<readonly unknown[]>;
  walReplay(): WalReplayData;
  features(): Readonly<Record<string, Readonly<Record<string, boolean>>>>;
}

export interface LifecyclePort {
  readonly isEnabled: boolean;
  readonly state: "starting" | "ready" | "stopping";
  /** @throws Error saying what is wrong with the new configuration; the old one then stays */
  reload(): Promise<void>;
  /** @returns false if it was asked to stop before */
  quit(): boolean;
}

export interface AdminPort {
  readonly isEnabled: boolean;
  deleteSeries(matches: readonly string[], startMs: number, endMs: number): Promise<void>;
  cleanTombstones(): Promise<void>;
  /** @returns the snapshot's folder name */
  snapshot(skipHead: boolean): Promise<string>;
}

export interface MetricsPort {
  /** The registry of this thread, where HTTP requests are counted. */
  readonly registry: Registry;
  /** One page out of all threads. */
  page(): Promise<{ readonly contentType: string; readonly body: string }>;
  /** Its metric families whose name matches. */
  families(pattern: AnchoredRegexp | null): Promise<readonly FamilyJson[]>;
}

/** What the operator should know; `NotificationBoard` is one. */
export interface NotificationsPort {
  current(): readonly NotificationBody[];
  /** Calls `listener` with each change. @returns how to stop following, or null when too many follow already */
  follow(listener: (notification: NotificationBody) => void): (() => void) | null;
}

/** How the server is reached and what it allows, fixed at start. */
export interface ApiOptions {
  /** "" or "/prefix". */
  readonly routePrefix: string;
  /** The path part of the external URL, "" or "/path": what redirects point at. */
  readonly externalPath: string;
  readonly pageTitle: string;
  /** Null allows every origin, the default. */
  readonly corsOrigin: AnchoredRegexp | null;
  /** Where the built web page lies; null where it was not built. */
  readonly uiDirectory: string | null;
  readonly now: () => number;
}
