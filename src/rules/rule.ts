import { compareUtf8 } from "../model/labels.ts";
import type { Expr } from "../promql/parse/ast.ts";
import type { VectorSample } from "../promql/value.ts";
import type { ParsedExpression, RuleGroupName, RuleStorage } from "./ports.ts";

export type RuleHealth = "unknown" | "ok" | "err";

/** One run of a group, as each of its rules sees it. */
export interface Evaluation {
  /** The slot of the group. */
  readonly timeMs: number;
  /** Where queries look and results are written: the slot less the group's offset. */
  readonly queryTimeMs: number;
  readonly limit: number;
  readonly signal: AbortSignal;
  /** Whose rule it is, for the query log; null outside any group. */
  readonly group: RuleGroupName | null;
}

/** What recording and alerting rules have in common: a name, an expression, labels, and how the last run went. */
export abstract class Rule {
  abstract readonly kind: "recording" | "alerting";
  health: RuleHealth = "unknown";
  /** Why the last run failed, or null. */
  lastError: Error | null = null;
  evaluationDurationMs = 0;
  /** When the last run began; null before the first. */
  lastEvaluationMs: number | null = null;
  /** Whether another rule of the group reads what this one writes, and the reverse; null when it can't be told. */
  dependents: readonly Rule[] | null = null;
  dependencies: readonly Rule[] | null = null;

  constructor(
    readonly name: string,
    private readonly expression: ParsedExpression,
    /** Sorted by name; an empty value takes the label away. */
    readonly labels: ReadonlyMap<string, string>,
  ) {}

  /** The expression as Prometheus prints it. */
  get query(): string {
    return this.expression.text;
  }

  get expr(): Expr {
    return this.expression.expr;
  }

  /** What makes a rule the same rule after a reload, so that it keeps its state. */
  get identity(): string {
    return JSON.stringify([this.kind, this.name, [...this.labels]]);
  }

  /** Everything that was configured: a rule with another text is another rule. */
  abstract get definition(): string;

  /** @throws Error when the query fails or its result doesn't suit the rule */
  abstract evaluate(evaluation: Evaluation, storage: RuleStorage): Promise<readonly VectorSample[]>;

  succeeded(): void {
    this.health = "ok";
    this.lastError = null;
  }

  failed(error: Error): void {
    this.health = "err";
    this.lastError = error;
  }
}

/** Labels of a rule with those of its group: the rule's win; sorted by name. */
export function mergeRuleLabels(
  group: Readonly<Record<string, string>>,
  rule: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  return sortedByName([...Object.entries(group), ...Object.entries(rule)]);
}

export function sortedByName(entries: readonly (readonly [string, string])[]): ReadonlyMap<string, string> {
  const merged = new Map(entries);
  return new Map([...merged].sort(([a], [b]) => compareUtf8(a, b)));
}
