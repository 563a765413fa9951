import { columnSampleCount } from "../limits.ts";
import type { SampleSlice, SlidingWindows, WindowArgument } from "../../kernels/index.ts";
import type { Labels } from "../../model/labels.ts";
import { quote } from "../../model/quote.ts";
import type { RangeFunction } from "../functions/contract.ts";
import { StartOverlapNote } from "../functions/range-notes.ts";
import type { Call, Expr } from "../parse/ast.ts";
import { DerivedSeries } from "./derived-series.ts";
import type { ExecutionContext, ScalarOperator, VectorOperator } from "./operator.ts";
import type { RangeSamples, RangeSource } from "./range-source.ts";
import { CallNotes, RangeWindow } from "./range-window.ts";
import { SplitCursor, splitSamples } from "./split-samples.ts";
import { FLOAT, type StepColumn, type StepGrid } from "./step-column.ts";

/** A function over windows: rate, sum_over_time, … Floats go through a kernel where there is one. */
export class RangeCallOperator implements VectorOperator {
  readonly type = "vector";
  private readonly series: DerivedSeries;
  private readonly windows: SlidingWindows;
  private readonly window = new RangeWindow();
  private readonly notes: CallNotes;
  private readonly heedsStartTimes: boolean;
  private current = 0;
  private argumentsFit: boolean | null = null;
  private windowArgument: WindowArgument | null = null;

  constructor(
    private readonly context: ExecutionContext,
    readonly grid: StepGrid,
    call: Call,
    private readonly func: RangeFunction,
    private readonly source: RangeSource,
    private readonly args: readonly ScalarOperator[],
  ) {
    this.series = new DerivedSeries(source, func.keepsName ? "keep" : "drop", context, true);
    this.windows = context.kernel.windows(source.windows);
    this.heedsStartTimes = HEED_START_TIMES.has(call.func.name);
    // Prometheus loses the position of a subquery on its way to a function.
    const shownAt = holdsSubquery(call.args[0]!) ? 0 : call.args[0]!.position.start;
    this.notes = new CallNotes(context.annotations, { ...call.position, shownAt }, () => this.metricName());
  }

  get count(): number {
    return this.series.count;
  }

  get namesDiffer(): boolean {
    return this.series.namesDiffer;
  }

  labels(index: number): Labels {
    return this.series.labels(index);
  }

  dropsName(index: number): boolean {
    return this.series.dropsName(index);
  }

  read(index: number, out: StepColumn): void {
    this.series.read(index, out, this.compute);
  }

  private readonly compute = (member: number, out: StepColumn): void => {
    const { source, func, windows } = this;
    this.current = member;
    out.histograms = null;
    // Fast path: floats only, and a kernel that knows the function.
    const mayUseKernel = func.kernel !== null && source.extension === null && this.kernelTakesArguments();
    const samples =
      mayUseKernel && source.readInPlace !== undefined ? source.readInPlace(member) : source.read(member);
    const slice = mayUseKernel ? this.sliceOf(samples) : null;
    let lastWindow: number;
    if (slice !== null) {
      windows.bind(slice);
      out.presentCount = windows.compute(func.kernel!, slice, out.pointers, this.argument());
      lastWindow = this.countWindows();
    } else lastWindow = this.computeEach(samples as RangeSamples, out);
    if (this.func.wantsCounter && out.presentCount > 0) this.noteMissingCounterName(out);
    const { limits } = this.context;
    limits.hold(columnSampleCount(out));
    // The result stands beside the window it was taken from last.
    limits.touch(lastWindow);
  };

  /** Null where the kernels cannot work on the samples. */
  private sliceOf(samples: SampleSlice | RangeSamples): SampleSlice | null {
    if ("timesPointer" in samples) return samples;
    if (samples.histograms !== null || (samples.startTimes !== null && this.heedsStartTimes)) return null;
    return {
      timesPointer: samples.times.byteOffset,
      valuesPointer: samples.values.byteOffset,
      count: samples.count,
    };
  }

  /** Whether the kernel can do with the scalar arguments at all steps; found out once. */
  private kernelTakesArguments(): boolean {
    const { kernelTakes } = this.func;
    if (kernelTakes === undefined) return true;
    return (this.argumentsFit ??= this.args.every((arg) => arg.values().every(kernelTakes)));
  }

  private argument(): WindowArgument | undefined {
    const [arg] = this.args;
    if (arg === undefined) return undefined;
    return (this.windowArgument ??= { values: arg.values(), steps: this.grid });
  }

