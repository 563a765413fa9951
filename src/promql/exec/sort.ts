import { compareLabels, type Labels } from "../../model/labels.ts";
import { goSort } from "../functions/go-sort.ts";
import { compareNatural } from "../functions/natural-order.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import { FLOAT, HISTOGRAM, StepColumn, type StepGrid } from "./step-column.ts";

/** How sort, sort_desc, sort_by_label and sort_by_label_desc order series. */
export type SortRule =
  | { readonly by: "value"; readonly descending: boolean }
  | { readonly by: "label"; readonly names: readonly string[]; readonly descending: boolean };

/**
 * The series in another order, which shows in instant queries alone; sorting by value leaves histograms out. Order is
 * found at the only step; over several the child's stays.
 */
export class SortOperator implements VectorOperator {
  readonly type = "vector";
  private order: readonly number[] | null = null;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly child: VectorOperator,
    private readonly rule: SortRule,
  ) {}

  get count(): number {
    return this.sorted().length;
  }

  get namesDiffer(): boolean {
    return this.child.namesDiffer;
  }

  labels(index: number): Labels {
    return this.child.labels(this.sorted()[index]!);
  }

  dropsName(index: number): boolean {
    return this.child.dropsName(this.sorted()[index]!);
  }

  read(index: number, out: StepColumn): void {
    const child = this.sorted()[index]!;
    // Where there was something to sort, every series has been read and counted already.
    if (this.grid.count > 1) this.child.read(child, out);
    else this.context.collector.withoutCounting(() => this.child.read(child, out));
    if (this.rule.by === "label" || out.histograms === null) return;
    for (let step = 0; step < out.count; step++) if (out.kinds[step] === HISTOGRAM) out.remove(step);
  }

  private sorted(): readonly number[] {
    return (this.order ??= this.grid.count === 1 ? this.sortAll() : [...Array(this.child.count).keys()]);
  }

  private sortAll(): number[] {
    const { child, context, rule } = this;
    const column = new StepColumn(context.memory, 1);
    const held = context.limits.heldSamples;
    const order: number[] = [];
    const values: number[] = [];
    for (let i = 0, n = child.count; i < n; i++) {
      child.read(i, column);
      if (column.presentCount === 0 || (rule.by === "value" && column.kinds[0] !== FLOAT)) continue;
      order.push(i);
      values[i] = column.values[0]!;
    }
    context.limits.releaseTo(held);
    if (rule.by === "value") goSort(order, (a, b) => valueBefore(values[a]!, values[b]!, rule.descending));
    else {
      const labels = new Map(order.map((i) => [i, child.labels(i)]));
      const before = (a: number, b: number) => labelBefore(labels.get(a)!, labels.get(b)!, rule.names);
      goSort(order, rule.descending ? (a, b) => before(b, a) : before);
    }
    return order;
  }
}

/** NaN goes last either way, which is how a heap ordered the other way round has it. */
export function valueBefore(a: number, b: number, descending: boolean): boolean {
  // "y before x" of the heap's order: two NaN swap.
  if (Number.isNaN(b)) return true;
  return descending ? b < a : b > a;
}

function labelBefore(a: Labels, b: Labels, names: readonly string[]): boolean {
  for (const name of names) {
    const left = a.get(name);
    const right = b.get(name);
    if (left !== right) return compareNatural(left, right);
  }
  return compareLabels(a, b) < 0;
}
