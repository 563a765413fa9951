import type { FloatHistogram } from "../../model/histogram.ts";
import type { Annotations, NotePosition } from "../annotations.ts";

/**
 * The samples of one series as range functions see them, floats and histograms apart, each ascending in time, without
 * staleness markers.
 */
export interface SplitSamples {
  floatTimes: Float64Array;
  floats: Float64Array;
  /** Start timestamps, 0 where unknown; null unless they are to be used. */
  floatStarts: Float64Array | null;
  floatCount: number;
  histogramTimes: Float64Array;
  histograms: readonly FloatHistogram[];
  histogramStarts: Float64Array | null;
}

/**
 * One window of one series at one step, handed to a range function. Reused: a function reads it and keeps nothing.
 * Floats are `samples.floats[floatFrom … floatTo)`, histograms `samples.histograms[histogramFrom … histogramTo)`.
 */
export class RangeWindow {
  samples!: SplitSamples;
  floatFrom = 0;
  floatTo = 0;
  histogramFrom = 0;
  histogramTo = 0;
  /** The left-open window (startMs, endMs], offset and @ taken into account. */
  startMs = 0;
  endMs = 0;
  rangeMs = 0;
  /** How far beyond the window anchored and smoothed ranges look. */
  lookbackMs = 0;
  /** The step the query asks for. */
  timeMs = 0;
  step = 0;
  /** The scalar arguments at this step, in the order written. */
  readonly args: number[] = [];

  get floatCount(): number {
    return this.floatTo - this.floatFrom;
  }

  get histogramCount(): number {
    return this.histogramTo - this.histogramFrom;
  }

  /** The i-th float of the window. */
  float(i: number): number {
    return this.samples.floats[this.floatFrom + i]!;
  }

  floatTime(i: number): number {
    return this.samples.floatTimes[this.floatFrom + i]!;
  }

  floatStart(i: number): number {
    return this.samples.floatStarts?.[this.floatFrom + i] ?? 0;
  }

  histogram(i: number): FloatHistogram {
    return this.samples.histograms[this.histogramFrom + i]!;
  }

  histogramTime(i: number): number {
    return this.samples.histogramTimes[this.histogramFrom + i]!;
  }

  histogramStart(i: number): number {
    return this.samples.histogramStarts?.[this.histogramFrom + i] ?? 0;
  }
}

/** Where a range function leaves its annotations: texts name the metric, positions point at its arguments. */
export class CallNotes {
  /** Set where start timestamps contradict each other; told once for each window. */
  sawStartOverlap = false;

  constructor(
    readonly annotations: Annotations,
    /** That of the call; what range functions say points at the first argument. */
    readonly position: NotePosition,
    private readonly currentMetricName: () => string,
  ) {}

  /** The name of the series at hand; "" where it has none. */
  get metricName(): string {
    return this.currentMetricName();
  }

  warn(text: string): void {
    this.annotations.warn(text, this.position);
  }

  info(text: string): void {
    this.annotations.info(text, this.position);
  }
}
