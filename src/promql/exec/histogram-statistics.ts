import type { QuerySampleColumns } from "../../kernels/index.ts";
import { detectReset } from "../../model/histogram-arithmetic.ts";
import type { CounterResetHint, FloatHistogram } from "../../model/histogram.ts";

/** The windows in which a selector looks at samples, ascending: (firstMs + k * stepMs - lengthMs, firstMs + k * stepMs]. */
export interface ReadWindows {
  readonly firstMs: number;
  readonly stepMs: number;
  readonly lengthMs: number;
}

/**
 * Replaces histograms by their count and sum, for queries that need no more. Since buckets then can't tell resets any
 * longer, they are found here: a hint that is unknown becomes one that says what the histogram before it shows.
 * Samples that no window looks at are jumped over, and what stood before them is forgotten.
 */
export function keepStatistics(columns: QuerySampleColumns, windows: ReadWindows): void {
  const { histograms, times, count } = columns;
  if (histograms === null) return;
  let previous: FloatHistogram | null = null;
  for (let i = 0; i < count; i++) {
    const isRead = isLookedAt(times[i]!, windows);
    const histogram = histograms[i];
    if (!isRead) previous = null;
    else if (histogram !== undefined && !histogram.isStale) {
      histograms[i] = statisticsOf(histogram, hintAfter(previous, histogram));
      previous = histogram;
    }
  }
}

function isLookedAt(timeMs: number, { firstMs, stepMs, lengthMs }: ReadWindows): boolean {
  if (stepMs <= lengthMs || timeMs <= firstMs) return true;
  const step = Math.ceil((timeMs - firstMs) / stepMs);
  return timeMs >= firstMs + step * stepMs - lengthMs;
}

function hintAfter(previous: FloatHistogram | null, histogram: FloatHistogram): CounterResetHint {
  if (histogram.counterResetHint !== "unknown" || previous === null) return histogram.counterResetHint;
  return detectReset(histogram, previous) ? "reset" : "not-reset";
}

function statisticsOf(histogram: FloatHistogram, counterResetHint: CounterResetHint): FloatHistogram {
  return {
    ...histogram,
    counterResetHint,
    zeroThreshold: 0,
    zeroCount: 0,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: NOTHING,
    negativeBuckets: NOTHING,
    customValues: NOTHING,
  };
}

const NOTHING = new Float64Array(0);
