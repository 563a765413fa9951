import type { MatrixItem } from "../../api/types.ts";
import { stepIndex, stepTimes, type GraphGrid } from "./graph-columns.ts";

/** The native histograms of a range query as cells of a heat map: time across, buckets upward. */
export interface HistogramCells {
  /** Unix seconds of every step of the query. */
  readonly times: readonly number[];
  readonly cells: readonly HistogramCell[];
  /** The largest count of a cell; 0 when there is none. */
  readonly largestCount: number;
  /** The smallest and largest finite bound that isn't zero, by size; null when there is none. */
  readonly bounds: { readonly min: number; readonly max: number } | null;
  readonly hasNegative: boolean;
}

export interface HistogramCell {
  /** Index into `times`. */
  readonly at: number;
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/** Bounds smaller than this belong to the bucket of zero, whose width says nothing. */
const ZERO_WIDTH = 1e-30;

/** Adds up the histograms of all series at each step, bucket by bucket. */
export function histogramCells(series: readonly MatrixItem[], grid: GraphGrid): HistogramCells {
  const times = stepTimes(grid);
  const sums = new Map<string, { at: number; lower: number; upper: number; count: number }>();
  let [min, max] = [Infinity, 0];
  let hasNegative = false;
  for (const { histograms = [] } of series) {
    for (const [seconds, { buckets = [] }] of histograms) {
      const at = stepIndex(seconds, grid);
      if (at < 0 || at >= times.length) continue;
      for (const [, lowerText, upperText, countText] of buckets) {
        const [lower, upper, count] = [Number(lowerText), Number(upperText), Number(countText)];
        if (!(count > 0)) continue;
        const key = `${at} ${lowerText} ${upperText}`;
        const sum = sums.get(key);
        if (sum) sum.count += count;
        else sums.set(key, { at, lower, upper, count });
        for (const bound of [lower, upper]) {
          const size = Math.abs(bound);
          if (!Number.isFinite(size) || size < ZERO_WIDTH) continue;
          min = Math.min(min, size);
          max = Math.max(max, size);
          if (bound < 0) hasNegative = true;
        }
      }
    }
  }
  const cells = [...sums.values()];
  return {
    times,
    cells,
    largestCount: cells.reduce((largest, { count }) => Math.max(largest, count), 0),
    bounds: max > 0 ? { min, max } : null,
    hasNegative,
  };
}
