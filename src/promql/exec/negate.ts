import { scaleHistogram } from "./binary-histograms.ts";
import { MappedOperator } from "./mapped-operator.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { FLOAT, HISTOGRAM, type StepGrid } from "./step-column.ts";

/** Unary minus: every sample times −1. */
export function negateOperator(
  context: ExecutionContext,
  grid: StepGrid,
  child: VectorOperator,
): VectorOperator {
  return new MappedOperator(context, grid, child, "drop", (column) => {
    for (let step = 0; step < column.count; step++) {
      const kind = column.kinds[step];
      if (kind === FLOAT) column.values[step] = -column.values[step]!;
      else if (kind === HISTOGRAM) {
        column.setHistogram(step, scaleHistogram("*", column.histogramAt(step), -1));
      }
    }
  });
}
