import type { HttpClient, HttpClientOptions } from "../http-client/index.ts";
import { Labels } from "../model/labels.ts";
import { compileRules, type CompiledRelabelRules, type RelabelRule } from "../model/relabel.ts";
import type { Alert } from "./alert.ts";
import { alertmanagerEndpoints, type AlertmanagerTargetGroup } from "./alertmanager-endpoints.ts";
import { AlertmanagerSender, type SenderOptions } from "./alertmanager-sender.ts";
import { relabelAlerts } from "./relabel-alerts.ts";

/** One entry of `alerting.alertmanagers`. */
export interface AlertmanagerSetConfig {
  readonly scheme: string;
  readonly pathPrefix: string;
  readonly timeoutMs: number;
  /** For the Alertmanagers that discovery finds. */
  readonly relabelRules: readonly RelabelRule[];
  /** For the alerts on their way to them. */
  readonly alertRelabelRules: readonly RelabelRule[];
  readonly http: HttpClientOptions;
}

/** Alertmanagers that are found and spoken to in one way. */
export class AlertmanagerSet {
  private readonly client: HttpClient;
  private readonly relabelRules: CompiledRelabelRules;
  private readonly alertRelabelRules: CompiledRelabelRules;
  private senders = new Map<string, AlertmanagerSender>();
  private droppedUrls: readonly string[] = [];
  /** Senders whose Alertmanager is gone but whose queue is not empty yet. */
  private readonly leaving = new Set<Promise<void>>();

  constructor(
    private readonly config: AlertmanagerSetConfig,
    createClient: (options: HttpClientOptions) => HttpClient,
    private readonly options: SenderOptions,
  ) {
    this.relabelRules = compileRules(config.relabelRules);
    this.alertRelabelRules = compileRules(config.alertRelabelRules);
    this.client = createClient(config.http);
  }

  get activeUrls(): readonly string[] {
    return [...this.senders.keys()];
  }

  get dropped(): readonly string[] {
    return this.droppedUrls;
  }

  isConfiguredBy(config: AlertmanagerSetConfig): boolean {
    return JSON.stringify(this.config) === JSON.stringify(config);
  }

  send(alerts: readonly Alert[]): void {
    const relabelled = relabelAlerts(alerts, Labels.empty, this.alertRelabelRules);
    for (const sender of this.senders.values()) sender.add(relabelled);
  }

  /** What discovery found: everything there is now. */
  setTargets(groups: readonly AlertmanagerTargetGroup[]): void {
    const { scheme, pathPrefix, timeoutMs } = this.config;
    const active = new Set<string>();
    const dropped: string[] = [];
    for (const group of groups) {
      try {
        const endpoints = alertmanagerEndpoints(group, { scheme, pathPrefix, rules: this.relabelRules });
        for (const url of endpoints.active) active.add(url);
        dropped.push(...endpoints.dropped);
      } catch (err) {
        this.options.log.error({ err }, "Creating discovered Alertmanagers failed");
      }
    }
    const earlier = this.senders;
    this.senders = new Map();
    for (const url of active) {
      const sender = earlier.get(url) ?? new AlertmanagerSender(url, this.client, timeoutMs, this.options);
      this.senders.set(url, sender);
    }
    for (const [url, sender] of earlier) if (!active.has(url)) this.letGo(sender);
    this.droppedUrls = dropped;
  }

  private letGo(sender: AlertmanagerSender): void {
    const leaving = sender.stop().finally(() => this.leaving.delete(leaving));
    this.leaving.add(leaving);
  }

  async stop(): Promise<void> {
    for (const sender of this.senders.values()) this.letGo(sender);
    this.senders = new Map();
    await Promise.all(this.leaving);
    await this.client.close();
  }
}
