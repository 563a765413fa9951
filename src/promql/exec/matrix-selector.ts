import type { QuerySampleColumns, SampleSlice, WindowGrid } from "../../kernels/index.ts";
import type { Labels } from "../../model/labels.ts";
import { isStaleMarker } from "../../model/sample.ts";
import type { SeriesSet } from "../../model/storage.ts";
import type { RangeExtension } from "../parse/ast.ts";
import { keepStatistics } from "./histogram-statistics.ts";
import type { ExecutionContext } from "./operator.ts";
import type { RangeSamples, RangeSource } from "./range-source.ts";
import type { SelectorRead } from "./selector-read.ts";

/** A range selector: the samples of each series over the stretch that all windows cover together. */
export class MatrixSelectorSource implements RangeSource {
  readonly type = "matrix";
  readonly countsOwnReads = false;
  readonly namesDiffer: boolean;
  readonly commonName: string | null;
  private readonly set: SeriesSet;
  private readonly columns: QuerySampleColumns;

  constructor(
    private readonly context: ExecutionContext,
    private readonly selection: SelectorRead,
    readonly windows: WindowGrid,
    readonly extension: RangeExtension | null,
  ) {
    this.set = selection.select(context.querier);
    this.commonName = selection.commonName;
    this.namesDiffer = selection.commonName === null;
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

  readInPlace(index: number): SampleSlice | RangeSamples {
    const { columns, context, selection, set } = this;
    if (set.view === undefined || this.extension !== null) return this.read(index);
    context.limits.check();
    const view = set.view(index, selection.minTime, selection.maxTime, columns);
    if (view === null) return this.prepared();
    const { timesPointer, valuesPointer, count } = view;
    if (!view.hasStale) return { timesPointer, valuesPointer, count, isLasting: true };
    columns.copyFrom(view);
    return this.prepared();
  }

  read(index: number): RangeSamples {
    this.context.limits.check();
    this.set.read(index, this.selection.minTime, this.selection.maxTime, this.columns);
    return this.prepared();
  }

  /** What was read into the columns, without what range functions don't look at. */
  private prepared(): RangeSamples {
    const { columns, context } = this;
    if (this.selection.statisticsOnly) {
      const { firstMs, stepMs, rangeMs } = this.windows;
      // Extended windows reach beyond their range, and all that is read counts.
      const lengthMs = this.extension === null ? rangeMs : Infinity;
      keepStatistics(columns, { firstMs, stepMs, lengthMs });
    }
    if (columns.histograms === null && columns.startTimes === null) {
      columns.count = context.kernel.dropStale({
        timesPointer: columns.times.byteOffset,
        valuesPointer: columns.values.byteOffset,
        count: columns.count,
      });
    } else {
      dropStaleWithCompanions(columns);
      if (!context.features.useStartTimestamps) columns.startTimes = null;
    }
    return columns;
  }
}

function dropStaleWithCompanions(columns: QuerySampleColumns): void {
  const { times, valueWords, histograms, startTimes } = columns;
  let kept = 0;
  for (let i = 0; i < columns.count; i++) {
    const histogram = histograms?.[i];
    if (histogram === undefined ? isStaleMarker(valueWords, i) : histogram.isStale) continue;
    times[kept] = times[i]!;
    valueWords[2 * kept] = valueWords[2 * i]!;
    valueWords[2 * kept + 1] = valueWords[2 * i + 1]!;
    if (histograms) histograms[kept] = histogram;
    if (startTimes) startTimes[kept] = startTimes[i]!;
    kept++;
  }
  columns.count = kept;
}
