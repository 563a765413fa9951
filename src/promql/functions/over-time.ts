import { formatGeneral } from "../../model/format-float.ts";
import type { CallNotes, RangeWindow } from "../exec/range-window.ts";
import type { WindowFunction } from "../../kernels/index.ts";
import type { RangeFunction } from "./contract.ts";
import { averageHistograms, sumHistograms } from "./histogram-windows.ts";
import { NeumaierSum } from "./neumaier-sum.ts";
import { noteIgnoredHistograms, warnMixed } from "./range-notes.ts";
import { invalidQuantile, quantile } from "./quantile.ts";
import { linearRegression } from "./regression.ts";
import { formatFixed } from "./format-fixed.ts";
import { ExecutionError } from "../limits.ts";

type Evaluate = RangeFunction["evaluate"];

function overTime(kernel: WindowFunction | null, evaluate: Evaluate, keepsName = false): RangeFunction {
  return { kind: "range", keepsName, kernel, wantsCounter: false, evaluate };
}

/** A function of the floats alone: histograms beside them are noted and left out, alone they give nothing. */
function ofFloats(
  kernel: WindowFunction | null,
  evaluate: (w: RangeWindow, notes: CallNotes) => number,
): RangeFunction {
  return overTime(kernel, (window, notes) => {
    if (window.floatCount === 0) return undefined;
    noteIgnoredHistograms(window, notes);
    return evaluate(window, notes);
  });
}

function sum(window: RangeWindow, notes: CallNotes) {
  if (window.floatCount > 0 && window.histogramCount > 0) return warnMixed(notes);
  if (window.floatCount === 0) return sumHistograms(window, notes);
  const total = new NeumaierSum();
  for (let i = 0; i < window.floatCount; i++) total.add(window.float(i));
  return Math.abs(total.sum) === Infinity ? total.sum : total.compensated;
}

function avg(window: RangeWindow, notes: CallNotes) {
  if (window.floatCount > 0 && window.histogramCount > 0) return warnMixed(notes);
  if (window.floatCount === 0) return averageHistograms(window, notes);
  const n = window.floatCount;
  const total = new NeumaierSum(window.float(0));
  for (let i = 1; i < n; i++) {
    const { sum: before, compensation } = total;
    total.add(window.float(i));
    if (Math.abs(total.sum) === Infinity) return runningMean(window, i, before / i, compensation / i);
  }
  return total.sum / n + total.compensation / n;
}

/** The mean from sample `from` on, where the sum of all would overflow. */
function runningMean(window: RangeWindow, from: number, mean: number, compensation: number): number {
  const state = new NeumaierSum();
  for (let i = from; i < window.floatCount; i++) {
    const n = i + 1;
    const q = (n - 1) / n;
    state.sum = q * mean;
    state.compensation = q * compensation;
    state.add(window.float(i) / n);
    mean = state.sum;
    compensation = state.compensation;
  }
  return mean + compensation;
}

/** The index of the smallest or largest float; NaN gives way to anything. */
function extremeIndex(window: RangeWindow, isBetter: (candidate: number, best: number) => boolean): number {
  let best = 0;
  for (let i = 1; i < window.floatCount; i++) {
    if (isBetter(window.float(i), window.float(best)) || Number.isNaN(window.float(best))) best = i;
  }
  return best;
}

function variance(window: RangeWindow): number {
  const mean = new NeumaierSum();
  const squares = new NeumaierSum();
  for (let i = 0; i < window.floatCount; i++) {
    const value = window.float(i);
    const delta = value - mean.compensated;
    mean.add(delta / (i + 1));
    squares.add(delta * (value - mean.compensated));
  }
  return squares.compensated / window.floatCount;
}

function floatsOf(window: RangeWindow): Float64Array {
  return window.samples.floats.slice(window.floatFrom, window.floatTo);
}

function quantileOverTime(window: RangeWindow, notes: CallNotes): number {
  const q = window.args[0]!;
  if (invalidQuantile(q)) {
    notes.warn(`quantile value should be between 0 and 1, got ${formatGeneral(q)}`);
  }
  return quantile(q, floatsOf(window), window.floatCount);
}

/** The median of the distances from the median. */
function medianDeviation(window: RangeWindow): number {
  const values = floatsOf(window);
  if (values.some(Number.isNaN)) return NaN;
  const median = quantile(0.5, values, values.length);
  for (let i = 0; i < values.length; i++) values[i] = Math.abs(values[i]! - median);
  return quantile(0.5, values, values.length);
}

