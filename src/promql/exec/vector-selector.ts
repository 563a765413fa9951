import type { InstantLookup, QuerySampleColumns } from "../../kernels/index.ts";
import type { Labels } from "../../model/labels.ts";
import type { SampleView, SeriesSet } from "../../model/storage.ts";
import { histogramPointCount } from "../limits.ts";
import { keepStatistics } from "./histogram-statistics.ts";
import { countColumn } from "../statistics.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import type { SelectorRead } from "./selector-read.ts";
import { ABSENT, type StepColumn, type StepGrid } from "./step-column.ts";

/** What an instant selector gives at a step: the sample's value, or the time it was taken, in seconds. */
export type SelectorYield = "value" | "timestamp" | "start-timestamp";

/** An instant selector: at each step the newest sample within the lookback, unless it is a staleness marker. */
export class VectorSelectorOperator implements VectorOperator {
  readonly type = "vector";
  readonly namesDiffer: boolean;
  private readonly set: SeriesSet;
  private readonly lookup: InstantLookup;
  private readonly columns: QuerySampleColumns;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly selection: SelectorRead,
    private readonly yields: SelectorYield,
  ) {
    this.set = selection.select(context.querier);
    this.namesDiffer = selection.commonName === null;
    const { firstMs, stepMs } = selection;
    this.lookup = context.kernel.lookup({ firstMs, stepMs, count: grid.count }, selection.lookbackMs);
    this.columns = context.memory.columns(256);
  }

  get count(): number {
    return this.set.count;
  }

  labels(index: number): Labels {
    return this.set.labels(index);
  }

  dropsName(): boolean {
    return false;
  }

  read(index: number, out: StepColumn): void {
    const { context, columns, lookup } = this;
    context.limits.check();
    const view = this.viewOf(index);
    if (view !== null) {
      const { timesPointer, valuesPointer, count } = view;
      out.histograms = null;
      lookup.bind({ timesPointer, count, isLasting: true });
      out.presentCount = lookup.gather(valuesPointer, out.pointers);
      context.limits.hold(out.presentCount);
      countColumn(context.statistics, out, out.presentCount);
      return;
    }
    if (this.selection.statisticsOnly) {
      const { firstMs, stepMs, lookbackMs } = this.selection;
      keepStatistics(columns, { firstMs, stepMs, lengthMs: lookbackMs });
    }
    out.histograms = null;
    lookup.bind({ timesPointer: columns.times.byteOffset, count: columns.count });
    out.presentCount = lookup.gather(columns.values.byteOffset, out.pointers);
    let held = out.presentCount;
    if (columns.histograms !== null) held = this.placeHistograms(out);
    if (this.yields !== "value") {
      // The time of a sample counts for one, whatever was taken then.
      this.replaceByTimes(out);
      held = out.presentCount;
    }
    context.limits.hold(held);
    countColumn(context.statistics, out, held);
  }

  /** Where the samples are kept, if values is all that is wanted; else they are read into the columns. */
  private viewOf(index: number): SampleView | null {
    const { set, columns } = this;
    const { minTime, maxTime } = this.selection;
    if (set.view !== undefined && this.yields === "value") return set.view(index, minTime, maxTime, columns);
    set.read(index, minTime, maxTime, columns);
    return null;
  }

  /** @returns how many samples the column counts for */
  private placeHistograms(out: StepColumn): number {
    const histograms = this.columns.histograms!;
    let held = 0;
    for (let step = 0; step < out.count; step++) {
      if (out.kinds[step] === ABSENT) continue;
      const histogram = histograms[this.lookup.index[step]!];
      if (histogram === undefined) held++;
      else if (histogram.isStale) out.remove(step);
      else {
        out.setHistogram(step, histogram);
        held += histogramPointCount(histogram);
      }
    }
    return held;
  }

  private replaceByTimes(out: StepColumn): void {
    const times = this.yields === "timestamp" ? this.columns.times : this.columns.startTimes;
    for (let step = 0; step < out.count; step++) {
      if (out.kinds[step] === ABSENT) continue;
      out.setFloat(step, (times?.[this.lookup.index[step]!] ?? 0) / 1000);
    }
    out.histograms = null;
  }
}
