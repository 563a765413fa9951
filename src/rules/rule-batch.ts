import { histogramFault } from "../model/histogram-validity.ts";
import type { FloatHistogram } from "../model/histogram.ts";
import type { Labels } from "../model/labels.ts";
import { setNormalNaN, setStaleMarker } from "../model/sample.ts";
import type { VectorSample } from "../promql/value.ts";
import type { RuleSampleBatch } from "./ports.ts";

/** Gathers the results of one rule as columns. */
export class RuleBatchBuilder {
  readonly series: Labels[] = [];
  private readonly values: Float64Array;
  private readonly valueWords: Uint32Array;
  private histograms: (FloatHistogram | null)[] | null = null;

  constructor(
    private readonly timeMs: number,
    capacity: number,
  ) {
    this.values = new Float64Array(capacity);
    this.valueWords = new Uint32Array(this.values.buffer);
  }

  get count(): number {
    return this.series.length;
  }

  /** @returns why the sample can't be stored, or null once it is added */
  add({ labels, value, histogram }: VectorSample): string | null {
    const index = this.series.length;
    if (histogram !== null) {
      // Arithmetic can give histograms that no observation could.
      const fault = histogramFault(histogram);
      if (fault !== null) return fault;
      this.histograms ??= new Array<FloatHistogram | null>(index).fill(null);
      this.values[index] = histogram.sum;
    } else if (Number.isNaN(value)) setNormalNaN(this.valueWords, index);
    else this.values[index] = value;
    this.histograms?.push(histogram);
    this.series.push(labels);
    return null;
  }

  addStale(labels: Labels): void {
    setStaleMarker(this.valueWords, this.series.length);
    this.histograms?.push(null);
    this.series.push(labels);
  }

  /** The batch; the builder is of no use afterwards. */
  finish(): RuleSampleBatch {
    const { timeMs, series, histograms } = this;
    return { timeMs, series, values: this.values.subarray(0, series.length), histograms };
  }
}
