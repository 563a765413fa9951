import type { MatrixItem } from "../../api/types.ts";

/** The answer of a range query as a graph draws it: one column of times, one of values for each series. */
export interface GraphColumns {
  /** Unix seconds, evenly spaced: every step of the query, whether a series has a value there or not. */
  readonly times: readonly number[];
  /** As drawn; null where there is nothing to draw, so that gaps show. */
  readonly drawn: readonly (readonly (number | null)[])[];
  /** As answered: when stacked, what a series adds to the ones below. The same as `drawn` otherwise. */
  readonly values: readonly (readonly (number | null)[])[];
  /** For each series the points with nothing on either side, which no line would show. */
  readonly isolated: readonly (readonly number[])[];
}

export interface GraphGrid {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly stepSeconds: number;
}

/** Unix seconds of every step of the query. */
export function stepTimes({ startSeconds, endSeconds, stepSeconds }: GraphGrid): number[] {
  // Half a millisecond of slack: the division of two decimal fractions may fall just below a whole number.
  const count = Math.max(1, Math.floor((endSeconds - startSeconds + 0.0005) / stepSeconds) + 1);
  return Array.from({ length: count }, (_, index) => startSeconds + index * stepSeconds);
}

/** The step a sample belongs to; may lie outside the steps there are. */
export function stepIndex(seconds: number, { startSeconds, stepSeconds }: GraphGrid): number {
  return Math.round((seconds - startSeconds) / stepSeconds);
}

function isolatedPoints(column: readonly (number | null)[]): number[] {
  const found: number[] = [];
  column.forEach((value, index) => {
    if (value !== null && (column[index - 1] ?? null) === null && (column[index + 1] ?? null) === null) {
      found.push(index);
    }
  });
  return found;
}

/**
 * Lays the series on the steps of their query. NaN and the infinities can't be drawn and become gaps, as do
 * steps without a sample and those with a native histogram.
 */
export function graphColumns(series: readonly MatrixItem[], grid: GraphGrid, stacked: boolean): GraphColumns {
  const times = stepTimes(grid);
  const count = times.length;

  const values = series.map((item) => {
    const column: (number | null)[] = new Array<number | null>(count).fill(null);
    for (const [seconds, text] of item.values ?? []) {
      const index = stepIndex(seconds, grid);
      const value = Number(text);
      if (index >= 0 && index < count && Number.isFinite(value)) column[index] = value;
    }
    return column;
  });
  const isolated = values.map(isolatedPoints);
  if (!stacked) return { times, drawn: values, values, isolated };

  const sum = new Float64Array(count);
  const drawn = values.map((column) =>
    column.map((value, index) => {
      if (value === null) return null;
      const total = (sum[index] ?? 0) + value;
      sum[index] = total;
      return total;
    }),
  );
  return { times, drawn, values, isolated };
}
