/** How functions compute. Each kind is run by one operator of exec/; `registry.ts` lists all functions by name. */
import type { WindowFunction } from "../../kernels/index.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { ExecutionContext, ScalarOperator, StringOperator, VectorOperator } from "../exec/operator.ts";
import type { RangeSource } from "../exec/range-source.ts";
import type { CallNotes, RangeWindow } from "../exec/range-window.ts";
import type { StepGrid } from "../exec/step-column.ts";
import type { Call, Expr } from "../parse/ast.ts";

export type FunctionImplementation =
  ElementwiseFunction | HistogramReading | RangeFunction | ScalarFunction | OperatorFunction;

/** Float in, float out, one by one; histograms are skipped and the metric name dropped. */
export interface ElementwiseFunction {
  readonly kind: "elementwise";
  /**
   * @param args the scalar arguments after the vector, at this step
   * @returns undefined for no output
   */
  apply(value: number, args: readonly number[]): number | undefined;
}

/** Histogram in, float out; floats are skipped and the metric name dropped. */
export interface HistogramReading {
  readonly kind: "histogram";
  apply(histogram: FloatHistogram): number;
}

/** One value from the samples of one series in one window; called only where the window holds a sample. */
export interface RangeFunction {
  readonly kind: "range";
  readonly keepsName: boolean;
  /** The kernel that does the same for floats alone, all steps at once. */
  readonly kernel: WindowFunction | null;
  /** Whether the kernel takes the function's scalar argument as it is; where it does not, `evaluate` is asked. */
  kernelTakes?(argument: number): boolean;
  /** Whether annotations speak of a counter without a counter's name. */
  readonly wantsCounter: boolean;
  /** @returns undefined for no output */
  evaluate(window: RangeWindow, notes: CallNotes): number | FloatHistogram | undefined;
}

/** Scalars to a scalar, step by step. */
export interface ScalarFunction {
  readonly kind: "scalar";
  apply(timeMs: number, args: readonly number[]): number;
}

/** Everything that looks at more than one sample at a time builds an operator of its own. */
export interface OperatorFunction {
  readonly kind: "operator";
  build(call: Call, grid: StepGrid, builder: OperatorBuilder): VectorOperator | ScalarOperator;
}

/** Builds the operators of a call's arguments, all at the call's own grid. */
export interface OperatorBuilder {
  readonly context: ExecutionContext;
  vector(expr: Expr, grid: StepGrid): VectorOperator;
  scalar(expr: Expr, grid: StepGrid): ScalarOperator;
  string(expr: Expr): StringOperator;
  range(expr: Expr, grid: StepGrid): RangeSource;
  /** When each sample of the vector was taken, or its counter began, in seconds. */
  sampleTimes(expr: Expr, grid: StepGrid, what: "timestamp" | "start-timestamp"): VectorOperator;
}