  /** @returns what the last window counts for */
  private computeEach(samples: RangeSamples, out: StepColumn): number {
    out.clear();
    const { window, windows: bounds } = this;
    const { firstMs, stepMs, rangeMs } = this.source.windows;
    const split = splitSamples(samples);
    window.samples = split;
    window.rangeMs = rangeMs;
    window.lookbackMs = this.context.lookbackMs;
    const argColumns = this.args.map((arg) => arg.values());
    const cursor = new SplitCursor(split);
    // What the extended selectors look at outside the window is theirs to find; they see all samples.
    let largest = 0;
    let size = 0;
    let previousEnd = -Infinity;
    for (let step = 0; step < bounds.grid.count; step++) {
      window.step = step;
      window.timeMs = this.grid.startMs + step * this.grid.stepMs;
      window.endMs = firstMs + step * stepMs;
      window.startMs = window.endMs - rangeMs;
      cursor.moveTo(window);
      const floats = window.floatCount;
      size = floats + cursor.histogramWeight(window);
      largest = Math.max(largest, size);
      const fresh = window.startMs >= previousEnd ? size : cursor.weightAfter(previousEnd, window);
      if (size > 0) this.context.statistics.addAt(step, size, this.source.countsOwnReads ? 0 : fresh);
      previousEnd = Math.max(previousEnd, window.endMs);
      if (this.source.extension === null && floats + window.histogramCount === 0) continue;
      for (let i = 0; i < argColumns.length; i++) window.args[i] = argColumns[i]![step]!;
      this.context.limits.worked(floats + 1);
      const result = this.func.evaluate(window, this.notes);
      if (this.notes.sawStartOverlap) this.noteStartOverlap();
      if (result === undefined) continue;
      if (typeof result === "number") out.setFloat(step, result);
      else out.setHistogram(step, result);
    }
    this.context.limits.touch(largest);
    return size;
  }

  /** Counts what the windows just bound look at. @returns what the last of them holds */
  private countWindows(): number {
    const { windows, context } = this;
    const { statistics } = context;
    const countReads = !this.source.countsOwnReads;
    context.limits.touch(windows.largestWindow());
    const last = windows.grid.count - 1;
    const lastWindow = Math.max(0, windows.hi[last]! - windows.lo[last]!);
    if (!statistics.isPerStep) {
      statistics.addTotals(windows.windowSamples, countReads ? windows.distinctSamples() : 0);
      return lastWindow;
    }
    let counted = 0;
    for (let step = 0; step < windows.grid.count; step++) {
      const [lo, hi] = [windows.lo[step]!, windows.hi[step]!];
      if (hi <= lo) continue;
      statistics.addAt(step, hi - lo, countReads ? Math.max(0, hi - Math.max(lo, counted)) : 0);
      counted = Math.max(counted, hi);
    }
    return lastWindow;
  }

  private noteStartOverlap(): void {
    this.notes.sawStartOverlap = false;
    // How often it was seen cannot be told from the notes of parts.
    this.context.wholeness.mustBeWhole = true;
    const name = this.metricName();
    const note = new StartOverlapNote(name);
    this.context.annotations.warnMerged(`start overlap ${name}`, note, this.notes.position);
  }

  private metricName(): string {
    return this.source.commonName ?? this.source.labels(this.current).metricName;
  }

  /** rate and increase of what does not look like a counter: it is told once a float has come out. */
  private noteMissingCounterName(out: StepColumn): void {
    if (out.histograms !== null && out.kinds.indexOf(FLOAT) < 0) return;
    const name = this.metricName();
    if (name === "") return;
    if (this.context.features.typeAndUnitLabels) {
      const type = this.source.labels(this.current).get("__type__");
      if (type === "counter" || type === "histogram") return;
      this.notes.info(
        `metric might not be a counter, __type__ label is not set to "counter" or "histogram", got ${quote(type)}: ${quote(name)}`,
      );
      return;
    }
    if (COUNTER_SUFFIXES.some((suffix) => name.endsWith(suffix))) return;
    this.notes.info(
      `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${quote(name)}`,
    );
  }
}

/** Functions for which it matters when a counter began. */
const HEED_START_TIMES: ReadonlySet<string> = new Set(["rate", "irate", "increase", "resets"]);

const COUNTER_SUFFIXES = ["_total", "_sum", "_count", "_bucket"];

function holdsSubquery(expr: Expr): boolean {
  return expr.kind === "subquery" || (expr.kind === "stepInvariant" && holdsSubquery(expr.expr));
}
