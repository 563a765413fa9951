import { formatDecimal } from "../../model/format-float.ts";
import { formatHistogram } from "../../model/histogram-buckets.ts";
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
      const builder = new LabelsBuilder(child.labels(i));
      const ofText = new Map<string, Group>();
      for (let step = 0; step < column.count; step++) {
        const kind = column.kinds[step];
        if (kind === ABSENT) continue;
        const text =
          kind === HISTOGRAM
            ? formatHistogram(column.histogramAt(step))
            : formatDecimal(column.values[step]!);
        let group = ofText.get(text);
        if (group === undefined) {
          const labels = builder.set(this.label, text).labels();
          const key = this.grouping.key(labels);
          group = groups.get(key);
          if (group === undefined) {
            group = { labels: this.grouping.labels(labels), counts: new Int32Array(grid.count) };
            groups.set(key, group);
            // A group per value can be as many as there are samples: its columns count for what they hold.
            context.limits.hold(Math.ceil(grid.count / 2));
          }
          ofText.set(text, group);
        }
        group.counts[step]!++;
      }
      context.limits.worked(column.count);
    }
    context.limits.releaseTo(held);
    return [...groups.values()].sort((a, b) => compareLabels(a.labels, b.labels));
  }
}
