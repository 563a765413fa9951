import type { Labels } from "../../model/labels.ts";
import { formatGeneral } from "../../model/format-float.ts";
import { goSort } from "../functions/go-sort.ts";
import { maxOf, minOf } from "../functions/math.ts";
import { columnSampleCount, ExecutionError } from "../limits.ts";
import type { Aggregation } from "../parse/ast.ts";
import { Grouping } from "./grouping.ts";
import { StepHeaps, type HeapOrder } from "./step-heaps.ts";
import type { ExecutionContext, ScalarOperator, VectorOperator } from "./operator.ts";
import { ABSENT, HISTOGRAM, StepColumn, type StepGrid } from "./step-column.ts";
import { xxhash64 } from "./xxhash64.ts";

export type RankOp = "topk" | "bottomk" | "limitk" | "limit_ratio";

/** A series that was chosen at some step, with its samples at those steps. */
interface Chosen {
  readonly index: number;
  readonly column: StepColumn;
}

/**
 * topk, bottomk, limitk, limit_ratio: choose samples of each group at each step and pass them on as they are. The child
 * is read once; what a group holds at a step is a heap of series numbers, and the samples chosen are copied out.
 */
export class RankAggregateOperator implements VectorOperator {
  readonly type = "vector";
  private readonly grouping: Grouping;
  private chosen: Chosen[] | null = null;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly node: Aggregation,
    private readonly op: RankOp,
    private readonly child: VectorOperator,
    private readonly param: ScalarOperator,
  ) {
    this.grouping = new Grouping(node.grouping, node.without);
  }

  get count(): number {
    return this.prepared().length;
  }

  get namesDiffer(): boolean {
    return this.child.namesDiffer;
  }

  labels(index: number): Labels {
    return this.child.labels(this.prepared()[index]!.index);
  }

  dropsName(index: number): boolean {
    return this.child.dropsName(this.prepared()[index]!.index);
  }

  read(index: number, out: StepColumn): void {
    out.copyFrom(this.prepared()[index]!.column);
    this.context.limits.hold(columnSampleCount(out));
  }

  private prepared(): Chosen[] {
    return (this.chosen ??= this.choose());
  }

  private choose(): Chosen[] {
    const { child, context, grid, grouping, op } = this;
    const sizes = op === "limit_ratio" ? this.ratios() : this.counts();
    if (sizes === null) {
      this.readInVain();
      return [];
    }
    const groups = new Map<string, StepHeaps>();
    const column = new StepColumn(context.memory, grid.count);
    const held = context.limits.heldSamples;
    const seriesCount = child.count;
    for (let i = 0; i < seriesCount; i++) {
      child.read(i, column);
      if (column.presentCount === 0) continue;
      const key = grouping.isSingle ? "" : grouping.key(child.labels(i));
      let heaps = groups.get(key);
      if (heaps === undefined) {
        const order: HeapOrder = op === "bottomk" ? "greatest-first" : "least-first";
        heaps = new StepHeaps(context.memory, grid.count, order, Math.min(sizes[0]!, seriesCount));
        groups.set(key, heaps);
      }
      const offset = op === "limit_ratio" ? ratioOffset(child.labels(i)) : 0;
      this.offer(heaps, column, i, sizes, seriesCount, offset);
      context.limits.worked(column.count);
    }
    context.limits.releaseTo(held);
    return this.copyOut(groups);
  }

  /** Nothing is to be chosen, but what its input has to say, or is wrong with it, comes all the same. */
  private readInVain(): void {
    const { child, context, grid } = this;
    const column = new StepColumn(context.memory, grid.count);
    const held = context.limits.heldSamples;
    for (let i = 0, n = child.count; i < n; i++) child.read(i, column);
    context.limits.releaseTo(held);
  }

  /** Offers the samples of one series to its group's heaps. */
  private offer(
    heaps: StepHeaps,
    column: StepColumn,
    series: number,
    sizes: Float64Array,
    seriesCount: number,
    offset: number,
  ): void {
    const { op } = this;
    let ignoredHistogram = false;
    for (let step = 0; step < column.count; step++) {
      const kind = column.kinds[step];
      if (kind === ABSENT) continue;
      const size = sizes[step]!;
      const value = kind === HISTOGRAM ? 0 : column.values[step]!;
      switch (op) {
        case "limit_ratio":
          if (size === 0) break;
          if (size > 0 ? offset < size : offset >= 1 + size) heaps.push(step, series, value);
          break;
        case "limitk": {
          const limit = Math.min(Math.trunc(size), seriesCount);
          if (heaps.size(step) < limit) heaps.push(step, series, value);
          break;
        }
        default:
          if (kind === HISTOGRAM) ignoredHistogram = true;
          else heaps.offer(step, series, value, Math.min(Math.trunc(size), seriesCount));
      }
    }
    if (ignoredHistogram) {
      this.context.annotations.info(`ignored histogram in ${op} aggregation`, this.node.position);
    }
  }

  /** Reads the chosen series once more and keeps the steps at which they were. In order of choice: group by group. */
  private copyOut(groups: ReadonlyMap<string, StepHeaps>): Chosen[] {
    const { context, grid, child } = this;
    const ranks = this.op === "topk" || this.op === "bottomk";
    const steps = new Map<number, number[]>();
    for (const heaps of groups.values()) {
      for (let step = 0; step < grid.count; step++) {
        const order = [...Array(heaps.size(step)).keys()];
        // What gives way first comes last.
        if (ranks) goSort(order, (a, b) => heaps.before(step, b, a));
        for (const position of order) {
          const series = heaps.seriesAt(step, position);
          const seen = steps.get(series);
          if (seen === undefined) steps.set(series, [step]);
          else seen.push(step);
        }
      }
    }
    const scratch = new StepColumn(context.memory, grid.count);
    const held = context.limits.heldSamples;
    const chosen = [...steps].map(([index, at]) => {
      const column = new StepColumn(context.memory, grid.count);
      column.clear();
      context.collector.withoutCounting(() => child.read(index, scratch));
      for (const step of at) column.copyStep(step, scratch, step);
      return { index, column };
    });
    context.limits.releaseTo(held);
    return chosen;
  }

  // ── the parameter ──

  /** How many to choose at each step; null for none at all. @throws ExecutionError where it is no number of series */
  private counts(): Float64Array | null {
    const values = this.param.values();
    let max = values[0]!;
    let min = values[0]!;
    for (const value of values) {
      if (Number.isNaN(value)) throw new ExecutionError("Parameter value is NaN");
      max = Math.max(max, value);
      min = Math.min(min, value);
    }
    if (max < 1) return null;
    if (min <= -(2 ** 63)) throw new ExecutionError(`Scalar value ${formatGeneral(min)} underflows int64`);
    if (max >= MAX_INT64) throw new ExecutionError(`Scalar value ${formatGeneral(max)} overflows int64`);
    return values;
  }

  private ratios(): Float64Array | null {
    const values = this.param.values();
    let max = values[0]!;
    let min = values[0]!;
    for (const value of values) {
      if (Number.isNaN(value)) throw new ExecutionError("Ratio value is NaN");
      max = maxOf(max, value);
      min = minOf(min, value);
    }
    if (max === 0 && min === 0) return null;
    const { annotations } = this.context;
    const position = { ...this.node.position, shownAt: this.node.param!.position.start };
    const warn = (got: number, cap: number) =>
      annotations.warn(
        `ratio value should be between -1 and 1, got ${formatGeneral(got)}, capping to ${cap}`,
        position,
      );
    if (max > 1) warn(max, 1);
    if (min < -1) warn(min, -1);
    return values.map((value) => Math.max(-1, Math.min(1, value)));
  }
}

const MAX_INT64 = 9223372036854774784;

/** Where a label set lies between 0 and 1 by its hash; the same in every query and every process. */
function ratioOffset(labels: Labels): number {
  const parts: Buffer[] = [];
  for (const text of labels.pairs) {
    const bytes = Buffer.from(text);
    const length = bytes.length;
    parts.push(
      length < 255
        ? Buffer.of(length)
        : Buffer.of(255, length & 0xff, (length >> 8) & 0xff, (length >> 16) & 0xff),
      bytes,
    );
  }
  return Number(xxhash64(Buffer.concat(parts))) / 2 ** 64;
}
