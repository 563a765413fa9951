import { METRIC_NAME, LabelsBuilder, type Labels } from "../model/labels.ts";
import type { VectorSample } from "../promql/value.ts";
import type { Alert } from "./alert.ts";
import type { ForStateSample, ParsedExpression, RuleStorage } from "./ports.ts";
import { Rule, mergeRuleLabels, sortedByName, type Evaluation } from "./rule.ts";
import type { AlertingRuleConfig } from "./rule-config.ts";
import { vectorOf } from "./sample-vector.ts";
import { AlertTemplate, alertData } from "./template/alert-template.ts";
import { tableLink } from "./template/expression-link.ts";
import { QueryMemo } from "./template/query-memo.ts";
import type { Value } from "./template/value.ts";

export const ALERTS = "ALERTS";
export const ALERTS_FOR_STATE = "ALERTS_FOR_STATE";
export const ALERT_NAME = "alertname";
const ALERT_STATE = "alertstate";

/** How long a resolved alert is kept, so that Alertmanagers which missed its end hear of it. */
const RESOLVED_RETENTION_MS = 15 * 60_000;

/** Other work gets its turn after this many alerts. */
const ALERTS_PER_TURN = 500;

export type AlertState = "inactive" | "pending" | "firing";

/** One element of the rule's expression, from its first appearance until its end is old news. */
export interface ActiveAlert {
  readonly labels: Labels;
  readonly annotations: ReadonlyMap<string, string>;
  /** Inactive: resolved, and kept for those who haven't heard. */
  readonly state: AlertState;
  /** Of the newest run; 0 for a native histogram. */
  readonly value: number;
  readonly activeAtMs: number;
  readonly firedAtMs: number | null;
  readonly resolvedAtMs: number | null;
  readonly keepFiringSinceMs: number | null;
}

interface TrackedAlert extends ActiveAlert {
  annotations: ReadonlyMap<string, string>;
  state: AlertState;
  value: number;
  activeAtMs: number;
  firedAtMs: number | null;
  resolvedAtMs: number | null;
  keepFiringSinceMs: number | null;
  lastSentAtMs: number | null;
  /** Labels of the series it writes, made when first needed. */
  readonly series: { pending: Labels | null; firing: Labels | null; forState: Labels | null };
}

/** What all alerting rules share; may change with the configuration. */
export interface AlertSurroundings {
  readonly externalLabels: Labels;
  /** How users reach this server, without a slash at the end. */
  readonly externalUrl: string;
  /** A template was expanded. */
  templateExpanded(failure: { readonly rule: string; readonly error: Error } | null): void;
  /** Lets waiting input and output have their turn. */
  takeTurn(): Promise<void>;
}

/** Turns the elements of a vector into alerts that wait, fire and resolve. */
export class AlertingRule extends Rule {
  override readonly kind = "alerting";
  readonly forMs: number;
  readonly keepFiringForMs: number;
  /** Templates as written, sorted by name. */
  readonly annotations: ReadonlyMap<string, string>;
  /** Until `ALERTS_FOR_STATE` of an earlier process is taken into account, the rule writes none itself. */
  isRestored: boolean;
  private readonly labelTemplates: ReadonlyMap<string, AlertTemplate>;
  private readonly annotationTemplates: ReadonlyMap<string, AlertTemplate>;
  /** What the series of this rule have besides the alert's own labels. */
  private readonly seriesBase: Labels;
  private readonly active = new Map<string, TrackedAlert>();

  constructor(
    config: AlertingRuleConfig,
    groupLabels: Readonly<Record<string, string>>,
    expression: ParsedExpression,
    private readonly surroundings: AlertSurroundings,
    options: { readonly isRestored: boolean },
  ) {
    super(config.alert, expression, mergeRuleLabels(groupLabels, config.labels));
    this.forMs = config.forMs;
    this.keepFiringForMs = config.keepFiringForMs;
    this.annotations = sortedByName(Object.entries(config.annotations));
    this.isRestored = options.isRestored;
    const templates = (texts: ReadonlyMap<string, string>) =>
      new Map([...texts].map(([name, text]) => [name, new AlertTemplate(this.name, text)]));
    this.labelTemplates = templates(this.labels);
    this.annotationTemplates = templates(this.annotations);
    const base = new LabelsBuilder();
    for (const [name, value] of this.labels) base.set(name, value);
    this.seriesBase = base.labels();
  }

  override get definition(): string {
    const { identity, query, forMs, keepFiringForMs, annotations } = this;
    return JSON.stringify([identity, query, forMs, keepFiringForMs, [...annotations]]);
  }

