import type { Labels } from "../../model/labels.ts";
import { columnSampleCount, type InputAccount } from "../limits.ts";
import { DerivedSeries, type LabelRule } from "./derived-series.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import type { StepColumn, StepGrid } from "./step-column.ts";

/** Changes every series of its child on its own, sample by sample: abs(v), v * 2, label_replace(v, …). */
export class MappedOperator implements VectorOperator {
  readonly type = "vector";
  private readonly series: DerivedSeries;
  private readonly account: InputAccount;

  constructor(
    context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly child: VectorOperator,
    rule: LabelRule,
    /** Changes the column of one child series in place. */
    private readonly change: (column: StepColumn) => void,
  ) {
    this.series = new DerivedSeries(child, rule, context, false);
    this.account = context.limits.account();
  }

  get count(): number {
    return this.series.count;
  }

  get namesDiffer(): boolean {
    return this.series.namesDiffer;
  }

  labels(index: number): Labels {
    return this.series.labels(index);
  }

  dropsName(index: number): boolean {
    return this.series.dropsName(index);
  }

  read(index: number, out: StepColumn): void {
    this.account.exchange(
      () => this.series.read(index, out, this.compute),
      () => columnSampleCount(out),
    );
  }

  private readonly compute = (member: number, out: StepColumn): void => {
    this.child.read(member, out);
    if (out.presentCount > 0) this.change(out);
  };
}
