import {
  isValidLabelName,
  isValidLabelValue,
  isValidMetricName,
  type NameValidationScheme,
} from "../model/label-name.ts";
import { METRIC_NAME } from "../model/labels.ts";
import { quote } from "../model/quote.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { readAs } from "./load.ts";
import { ruleFile, type RuleConfig, type RuleFileConfig } from "./schema/rules.ts";
import { YamlSource } from "./yaml-source.ts";

export interface RuleFileOptions {
  /** Stands in messages. */
  readonly fileName: string;
  readonly nameValidation?: NameValidationScheme;
  /** Throws what is wrong with a query; without it queries aren't looked into. */
  readonly checkExpression?: (expression: string) => void;
  /** Throws what is wrong with the template of a label or an annotation of an alert. */
  readonly checkTemplate?: (template: string, alertName: string) => void;
}

/** A rule file that can't be used: `messages` holds all that is wrong, each beginning with the file's name. */
export class RuleFileError extends Error {
  override readonly name = "RuleFileError";

  constructor(
    readonly messages: readonly string[],
    options?: ErrorOptions,
  ) {
    super(messages.join("\n"), options);
  }
}

/**
 * Reads a rule file; only its first YAML document counts. Keys are strict, names and expressions are checked.
 *
 * @throws RuleFileError with everything that is wrong
 */
export function loadRuleFile(text: string, options: RuleFileOptions): RuleFileConfig {
  const { fileName } = options;
  const messages: string[] = [];
  let source: YamlSource;
  const problems: ConfigProblem[] = [];
  try {
    source = new YamlSource(text, fileName);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new RuleFileError(error.problems.map(formatYamlProblem), { cause: error });
  }
  const file = readAs(ruleFile, source, problems);
  if (file === null) throw new RuleFileError(problems.map(formatYamlProblem));

  const place = (...path: (string | number)[]) => {
    const { line, column } = source.positionOf(path);
    return `${line}:${column}: `;
  };
  const groupNames = new Set<string>();
  for (const [i, group] of file.groups.entries()) {
    const say = (at: string, message: string) => messages.push(`${fileName}: ${at}${message}`);
    if (group.name === "") say(place("groups", i), "Groupname must not be empty");
    else if (groupNames.has(group.name)) {
      say(place("groups", i), `groupname: ${quote(group.name)} is repeated in the same file`);
    }
    groupNames.add(group.name);
    for (const message of labelFaults(group.labels, options)) say("", message);
    for (const [j, rule] of group.rules.entries()) {
      const title = `group ${quote(group.name)}, rule ${j + 1}, ${quote(rule.alert || rule.record)}: `;
      const at = (...keys: (keyof RuleConfig)[]) =>
        keys.map((key) => place("groups", i, "rules", j, key)).join("");
      checkRule(rule, options, at, (where, message) => say(where, title + message));
    }
  }
  if (messages.length > 0) throw new RuleFileError(messages);
  return file;
}

function formatYamlProblem({ file, line, column, path, message }: ConfigProblem): string {
  return `${file}: ${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`;
}

function checkRule(
  rule: RuleConfig,
  options: RuleFileOptions,
  at: (...keys: (keyof RuleConfig)[]) => string,
  say: (where: string, message: string) => void,
): void {
  const { alert, expr, record } = rule;
  if (record !== "" && alert !== "") {
    say(at("record", "alert"), "only one of 'record' and 'alert' must be set");
  }
  if (record === "" && alert === "") {
    say(at("record", "alert"), "one of 'record' or 'alert' must be set");
  }
  if (expr === "") say(at("expr"), "field 'expr' must be set in rule");
  else {
    const fault = faultOf(() => options.checkExpression?.(expr));
    if (fault !== null) say(at("expr"), `could not parse expression: ${fault}`);
  }
  if (record !== "") {
    const invalid = (key: string) => say(at("record"), `invalid field '${key}' in recording rule`);
    if (Object.keys(rule.annotations).length > 0) invalid("annotations");
    if (rule.for !== 0) invalid("for");
    if (rule.keepFiringFor !== 0) invalid("keep_firing_for");
    if (!isValidMetricName(record, options.nameValidation)) {
      say(at("record"), `invalid recording rule name: ${record}`);
    }
    if (/[{}]/.test(record)) {
      say(at("record"), `braces present in the recording rule name; should it be in expr?: ${record}`);
    }
  }
  for (const message of labelFaults(rule.labels, options)) say("", message);
  for (const name of Object.keys(rule.annotations)) {
    if (!isValidLabelName(name, options.nameValidation)) say("", `invalid annotation name: ${name}`);
  }
  if (alert !== "") {
    for (const [what, templates] of [
      ["label", rule.labels],
      ["annotation", rule.annotations],
    ] as const) {
      for (const [name, template] of Object.entries(templates)) {
        const fault = faultOf(() => options.checkTemplate?.(template, alert));
        if (fault !== null) say("", `${what} ${quote(name)}: ${fault}`);
      }
    }
  }
}

function labelFaults(
  labels: Readonly<Record<string, string>>,
  { nameValidation }: RuleFileOptions,
): string[] {
  return Object.entries(labels).flatMap(([name, value]) => {
    if (!isValidLabelName(name, nameValidation) || name === METRIC_NAME)
      return [`invalid label name: ${name}`];
    return isValidLabelValue(value) ? [] : [`invalid label value: ${value}`];
  });
}

function faultOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