  /** The gravest state of its alerts; unknown before the first run. */
  get state(): AlertState | "unknown" {
    if (this.lastEvaluationMs === null) return "unknown";
    let gravest: AlertState = "inactive";
    for (const { state } of this.active.values()) {
      if (state === "firing") return "firing";
      if (state === "pending") gravest = "pending";
    }
    return gravest;
  }

  /** Pending and firing alerts. */
  get alerts(): readonly ActiveAlert[] {
    return [...this.active.values()].filter(({ state }) => state !== "inactive");
  }

  /** Takes over the alerts of a rule with the same name and labels that runs no more. */
  copyStateFrom(earlier: AlertingRule): void {
    for (const [key, alert] of earlier.active) this.active.set(key, alert);
  }

  /** @returns samples of `ALERTS` and `ALERTS_FOR_STATE` */
  override async evaluate(evaluation: Evaluation, storage: RuleStorage): Promise<readonly VectorSample[]> {
    const { timeMs, limit } = evaluation;
    const value = await storage.query(
      this.query,
      evaluation.queryTimeMs,
      evaluation.signal,
      evaluation.group,
    );
    const seen = await this.alertsFrom(vectorOf(value), evaluation, storage);

    for (const [key, alert] of seen) {
      const known = this.active.get(key);
      if (known === undefined || known.state === "inactive") {
        this.active.set(key, alert);
      } else {
        known.value = alert.value;
        known.annotations = alert.annotations;
      }
    }

    let activeCount = 0;
    const samples: VectorSample[] = [];
    for (const [key, alert] of this.active) {
      if (seen.has(key)) {
        alert.keepFiringSinceMs = null;
      } else if (!this.keepsFiring(alert, timeMs)) {
        if (alert.state === "pending" || isOldNews(alert, timeMs)) this.active.delete(key);
        if (alert.state !== "inactive") {
          alert.state = "inactive";
          alert.resolvedAtMs = timeMs;
        }
        continue;
      }
      activeCount++;
      const hasHeldLongEnough = timeMs - alert.activeAtMs >= this.forMs;
      if (alert.state === "pending" && hasHeldLongEnough) {
        alert.state = "firing";
        alert.firedAtMs = timeMs;
      } else if (alert.state === "firing" && !hasHeldLongEnough) {
        // `for` has grown in a reload.
        alert.state = "pending";
        alert.firedAtMs = null;
      }
      if (this.isRestored) {
        samples.push({ labels: this.alertsLabels(alert), value: 1, histogram: null });
        const activeAtSeconds = Math.floor(alert.activeAtMs / 1000);
        samples.push({ labels: this.forStateLabels(alert), value: activeAtSeconds, histogram: null });
      }
    }
    if (limit > 0 && activeCount > limit) {
      this.active.clear();
      throw new Error(`exceeded limit of ${limit} with ${activeCount} alerts`);
    }
    return samples;
  }

  /** A fresh alert for each element, by its labels. */
  private async alertsFrom(
    vector: readonly VectorSample[],
    { timeMs, signal, group }: Evaluation,
    storage: RuleStorage,
  ): Promise<Map<string, TrackedAlert>> {
    const { externalLabels, externalUrl } = this.surroundings;
    const context = {
      timeMs,
      externalUrl,
      queries: new QueryMemo(async (text) => vectorOf(await storage.query(text, timeMs, signal, group))),
    };
    const expand = async (template: AlertTemplate, data: () => Value) => {
      const expansion = await template.expand(template.constantText === null ? data() : null, context);
      this.surroundings.templateExpanded(
        expansion.error === null ? null : { rule: this.name, error: expansion.error },
      );
      return expansion.text;
    };

    const alerts = new Map<string, TrackedAlert>();
    const builder = new LabelsBuilder();
    for (const [index, sample] of vector.entries()) {
      if (index % ALERTS_PER_TURN === ALERTS_PER_TURN - 1) await this.surroundings.takeTurn();
      let known: Value = null;
      const data = (): Value =>
        (known ??= alertData({
          labels: sample.labels,
          externalLabels,
          externalUrl,
          value: sample.histogram ?? sample.value,
        }));
      builder.reset(sample.labels).delete(METRIC_NAME);
      for (const [name, template] of this.labelTemplates) builder.set(name, await expand(template, data));
      const labels = builder.set(ALERT_NAME, this.name).labels();
      const annotations = new Map<string, string>();
      for (const [name, template] of this.annotationTemplates) {
        annotations.set(name, await expand(template, data));
      }
      const { key } = labels;
      if (alerts.has(key)) {
        throw new Error("vector contains metrics with the same labelset after applying alert labels");
      }
      alerts.set(key, {
        labels,
        annotations,
        state: "pending",
        value: sample.histogram === null ? sample.value : 0,
        activeAtMs: timeMs,
        firedAtMs: null,
        resolvedAtMs: null,
        keepFiringSinceMs: null,
        lastSentAtMs: null,
        series: { pending: null, firing: null, forState: null },
      });
    }
    return alerts;
  }

