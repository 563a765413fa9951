import { describe, expect, test } from "vitest";
import { loadRuleFile, RuleFileError, type RuleFileOptions } from "../../src/config/rule-file.ts";

const options: RuleFileOptions = {
  fileName: "r.yml",
  checkExpression: (expression) => {
    if (expression.includes("!!")) throw new Error("1:1: parse error: unexpected !");
  },
  checkTemplate: (template) => {
    if (template.includes("{{")) throw new Error("unclosed action");
  },
};

function faults(text: string, more: Partial<RuleFileOptions> = {}): readonly string[] {
  try {
    loadRuleFile(text, { ...options, ...more });
  } catch (error) {
    if (error instanceof RuleFileError) return error.messages;
    throw error;
  }
  return [];
}

const rule = (fields: string) => `groups:
- name: g
  rules:
  - ${fields}
`;

describe("a rule file", () => {
  test("gives its groups with defaults", () => {
    const { groups } = loadRuleFile(
      `groups:
- name: g
  interval: 30s
  limit: 3
  labels: {team: a}
  rules:
  - record: a:b
    expr: up
  - alert: Down
    expr: up == 0
    for: 5m
    keep_firing_for: 1m
    labels: {severity: page}
    annotations: {summary: it is down}
---
not: looked at
`,
      options,
    );
    expect(groups).toEqual([
      {
        name: "g",
        interval: 30_000,
        queryOffset: undefined,
        limit: 3,
        labels: { team: "a" },
        rules: [
          { record: "a:b", alert: "", expr: "up", for: 0, keepFiringFor: 0, labels: {}, annotations: {} },
          {
            record: "",
            alert: "Down",
            expr: "up == 0",
            for: 300_000,
            keepFiringFor: 60_000,
            labels: { severity: "page" },
            annotations: { summary: "it is down" },
          },
        ],
      },
    ]);
  });

  test("may be empty", () => {
    expect(loadRuleFile("", options)).toEqual({ groups: [] });
  });

  test.each([
    [
      rule("{record: a, alert: b, expr: x}"),
      `r.yml: 4:14: 4:24: group "g", rule 1, "b": only one of 'record' and 'alert' must be set`,
    ],
    [rule("{expr: x}"), `r.yml: 4:5: 4:5: group "g", rule 1, "": one of 'record' or 'alert' must be set`],
    [rule("{record: a}"), `r.yml: 4:5: group "g", rule 1, "a": field 'expr' must be set in rule`],
    [
      rule("{record: a, expr: x!!}"),
      `r.yml: 4:23: group "g", rule 1, "a": could not parse expression: 1:1: parse error: unexpected !`,
    ],
    [
      rule("{record: a, expr: x, annotations: {b: c}}"),
      `r.yml: 4:14: group "g", rule 1, "a": invalid field 'annotations' in recording rule`,
    ],
    [
      rule("{record: a, expr: x, for: 1m}"),
      `r.yml: 4:14: group "g", rule 1, "a": invalid field 'for' in recording rule`,
    ],
    [
      rule("{record: a, expr: x, keep_firing_for: 1m}"),
      `r.yml: 4:14: group "g", rule 1, "a": invalid field 'keep_firing_for' in recording rule`,
    ],
    [
      rule("{record: 'a{b=\"c\"}', expr: x}"),
      `r.yml: 4:14: group "g", rule 1, "a{b=\\"c\\"}": braces present in the recording rule name; should it be in expr?: a{b="c"}`,
    ],
    [
      rule("{alert: a, expr: x, labels: {__name__: y}}"),
      `r.yml: group "g", rule 1, "a": invalid label name: __name__`,
    ],
    [
      rule("{alert: a, expr: x, annotations: {'': y}}"),
      `r.yml: group "g", rule 1, "a": invalid annotation name: `,
    ],
    [
      rule("{alert: a, expr: x, labels: {y: '{{'}}"),
      `r.yml: group "g", rule 1, "a": label "y": unclosed action`,
    ],
    [
      rule("{alert: a, expr: x, annotations: {y: '{{'}}"),
      `r.yml: group "g", rule 1, "a": annotation "y": unclosed action`,
    ],
    ["groups: [{name: '', rules: []}]", "r.yml: 1:10: Groupname must not be empty"],
    ["groups: [{name: a}, {name: a}]", 'r.yml: 1:21: groupname: "a" is repeated in the same file'],
    ["groups: [{name: a, labels: {__name__: b}}]", "r.yml: invalid label name: __name__"],
    [
      rule("{record: a, expr: x, bogus: 1}"),
      "r.yml: 4:26: groups[0].rules[0].bogus: field bogus not found in type rulefmt.Rule",
    ],
    [
      rule("{alert: a, expr: x, for: 5}"),
      'r.yml: 4:30: groups[0].rules[0].for: not a valid duration string: "5"',
    ],
  ])("%s is refused: %s", (text, message) => {
    expect(faults(text)).toEqual([message]);
  });

  test("names follow the validation scheme", () => {
    expect(faults(rule("{record: a.b, expr: x}"))).toEqual([]);
    expect(faults(rule("{record: a.b, expr: x}"), { nameValidation: "legacy" })).toEqual([
      'r.yml: 4:14: group "g", rule 1, "a.b": invalid recording rule name: a.b',
    ]);
  });

  test("everything wrong is told at once", () => {
    expect(faults("groups: [{name: g, rules: [{record: a}, {alert: b}]}, {name: g}]")).toHaveLength(3);
  });
});
