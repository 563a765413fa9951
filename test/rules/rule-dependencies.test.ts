import { expect, test } from "vitest";
import { Labels } from "../../src/model/labels.ts";
import { AlertingRule } from "../../src/rules/alerting-rule.ts";
import { RecordingRule } from "../../src/rules/recording-rule.ts";
import { concurrentBatches, linkDependencies } from "../../src/rules/rule-dependencies.ts";
import { alerting, parseExpression, recording } from "../support/rule-fixtures.ts";

/** Rules from `name = expression`, capital names being alerts; the names of each batch. */
function batches(...definitions: readonly string[]): string[][] {
  const rules = definitions.map((definition) => {
    const [name, expression] = definition.split(" = ") as [string, string];
    const parsed = parseExpression(expression);
    if (!/^[A-Z]/.test(name)) return new RecordingRule(recording(name, expression), {}, parsed);
    const surroundings = {
      externalLabels: Labels.empty,
      externalUrl: "",
      templateExpanded: () => {},
      takeTurn: async () => {},
    };
    return new AlertingRule(alerting(name, expression), {}, parsed, surroundings, { isRestored: true });
  });
  linkDependencies(rules);
  return concurrentBatches(rules).map((batch) => batch.map(({ name }) => name));
}

test("rules that read nothing of each other run together", () => {
  expect(batches("a = sum(x)", "b = sum(y)", "C = z > 1")).toEqual([["a", "b", "C"]]);
});

test("who reads runs after those it reads, the middle of a chain alone", () => {
  expect(batches("a = sum(x)", "b = a * 2", "c = rate(b[5m])", "d = a + 1", "e = y")).toEqual([
    ["a", "e"],
    ["b"],
    ["c", "d"],
  ]);
});

test("only earlier rules of the group count", () => {
  expect(batches("a = b", "b = x")).toEqual([["a", "b"]]);
});

test("names by pattern are matched against the names of rules", () => {
  expect(batches("job:a:sum = x", "b = {__name__=~'job:.*:sum'}", "c = {__name__=~'y.*'}")).toEqual([
    ["job:a:sum", "c"],
    ["b"],
  ]);
});

test("series of alerts are read by alert name", () => {
  expect(
    batches("A = x > 1", "b = count(ALERTS{alertname='A'})", "c = ALERTS_FOR_STATE{alertname='Z'}"),
  ).toEqual([["A", "c"], ["b"]]);
});

test("where a selector may read anything, rules run one by one", () => {
  expect(batches("a = x", "b = {job='y'}", "c = z")).toEqual([["a"], ["b"], ["c"]]);
});

test("selectors are found in subqueries, parameters and parentheses", () => {
  expect(batches("a = x", "b = max_over_time((a)[5m:1m])")).toEqual([["a"], ["b"]]);
  expect(batches("a = x", "b = topk(scalar(a), y)")).toEqual([["a"], ["b"]]);
});
