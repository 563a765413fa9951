import type { FloatHistogram } from "../../model/histogram.ts";
import { histogramPointCount } from "../limits.ts";
import type { RangeSamples } from "./range-source.ts";
import type { RangeWindow, SplitSamples } from "./range-window.ts";

const NO_NUMBERS = new Float64Array(0);

/** Floats and histograms apart. Where all are floats the columns themselves are used, not copies. */
export function splitSamples(samples: RangeSamples): SplitSamples {
  const { times, values, count, histograms, startTimes } = samples;
  if (histograms === null) {
    return {
      floatTimes: times,
      floats: values,
      floatStarts: startTimes,
      floatCount: count,
      histogramTimes: NO_NUMBERS,
      histograms: [],
      histogramStarts: null,
    };
  }
  const floatTimes = new Float64Array(count);
  const floats = new Float64Array(count);
  const floatStarts = startTimes === null ? null : new Float64Array(count);
  const histogramTimes = new Float64Array(count);
  const histogramStarts = startTimes === null ? null : new Float64Array(count);
  const kept: FloatHistogram[] = [];
  let floatCount = 0;
  for (let i = 0; i < count; i++) {
    const histogram = histograms[i];
    if (histogram === undefined) {
      floatTimes[floatCount] = times[i]!;
      floats[floatCount] = values[i]!;
      if (floatStarts) floatStarts[floatCount] = startTimes![i]!;
      floatCount++;
    } else {
      histogramTimes[kept.length] = times[i]!;
      if (histogramStarts) histogramStarts[kept.length] = startTimes![i]!;
      kept.push(histogram);
    }
  }
  return { floatTimes, floats, floatStarts, floatCount, histogramTimes, histograms: kept, histogramStarts };
}

/** Moves a window over split samples; windows only go forward in time. */
export class SplitCursor {
  private floatLo = 0;
  private floatHi = 0;
  private histogramLo = 0;
  private histogramHi = 0;

  constructor(private readonly samples: SplitSamples) {}

  /** Sets the window's index ranges from its (startMs, endMs]. */
  moveTo(window: RangeWindow): void {
    const { floatTimes, floatCount, histogramTimes, histograms } = this.samples;
    while (this.floatHi < floatCount && floatTimes[this.floatHi]! <= window.endMs) this.floatHi++;
    while (this.floatLo < this.floatHi && floatTimes[this.floatLo]! <= window.startMs) this.floatLo++;
    while (this.histogramHi < histograms.length && histogramTimes[this.histogramHi]! <= window.endMs) {
      this.histogramHi++;
    }
    while (this.histogramLo < this.histogramHi && histogramTimes[this.histogramLo]! <= window.startMs) {
      this.histogramLo++;
    }
    window.floatFrom = this.floatLo;
    window.floatTo = this.floatHi;
    window.histogramFrom = this.histogramLo;
    window.histogramTo = this.histogramHi;
  }

  /** What the window's histograms count for. */
  histogramWeight(window: RangeWindow): number {
    let weight = 0;
    for (let i = window.histogramFrom; i < window.histogramTo; i++) {
      weight += histogramPointCount(this.samples.histograms[i]!);
    }
    return weight;
  }

  /** What the window's samples younger than `timeMs` count for. */
  weightAfter(timeMs: number, window: RangeWindow): number {
    let weight = 0;
    for (let i = window.floatTo - 1; i >= window.floatFrom && this.samples.floatTimes[i]! > timeMs; i--)
      weight++;
    for (let i = window.histogramTo - 1; i >= window.histogramFrom; i--) {
      if (this.samples.histogramTimes[i]! <= timeMs) break;
      weight += histogramPointCount(this.samples.histograms[i]!);
    }
    return weight;
  }
}
