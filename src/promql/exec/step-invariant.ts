import type { Labels } from "../../model/labels.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { StepColumn, type StepGrid } from "./step-column.ts";

/** A vector evaluated at one step and the same at all. */
export class StepInvariantVector implements VectorOperator {
  readonly type = "vector";
  private readonly single: StepColumn;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    /** Its grid has one step. */
    private readonly child: VectorOperator,
  ) {
    this.single = new StepColumn(context.memory, 1);
  }

  get count(): number {
    return this.child.count;
  }

  get namesDiffer(): boolean {
    return this.child.namesDiffer;
  }

  labels(index: number): Labels {
    return this.child.labels(index);
  }

  dropsName(index: number): boolean {
    return this.child.dropsName(index);
  }

  read(index: number, out: StepColumn): void {
    this.child.read(index, this.single);
    out.kinds.fill(this.single.kinds[0]!);
    out.values.fill(this.single.values[0]!);
    out.histograms = this.single.histograms
      ? new Array<(typeof this.single.histograms)[0]>(out.count).fill(this.single.histograms[0])
      : null;
    out.presentCount = this.single.presentCount * out.count;
    this.context.limits.hold(out.presentCount - this.single.presentCount);
  }
}
