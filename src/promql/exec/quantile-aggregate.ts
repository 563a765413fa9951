import { formatGeneral } from "../../model/format-float.ts";
import type { Labels } from "../../model/labels.ts";
import { quantile } from "../functions/quantile.ts";
import { maxOf, minOf } from "../functions/math.ts";
import type { Aggregation } from "../parse/ast.ts";
import { Grouping } from "./grouping.ts";
import type { ExecutionContext, ScalarOperator, VectorOperator } from "./operator.ts";
import { FLOAT, HISTOGRAM, type StepColumn, type StepGrid } from "./step-column.ts";

interface Group {
  readonly labels: Labels;
  readonly members: number[];
  dropsName: boolean;
}

/**
 * quantile: needs all values of a group at a step at once, so it takes one group at a time and keeps that group's
 * columns, no more.
 */
export class QuantileAggregateOperator implements VectorOperator {
  readonly type = "vector";
  readonly namesDiffer: boolean;
  private groups: Group[] | null = null;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly node: Aggregation,
    private readonly child: VectorOperator,
    private readonly param: ScalarOperator,
  ) {
    this.namesDiffer = !node.without && node.grouping.length > 0;
  }

  get count(): number {
    return this.prepared().length;
  }

  labels(index: number): Labels {
    return this.prepared()[index]!.labels;
  }

  dropsName(index: number): boolean {
    return this.prepared()[index]!.dropsName;
  }

  read(index: number, out: StepColumn): void {
    const { context, child, grid } = this;
    const { members } = this.prepared()[index]!;
    const q = this.param.values();
    const held = context.limits.heldSamples;
    const columns: StepColumn[] = [];
    for (const member of members) {
      const column = context.columns.take(grid.count);
      child.read(member, column);
      this.noteIgnoredHistograms(column);
      columns.push(column);
    }
    out.clear();
    const values = new Float64Array(columns.length);
    for (let step = 0; step < grid.count; step++) {
      let count = 0;
      for (const column of columns) if (column.kinds[step] === FLOAT) values[count++] = column.values[step]!;
      if (count > 0) out.setFloat(step, quantile(q[step]!, values, count));
      context.limits.worked(columns.length);
    }
    for (const column of columns) context.columns.give(column);
    context.limits.releaseTo(held);
    context.limits.hold(out.presentCount);
  }

  private noteIgnoredHistograms(column: StepColumn): void {
    if (column.histograms === null || column.kinds.indexOf(HISTOGRAM) < 0) return;
    this.context.annotations.info("ignored histogram in quantile aggregation", this.node.expr.position);
  }

  private prepared(): Group[] {
    return (this.groups ??= this.group());
  }

  private group(): Group[] {
    this.warnInvalid();
    const { child } = this;
    const grouping = new Grouping(this.node.grouping, this.node.without);
    const groups = new Map<string, Group>();
    for (let i = 0, n = child.count; i < n; i++) {
      const labels = child.labels(i);
      const key = grouping.key(labels);
      let group = groups.get(key);
      if (group === undefined) {
        groups.set(key, (group = { labels: grouping.labels(labels), members: [], dropsName: false }));
      }
      group.members.push(i);
      group.dropsName ||= child.dropsName(i);
    }
    return [...groups.values()];
  }

  /** Speaks of the extremes over all steps; one NaN hides the others. */
  private warnInvalid(): void {
    let max = -Infinity;
    let min = Infinity;
    for (const value of this.param.values()) {
      max = maxOf(max, value);
      min = minOf(min, value);
    }
    const hasNaN = this.param.values().some(Number.isNaN);
    const position = { ...this.node.position, shownAt: this.node.param!.position.start };
    const warn = (got: number) =>
      this.context.annotations.warn(
        `quantile value should be between 0 and 1, got ${formatGeneral(got)}`,
        position,
      );
    if (hasNaN) warn(NaN);
    else {
      if (max > 1) warn(max);
      if (min < 0) warn(min);
    }
  }
}
