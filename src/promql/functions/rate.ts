import {
  addHistograms,
  compactHistogram,
  copyToSchema,
  detectReset,
  divideHistogram,
  equalHistograms,
  multiplyHistogram,
  subtractHistograms,
  withHint,
} from "../../model/histogram-arithmetic.ts";
import { hasCustomBuckets } from "../../model/histogram-buckets.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { WindowFunction } from "../../kernels/index.ts";
import type { CallNotes, RangeWindow } from "../exec/range-window.ts";
import type { RangeFunction } from "./contract.ts";
import { noteReconciled, warnMixed, warnMixedSchemas, warnNotCounter, warnNotGauge } from "./range-notes.ts";
import { overlaps, startsAnew } from "./start-times.ts";

type RateKind = "rate" | "increase" | "delta";

/** What becomes of a function's result: undefined is none, after whatever had to be said was noted. */
type Result = number | FloatHistogram | undefined;

/** rate, increase and delta: the change over a window, extrapolated to its ends. */
function extrapolated(window: RangeWindow, notes: CallNotes, kind: RateKind): Result {
  const isCounter = kind !== "delta";
  const ofFloats = window.floatCount > 0;
  if (ofFloats && window.histogramCount > 0) return warnMixed(notes);
  const count = ofFloats ? window.floatCount : window.histogramCount;
  const time = (i: number) => (ofFloats ? window.floatTime(i) : window.histogramTime(i));
  const start = (i: number) => (ofFloats ? window.floatStart(i) : window.histogramStart(i));
  const firstTime = time(0);
  const lastTime = time(count - 1);

  let value = 0;
  let histogram: FloatHistogram | null = null;
  if (ofFloats) value = floatChange(window, notes, isCounter);
  else if (count > 1) {
    histogram = histogramChange(window, notes, isCounter);
    if (histogram === null) return undefined;
  }

  let toStart = (firstTime - window.startMs) / 1000;
  let toEnd = (window.endMs - lastTime) / 1000;
  let sampled = (lastTime - firstTime) / 1000;
  const intervals = count - 1;
  const average = intervals > 0 ? sampled / intervals : 0;
  const threshold = average * 1.1;
  const firstStart = isCounter ? start(0) : 0;
  if (firstStart !== 0 && firstStart > window.startMs && firstStart < firstTime) {
    // The counter is known to have begun at zero inside the window: nothing to extrapolate there.
    toStart = 0;
    sampled = (lastTime - firstStart) / 1000;
    if (ofFloats) value += window.float(0);
    else if (histogram === null) histogram = withHint(window.histogram(0), "gauge");
    else {
      const sum = addHistograms(histogram, window.histogram(0));
      if (sum === null) return warnMixedSchemas(notes);
      histogram = withHint(sum.histogram, "gauge");
    }
  } else if (intervals === 0) return undefined;
  else {
    if (toStart >= threshold) toStart = average / 2;
    if (isCounter) {
      // A counter cannot have been below zero: no further back than where it would have been.
      let toZero = toStart;
      if (histogram !== null) {
        const first = window.histogram(0).count;
        if (histogram.count > 0 && first >= 0) toZero = sampled * (first / histogram.count);
      } else if (value > 0 && window.float(0) >= 0) toZero = sampled * (window.float(0) / value);
      if (toZero < toStart) toStart = toZero;
    }
  }
  if (toEnd >= threshold) toEnd = average / 2;
  let factor = sampled !== 0 ? (sampled + toStart + toEnd) / sampled : 1;
  if (kind === "rate") factor /= window.rangeMs / 1000;
  return histogram === null ? value * factor : multiplyHistogram(histogram, factor);
}

function floatChange(window: RangeWindow, notes: CallNotes, isCounter: boolean): number {
  const n = window.floatCount;
  let change = window.float(n - 1) - window.float(0);
  if (!isCounter) return change;
  for (let i = 1; i < n; i++) {
    const isReset = startsAnewAt(window, notes, i);
    if (isReset || window.float(i) < window.float(i - 1)) change += window.float(i - 1);
  }
  return change;
}

/** Whether start timestamps tell of a reset before float i; notes it where they contradict the sample before. */
function startsAnewAt(window: RangeWindow, notes: CallNotes, i: number): boolean {
  if (window.samples.floatStarts === null) return false;
  const [start, previousStart] = [window.floatStart(i), window.floatStart(i - 1)];
  const [time, previousTime] = [window.floatTime(i), window.floatTime(i - 1)];
  if (overlaps(start, previousStart, previousTime)) notes.sawStartOverlap = true;
  return startsAnew(start, time, previousStart, previousTime);
}

