import { setImmediate } from "node:timers/promises";
import type { Registry } from "prom-client";
import type { Labels } from "../model/labels.ts";
import type { Alert } from "./alert.ts";
import { AlertingRule, type AlertSurroundings } from "./alerting-rule.ts";
import type { Clock, Log, ParsedExpression, RuleStorage } from "./ports.ts";
import { RecordingRule } from "./recording-rule.ts";
import type { RuleConfig, RuleGroupConfig } from "./rule-config.ts";
import { RuleGroup, groupKey, type GroupSurroundings } from "./rule-group.ts";
import { RuleMetrics } from "./rule-metrics.ts";
import type { Rule } from "./rule.ts";
import { compareUtf8 } from "../model/labels.ts";

export interface RuleManagerOptions {
  readonly clock: Clock;
  readonly storage: RuleStorage;
  /** @throws Error with the parser's text */
  readonly parse: (expression: string) => ParsedExpression;
  /** Takes alerts to the notifier; must not wait. */
  readonly sendAlerts: (alerts: readonly Alert[]) => void;
  readonly registry: Registry;
  readonly log: Log;
  /** The least time between two messages about the same alert. Default 1m. */
  readonly resendDelayMs?: number;
  /** How long the server may have been down for alerts to be given back the time they had waited. Default 1h. */
  readonly outageToleranceMs?: number;
  /** The least time an alert waits after a restart, where it waits that long at all. Default 10m. */
  readonly gracePeriodMs?: number;
  /** How many rules of one group after another may run beside each other; 0, the default: none. */
  readonly maxConcurrentEvaluations?: number;
}

/** What rules know of the rest of the configuration. */
export interface RuleContext {
  readonly externalLabels: Labels;
  /** How users reach this server, without a slash at the end. */
  readonly externalUrl: string;
}

/**
 * Runs the rule groups of the configuration, from `start` on. A reload replaces them by `update`: groups that are
 * configured as before go on untouched, changed ones hand their state to their successors.
 */
export class RuleManager {
  private running = new Map<string, RuleGroup>();
  private isStarted = false;
  private isStopped = false;
  private hasLoaded = false;
  private lastUpdate: Promise<void> = Promise.resolve();
  private context: RuleContext | null = null;
  private readonly stopSignal = new AbortController();
  private readonly metrics: RuleMetrics;
  private readonly groupSurroundings: GroupSurroundings;
  private readonly alertSurroundings: AlertSurroundings;

  constructor(private readonly options: RuleManagerOptions) {
    const { clock, storage, log, sendAlerts } = options;
    const metrics = (this.metrics = new RuleMetrics(options.registry));
    const maxConcurrent = options.maxConcurrentEvaluations ?? 0;
    this.groupSurroundings = {
      clock,
      storage,
      metrics,
      log,
      signal: this.stopSignal.signal,
      resendDelayMs: options.resendDelayMs ?? 60_000,
      outageToleranceMs: options.outageToleranceMs ?? 3_600_000,
      gracePeriodMs: options.gracePeriodMs ?? 600_000,
      sendAlerts,
      concurrency: maxConcurrent > 0 ? new Places(maxConcurrent) : null,
    };
    const context = () => {
      if (this.context === null) throw new Error("rules run before their first configuration");
      return this.context;
    };
    this.alertSurroundings = {
      get externalLabels() {
        return context().externalLabels;
      },
      get externalUrl() {
        return context().externalUrl;
      },
      templateExpanded(failure) {
        metrics.templateExpanded(failure !== null);
        if (failure !== null)
          log.warn({ name: failure.rule, err: failure.error }, "Expanding alert template failed");
      },
      takeTurn: () => setImmediate(),
    };
  }

  /** Sorted by file, then name. */
  get groups(): readonly RuleGroup[] {
    return [...this.running.values()].sort(
      (a, b) => compareUtf8(a.file, b.file) || compareUtf8(a.name, b.name),
    );
  }

  get alertingRules(): readonly AlertingRule[] {
    return this.groups.flatMap(({ rules }) => rules.filter((rule) => rule instanceof AlertingRule));
  }

  /** Groups begin to run: those there are, and from now on those that come. */
  start(): void {
    if (this.isStarted) return;
    this.isStarted = true;
    for (const group of this.running.values()) group.start();
  }

  /**
   * Replaces the configuration. Groups that changed finish the rule they are at; those that are gone leave staleness
   * markers behind.
   * @throws Error when an expression or a label is wrong; everything stays as it was
   */
  update(groups: readonly RuleGroupConfig[], context: RuleContext): Promise<void> {
    const update = this.lastUpdate.then(() => this.replace(groups, context));
    this.lastUpdate = update.catch(() => {});
    return update;
  }

  private async replace(configs: readonly RuleGroupConfig[], context: RuleContext): Promise<void> {
    if (this.isStopped) return;
    const loaded = new Map<string, RuleGroup>();
    for (const config of configs) {
      const key = groupKey(config);
      if (loaded.has(key)) throw new Error(`cannot load rules: group ${key} is there twice`);
      loaded.set(key, this.createGroup(config));
    }
    this.context = context;
    this.hasLoaded = true;

    const groups = new Map<string, RuleGroup>();
    const fresh: RuleGroup[] = [];
    const changes = [...loaded].map(async ([key, group]) => {
      const earlier = this.running.get(key);
      if (earlier?.isConfiguredLike(group)) {
        groups.set(key, earlier);
        return;
      }
      groups.set(key, group);
      fresh.push(group);
      if (earlier !== undefined) {
        await earlier.stop();
        group.copyStateFrom(earlier);
      }
      this.metrics.groupLoaded(key, { intervalMs: group.intervalMs, ruleCount: group.rules.length });
    });
    const removals = [...this.running].map(async ([key, group]) => {
      if (loaded.has(key)) return;
      await group.stop();
      group.markStaleLater();
      this.metrics.groupRemoved(key);
    });
    await Promise.all([...changes, ...removals]);
    this.running = groups;
    if (this.isStarted && !this.isStopped) for (const group of fresh) group.start();
  }

  private createGroup(config: RuleGroupConfig): RuleGroup {
    const rules = config.rules.map((rule) => this.createRule(rule, config));
    return new RuleGroup({ ...config, rules }, this.groupSurroundings, !this.hasLoaded);
  }

  private createRule(config: RuleConfig, group: RuleGroupConfig): Rule {
    const expression = this.options.parse(config.expr);
    switch (config.kind) {
      case "recording":
        return new RecordingRule(config, group.labels, expression);
      case "alerting":
        return new AlertingRule(config, group.labels, expression, this.alertSurroundings, {
          isRestored: this.hasLoaded,
        });
    }
  }

  /** Stops all groups; queries under way are called off. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.stopSignal.abort();
    await this.lastUpdate;
    await Promise.all([...this.running.values()].map((group) => group.stop()));
  }
}

/** A number of places, taken without waiting or not at all. */
class Places {
  private taken = 0;

  constructor(private readonly count: number) {}

  tryTake(): boolean {
    if (this.taken >= this.count) return false;
    this.taken++;
    return true;
  }

  giveBack(): void {
    this.taken--;
  }
}
