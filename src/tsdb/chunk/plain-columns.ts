import type { FloatHistogram } from "../../model/histogram.ts";
import type { SampleColumns } from "../../model/storage.ts";

/** Sample columns on the JavaScript heap, for work outside of queries: compaction, replay, tools. */
export class PlainColumns implements SampleColumns {
  times = new Float64Array(0);
  values = new Float64Array(0);
  valueWords = new Uint32Array(0);
  count = 0;
  histograms: (FloatHistogram | undefined)[] | null = null;
  startTimes: Float64Array | null = null;

  constructor(capacity = 256) {
    this.reserve(capacity);
  }

  clear(): this {
    this.count = 0;
    this.histograms = null;
    this.startTimes = null;
    return this;
  }

  reserve(capacity: number): void {
    if (capacity <= this.times.length) return;
    const grown = Math.max(capacity, 2 * this.times.length);
    const times = new Float64Array(grown);
    const values = new Float64Array(grown);
    const valueWords = new Uint32Array(values.buffer);
    times.set(this.times.subarray(0, this.count));
    valueWords.set(this.valueWords.subarray(0, 2 * this.count));
    if (this.startTimes) {
      const startTimes = new Float64Array(grown);
      startTimes.set(this.startTimes.subarray(0, this.count));
      this.startTimes = startTimes;
    }
    this.times = times;
    this.values = values;
    this.valueWords = valueWords;
  }
}
