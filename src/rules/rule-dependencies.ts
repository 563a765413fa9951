import { Matcher } from "../model/matcher.ts";
import { METRIC_NAME } from "../model/labels.ts";
import type { Expr, VectorSelector } from "../promql/parse/ast.ts";
import { childrenOf } from "../promql/parse/children.ts";
import { ALERTS, ALERTS_FOR_STATE, ALERT_NAME } from "./alerting-rule.ts";
import type { Rule } from "./rule.ts";

/**
 * Finds out which rules of a group read what earlier ones write, and notes it in them. Where a selector says nothing
 * about the metric's name it might read anything: then nothing is known of the whole group.
 */
export function linkDependencies(rules: readonly Rule[]): void {
  const dependents = new Map<Rule, Rule[]>(rules.map((rule) => [rule, []]));
  const dependencies = new Map<Rule, Rule[]>(rules.map((rule) => [rule, []]));
  for (const [index, reader] of rules.entries()) {
    const selectors = [...vectorSelectors(reader.expr)];
    // A rule alone has nobody to depend on.
    if (rules.length > 1 && selectors.some((selector) => nameMatchers(selector).length === 0)) {
      for (const rule of rules) rule.dependents = rule.dependencies = null;
      return;
    }
    for (const writer of rules.slice(0, index)) {
      if (!selectors.some((selector) => reads(selector, writer))) continue;
      dependencies.get(reader)!.push(writer);
      dependents.get(writer)!.push(reader);
    }
  }
  for (const rule of rules) {
    rule.dependents = dependents.get(rule)!;
    rule.dependencies = dependencies.get(rule)!;
  }
}

/**
 * The order in which rules of a group may run: batch after batch, the rules within one in any order. First those that
 * depend on none, then those in the middle one by one, last those on which none depends.
 */
export function concurrentBatches(rules: readonly Rule[]): (readonly Rule[])[] {
  const first: Rule[] = [];
  const middle: Rule[] = [];
  const last: Rule[] = [];
  for (const rule of rules) {
    if (rule.dependencies?.length === 0) first.push(rule);
    else if (rule.dependents?.length === 0) last.push(rule);
    else middle.push(rule);
  }
  return [first, ...middle.map((rule) => [rule]), last].filter((batch) => batch.length > 0);
}

function reads(selector: VectorSelector, writer: Rule): boolean {
  const names = nameMatchers(selector);
  const mayBe = (name: string) => names.every((matcher) => matcher.matches(name));
  if (writer.kind === "recording") return mayBe(writer.name);
  if (!mayBe(ALERTS) && !mayBe(ALERTS_FOR_STATE)) return false;
  return selector.matchers.every((matcher) => matcher.name !== ALERT_NAME || matcher.matches(writer.name));
}

function nameMatchers({ name, matchers }: VectorSelector): Matcher[] {
  const found = matchers.filter((matcher) => matcher.name === METRIC_NAME);
  return found.length === 0 && name !== "" ? [new Matcher("=", METRIC_NAME, name)] : found;
}

function* vectorSelectors(expr: Expr): Generator<VectorSelector> {
  if (expr.kind === "vectorSelector") yield expr;
  else if (expr.kind === "matrixSelector") yield expr.selector;
  for (const child of childrenOf(expr)) yield* vectorSelectors(child);
}
