import { columnSampleCount } from "../limits.ts";
import { hasCustomBuckets } from "../../model/histogram-buckets.ts";
import { withHint } from "../../model/histogram-arithmetic.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { Labels } from "../../model/labels.ts";
import { firstAfter, interpolateHistogram } from "../functions/extended-range.ts";
import { warnMixed, warnMixedSchemas } from "../functions/range-notes.ts";
import { countColumn } from "../statistics.ts";
import type { Position } from "../parse/ast.ts";
import type { ExecutionContext, VectorOperator } from "./operator.ts";
import type { RangeSource } from "./range-source.ts";
import { CallNotes, type SplitSamples } from "./range-window.ts";
import { splitSamples } from "./split-samples.ts";
import type { StepColumn, StepGrid } from "./step-column.ts";

/**
 * A smoothed instant selector: at each step the value on the line between the samples around it, as far as the
 * lookback reaches both ways. With nothing after the step the last sample is carried on.
 */
export class SmoothedSelectorOperator implements VectorOperator {
  readonly type = "vector";
  private readonly notes: CallNotes;
  private current = 0;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    private readonly source: RangeSource,
    position: Position,
  ) {
    this.notes = new CallNotes(context.annotations, position, () => source.labels(this.current).metricName);
  }

  get count(): number {
    return this.source.count;
  }

  get namesDiffer(): boolean {
    return this.source.namesDiffer;
  }

  labels(index: number): Labels {
    return this.source.labels(index);
  }

  dropsName(): boolean {
    return false;
  }

  read(index: number, out: StepColumn): void {
    this.current = index;
    const samples = splitSamples(this.source.read(index));
    const { firstMs, stepMs } = this.source.windows;
    out.clear();
    for (let step = 0; step < out.count; step++) {
      const value = this.valueAt(samples, firstMs + step * stepMs);
      if (value === undefined) continue;
      if (typeof value === "number") out.setFloat(step, value);
      else out.setHistogram(step, value);
    }
    const held = columnSampleCount(out);
    this.context.limits.hold(held);
    countColumn(this.context.statistics, out, held);
  }

  private valueAt(samples: SplitSamples, timeMs: number): number | FloatHistogram | undefined {
    const { floatTimes, floatCount, histogramTimes, histograms } = samples;
    const from = timeMs - this.context.lookbackMs;
    const to = timeMs + this.context.lookbackMs;
    const floatFrom = firstAfter(floatTimes, floatCount, from);
    const floatTo = firstAfter(floatTimes, floatCount, to);
    const histogramFrom = firstAfter(histogramTimes, histograms.length, from);
    const histogramTo = firstAfter(histogramTimes, histograms.length, to);
    if (floatTo > floatFrom && histogramTo > histogramFrom) return warnMixed(this.notes);
    if (histogramTo > histogramFrom) return this.histogramAt(samples, histogramFrom, histogramTo, timeMs);
    const before = firstAfter(floatTimes, floatCount, timeMs) - 1;
    if (before < floatFrom) return undefined;
    const y1 = samples.floats[before]!;
    if (floatTimes[before] === timeMs || before + 1 >= floatTo) return y1;
    const [t1, t2] = [floatTimes[before]!, floatTimes[before + 1]!];
    return y1 + ((samples.floats[before + 1]! - y1) * (timeMs - t1)) / (t2 - t1);
  }

  private histogramAt(
    { histogramTimes, histograms }: SplitSamples,
    from: number,
    to: number,
    timeMs: number,
  ): FloatHistogram | undefined {
    const i = firstAfter(histogramTimes, histograms.length, timeMs) - 1;
    if (i < from) return undefined;
    const before = histograms[i]!;
    if (histogramTimes[i] === timeMs) return before;
    if (i + 1 >= to) return withHint(before, "unknown");
    const after = histograms[i + 1]!;
    if (hasCustomBuckets(before) !== hasCustomBuckets(after)) return warnMixedSchemas(this.notes);
    const areGauges = before.counterResetHint === "gauge" && after.counterResetHint === "gauge";
    const edge = interpolateHistogram(histograms, histogramTimes, i, timeMs, !areGauges, null);
    return edge?.histogram ?? warnMixedSchemas(this.notes);
  }
}
