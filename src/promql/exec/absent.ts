import type { Labels } from "../../model/labels.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { ABSENT, type StepColumn, type StepGrid } from "./step-column.ts";

/** 1 at the steps where no series of the child has a sample. */
export class AbsentOperator implements VectorOperator {
  readonly type = "vector";
  readonly count = 1;
  readonly namesDiffer = false;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly child: VectorOperator,
    private readonly outputLabels: Labels,
  ) {}

  labels(): Labels {
    return this.outputLabels;
  }

  dropsName(): boolean {
    return false;
  }

  read(_index: number, out: StepColumn): void {
    const { context, child } = this;
    const held = context.limits.heldSamples;
    const present = new Uint8Array(out.count);
    for (let i = 0, n = child.count; i < n; i++) {
      child.read(i, out);
      for (let step = 0; step < present.length; step++) present[step]! |= out.kinds[step]!;
    }
    context.limits.releaseTo(held);
    out.clear();
    for (let step = 0; step < present.length; step++) if (present[step] === ABSENT) out.setFloat(step, 1);
    context.limits.hold(out.presentCount);
  }
}
