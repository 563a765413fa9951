import type { AlertBody, RuleBody, RuleGroupBody } from "../api/types.ts";
import { AlertingRule, type ActiveAlert } from "../rules/alerting-rule.ts";
import type { RuleGroup } from "../rules/rule-group.ts";
import type { Rule } from "../rules/rule.ts";

/** A rule group as the API shows it. */
export function ruleGroupBody(group: RuleGroup): RuleGroupBody {
  return {
    name: group.name,
    file: group.file,
    rules: group.rules.map(ruleBody),
    interval: group.intervalMs / 1000,
    limit: group.limit,
    evaluationTime: group.evaluationDurationMs / 1000,
    lastEvaluation: timeText(group.lastEvaluationMs),
  };
}

function ruleBody(rule: Rule): RuleBody {
  const base = {
    name: rule.name,
    query: rule.query,
    labels: Object.fromEntries(rule.labels),
    health: rule.health,
    ...(rule.lastError ? { lastError: rule.lastError.message } : {}),
    evaluationTime: rule.evaluationDurationMs / 1000,
    lastEvaluation: timeText(rule.lastEvaluationMs),
  };
  if (!(rule instanceof AlertingRule)) return { ...base, type: "recording" };
  return {
    state: rule.state,
    ...base,
    duration: rule.forMs / 1000,
    keepFiringFor: rule.keepFiringForMs / 1000,
    annotations: Object.fromEntries(rule.annotations),
    alerts: rule.alerts.map(alertBody),
    type: "alerting",
  };
}

function alertBody(alert: ActiveAlert): AlertBody {
  return {
    labels: alert.labels.toRecord(),
    annotations: Object.fromEntries(alert.annotations),
    state: alert.state === "firing" ? "firing" : "pending",
    activeAt: timeText(alert.activeAtMs),
    ...(alert.keepFiringSinceMs === null ? {} : { keepFiringSince: timeText(alert.keepFiringSinceMs) }),
    value: exponentForm(alert.value),
  };
}

/** RFC 3339, or Go's zero time for what has not happened. */
export function timeText(timeMs: number | null): string {
  return timeMs === null ? "0001-01-01T00:00:00Z" : new Date(timeMs).toISOString();
}

/** Shortest digits, always with an exponent of at least two digits: `1e+00`, `2.5e-01`. */
function exponentForm(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}
