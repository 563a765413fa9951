import type { ElementwiseFunction, HistogramReading } from "../functions/contract.ts";
import { MappedOperator } from "./mapped-operator.ts";
import type { ExecutionContext, ScalarOperator, VectorOperator } from "./operator.ts";
import { ABSENT, FLOAT, HISTOGRAM, type StepColumn, type StepGrid } from "./step-column.ts";

/** A function from float to float, such as abs or clamp. Histograms are left out. */
export function elementwiseOperator(
  context: ExecutionContext,
  grid: StepGrid,
  func: ElementwiseFunction,
  child: VectorOperator,
  args: readonly ScalarOperator[],
): VectorOperator {
  const stepArgs = new Array<number>(args.length);
  return new MappedOperator(context, grid, child, "drop", (column) => {
    const columns = args.map((arg) => arg.values());
    for (let step = 0; step < column.count; step++) {
      const kind = column.kinds[step]!;
      if (kind === ABSENT) continue;
      if (kind === HISTOGRAM) {
        column.remove(step);
        continue;
      }
      for (let i = 0; i < columns.length; i++) stepArgs[i] = columns[i]![step]!;
      const value = func.apply(column.values[step]!, stepArgs);
      if (value === undefined) column.remove(step);
      else column.values[step] = value;
    }
    column.histograms = null;
  });
}

/** A number read from each histogram, such as histogram_count. Floats are left out. */
export function histogramReadingOperator(
  context: ExecutionContext,
  grid: StepGrid,
  func: HistogramReading,
  child: VectorOperator,
): VectorOperator {
  return new MappedOperator(context, grid, child, "drop-metric-name", (column: StepColumn) => {
    for (let step = 0; step < column.count; step++) {
      const kind = column.kinds[step]!;
      if (kind === FLOAT) column.remove(step);
      else if (kind === HISTOGRAM) column.setFloat(step, func.apply(column.histogramAt(step)));
    }
    column.histograms = null;
  });
}
