import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { WindowSummary } from "../telemetry/window-summary.ts";

const QUANTILES = [0.5, 0.9, 0.99];
const GROUP_QUANTILES = [0.01, 0.05, 0.5, 0.9, 0.99];
const DURATION_BUCKETS = [0.01, 0.1, 1, 10];

/** What the rules tell of themselves, by Prometheus's names. The series of a group live as long as the group. */
export class RuleMetrics {
  private readonly evaluationDuration: WindowSummary;
  private readonly evaluationDurationHistogram: Histogram;
  private readonly groupDuration: WindowSummary;
  private readonly groupDurationHistogram: Histogram;
  private readonly iterations: Counter;
  private readonly iterationsMissed: Counter;
  private readonly evaluations: Counter;
  private readonly evaluationFailures: Counter;
  private readonly groupInterval: Gauge;
  private readonly groupRules: Gauge;
  private readonly lastEvaluation: Gauge;
  private readonly lastDuration: Gauge;
  private readonly lastRuleDurationSum: Gauge;
  private readonly lastSamples: Gauge;
  private readonly lastRestoreDuration: Gauge;
  private readonly templateExpansions: Counter;
  private readonly templateFailures: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    const byGroup = { labelNames: ["rule_group"], registers };
    this.evaluationDuration = new WindowSummary({
      name: "prometheus_rule_evaluation_duration_seconds",
      help: "How long one rule takes to evaluate.",
      quantiles: QUANTILES,
      registers,
    });
    this.evaluationDurationHistogram = new Histogram({
      name: "prometheus_rule_evaluation_duration_histogram_seconds",
      help: "How long one rule takes to evaluate.",
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.groupDuration = new WindowSummary({
      name: "prometheus_rule_group_duration_seconds",
      help: "How long one run of a rule group takes.",
      quantiles: GROUP_QUANTILES,
      registers,
    });
    this.groupDurationHistogram = new Histogram({
      name: "prometheus_rule_group_duration_histogram_seconds",
      help: "How long one run of a rule group takes.",
      buckets: DURATION_BUCKETS,
      registers,
    });
    this.iterations = new Counter({
      name: "prometheus_rule_group_iterations_total",
      help: "Runs of the rule group that were due, whether they took place or were missed.",
      ...byGroup,
    });
    this.iterationsMissed = new Counter({
      name: "prometheus_rule_group_iterations_missed_total",
      help: "Runs of the rule group that were missed because an earlier one took too long.",
      ...byGroup,
    });
    this.evaluations = new Counter({
      name: "prometheus_rule_evaluations_total",
      help: "Rule evaluations.",
      ...byGroup,
    });
    this.evaluationFailures = new Counter({
      name: "prometheus_rule_evaluation_failures_total",
      help: "Rule evaluations that failed.",
      ...byGroup,
    });
    this.groupInterval = new Gauge({
      name: "prometheus_rule_group_interval_seconds",
      help: "The interval of the rule group.",
      ...byGroup,
    });
    this.groupRules = new Gauge({
      name: "prometheus_rule_group_rules",
      help: "How many rules the group has.",
      ...byGroup,
    });
    this.lastEvaluation = new Gauge({
      name: "prometheus_rule_group_last_evaluation_timestamp_seconds",
      help: "When the last run of the rule group began, in seconds.",
      ...byGroup,
    });
    this.lastDuration = new Gauge({
      name: "prometheus_rule_group_last_duration_seconds",
      help: "How long the last run of the rule group took.",
      ...byGroup,
    });
    this.lastRuleDurationSum = new Gauge({
      name: "prometheus_rule_group_last_rule_duration_sum_seconds",
      help: "The durations of all rules in the last run of the group, added up.",
      ...byGroup,
    });
    this.lastSamples = new Gauge({
      name: "prometheus_rule_group_last_evaluation_samples",
      help: "How many samples the last run of the rule group gave.",
      ...byGroup,
    });
    this.lastRestoreDuration = new Gauge({
      name: "prometheus_rule_group_last_restore_duration_seconds",
      help: "How long restoring the waiting time of alerts took.",
      ...byGroup,
    });
    this.templateExpansions = new Counter({
      name: "prometheus_template_text_expansions_total",
      help: "Templates of alerts that were expanded.",
      registers,
    });
    this.templateFailures = new Counter({
      name: "prometheus_template_text_expansion_failures_total",
      help: "Templates of alerts that could not be expanded.",
      registers,
    });
  }

  groupLoaded(group: string, size: { readonly intervalMs: number; readonly ruleCount: number }): void {
    for (const counter of this.groupCounters) counter.inc({ rule_group: group }, 0);
    for (const gauge of this.runGauges) gauge.inc({ rule_group: group }, 0);
    this.groupInterval.set({ rule_group: group }, size.intervalMs / 1000);
    this.groupRules.set({ rule_group: group }, size.ruleCount);
  }

  groupRemoved(group: string): void {
    const all = [...this.groupCounters, ...this.runGauges, this.groupInterval, this.groupRules];
    for (const metric of all) metric.remove({ rule_group: group });
    this.lastRestoreDuration.remove({ rule_group: group });
  }

  iterationStarted(group: string): void {
    this.iterations.inc({ rule_group: group });
  }

  iterationsWereMissed(group: string, count: number): void {
    this.iterations.inc({ rule_group: group }, count);
    this.iterationsMissed.inc({ rule_group: group }, count);
  }

  iterationEnded(
    group: string,
    run: {
      readonly startMs: number;
      readonly durationMs: number;
      readonly ruleDurationSumMs: number;
      readonly sampleCount: number;
    },
  ): void {
    this.groupDuration.observe(run.durationMs / 1000);
    this.groupDurationHistogram.observe(run.durationMs / 1000);
    this.lastEvaluation.set({ rule_group: group }, run.startMs / 1000);
    this.lastDuration.set({ rule_group: group }, run.durationMs / 1000);
    this.lastRuleDurationSum.set({ rule_group: group }, run.ruleDurationSumMs / 1000);
    this.lastSamples.set({ rule_group: group }, run.sampleCount);
  }

  ruleStarted(group: string): void {
    this.evaluations.inc({ rule_group: group });
  }

  ruleFailed(group: string): void {
    this.evaluationFailures.inc({ rule_group: group });
  }

  ruleEnded(durationMs: number): void {
    this.evaluationDuration.observe(durationMs / 1000);
    this.evaluationDurationHistogram.observe(durationMs / 1000);
  }

  restored(group: string, durationMs: number): void {
    this.lastRestoreDuration.set({ rule_group: group }, durationMs / 1000);
  }

  templateExpanded(hasFailed: boolean): void {
    this.templateExpansions.inc();
    if (hasFailed) this.templateFailures.inc();
  }

  private get groupCounters(): readonly Counter[] {
    return [this.iterations, this.iterationsMissed, this.evaluations, this.evaluationFailures];
  }

  private get runGauges(): readonly Gauge[] {
    return [this.lastEvaluation, this.lastDuration, this.lastRuleDurationSum, this.lastSamples];
  }
}
