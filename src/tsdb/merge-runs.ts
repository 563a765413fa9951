import type { SampleColumns } from "../model/storage.ts";

/** Merges runs of samples that lie one behind the other in columns; keeps its buffers from one use to the next. */
export class RunMerger {
  private times = new Float64Array(0);
  private words = new Uint32Array(0);

  /**
   * Merges the run from `from` to `split` and the one from `split` to the end, both ascending, in place. Of samples
   * with equal times the second run's is kept.
   */
  merge(columns: SampleColumns, from: number, split: number): void {
    const { count, times, valueWords, histograms, startTimes } = columns;
    // Fast path: they lie one behind the other.
    if (split === from || split === count || times[split]! > times[split - 1]!) return;
    const size = split - from;
    if (this.times.length < size) {
      this.times = new Float64Array(2 * size);
      this.words = new Uint32Array(4 * size);
    }
    // The first run moves out of the way; then the merge writes from the front and never overtakes the second.
    this.times.set(times.subarray(from, split));
    this.words.set(valueWords.subarray(2 * from, 2 * split));
    const firstHistograms = histograms?.slice(from, split) ?? null;
    const firstStartTimes = startTimes?.slice(from, split) ?? null;
    let i = 0;
    let j = split;
    let to = from;
    while (i < size || j < count) {
      const takeSecond = i === size || (j < count && times[j]! <= this.times[i]!);
      if (takeSecond) {
        if (i < size && times[j]! === this.times[i]!) i++;
        copySample(columns, j, to);
        j++;
      } else {
        times[to] = this.times[i]!;
        valueWords[2 * to] = this.words[2 * i]!;
        valueWords[2 * to + 1] = this.words[2 * i + 1]!;
        if (histograms) histograms[to] = firstHistograms![i];
        if (startTimes) startTimes[to] = firstStartTimes![i]!;
        i++;
      }
      to++;
    }
    truncateColumns(columns, to);
  }
}

/** Copies the sample at one index to another. */
export function copySample(
  { times, valueWords, histograms, startTimes }: SampleColumns,
  from: number,
  to: number,
): void {
  times[to] = times[from]!;
  valueWords[2 * to] = valueWords[2 * from]!;
  valueWords[2 * to + 1] = valueWords[2 * from + 1]!;
  if (histograms) histograms[to] = histograms[from];
  if (startTimes) startTimes[to] = startTimes[from]!;
}

/** Forgets the samples from `count` on. */
export function truncateColumns(columns: SampleColumns, count: number): void {
  columns.count = count;
  if (columns.histograms && columns.histograms.length > count) columns.histograms.length = count;
}
