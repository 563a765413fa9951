/**
 * anchored and smoothed ranges: the value at the window's ends is what the samples around them say, so nothing is
 * extrapolated. They see samples outside the window: before it for both, after it for smoothed.
 */
import {
  addHistograms,
  compactHistogram,
  detectReset,
  divideHistogram,
  multiplyHistogram,
  subtractHistograms,
  withHint,
} from "../../model/histogram-arithmetic.ts";
import { hasCustomBuckets } from "../../model/histogram-buckets.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { WindowGrid } from "../../kernels/index.ts";
import type { RangeSamples } from "../exec/range-source.ts";
import { RangeWindow, type CallNotes } from "../exec/range-window.ts";
import { splitSamples } from "../exec/split-samples.ts";
import { ExecutionError } from "../limits.ts";
import type { RangeExtension } from "../parse/ast.ts";
import type { RangeFunction } from "./contract.ts";
import {
  noteReconciled,
  warnConflictingResets,
  warnMixed,
  warnMixedSchemas,
  warnNotCounter,
  warnNotGauge,
} from "./range-notes.ts";
import { rateFunctions } from "./rate.ts";

const ALLOWED: Readonly<Record<RangeExtension, readonly string[]>> = {
  anchored: ["changes", "delta", "increase", "rate", "resets"],
  smoothed: ["delta", "increase", "rate"],
};

/** The function as it works on an anchored or smoothed range. @throws ExecutionError where it does not */
export function extendedRangeFunction(
  name: string,
  func: RangeFunction,
  extension: RangeExtension,
): RangeFunction {
  requireExtendable(name, extension);
  const evaluate =
    name === "changes" || name === "resets" ? anchoredEvents(name) : extendedChange(name, extension);
  return { ...func, kernel: null, evaluate };
}

/** @throws ExecutionError for a function that does not work on such ranges */
export function requireExtendable(name: string, extension: RangeExtension): void {
  const allowed = ALLOWED[extension];
  if (allowed.includes(name)) return;
  throw new ExecutionError(
    `${extension} modifier can only be used with: ${allowed.join(", ")} - not with ${name}`,
  );
}

/** changes and resets count from the newest sample at or before the window's start. */
function anchoredEvents(name: string): RangeFunction["evaluate"] {
  const count = rateFunctions[name]!.evaluate;
  return (window, notes) => {
    if (window.floatCount + window.histogramCount === 0) return undefined;
    const { floatTimes, histogramTimes } = window.samples;
    const reachMs = window.startMs - window.lookbackMs;
    const inReach = (times: Float64Array, index: number) =>
      index >= 0 && times[index]! > reachMs ? index : -1;
    const baseFloat = inReach(floatTimes, window.floatFrom - 1);
    const baseHistogram = inReach(histogramTimes, window.histogramFrom - 1);
    if (baseFloat < 0 && baseHistogram < 0) return count(window, notes);
    const takesFloat =
      baseHistogram < 0 || (baseFloat >= 0 && floatTimes[baseFloat]! > histogramTimes[baseHistogram]!);
    if (takesFloat) window.floatFrom = baseFloat;
    else window.histogramFrom = baseHistogram;
    return count(window, notes);
  };
}

function extendedChange(name: string, extension: RangeExtension): RangeFunction["evaluate"] {
  const isCounter = name !== "delta";
  const isRate = name === "rate";
  const isSmoothed = extension === "smoothed";
  return (window, notes) => {
    const reach = reachOf(window, isSmoothed);
    const hasFloats = reach.floatTo > reach.floatFrom;
    const hasHistograms = reach.histogramTo > reach.histogramFrom;
    if (hasFloats && hasHistograms) return warnMixed(notes);
    if (hasFloats) {
      const points = floatPoints(window, reach.floatFrom, reach.floatTo);
      const ends = endsOf(points.times, window, isSmoothed);
      if (ends === null || (isSmoothed && points.times[0]! > window.endMs)) return undefined;
      const change = floatChange(points, ends, window, isCounter, isSmoothed);
      return isRate ? change / (window.rangeMs / 1000) : change;
    }
    if (!hasHistograms) return undefined;
    const times = window.samples.histogramTimes.subarray(reach.histogramFrom, reach.histogramTo);
    const histograms = window.samples.histograms.slice(reach.histogramFrom, reach.histogramTo);
    const ends = endsOf(times, window, isSmoothed);
    if (ends === null || (isSmoothed && times[0]! > window.endMs)) return undefined;
    const change = histogramChange(histograms, times, ends, window, notes, isCounter, isSmoothed);
    if (change === undefined) return undefined;
    const gauge = compactHistogram(withHint(change, "gauge"));
    return isRate ? divideHistogram(gauge, window.rangeMs / 1000) : gauge;
  };
}

