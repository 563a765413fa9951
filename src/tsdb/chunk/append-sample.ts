import type { FloatHistogram } from "../../model/histogram.ts";
import type { SampleColumns } from "../../model/storage.ts";

/** Appends a sample to columns; for the decoders that are not kernels. @param startMs 0 where unknown */
export function appendSample(
  columns: SampleColumns,
  timeMs: number,
  high: number,
  low: number,
  startMs: number,
  histogram?: FloatHistogram,
): void {
  const index = columns.count;
  columns.reserve(index + 1);
  columns.times[index] = timeMs;
  columns.valueWords[2 * index] = low;
  columns.valueWords[2 * index + 1] = high;
  if (startMs !== 0 && columns.startTimes === null)
    columns.startTimes = new Float64Array(columns.times.length);
  if (columns.startTimes !== null) columns.startTimes[index] = startMs;
  if (histogram !== undefined && columns.histograms === null) columns.histograms = [];
  if (columns.histograms !== null) columns.histograms[index] = histogram;
  columns.count = index + 1;
}
