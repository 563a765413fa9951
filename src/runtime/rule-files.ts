import type { Config } from "../config/effective-config.ts";
import { glob } from "../config/glob.ts";
import { readTextFile } from "../config/read-text-file.ts";
import { loadRuleFile, RuleFileError } from "../config/rule-file.ts";
import type { RuleFileConfig } from "../config/schema/rules.ts";
import type { RuleGroupConfig } from "../rules/rule-config.ts";

/**
 * Every rule group that the configuration names, defaults filled in.
 * @throws Error with everything that is wrong in any of the files
 */
export function loadRuleGroups(
  config: Config,
  check: {
    readonly expression: (text: string) => void;
    readonly template: (text: string, alertName: string) => void;
  },
): RuleGroupConfig[] {
  const groups: RuleGroupConfig[] = [];
  const problems: string[] = [];
  const files = new Set(config.ruleFiles.flatMap((pattern) => glob(pattern)));
  for (const file of [...files].sort()) {
    try {
      const loaded = loadRuleFile(readTextFile(file), {
        fileName: file,
        nameValidation: config.global.metricNameValidationScheme,
        checkExpression: check.expression,
        checkTemplate: check.template,
      });
      groups.push(...loaded.groups.map((group) => groupOf(file, group, config)));
    } catch (error) {
      if (error instanceof RuleFileError) problems.push(...error.messages);
      else problems.push(`${file}: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) throw new Error(`error loading rules: ${problems.join("; ")}`);
  return groups;
}

function groupOf(file: string, group: RuleFileConfig["groups"][number], { global }: Config): RuleGroupConfig {
  return {
    name: group.name,
    file,
    intervalMs: group.interval === 0 ? global.evaluationInterval : group.interval,
    queryOffsetMs: group.queryOffset ?? global.ruleQueryOffset,
    limit: group.limit,
    labels: group.labels,
    rules: group.rules.map((rule) =>
      rule.record !== ""
        ? { kind: "recording", record: rule.record, expr: rule.expr, labels: rule.labels }
        : {
            kind: "alerting",
            alert: rule.alert,
            expr: rule.expr,
            forMs: rule.for,
            keepFiringForMs: rule.keepFiringFor,
            labels: rule.labels,
            annotations: rule.annotations,
          },
    ),
  };
}
