import { MappedOperator } from "./mapped-operator.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { ABSENT, type StepGrid } from "./step-column.ts";

/**
 * timestamp(v) and start_timestamp(v). A selector has put the times into its values already; what is computed has the
 * time of its step and no start.
 */
export function sampleTimesOperator(
  context: ExecutionContext,
  grid: StepGrid,
  child: VectorOperator,
  what: "timestamp" | "start-timestamp",
  isSelector: boolean,
): VectorOperator {
  return new MappedOperator(context, grid, child, "drop", (column) => {
    if (what === "start-timestamp" && !(isSelector && context.features.useStartTimestamps))
      return column.clear();
    if (isSelector) return;
    for (let step = 0; step < column.count; step++) {
      if (column.kinds[step] !== ABSENT) column.setFloat(step, (grid.startMs + step * grid.stepMs) / 1000);
    }
    column.histograms = null;
  });
}
