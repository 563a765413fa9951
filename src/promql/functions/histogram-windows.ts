import { HistogramSum } from "../../model/histogram-arithmetic.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { CallNotes, RangeWindow } from "../exec/range-window.ts";
import { noteReconciled, warnConflictingResets, warnMixedSchemas } from "./range-notes.ts";

/** sum_over_time of native histograms; undefined, and a warning, where exponential and custom buckets meet. */
export function sumHistograms(window: RangeWindow, notes: CallNotes): FloatHistogram | undefined {
  return accumulate(window, notes, (sum, next) => sum.add(next))?.sum();
}

/** avg_over_time of native histograms; as `sumHistograms`. */
export function averageHistograms(window: RangeWindow, notes: CallNotes): FloatHistogram | undefined {
  return accumulate(window, notes, (sum, next) => sum.addForAverage(next))?.average();
}

function accumulate(
  window: RangeWindow,
  notes: CallNotes,
  add: (sum: HistogramSum, next: FloatHistogram) => ReturnType<HistogramSum["add"]>,
): HistogramSum | undefined {
  const sum = new HistogramSum(window.histogram(0));
  const hints = new ResetHints();
  hints.see(window.histogram(0));
  let reconciled = false;
  for (let i = 1; i < window.histogramCount; i++) {
    const next = window.histogram(i);
    const outcome = add(sum, next);
    if (outcome === "incompatible") return warnMixedSchemas(notes);
    hints.see(next);
    reconciled ||= outcome.reconciled;
  }
  if (hints.collide) warnConflictingResets(notes, "aggregation");
  if (reconciled) noteReconciled(notes, "aggregation");
  return sum;
}

/** Whether some histograms say that their counter was reset and others that it was not. */
export class ResetHints {
  private hasReset = false;
  private hasNotReset = false;

  see(histogram: FloatHistogram): void {
    this.hasReset ||= histogram.counterResetHint === "reset";
    this.hasNotReset ||= histogram.counterResetHint === "not-reset";
  }

  get collide(): boolean {
    return this.hasReset && this.hasNotReset;
  }
}