  /** Whether an alert that the expression no longer gives goes on firing all the same. */
  private keepsFiring(alert: TrackedAlert, timeMs: number): boolean {
    if (alert.state !== "firing" || this.keepFiringForMs === 0) return false;
    alert.keepFiringSinceMs ??= timeMs;
    return timeMs - alert.keepFiringSinceMs < this.keepFiringForMs;
  }

  private alertsLabels(alert: TrackedAlert): Labels {
    const state = alert.state === "firing" ? "firing" : "pending";
    return (alert.series[state] ??= this.seriesLabels(alert, ALERTS).set(ALERT_STATE, state).labels());
  }

  private forStateLabels(alert: TrackedAlert): Labels {
    return (alert.series.forState ??= this.seriesLabels(alert, ALERTS_FOR_STATE).labels());
  }

  /**
   * The rule's labels as written, the alert's over them: so a label whose template gave nothing, which the alert
   * lacks, stands here with the text of its template, as in Prometheus.
   */
  private seriesLabels(alert: TrackedAlert, metricName: string): LabelsBuilder {
    const builder = new LabelsBuilder(this.seriesBase);
    const { pairs } = alert.labels;
    for (let i = 0; i < pairs.length; i += 2) builder.set(pairs[i]!, pairs[i + 1]!);
    return builder.set(METRIC_NAME, metricName).set(ALERT_NAME, this.name);
  }

  /**
   * Gives alerts back the time they have already waited, from the newest samples an earlier process left. Time the
   * server was down doesn't count; who has less than the grace period left waits that long.
   */
  restore(
    samples: readonly ForStateSample[],
    options: { readonly nowMs: number; readonly gracePeriodMs: number },
  ): void {
    const byLabels = new Map(samples.map((sample) => [sample.labels.key, sample]));
    for (const alert of this.active.values()) {
      const sample = byLabels.get(this.forStateLabels(alert).key);
      if (sample === undefined) continue;
      const downAtMs = Math.floor(sample.timeMs / 1000) * 1000;
      const activeAtMs = Math.trunc(sample.value) * 1000;
      const remainingMs = this.forMs - (downAtMs - activeAtMs);
      if (remainingMs <= 0) alert.activeAtMs = activeAtMs;
      else if (remainingMs < options.gracePeriodMs) {
        alert.activeAtMs = options.nowMs + options.gracePeriodMs - this.forMs;
      } else alert.activeAtMs = activeAtMs + (options.nowMs - downAtMs);
    }
  }

  /** The alerts that Alertmanagers are to hear of now; they count as sent. */
  takeAlertsToSend(timeMs: number, options: { resendDelayMs: number; intervalMs: number }): readonly Alert[] {
    const { resendDelayMs, intervalMs } = options;
    const alerts: Alert[] = [];
    for (const alert of this.active.values()) {
      if (!needsSending(alert, timeMs, resendDelayMs)) continue;
      alert.lastSentAtMs = timeMs;
      alerts.push({
        labels: alert.labels,
        annotations: alert.annotations,
        startsAtMs: alert.firedAtMs ?? alert.activeAtMs,
        // Two runs or deliveries may fail before the alert ends by itself.
        endsAtMs: alert.resolvedAtMs ?? timeMs + 4 * Math.max(intervalMs, resendDelayMs),
        generatorUrl: this.surroundings.externalUrl + tableLink(this.query),
      });
    }
    return alerts;
  }
}

function isOldNews(alert: TrackedAlert, timeMs: number): boolean {
  return alert.resolvedAtMs !== null && timeMs - alert.resolvedAtMs > RESOLVED_RETENTION_MS;
}

function needsSending(alert: TrackedAlert, timeMs: number, resendDelayMs: number): boolean {
  if (alert.state === "pending") return false;
  if (alert.lastSentAtMs === null) return true;
  if (alert.resolvedAtMs !== null && alert.resolvedAtMs > alert.lastSentAtMs) return true;
  return alert.lastSentAtMs + resendDelayMs < timeMs;
}
