import { Labels } from "../../model/labels.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import type { StepColumn, StepGrid } from "./step-column.ts";

/** One series without labels that has a value at every step: vector(1), hour(). */
export class SingleSeriesOperator implements VectorOperator {
  readonly type = "vector";
  readonly count = 1;
  readonly namesDiffer = false;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly valueAt: (step: number, timeMs: number) => number,
  ) {}

  labels(): Labels {
    return Labels.empty;
  }

  dropsName(): boolean {
    return false;
  }

  read(_index: number, out: StepColumn): void {
    out.clear();
    const { startMs, stepMs, count } = this.grid;
    for (let step = 0; step < count; step++) out.setFloat(step, this.valueAt(step, startMs + step * stepMs));
    this.context.limits.hold(count);
  }
}