function doubleExponentialSmoothing(window: RangeWindow, notes: CallNotes): number | undefined {
  const [smoothing, trendFactor] = window.args as [number, number];
  if (!(smoothing > 0 && smoothing < 1)) {
    throw new ExecutionError(
      `invalid smoothing factor. Expected: 0 < sf < 1, got: ${formatFixed(smoothing)}`,
    );
  }
  if (!(trendFactor > 0 && trendFactor < 1)) {
    throw new ExecutionError(`invalid trend factor. Expected: 0 < tf < 1, got: ${formatFixed(trendFactor)}`);
  }
  const n = window.floatCount;
  if (n > 0) noteIgnoredHistograms(window, notes);
  if (n < 2) return undefined;
  let previous = 0;
  let smoothed = window.float(0);
  let trend = window.float(1) - window.float(0);
  for (let i = 1; i < n; i++) {
    const x = smoothing * window.float(i);
    if (i > 1) trend = trendFactor * (smoothed - previous) + (1 - trendFactor) * trend;
    const y = (1 - smoothing) * (smoothed + trend);
    previous = smoothed;
    smoothed = x + y;
  }
  return smoothed;
}

/** The newest (or oldest) sample of either kind; at equal times the histogram. */
function pick(window: RangeWindow, newest: boolean) {
  const floats = window.floatCount;
  const histograms = window.histogramCount;
  if (histograms === 0) return window.float(newest ? floats - 1 : 0);
  const histogram = newest ? histograms - 1 : 0;
  if (floats === 0) return window.histogram(histogram);
  const float = newest ? floats - 1 : 0;
  const histogramTime = window.histogramTime(histogram);
  const floatTime = window.floatTime(float);
  const takesFloat = newest ? floatTime > histogramTime : floatTime < histogramTime;
  return takesFloat ? window.float(float) : window.histogram(histogram);
}

function lastTime(window: RangeWindow): number {
  let time = 0;
  if (window.floatCount > 0) time = Math.max(time, window.floatTime(window.floatCount - 1));
  if (window.histogramCount > 0) time = Math.max(time, window.histogramTime(window.histogramCount - 1));
  return time / 1000;
}

function firstTime(window: RangeWindow): number {
  let time = Infinity;
  if (window.floatCount > 0) time = window.floatTime(0);
  if (window.histogramCount > 0) time = Math.min(time, window.histogramTime(0));
  return time / 1000;
}

export const overTimeFunctions: Readonly<Record<string, RangeFunction>> = {
  avg_over_time: overTime("avg_over_time", (w, notes) => avg(w, notes)),
  count_over_time: overTime("count_over_time", (w) => w.floatCount + w.histogramCount),
  deriv: overTime("deriv", (w, notes) => {
    if (w.floatCount < 1) return undefined;
    noteIgnoredHistograms(w, notes);
    return w.floatCount < 2 ? undefined : linearRegression(w, w.floatTime(0)).slope;
  }),
  double_exponential_smoothing: overTime(null, doubleExponentialSmoothing),
  first_over_time: overTime("first_over_time", (w) => pick(w, false), true),
  last_over_time: overTime("last_over_time", (w) => pick(w, true), true),
  mad_over_time: ofFloats(null, medianDeviation),
  max_over_time: ofFloats("max_over_time", (w) => w.float(extremeIndex(w, (a, b) => a > b))),
  min_over_time: ofFloats("min_over_time", (w) => w.float(extremeIndex(w, (a, b) => a < b))),
  predict_linear: overTime("predict_linear", (w, notes) => {
    if (w.floatCount < 1) return undefined;
    noteIgnoredHistograms(w, notes);
    if (w.floatCount < 2) return undefined;
    const { slope, intercept } = linearRegression(w, w.timeMs);
    return slope * w.args[0]! + intercept;
  }),
  present_over_time: overTime("present_over_time", () => 1),
  quantile_over_time: {
    ...ofFloats("quantile_over_time", quantileOverTime),
    kernelTakes: (q) => !invalidQuantile(q),
  },
  stddev_over_time: ofFloats("stddev_over_time", (w) => Math.sqrt(variance(w))),
  stdvar_over_time: ofFloats("stdvar_over_time", variance),
  sum_over_time: overTime("sum_over_time", (w, notes) => sum(w, notes)),
  ts_of_first_over_time: overTime(null, firstTime),
  ts_of_last_over_time: overTime(null, lastTime),
  ts_of_max_over_time: ofFloats(null, (w) => w.floatTime(extremeIndex(w, (a, b) => a >= b)) / 1000),
  ts_of_min_over_time: ofFloats(null, (w) => w.floatTime(extremeIndex(w, (a, b) => a <= b)) / 1000),
};
