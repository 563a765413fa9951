import { duration, field, integer, list, maybe, record, section, text, type ValueOf } from "./config-type.ts";

const rule = section("rulefmt.Rule", {
  record: field(text, ""),
  alert: field(text, ""),
  expr: field(text, "", { printsEmpty: true }),
  for: field(duration, 0),
  keepFiringFor: field(duration, 0),
  labels: field(record(text), {}),
  annotations: field(record(text), {}),
});

const ruleGroup = section("rulefmt.RuleGroup", {
  name: field(text, "", { printsEmpty: true }),
  /** 0 takes the global evaluation interval. */
  interval: field(duration, 0),
  /** Absent takes the global offset. */
  queryOffset: maybe(duration),
  limit: field(integer, 0),
  labels: field(record(text), {}),
  rules: field(list(rule), [], { printsEmpty: true }),
});

/** A rule file as written; `loadRuleFile` checks what the fields mean. */
export const ruleFile = section("rulefmt.RuleGroups", {
  groups: field(list(ruleGroup), [], { printsEmpty: true }),
});

export type RuleConfig = ValueOf<typeof rule>;
export type RuleGroupConfig = ValueOf<typeof ruleGroup>;
export type RuleFileConfig = ValueOf<typeof ruleFile>;
