import type { Binary, BinaryOp } from "../parse/ast.ts";
import {
  applyBinary,
  arithmeticOf,
  comparisonOf,
  isComparison,
  isFilter,
  isTrim,
  newPairResult,
} from "./binary-arithmetic.ts";
import { MappedOperator } from "./mapped-operator.ts";
import type { ExecutionContext, ScalarOperator, VectorOperator } from "./operator.ts";
import { ABSENT, FLOAT, HISTOGRAM, type StepColumn, type StepGrid } from "./step-column.ts";

/**
 * A vector with a scalar. Comparisons filter and keep the vector's sample, whichever side it is on; arithmetic and
 * `bool` drop the name.
 */
export function vectorScalarOperator(
  context: ExecutionContext,
  grid: StepGrid,
  node: Binary,
  vector: VectorOperator,
  scalar: ScalarOperator,
  scalarOnLeft: boolean,
): VectorOperator {
  const keepsName = isFilter(node.op) && !node.returnBool;
  return new MappedOperator(context, grid, vector, keepsName ? "keep" : "drop", (column) => {
    if (column.histograms === null && !isTrim(node.op)) {
      combineFloats(node.op, node.returnBool, column, scalar.values(), scalarOnLeft);
    } else {
      combineEach(context, node, column, scalar.values(), scalarOnLeft);
    }
  });
}

/** Fast path: no histogram in the column. */
function combineFloats(
  op: BinaryOp,
  returnBool: boolean,
  column: StepColumn,
  scalars: Float64Array,
  swapped: boolean,
) {
  const { values, kinds, count } = column;
  if (isComparison(op)) {
    const compare = comparisonOf(op);
    for (let step = 0; step < count; step++) {
      if (kinds[step] === ABSENT) continue;
      const a = swapped ? scalars[step]! : values[step]!;
      const b = swapped ? values[step]! : scalars[step]!;
      const holds = compare(a, b);
      if (returnBool) values[step] = holds ? 1 : 0;
      else if (!holds) column.remove(step);
    }
    return;
  }
  const apply = arithmeticOf(op);
  for (let step = 0; step < count; step++) {
    const a = swapped ? scalars[step]! : values[step]!;
    const b = swapped ? values[step]! : scalars[step]!;
    values[step] = apply(a, b);
  }
}

function combineEach(
  context: ExecutionContext,
  node: Binary,
  column: StepColumn,
  scalars: Float64Array,
  swapped: boolean,
): void {
  const result = newPairResult();
  for (let step = 0; step < column.count; step++) {
    const kind = column.kinds[step]!;
    if (kind === ABSENT) continue;
    const value = column.values[step]!;
    const histogram = kind === HISTOGRAM ? column.histogramAt(step) : null;
    const scalar = scalars[step]!;
    if (swapped) applyBinary(node, scalar, null, value, histogram, context.annotations, result);
    else applyBinary(node, value, histogram, scalar, null, context.annotations, result);
    if (result.kind === ABSENT) column.remove(step);
    else if (node.returnBool) column.setFloat(step, result.keep ? 1 : 0);
    else if (!result.keep) column.remove(step);
    else if (isComparison(node.op)) continue;
    else if (result.kind === FLOAT) column.setFloat(step, result.value);
    else column.setHistogram(step, result.histogram!);
  }
}
