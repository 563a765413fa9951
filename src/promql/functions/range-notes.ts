/** What range functions say about their samples, in Prometheus's words. Each gives undefined: no value. */
import { quote } from "../../model/quote.ts";
import type { MergedNote } from "../annotations.ts";
import type { CallNotes, RangeWindow } from "../exec/range-window.ts";

export function warnMixed(notes: CallNotes): undefined {
  notes.warn(`encountered a mix of histograms and floats for metric name ${quote(notes.metricName)}`);
}

export function warnMixedSchemas(notes: CallNotes): undefined {
  notes.warn(
    `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${quote(notes.metricName)}`,
  );
}

export function warnNotCounter(notes: CallNotes): undefined {
  notes.warn(`this native histogram metric is not a counter: ${quote(notes.metricName)}`);
}

export function warnNotGauge(notes: CallNotes): undefined {
  notes.warn(`this native histogram metric is not a gauge: ${quote(notes.metricName)}`);
}

export type HistogramOperation = "addition" | "subtraction" | "aggregation";

export function noteReconciled(notes: CallNotes, operation: HistogramOperation): undefined {
  notes.info(`mismatched custom buckets were reconciled during ${operation}`);
}

export function warnConflictingResets(notes: CallNotes, operation: HistogramOperation): undefined {
  notes.warn(`conflicting counter resets during histogram ${operation}`);
}

/** Histograms beside floats, where only floats count. */
export function noteIgnoredHistograms(window: RangeWindow, notes: CallNotes): undefined {
  if (window.histogramCount === 0) return;
  notes.info(
    `ignored histograms in a range containing both floats and histograms for metric name ${quote(notes.metricName)}`,
  );
}

/** A sample claims to have begun before the one before it was taken; said once for each window. */
export class StartOverlapNote implements MergedNote {
  constructor(
    private readonly metricName: string,
    private readonly occurrences = 1,
  ) {}

  merge(other: MergedNote): MergedNote {
    const more = other instanceof StartOverlapNote ? other.occurrences : 1;
    return new StartOverlapNote(this.metricName, this.occurrences + more);
  }

  text(): string {
    const times = this.occurrences > 1 ? ` (${this.occurrences} occurrences)` : "";
    return `sample has start time that overlaps with previous sample timestamp for metric ${quote(this.metricName)}${times}`;
  }
}
