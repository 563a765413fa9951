import type { Registry } from "prom-client";
import { createHttpClient, type HttpClient, type HttpClientOptions } from "../http-client/index.ts";
import { Labels } from "../model/labels.ts";
import { compileRules, type CompiledRelabelRules, type RelabelRule } from "../model/relabel.ts";
import type { Alert } from "./alert.ts";
import type { AlertmanagerTargetGroup } from "./alertmanager-endpoints.ts";
import type { SenderOptions } from "./alertmanager-sender.ts";
import { AlertmanagerSet, type AlertmanagerSetConfig } from "./alertmanager-set.ts";
import { NotifierMetrics } from "./notifier-metrics.ts";
import type { Clock, Log } from "./ports.ts";
import { relabelAlerts } from "./relabel-alerts.ts";

export interface NotifierOptions {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly log: Log;
  /** How many alerts may wait for each Alertmanager. Default 10000. */
  readonly queueCapacity?: number;
  /** How many alerts one request carries at most. Default 256. */
  readonly batchSize?: number;
  /** Whether alerts that wait when an Alertmanager goes or the server stops are still sent. Default true. */
  readonly drainOnStop?: boolean;
  readonly createClient?: (options: HttpClientOptions) => HttpClient;
}

/** The section `alerting` of the configuration. */
export interface AlertingConfig {
  readonly alertRelabelRules: readonly RelabelRule[];
  readonly alertmanagers: readonly AlertmanagerSetConfig[];
}

/**
 * Brings alerts to all Alertmanagers, each by a queue of its own, so that a slow one holds up no other. Alerts sent
 * while no Alertmanager is known are nobody's.
 */
export class Notifier {
  private readonly metrics: NotifierMetrics;
  private readonly senderOptions: SenderOptions;
  private readonly createClient: (options: HttpClientOptions) => HttpClient;
  private externalLabels = Labels.empty;
  private alertRelabelRules: CompiledRelabelRules = [];
  private sets: readonly AlertmanagerSet[] = [];
  private readonly leaving = new Set<Promise<void>>();

  constructor(options: NotifierOptions) {
    const { clock, log, queueCapacity = 10_000, batchSize = 256, drainOnStop = true } = options;
    this.metrics = new NotifierMetrics(options.registry, queueCapacity);
    this.metrics.setDiscovered(0);
    this.senderOptions = { clock, log, metrics: this.metrics, queueCapacity, batchSize, drainOnStop };
    this.createClient = options.createClient ?? ((http) => createHttpClient(http));
  }

  /**
   * Sets that are configured as before keep their Alertmanagers and queues; others wait for discovery.
   * @throws Error when a relabelling rule is wrong; everything stays as it was
   */
  applyConfig(config: AlertingConfig, externalLabels: Labels): void {
    const alertRelabelRules = compileRules(config.alertRelabelRules);
    const earlier = new Set(this.sets);
    const sets = config.alertmanagers.map((setConfig) => {
      const same = [...earlier].find((set) => set.isConfiguredBy(setConfig));
      if (same === undefined) return new AlertmanagerSet(setConfig, this.createClient, this.senderOptions);
      earlier.delete(same);
      return same;
    });
    this.alertRelabelRules = alertRelabelRules;
    this.externalLabels = externalLabels;
    this.sets = sets;
    for (const set of earlier) this.letGo(set);
    this.countDiscovered();
  }

  /** What discovery found for entry `index` of the configured Alertmanagers: everything there is now. */
  setTargets(index: number, groups: readonly AlertmanagerTargetGroup[]): void {
    this.sets[index]?.setTargets(groups);
    this.countDiscovered();
  }

  /** Queues alerts; returns at once. */
  send(alerts: readonly Alert[]): void {
    const relabelled = relabelAlerts(alerts, this.externalLabels, this.alertRelabelRules);
    if (relabelled.length > 0) for (const set of this.sets) set.send(relabelled);
  }

  /** The URLs alerts are posted to. */
  get activeUrls(): readonly string[] {
    return this.sets.flatMap((set) => set.activeUrls);
  }

  /** The URLs of Alertmanagers that relabelling dropped. */
  get droppedUrls(): readonly string[] {
    return this.sets.flatMap((set) => set.dropped);
  }

  /** Ends once every queue is sent or dropped. */
  async stop(): Promise<void> {
    for (const set of this.sets) this.letGo(set);
    this.sets = [];
    await Promise.all(this.leaving);
  }

  private letGo(set: AlertmanagerSet): void {
    const leaving = set.stop().finally(() => this.leaving.delete(leaving));
    this.leaving.add(leaving);
  }

  private countDiscovered(): void {
    this.metrics.setDiscovered(this.activeUrls.length);
  }
}