/** How far a window looks: from the lookback before its start to its end, or as far beyond it if smoothed. */
function reachOf(window: RangeWindow, isSmoothed: boolean) {
  const { floatTimes, floatCount, histogramTimes, histograms } = window.samples;
  const from = window.startMs - window.lookbackMs;
  const to = window.endMs + (isSmoothed ? window.lookbackMs : 0);
  return {
    floatFrom: firstAfter(floatTimes, floatCount, from),
    floatTo: firstAfter(floatTimes, floatCount, to),
    histogramFrom: firstAfter(histogramTimes, histograms.length, from),
    histogramTo: firstAfter(histogramTimes, histograms.length, to),
  };
}

/** The index of the first time after `timeMs`; times ascend. */
export function firstAfter(times: Float64Array, count: number, timeMs: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! > timeMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The samples around the window's ends, as indices into the samples in reach. */
interface Ends {
  readonly first: number;
  readonly last: number;
}

/** Null where the window has nothing to say. */
function endsOf(times: Float64Array, window: RangeWindow, isSmoothed: boolean): Ends | null {
  const k = times.length - 1;
  if (k < 0 || times[k]! <= window.startMs) return null;
  // The last sample is not searched: where nothing before it qualifies, it is the answer.
  const first = Math.max(0, firstAfter(times, k, window.startMs) - 1);
  if (!isSmoothed) return { first, last: k };
  let last = 0;
  while (last < k && times[last]! < window.endMs) last++;
  return { first, last };
}

interface FloatPoints {
  readonly times: Float64Array;
  readonly values: Float64Array;
}

function floatPoints({ samples }: RangeWindow, from: number, to: number): FloatPoints {
  return { times: samples.floatTimes.subarray(from, to), values: samples.floats.subarray(from, to) };
}

/** The value at `timeMs` on the line between two samples; a counter that dropped started from zero. */
function interpolate({ times, values }: FloatPoints, i: number, timeMs: number, isCounter: boolean): number {
  let y1 = values[i]!;
  const y2 = values[i + 1]!;
  if (isCounter && y2 < y1) y1 = 0;
  return y1 + ((y2 - y1) * (timeMs - times[i]!)) / (times[i + 1]! - times[i]!);
}

/** The values at the window's ends. */
function edgeValues(
  points: FloatPoints,
  { first, last }: Ends,
  window: RangeWindow,
  isCounter: boolean,
  isSmoothed: boolean,
): { left: number; right: number } {
  const { times, values } = points;
  let left = values[first]!;
  if (isSmoothed && times[first]! < window.startMs && first + 1 < times.length) {
    left = interpolate(points, first, window.startMs, isCounter);
  }
  let right = values[last]!;
  if (isSmoothed && last > 0 && times[last]! > window.endMs) {
    right = interpolate(points, last - 1, window.endMs, isCounter);
  }
  return { left, right };
}

function floatChange(
  points: FloatPoints,
  ends: Ends,
  window: RangeWindow,
  isCounter: boolean,
  isSmoothed: boolean,
): number {
  const { times, values } = points;
  const { left, right } = edgeValues(points, ends, window, isCounter, isSmoothed);
  if (!isCounter) return right - left;
  let correction = 0;
  let previous = left;
  const from = times[ends.first]! <= window.startMs ? ends.first + 1 : ends.first;
  const to = times[ends.last]! >= window.endMs ? ends.last : ends.last + 1;
  for (let i = from; i < to; i++) {
    if (values[i]! < previous) correction += previous;
    previous = values[i]!;
  }
  if (right < previous) correction += previous;
  return right - left + correction;
}

// ── native histograms ──

interface HistogramEdge {
  readonly histogram: FloatHistogram;
  /** It lies between two samples of which the second is a reset. */
  readonly acrossReset: boolean;
}

function histogramChange(
  histograms: readonly FloatHistogram[],
  times: Float64Array,
  { first, last }: Ends,
  window: RangeWindow,
  notes: CallNotes,
  isCounter: boolean,
  isSmoothed: boolean,
): FloatHistogram | undefined {
  const custom = hasCustomBuckets(histograms[first]!);
  let hasGauge = false;
  for (let i = first; i <= last; i++) {
    if (hasCustomBuckets(histograms[i]!) !== custom) return warnMixedSchemas(notes);
    if (histograms[i]!.counterResetHint === "gauge") hasGauge = true;
  }
  if (isCounter && hasGauge) warnNotCounter(notes);
  let left: HistogramEdge = { histogram: histograms[first]!, acrossReset: false };
  if (isSmoothed && times[first]! < window.startMs && first + 1 < times.length) {
    const edge = interpolateHistogram(histograms, times, first, window.startMs, isCounter, notes);
    if (edge === null) return warnMixedSchemas(notes);
    left = edge;
  }
  let right: HistogramEdge = { histogram: histograms[last]!, acrossReset: false };
  if (isSmoothed && last > 0 && times[last]! > window.endMs) {
    const edge = interpolateHistogram(histograms, times, last - 1, window.endMs, isCounter, notes);
    if (edge === null) return warnMixedSchemas(notes);
    right = edge;
  }
  if (
    !isCounter &&
    !(left.histogram.counterResetHint === "gauge" && right.histogram.counterResetHint === "gauge")
  ) {
    warnNotGauge(notes);
  }
  const difference = subtractHistograms(right.histogram, left.histogram);
  if (difference === null) return warnMixedSchemas(notes);
  if (difference.reconciled) noteReconciled(notes, "subtraction");
  let change = difference.histogram;
  if (!isCounter || first === last) return change;

  let previous = left.histogram;
  let from = first + 1;
  if (left.acrossReset) {
    // Where the left end lies across a reset, the pair around it has been dealt with.
    if (first + 1 >= last) return change;
    previous = histograms[first + 1]!;
    from = first + 2;
  }
  const addPrevious = (): boolean => {
    const sum = addHistograms(change, previous);
    if (sum === null) return false;
    if (sum.reconciled) noteReconciled(notes, "addition");
    change = sum.histogram;
    return true;
  };
  for (let i = from; i < last; i++) {
    if (detectReset(histograms[i]!, previous) && !addPrevious()) return warnMixedSchemas(notes);
    previous = histograms[i]!;
  }
  if (detectReset(right.histogram, previous) && !addPrevious()) return warnMixedSchemas(notes);
  return change;
}

/** The histogram at `timeMs` between sample i and the next; null where they do not go together. */
export function interpolateHistogram(
  histograms: readonly FloatHistogram[],
  times: Float64Array,
  i: number,
  timeMs: number,
  isCounter: boolean,
  notes: CallNotes | null,
): HistogramEdge | null {
  const before = histograms[i]!;
  const after = histograms[i + 1]!;
  if (timeMs === times[i]) return { histogram: before, acrossReset: false };
  if (timeMs === times[i + 1])
    return { histogram: after, acrossReset: isCounter && detectReset(after, before) };
  const fraction = (timeMs - times[i]!) / (times[i + 1]! - times[i]!);
  if (isCounter && detectReset(after, before)) {
    return { histogram: multiplyHistogram(after, fraction), acrossReset: true };
  }
  const difference = subtractHistograms(after, before);
  if (difference === null) return null;
  const sum = addHistograms(before, multiplyHistogram(difference.histogram, fraction));
  if (sum === null) return null;
  if (notes !== null) {
    if (difference.collision) warnConflictingResets(notes, "subtraction");
    if (difference.reconciled) noteReconciled(notes, "subtraction");
  }
  return { histogram: sum.histogram, acrossReset: false };
}

/** What a bare anchored or smoothed range selector gives: a point at each end, and the samples between them. */
export function extendedRangePoints(
  samples: RangeSamples,
  windows: WindowGrid,
  extension: RangeExtension,
  lookbackMs: number,
): RangeSamples {
  if (samples.histograms !== null) {
    throw new ExecutionError(`${extension} modifier is not supported with histograms`);
  }
  const window = new RangeWindow();
  window.samples = splitSamples(samples);
  window.endMs = windows.firstMs;
  window.startMs = windows.firstMs - windows.rangeMs;
  window.lookbackMs = lookbackMs;
  const isSmoothed = extension === "smoothed";
  const { floatFrom, floatTo } = reachOf(window, isSmoothed);
  const points = floatPoints(window, floatFrom, floatTo);
  const ends = endsOf(points.times, window, isSmoothed);
  if (ends === null) return { ...samples, times: NO_TIMES, values: NO_TIMES, count: 0, startTimes: null };
  const { left, right } = edgeValues(points, ends, window, false, isSmoothed);
  const times = [window.startMs];
  const values = [left];
  points.times.forEach((time, i) => {
    if (time <= window.startMs || time >= window.endMs) return;
    times.push(time);
    values.push(points.values[i]!);
  });
  times.push(window.endMs);
  values.push(right);
  return {
    times: Float64Array.from(times),
    values: Float64Array.from(values),
    count: times.length,
    histograms: null,
    startTimes: null,
  };
}

const NO_TIMES = new Float64Array(0);
