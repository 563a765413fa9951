import { isValidLabelName } from "../../model/label-name.ts";
import { type Labels, LabelsBuilder, METRIC_NAME } from "../../model/labels.ts";
import { AnchoredRegexp } from "../../model/regexp.ts";
import { MappedOperator } from "../exec/mapped-operator.ts";
import { ExecutionError } from "../limits.ts";
import type { FunctionImplementation } from "./contract.ts";

export const labelFunctions: Readonly<Record<string, FunctionImplementation>> = {
  label_replace: {
    kind: "operator",
    build: (call, grid, builder) => {
      const [destination, replacement, source, pattern] = call.args
        .slice(1)
        .map((arg) => builder.string(arg).value) as [string, string, string, string];
      const regexp = compile(pattern);
      requireLabelName("destination", "label_replace", destination);
      const child = builder.vector(call.args[0]!, grid);
      const newValue = (labels: Labels) => regexp.expand(labels.get(source), replacement);
      const rule = {
        labels: (old: Labels) => {
          const value = newValue(old);
          return value === null ? old : new LabelsBuilder(old).set(destination, value).labels();
        },
        // A name that was just written is no leftover.
        dropsName: (old: Labels, marked: boolean) =>
          marked && !(destination === METRIC_NAME && newValue(old) !== null),
      };
      return new MappedOperator(builder.context, grid, child, rule, keepSamples);
    },
  },
  label_join: {
    kind: "operator",
    build: (call, grid, builder) => {
      const [destination, separator, ...sources] = call.args
        .slice(1)
        .map((arg) => builder.string(arg).value) as [string, string, ...string[]];
      for (const source of sources) requireLabelName("source", "label_join", source);
      requireLabelName("destination", "label_join", destination);
      const child = builder.vector(call.args[0]!, grid);
      const rule = {
        labels: (old: Labels) =>
          new LabelsBuilder(old)
            .set(destination, sources.map((source) => old.get(source)).join(separator))
            .labels(),
        dropsName: (_: Labels, marked: boolean) => marked && destination !== METRIC_NAME,
      };
      return new MappedOperator(builder.context, grid, child, rule, keepSamples);
    },
  },
};

const keepSamples = (): void => {};

function compile(pattern: string): AnchoredRegexp {
  try {
    return AnchoredRegexp.compile(pattern);
  } catch (cause) {
    throw new ExecutionError(`invalid regular expression in label_replace(): ${pattern}`, { cause });
  }
}

function requireLabelName(role: "source" | "destination", func: string, name: string): void {
  if (!isValidLabelName(name)) throw new ExecutionError(`invalid ${role} label name in ${func}(): ${name}`);
}