function histogramStartsAnewAt(window: RangeWindow, notes: CallNotes, i: number): boolean {
  if (window.samples.histogramStarts === null) return false;
  const [start, previousStart] = [window.histogramStart(i), window.histogramStart(i - 1)];
  const [time, previousTime] = [window.histogramTime(i), window.histogramTime(i - 1)];
  if (overlaps(start, previousStart, previousTime)) notes.sawStartOverlap = true;
  return startsAnew(start, time, previousStart, previousTime);
}

/** The change of two or more histograms; null, and a warning, where they do not go together. */
function histogramChange(window: RangeWindow, notes: CallNotes, isCounter: boolean): FloatHistogram | null {
  const n = window.histogramCount;
  const first = window.histogram(0);
  const second = window.histogram(1);
  const last = window.histogram(n - 1);
  let notCounter = isCounter && (isGauge(first) || isGauge(last));
  let previous = first;
  if (isCounter && (histogramStartsAnewAt(window, notes, 1) || detectReset(second, first))) {
    // What was before the reset does not matter, its bucket layout neither.
    previous = emptyHistogram(second);
  }
  const custom = hasCustomBuckets(previous);
  if (hasCustomBuckets(last) !== custom) return warnMixedSchemas(notes) ?? null;
  let schema = Math.min(last.schema, previous.schema);
  if (isCounter) {
    for (let i = 1; i < n - 1; i++) {
      const histogram = window.histogram(i);
      if (isGauge(histogram)) notCounter = true;
      schema = Math.min(schema, histogram.schema);
      if (hasCustomBuckets(histogram) !== custom) return warnMixedSchemas(notes) ?? null;
    }
  }
  const difference = subtractHistograms(copyToSchema(last, schema), previous);
  if (difference === null) return warnMixedSchemas(notes) ?? null;
  let change = difference.histogram;
  let addReconciled = false;
  if (isCounter) {
    for (let i = 1; i < n; i++) {
      const histogram = window.histogram(i);
      if (histogramStartsAnewAt(window, notes, i) || detectReset(histogram, previous)) {
        const sum = addHistograms(change, previous);
        if (sum === null) return warnMixedSchemas(notes) ?? null;
        change = sum.histogram;
        addReconciled ||= sum.reconciled;
      }
      previous = histogram;
    }
  } else if (!isGauge(first) || !isGauge(last)) warnNotGauge(notes);
  if (notCounter) warnNotCounter(notes);
  if (difference.reconciled) noteReconciled(notes, "subtraction");
  if (addReconciled) noteReconciled(notes, "addition");
  return compactHistogram(withHint(change, "gauge"));
}

function isGauge(histogram: FloatHistogram): boolean {
  return histogram.counterResetHint === "gauge";
}

/** A histogram without observations, with the layout of another. */
export function emptyHistogram(like: FloatHistogram): FloatHistogram {
  return {
    isInteger: false,
    isStale: false,
    counterResetHint: "unknown",
    schema: like.schema,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: NO_BUCKETS,
    negativeBuckets: NO_BUCKETS,
    customValues: like.customValues,
  };
}

const NO_BUCKETS = new Float64Array(0);

/** irate and idelta: the change between the last two samples. */
function lastChange(window: RangeWindow, notes: CallNotes, isRate: boolean): Result {
  const floats = window.floatCount;
  const histograms = window.histogramCount;
  if (floats + histograms < 2) return undefined;
  if (floats > 0 && histograms > 0 && pairIsMixed(window)) return warnMixed(notes);
  const ofFloats =
    histograms === 0 || (floats > 1 && window.floatTime(floats - 2) > window.histogramTime(histograms - 1));
  if (ofFloats) {
    const [time, previousTime] = [window.floatTime(floats - 1), window.floatTime(floats - 2)];
    const [value, previous] = [window.float(floats - 1), window.float(floats - 2)];
    if (time === previousTime) return undefined;
    if (!isRate) return value - previous;
    const isReset = startsAnewAt(window, notes, floats - 1) || value < previous;
    return (isReset ? value : value - previous) / ((time - previousTime) / 1000);
  }
  const last = histograms - 1;
  const [time, previousTime] = [window.histogramTime(last), window.histogramTime(last - 1)];
  if (time === previousTime) return undefined;
  const current = window.histogram(last);
  const previous = window.histogram(last - 1);
  if (isRate && (isGauge(current) || isGauge(previous))) warnNotCounter(notes);
  if (!isRate && !(isGauge(current) && isGauge(previous))) warnNotGauge(notes);
  let change = current;
  if (!isRate || !(histogramStartsAnewAt(window, notes, last) || detectReset(current, previous))) {
    const difference = subtractHistograms(current, previous);
    if (difference === null) return warnMixedSchemas(notes);
    if (difference.reconciled) noteReconciled(notes, "subtraction");
    change = difference.histogram;
  }
  change = compactHistogram(withHint(change, "gauge"));
  return isRate ? divideHistogram(change, (time - previousTime) / 1000) : change;
}

