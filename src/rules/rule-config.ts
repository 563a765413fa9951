/** Rule groups as the configuration describes them, checked by whoever loads it. */

export interface RuleGroupConfig {
  readonly name: string;
  /** The file it came from; with the name, the identity of the group. */
  readonly file: string;
  readonly intervalMs: number;
  /** How far in the past queries look, and results are written. */
  readonly queryOffsetMs: number;
  /** The most series or alerts one rule may give; 0 is no limit. */
  readonly limit: number;
  /** Added to every rule; a rule's own label of that name wins. */
  readonly labels: Readonly<Record<string, string>>;
  readonly rules: readonly RuleConfig[];
}

export type RuleConfig = RecordingRuleConfig | AlertingRuleConfig;

export interface RecordingRuleConfig {
  readonly kind: "recording";
  /** The metric name it writes. */
  readonly record: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface AlertingRuleConfig {
  readonly kind: "alerting";
  /** The name of the alert. */
  readonly alert: string;
  readonly expr: string;
  /** How long the expression must hold before the alert fires. */
  readonly forMs: number;
  /** How long it goes on firing once the expression no longer holds. */
  readonly keepFiringForMs: number;
  /** Values are templates. */
  readonly labels: Readonly<Record<string, string>>;
  /** Values are templates. */
  readonly annotations: Readonly<Record<string, string>>;
}
