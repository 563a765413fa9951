import { columnSampleCount } from "../limits.ts";
import type { AccumulatedOp, GroupAccumulator } from "../../kernels/index.ts";
import { Labels } from "../../model/labels.ts";
import type { Aggregation } from "../parse/ast.ts";
import { Grouping } from "./grouping.ts";
import { HistogramSums } from "./histogram-sums.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { HISTOGRAM, StepColumn, type StepGrid } from "./step-column.ts";

interface Group {
  readonly labels: Labels;
  readonly floats: GroupAccumulator;
  /** sum and avg of native histograms; null until one comes. */
  histograms: HistogramSums | null;
  dropsName: boolean;
}

/**
 * sum, avg, min, max, count, group, stddev, stdvar: takes in one series at a time, keeping a few columns per group.
 * Groups come in the order in which their first sample-bearing series does.
 */
export class AggregateOperator implements VectorOperator {
  readonly type = "vector";
  readonly namesDiffer: boolean;
  private readonly grouping: Grouping;
  private groups: Group[] | null = null;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly node: Aggregation,
    private readonly op: AccumulatedOp,
    private readonly child: VectorOperator,
  ) {
    this.grouping = new Grouping(node.grouping, node.without);
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
    const { floats, histograms } = this.prepared()[index]!;
    out.clear();
    for (let step = 0; step < out.count; step++) {
      const hasFloat = floats.seen[step]! > 0;
      if (histograms !== null && histograms.has(step)) {
        const sum = histograms.result(step, hasFloat);
        if (sum !== undefined) out.setHistogram(step, sum);
      } else if (hasFloat) out.setFloat(step, floats.result(0, step));
    }
    this.context.limits.hold(columnSampleCount(out));
  }

  private prepared(): Group[] {
    return (this.groups ??= this.consume());
  }

  private consume(): Group[] {
    const { child, context, grouping, grid } = this;
    const groups = new Map<string, Group>();
    const column = new StepColumn(context.memory, grid.count);
    const held = context.limits.heldSamples;
    for (let i = 0, count = child.count; i < count; i++) {
      child.read(i, column);
      if (column.presentCount === 0) continue;
      const key = grouping.isSingle ? "" : grouping.key(child.labels(i));
      let group = groups.get(key);
      if (group === undefined) {
        group = {
          labels: grouping.isSingle ? Labels.empty : grouping.labels(child.labels(i)),
          floats: context.kernel.accumulator(this.op, 1, grid.count),
          histograms: null,
          dropsName: false,
        };
        groups.set(key, group);
      }
      group.floats.add(0, column.pointers);
      group.dropsName ||= child.dropsName(i);
      if (column.histograms !== null) this.takeHistograms(group, column, i);
    }
    context.limits.releaseTo(held);
    return [...groups.values()];
  }

  private takeHistograms(group: Group, column: StepColumn, index: number): void {
    switch (this.op) {
      case "sum":
      case "avg": {
        group.histograms ??= new HistogramSums(
          this.op,
          this.grid.count,
          this.context.annotations,
          this.node.expr.position,
        );
        const name = () => this.child.labels(index).metricName;
        for (let step = 0; step < column.count; step++) {
          if (column.kinds[step] === HISTOGRAM) group.histograms.add(step, column.histogramAt(step), name);
        }
        return;
      }
      case "count":
      case "group":
        return;
      default:
        for (let step = 0; step < column.count; step++) {
          if (column.kinds[step] !== HISTOGRAM) continue;
          this.context.annotations.info(
            `ignored histogram in ${this.op} aggregation`,
            this.node.expr.position,
          );
          return;
        }
    }
  }
}
