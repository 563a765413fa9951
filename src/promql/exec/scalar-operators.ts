import type { ExecutionContext, ScalarOperator, VectorOperator } from "./operator.ts";
import { ABSENT, FLOAT, StepColumn, type StepGrid } from "./step-column.ts";

/** A number that is the same at every step. */
export class ConstantOperator implements ScalarOperator {
  readonly type = "scalar";
  private column: Float64Array | null = null;

  constructor(
    readonly grid: StepGrid,
    readonly constant: number,
  ) {}

  values(): Float64Array {
    return (this.column ??= new Float64Array(this.grid.count).fill(this.constant));
  }
}

/** A number per step out of the numbers of other scalars. */
export class ScalarCallOperator implements ScalarOperator {
  readonly type = "scalar";
  readonly constant = null;
  private column: Float64Array | null = null;

  constructor(
    readonly grid: StepGrid,
    private readonly args: readonly ScalarOperator[],
    private readonly apply: (timeMs: number, args: readonly number[]) => number,
  ) {}

  values(): Float64Array {
    if (this.column) return this.column;
    const column = new Float64Array(this.grid.count);
    const columns = this.args.map((arg) => arg.values());
    const args = new Array<number>(columns.length);
    for (let step = 0; step < column.length; step++) {
      for (let i = 0; i < columns.length; i++) args[i] = columns[i]![step]!;
      column[step] = this.apply(this.grid.startMs + step * this.grid.stepMs, args);
    }
    return (this.column = column);
  }
}

/** scalar(v): the value of the only float at a step, NaN where there are none or several. Histograms don't count. */
export class ScalarOfVectorOperator implements ScalarOperator {
  readonly type = "scalar";
  readonly constant = null;
  private column: Float64Array | null = null;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly child: VectorOperator,
  ) {}

  values(): Float64Array {
    if (this.column) return this.column;
    const column = new Float64Array(this.grid.count).fill(NaN);
    const seen = new Uint8Array(this.grid.count);
    const held = this.context.limits.heldSamples;
    const scratch = new StepColumn(this.context.memory, this.grid.count);
    for (let i = 0; i < this.child.count; i++) {
      this.child.read(i, scratch);
      for (let step = 0; step < column.length; step++) {
        if (scratch.kinds[step] !== FLOAT) continue;
        column[step] = seen[step] === ABSENT ? scratch.values[step]! : NaN;
        seen[step] = 1;
      }
    }
    this.context.limits.releaseTo(held);
    return (this.column = column);
  }
}

/** A scalar computed at one step and the same at all. */
export class StepInvariantScalar implements ScalarOperator {
  readonly type = "scalar";

  constructor(
    readonly grid: StepGrid,
    private readonly child: ScalarOperator,
  ) {}

  get constant(): number {
    return this.child.values()[0]!;
  }

  values(): Float64Array {
    return new Float64Array(this.grid.count).fill(this.constant);
  }
}
