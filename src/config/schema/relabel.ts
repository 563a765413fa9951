import { isValidLabelName, type NameValidationScheme } from "../../model/label-name.ts";
import { quote } from "../../model/quote.ts";
import { AnchoredRegexp } from "../../model/regexp.ts";
import { DEFAULT_RELABEL_RULE, type RelabelAction, type RelabelRule } from "../../model/relabel.ts";
import {
  field,
  flowTexts,
  list,
  section,
  text,
  unsigned,
  type ConfigType,
  type Report,
  regex,
} from "./config-type.ts";

const ACTIONS: readonly RelabelAction[] = [
  "replace",
  "keep",
  "drop",
  "keepequal",
  "dropequal",
  "hashmod",
  "labelmap",
  "labeldrop",
  "labelkeep",
  "lowercase",
  "uppercase",
];

const written = section("relabel.plain", {
  sourceLabels: field(flowTexts, []),
  separator: field(text, ";"),
  regex: field(regex, "(.*)", { printsEmpty: true }),
  modulus: field(unsigned, 0),
  targetLabel: field(text, ""),
  replacement: field(text, "$1"),
  action: field(text, "replace"),
});

/** A relabelling rule. What goes together is checked here; names are held to UTF-8, or to ASCII in legacy jobs. */
export const relabelRule: ConfigType<RelabelRule> = {
  schema: written.schema.transform((value, context): RelabelRule => {
    const report: Report = (message) => context.addIssue({ code: "custom", message });
    const action = ACTIONS.find((candidate) => candidate === value.action.toLowerCase());
    if (action === undefined) {
      report(
        value.action === ""
          ? "relabel action cannot be empty"
          : `unknown relabel action ${quote(value.action)}`,
      );
      return DEFAULT_RELABEL_RULE;
    }
    const rule = { ...value, action };
    checkRelabelRule(rule, "utf8", report);
    return rule;
  }),
  print: (rule) => {
    const printed = new Map(written.print(rule) as ReadonlyMap<string, never>);
    if (rule.regex === DEFAULT_RELABEL_RULE.regex) printed.delete("regex");
    return printed;
  },
  isEmpty: () => false,
};

/** A list of rules; `onNull` is the message for an item that is null. */
export function relabelRules(onNull: string): ConfigType<readonly RelabelRule[]> {
  return list(relabelRule, onNull);
}

const NEED_TARGET: readonly RelabelAction[] = [
  "replace",
  "hashmod",
  "lowercase",
  "uppercase",
  "keepequal",
  "dropequal",
];

/** Reports what doesn't go together in a rule, one thing at a time. */
export function checkRelabelRule(rule: RelabelRule, scheme: NameValidationScheme, report: Report): void {
  const { action, modulus, regex, replacement, separator, sourceLabels, targetLabel } = rule;
  const plain = DEFAULT_RELABEL_RULE;
  if (action === "hashmod" && modulus === 0) {
    return report("relabel configuration for hashmod requires non-zero modulus");
  }
  if (NEED_TARGET.includes(action) && targetLabel === "") {
    return report(`relabel configuration for ${action} action requires 'target_label' value`);
  }
  const isTemplate = action === "replace" && targetLabel.includes("$");
  const badTarget = isTemplate
    ? !isTargetTemplate(targetLabel, scheme)
    : !isValidLabelName(targetLabel, scheme);
  if (NEED_TARGET.includes(action) && badTarget) {
    return report(`${quote(targetLabel)} is invalid 'target_label' for ${action} action`);
  }
  const setsNoReplacement = ["lowercase", "uppercase", "keepequal", "dropequal"].includes(action);
  if (setsNoReplacement && replacement !== plain.replacement) {
    return report(`'replacement' can not be set for ${action} action`);
  }
  if (action === "labelmap" && !isTargetTemplate(replacement, scheme)) {
    return report(`${quote(replacement)} is invalid 'replacement' for labelmap action`);
  }
  if (action === "keepequal" || action === "dropequal") {
    if (regex !== plain.regex || modulus !== 0 || separator !== plain.separator) {
      return report(
        `${action} action requires only 'source_labels' and \`target_label\`, and no other fields`,
      );
    }
  }
  if (action === "labeldrop" || action === "labelkeep") {
    const hasMore =
      sourceLabels.length > 0 ||
      targetLabel !== "" ||
      modulus !== 0 ||
      separator !== plain.separator ||
      replacement !== plain.replacement;
    if (hasMore) report(`${action} action requires only 'regex', and no other fields`);
  }
}

/** Whether a name with references to groups in it could become a label's name. */
function isTargetTemplate(template: string, scheme: NameValidationScheme): boolean {
  return scheme === "legacy" ? LEGACY_TEMPLATE.matches(template) : isValidLabelName(template, scheme);
}

const LEGACY_TEMPLATE = AnchoredRegexp.compile("(?:(?:[a-zA-Z_]|\\$(?:\\{\\w+\\}|\\w+))+\\w*)+");
