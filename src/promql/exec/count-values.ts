import { formatDecimal } from "../../model/format-float.ts";
import { formatHistogram } from "../../model/histogram-buckets.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import { compareLabels, LabelsBuilder, type Labels } from "../../model/labels.ts";
import { isValidLabelName } from "../../model/label-name.ts";
import { quote } from "../../model/quote.ts";
import { ExecutionError } from "../limits.ts";
import type { Aggregation } from "../parse/ast.ts";
import { Grouping } from "./grouping.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { ABSENT, HISTOGRAM, StepColumn, type StepGrid } from "./step-column.ts";

interface Group {
  readonly labels: Labels;
  readonly counts: Int32Array;
}

/** count_values: how many samples of a group have each value, the value as text in a label. */
export class CountValuesOperator implements VectorOperator {
  readonly type = "vector";
  readonly namesDiffer: boolean;
  private readonly grouping: Grouping;
  private groups: Group[] | null = null;

  /** @throws ExecutionError where `label` cannot name a label */
  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    node: Aggregation,
    private readonly child: VectorOperator,
    private readonly label: string,
  ) {
    if (!isValidLabelName(label)) throw new ExecutionError(`invalid label name ${quote(label)}`);
    this.grouping = new Grouping(node.without ? node.grouping : [...node.grouping, label], node.without);
    this.namesDiffer = !node.without && node.grouping.length > 0;
  }

  get count(): number {
    return this.prepared().length;
  }

  labels(index: number): Labels {
    return this.prepared()[index]!.labels;
  }

  dropsName(): boolean {
    return false;
  }

  read(index: number, out: StepColumn): void {
    const { counts } = this.prepared()[index]!;
    out.clear();
    for (let step = 0; step < out.count; step++) if (counts[step]! > 0) out.setFloat(step, counts[step]!);
    this.context.limits.hold(out.presentCount);
  }

  private prepared(): Group[] {
    return (this.groups ??= this.consume());
  }

  private consume(): Group[] {
    const { child, context, grid } = this;
    const groups = new Map<string, Group>();
    const column = new StepColumn(context.memory, grid.count);
    const held = context.limits.heldSamples;
    for (let i = 0, n = child.count; i < n; i++) {
      child.read(i, column);
      if (column.presentCount === 0) continue;
      const groupOf = this.groupFinder(child.labels(i), groups);
      for (let step = 0; step < column.count; step++) {
        const kind = column.kinds[step];
        if (kind === ABSENT) continue;
        const group = kind === HISTOGRAM ? groupOf(column.histogramAt(step)) : groupOf(column.values[step]!);
        group.counts[step]!++;
      }
      context.limits.worked(column.count);
    }
    context.limits.releaseTo(held);
    return [...groups.values()].sort((a, b) => compareLabels(a.labels, b.labels));
  }

  /** Finds the group of a value of one series; a number seen before without writing it out again. */
  private groupFinder(labels: Labels, groups: Map<string, Group>): (value: number | FloatHistogram) => Group {
    const builder = new LabelsBuilder(labels);
    const ofNumber = new Map<number, Group>();
    return (value) => {
      if (typeof value !== "number") return this.group(builder, formatHistogram(value), groups);
      // The two zeros are one key and two texts.
      const isKey = value !== 0;
      let group = isKey ? ofNumber.get(value) : undefined;
      if (group === undefined) {
        group = this.group(builder, formatDecimal(value), groups);
        if (isKey) ofNumber.set(value, group);
      }
      return group;
    };
  }

  private group(builder: LabelsBuilder, text: string, groups: Map<string, Group>): Group {
    const labels = builder.set(this.label, text).labels();
    const key = this.grouping.key(labels);
    let group = groups.get(key);
    if (group === undefined) {
      const stepCount = this.grid.count;
      group = { labels: this.grouping.labels(labels), counts: new Int32Array(stepCount) };
      groups.set(key, group);
      // There can be as many groups as samples: their columns count for the room they take.
      this.context.limits.hold(Math.ceil(stepCount / 2));
    }
    return group;
  }
}
