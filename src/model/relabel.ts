import { createHash } from "node:crypto";
import { isValidLabelName, type NameValidationScheme } from "./label-name.ts";
import { compareUtf8, Labels, LabelsBuilder } from "./labels.ts";
import { toLowerByRune, toUpperByRune } from "./letter-case.ts";
import { AnchoredRegexp, expandTemplate } from "./regexp.ts";

export type RelabelAction =
  | "replace"
  | "keep"
  | "drop"
  | "keepequal"
  | "dropequal"
  | "hashmod"
  | "labelmap"
  | "labeldrop"
  | "labelkeep"
  | "lowercase"
  | "uppercase";

/** One relabelling rule as configured, every field set: plain data, fit to cross threads. */
export interface RelabelRule {
  readonly sourceLabels: readonly string[];
  /** Stands between the values of the source labels. */
  readonly separator: string;
  /** RE2, anchored at both ends. */
  readonly regex: string;
  readonly modulus: number;
  readonly targetLabel: string;
  readonly replacement: string;
  readonly action: RelabelAction;
}

/** What a rule has where nothing is configured. */
export const DEFAULT_RELABEL_RULE: RelabelRule = {
  sourceLabels: [],
  separator: ";",
  regex: "(.*)",
  modulus: 0,
  targetLabel: "",
  replacement: "$1",
  action: "replace",
};

/** Rules ready to run, in order. */
export type CompiledRelabelRules = readonly CompiledRelabelRule[];

interface CompiledRelabelRule {
  readonly rule: RelabelRule;
  /** Changes the labels; false means that the object is dropped. */
  readonly apply: (labels: LabelsBuilder) => boolean;
}

/**
 * Prepares rules for running.
 *
 * @throws Error with RE2's text for a regex it refuses
 */
export function compileRules(
  rules: readonly RelabelRule[],
  nameValidation: NameValidationScheme = "utf8",
): CompiledRelabelRules {
  return rules.map((rule) => ({ rule, apply: compileRule(rule, nameValidation) }));
}

/** The labels after all rules, or null where a rule drops the object. */
export function relabel(labels: Labels, rules: CompiledRelabelRules): Labels | null {
  if (rules.length === 0) return labels;
  const builder = new LabelsBuilder(labels);
  return relabelInPlace(builder, rules) ? builder.labels() : null;
}

/** Runs the rules on a builder; false means dropped, and then the builder holds what the rules before made. */
export function relabelInPlace(labels: LabelsBuilder, rules: CompiledRelabelRules): boolean {
  for (const { apply } of rules) if (!apply(labels)) return false;
  return true;
}

/** What one rule made of the labels. */
export interface RelabelStep {
  readonly rule: RelabelRule;
  /** Empty from the rule on that dropped the object. */
  readonly output: Labels;
  readonly keep: boolean;
}

/** The labels after each rule in turn, for people who wonder where a target went. */
export function relabelSteps(labels: Labels, rules: CompiledRelabelRules): RelabelStep[] {
  const builder = new LabelsBuilder(labels);
  let keep = true;
  return rules.map(({ rule, apply }) => {
    keep = keep && apply(builder);
    return { rule, output: keep ? builder.labels() : Labels.empty, keep };
  });
}

function compileRule(rule: RelabelRule, scheme: NameValidationScheme): CompiledRelabelRule["apply"] {
  const { targetLabel, replacement } = rule;
  const regexp = AnchoredRegexp.compile(rule.regex);
  const input = compileInput(rule);
  const setTarget = (compute: (value: string) => string) => (labels: LabelsBuilder) => {
    labels.set(targetLabel, compute(input(labels)));
    return true;
  };
  switch (rule.action) {
    case "replace":
      return compileReplace(rule, regexp, input, scheme);
    case "keep":
      return (labels) => regexp.matches(input(labels));
    case "drop":
      return (labels) => !regexp.matches(input(labels));
    case "keepequal":
      return (labels) => labels.get(targetLabel) === input(labels);
    case "dropequal":
      return (labels) => labels.get(targetLabel) !== input(labels);
    case "lowercase":
      return setTarget((value) => toLowerByRune(value));
    case "uppercase":
      return setTarget((value) => toUpperByRune(value));
    case "hashmod": {
      const modulus = BigInt(rule.modulus);
      return setTarget((value) => String(lowHash(value) % modulus));
    }
    case "labelmap":
      return (labels) => {
        // Names and values as they were before the first one was set.
        const before = sortedNames(labels).map((name) => [name, labels.get(name)] as const);
        for (const [name, value] of before) {
          const newName = regexp.expand(name, replacement);
          // A name that comes out empty would name no label.
          if (newName !== null && newName !== "") labels.set(newName, value);
        }
        return true;
      };
    case "labeldrop":
    case "labelkeep": {
      const deletesMatches = rule.action === "labeldrop";
      return (labels) => {
        for (const name of labels.names()) if (regexp.matches(name) === deletesMatches) labels.delete(name);
        return true;
      };
    }
  }
}

function compileReplace(
  rule: RelabelRule,
  regexp: AnchoredRegexp,
  input: (labels: LabelsBuilder) => string,
  scheme: NameValidationScheme,
): CompiledRelabelRule["apply"] {
  const { targetLabel, replacement } = rule;
  const targetIsPlain = !targetLabel.includes("$");
  const replacementIsPlain = !replacement.includes("$");
  const targetIsValid = targetIsPlain && isValidLabelName(targetLabel, scheme);
  if (targetIsPlain && !targetIsValid) return () => true;
  // Fast path: nothing to fill in, so that a match is all we need to know.
  if (targetIsPlain && replacementIsPlain) {
    return (labels) => {
      if (regexp.matches(input(labels))) labels.set(targetLabel, replacement);
      return true;
    };
  }
  return (labels) => {
    const captures = regexp.capture(input(labels));
    if (captures === null) return true;
    const target = targetIsPlain ? targetLabel : expandTemplate(targetLabel, captures);
    if (targetIsPlain || isValidLabelName(target, scheme)) {
      labels.set(target, expandTemplate(replacement, captures));
    }
    return true;
  };
}

function compileInput({ sourceLabels, separator }: RelabelRule): (labels: LabelsBuilder) => string {
  const [only] = sourceLabels;
  if (only === undefined) return () => "";
  if (sourceLabels.length === 1) return (labels) => labels.get(only);
  return (labels) => sourceLabels.map((name) => labels.get(name)).join(separator);
}

/** The last 8 bytes of the MD5 sum, big endian. */
function lowHash(text: string): bigint {
  return createHash("md5").update(text).digest().readBigUInt64BE(8);
}

function sortedNames(labels: LabelsBuilder): string[] {
  return labels.names().sort(compareUtf8);
}