/** Whether of the two newest samples one is a float and the other a histogram; at equal times the histogram is older. */
function pairIsMixed(window: RangeWindow): boolean {
  const floats = window.floatCount;
  const histograms = window.histogramCount;
  const newestFloat = window.floatTime(floats - 1);
  const newestHistogram = window.histogramTime(histograms - 1);
  if (newestFloat >= newestHistogram) return floats < 2 || window.floatTime(floats - 2) <= newestHistogram;
  return histograms < 2 || window.histogramTime(histograms - 2) < newestFloat;
}

/** Calls `visit` for each pair of neighbours in time, floats and histograms merged. */
function forEachPair(
  window: RangeWindow,
  visit: (previousFloat: number, previousHistogram: number, float: number, histogram: number) => void,
): void {
  let f = 0;
  let h = 0;
  let previousFloat = -1;
  let previousHistogram = -1;
  while (f < window.floatCount || h < window.histogramCount) {
    const takesFloat =
      h >= window.histogramCount || (f < window.floatCount && window.floatTime(f) < window.histogramTime(h));
    const float = takesFloat ? f++ : -1;
    const histogram = takesFloat ? -1 : h++;
    if (previousFloat >= 0 || previousHistogram >= 0)
      visit(previousFloat, previousHistogram, float, histogram);
    previousFloat = float;
    previousHistogram = histogram;
  }
}

function resets(window: RangeWindow, notes: CallNotes): number {
  let count = 0;
  forEachPair(window, (previousFloat, previousHistogram, float, histogram) => {
    if (float >= 0 && previousFloat >= 0) {
      const isReset = startsAnewAt(window, notes, float) || window.float(float) < window.float(previousFloat);
      if (isReset) count++;
    } else if (histogram >= 0 && previousHistogram >= 0) {
      const isReset =
        histogramStartsAnewAt(window, notes, histogram) ||
        detectReset(window.histogram(histogram), window.histogram(previousHistogram));
      if (isReset) count++;
    } else count++;
  });
  return count;
}

function changes(window: RangeWindow): number {
  let count = 0;
  forEachPair(window, (previousFloat, previousHistogram, float, histogram) => {
    if (float >= 0 && previousFloat >= 0) {
      const a = window.float(previousFloat);
      const b = window.float(float);
      if (a !== b && !(Number.isNaN(a) && Number.isNaN(b))) count++;
    } else if (histogram >= 0 && previousHistogram >= 0) {
      if (!equalHistograms(window.histogram(histogram), window.histogram(previousHistogram))) count++;
    } else count++;
  });
  return count;
}

function rateFunction(
  kernel: WindowFunction,
  evaluate: RangeFunction["evaluate"],
  wantsCounter = false,
): RangeFunction {
  return { kind: "range", keepsName: false, kernel, wantsCounter, evaluate };
}

export const rateFunctions: Readonly<Record<string, RangeFunction>> = {
  changes: rateFunction("changes", changes),
  delta: rateFunction("delta", (w, notes) => extrapolated(w, notes, "delta")),
  idelta: rateFunction("idelta", (w, notes) => lastChange(w, notes, false)),
  increase: rateFunction("increase", (w, notes) => extrapolated(w, notes, "increase"), true),
  irate: rateFunction("irate", (w, notes) => lastChange(w, notes, true)),
  rate: rateFunction("rate", (w, notes) => extrapolated(w, notes, "rate"), true),
  resets: rateFunction("resets", resets),
};
