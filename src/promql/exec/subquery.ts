import type { QuerySampleColumns, WindowGrid } from "../../kernels/index.ts";
import type { Labels } from "../../model/labels.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { SubqueryCounter } from "../statistics.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import type { RangeSamples, RangeSource } from "./range-source.ts";
import { ABSENT, HISTOGRAM, StepColumn, type StepGrid } from "./step-column.ts";

/** The steps a subquery evaluates at: absolute multiples of its step within (first − range, last]. */
export function subqueryGrid(firstMs: number, lastMs: number, rangeMs: number, stepMs: number): StepGrid {
  const from = firstMs - rangeMs;
  let startMs = stepMs * Math.trunc(from / stepMs);
  if (startMs <= from) startMs += stepMs;
  const count = Math.max(0, Math.floor((lastMs - startMs) / stepMs) + 1);
  return { startMs, stepMs, count, endsLater: startMs + (count - 1) * stepMs < lastMs };
}

/** expr[range:step]: the child's values at the inner steps are the samples of the outer windows. */
export class SubquerySource implements RangeSource {
  readonly type = "matrix";
  readonly extension = null;
  readonly commonName = null;
  readonly countsOwnReads = true;
  private readonly column: StepColumn;
  private readonly columns: QuerySampleColumns;

  constructor(
    private readonly context: ExecutionContext,
    readonly windows: WindowGrid,
    /** Evaluates at the inner steps; null where there are none. */
    private readonly child: VectorOperator | null,
    private readonly counter: SubqueryCounter,
  ) {
    const count = child?.grid.count ?? 0;
    this.column = new StepColumn(context.memory, count);
    this.columns = context.memory.columns(Math.max(1, count));
  }

  get innerQueryableSamples(): number {
    return this.counter.totalQueryableSamples;
  }

  get count(): number {
    return this.child?.count ?? 0;
  }

  get namesDiffer(): boolean {
    return this.child?.namesDiffer ?? false;
  }

  labels(index: number): Labels {
    return this.child!.labels(index);
  }

  dropsName(index: number): boolean {
    return this.child!.dropsName(index);
  }

  read(index: number): RangeSamples {
    const { column, columns } = this;
    const { grid } = this.child!;
    this.child!.read(index, column);
    const { times, values } = columns;
    columns.histograms = column.histograms === null ? null : [];
    let count = 0;
    for (let step = 0; step < column.count; step++) {
      const kind = column.kinds[step]!;
      if (kind === ABSENT) continue;
      times[count] = grid.startMs + step * grid.stepMs;
      values[count] = column.values[step]!;
      if (kind === HISTOGRAM) columns.histograms![count] = withUnknownReset(column.histogramAt(step));
      else if (columns.histograms) columns.histograms[count] = undefined;
      count++;
    }
    columns.count = count;
    this.context.limits.worked(column.count);
    return columns;
  }
}

/** What a storage said about counter resets no longer holds between points that are steps apart. */
function withUnknownReset(histogram: FloatHistogram): FloatHistogram {
  const { counterResetHint } = histogram;
  if (counterResetHint !== "reset" && counterResetHint !== "not-reset") return histogram;
  return { ...histogram, counterResetHint: "unknown" };
}
