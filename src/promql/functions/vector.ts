import { AbsentOperator } from "../exec/absent.ts";
import { elementwiseOperator } from "../exec/call.ts";
import { RangeCallOperator } from "../exec/range-call.ts";
import { ScalarOfVectorOperator } from "../exec/scalar-operators.ts";
import { SingleSeriesOperator } from "../exec/single-series.ts";
import { SortOperator, type SortRule } from "../exec/sort.ts";
import { absentLabels } from "./absent-labels.ts";
import { requireExtendable } from "./extended-range.ts";
import type { FunctionImplementation, OperatorFunction, RangeFunction } from "./contract.ts";
import { civilTime, dateParts } from "./time.ts";

const operator = (build: OperatorFunction["build"]): OperatorFunction => ({ kind: "operator", build });

function dateFunction(name: string): FunctionImplementation {
  const part = dateParts[name]!;
  return operator((call, grid, builder) => {
    const arg = call.args[0];
    if (arg === undefined) {
      return new SingleSeriesOperator(builder.context, grid, (_, timeMs) =>
        part(civilTime(Math.trunc(timeMs / 1000))),
      );
    }
    const apply = (value: number) => part(civilTime(value));
    return elementwiseOperator(
      builder.context,
      grid,
      { kind: "elementwise", apply },
      builder.vector(arg, grid),
      [],
    );
  });
}

function sortFunction(ruleOf: (labels: readonly string[]) => SortRule): FunctionImplementation {
  return operator((call, grid, builder) => {
    if (grid.count > 1 || grid.endsLater === true) {
      builder.context.annotations.warn(
        "sort is ineffective for range queries since results are always ordered by labels",
        call.position,
      );
    }
    const names = call.args.slice(1).map((arg) => builder.string(arg).value);
    return new SortOperator(builder.context, grid, builder.vector(call.args[0]!, grid), ruleOf(names));
  });
}

/** Where a window holds anything; names stay, since several series of one name are no fault here. */
const anySample: RangeFunction = {
  kind: "range",
  keepsName: true,
  kernel: "present_over_time",
  wantsCounter: false,
  evaluate: () => 1,
};

export const vectorFunctions: Readonly<Record<string, FunctionImplementation>> = {
  ...Object.fromEntries(Object.keys(dateParts).map((name) => [name, dateFunction(name)])),
  absent: operator((call, grid, builder) => {
    const arg = call.args[0]!;
    return new AbsentOperator(builder.context, grid, builder.vector(arg, grid), absentLabels(arg));
  }),
  absent_over_time: operator((call, grid, builder) => {
    const arg = call.args[0]!;
    const source = builder.range(arg, grid);
    if (source.extension !== null) requireExtendable(call.func.name, source.extension);
    const present = new RangeCallOperator(builder.context, grid, call, anySample, source, []);
    return new AbsentOperator(builder.context, grid, present, absentLabels(arg));
  }),
  scalar: operator(
    (call, grid, builder) =>
      new ScalarOfVectorOperator(builder.context, grid, builder.vector(call.args[0]!, grid)),
  ),
  sort: sortFunction(() => ({ by: "value", descending: false })),
  sort_desc: sortFunction(() => ({ by: "value", descending: true })),
  sort_by_label: sortFunction((names) => ({ by: "label", names, descending: false })),
  sort_by_label_desc: sortFunction((names) => ({ by: "label", names, descending: true })),
  start_timestamp: operator((call, grid, builder) =>
    builder.sampleTimes(call.args[0]!, grid, "start-timestamp"),
  ),
  timestamp: operator((call, grid, builder) => builder.sampleTimes(call.args[0]!, grid, "timestamp")),
  vector: operator((call, grid, builder) => {
    const scalar = builder.scalar(call.args[0]!, grid);
    return new SingleSeriesOperator(builder.context, grid, (step) => scalar.values()[step]!);
  }),
};
