import type { FloatHistogram } from "../model/histogram.ts";
import { Labels } from "../model/labels.ts";
import { DUPLICATE_LABELS } from "./exec/derived-series.ts";
import type { RangeSamples } from "./exec/range-source.ts";
import { ABSENT, FLOAT, type StepColumn, type StepGrid } from "./exec/step-column.ts";
import { ExecutionError } from "./limits.ts";
import type { MatrixSeries } from "./value.ts";

/** A result series out of query memory: floats and histograms apart, absent steps left out. */
export function seriesFromColumn(labels: Labels, grid: StepGrid, column: StepColumn): MatrixSeries {
  const { startMs, stepMs } = grid;
  const { kinds, values, count, presentCount } = column;
  if (column.histograms === null) {
    const floatTimes = new Float64Array(presentCount);
    const floats = new Float64Array(presentCount);
    let placed = 0;
    for (let step = 0; step < count; step++) {
      if (kinds[step] === ABSENT) continue;
      floatTimes[placed] = startMs + step * stepMs;
      floats[placed++] = values[step]!;
    }
    return { labels, floatTimes, floats, histogramTimes: NO_NUMBERS, histograms: [] };
  }
  const floatTimes: number[] = [];
  const floats: number[] = [];
  const histogramTimes: number[] = [];
  const histograms: FloatHistogram[] = [];
  for (let step = 0; step < count; step++) {
    const timeMs = startMs + step * stepMs;
    if (kinds[step] === ABSENT) continue;
    if (kinds[step] === FLOAT) {
      floatTimes.push(timeMs);
      floats.push(values[step]!);
    } else {
      histogramTimes.push(timeMs);
      histograms.push(column.histogramAt(step));
    }
  }
  return {
    labels,
    floatTimes: Float64Array.from(floatTimes),
    floats: Float64Array.from(floats),
    histogramTimes: Float64Array.from(histogramTimes),
    histograms,
  };
}

const NO_NUMBERS = new Float64Array(0);

/** A scalar over a range: one series without labels. */
export function seriesFromScalar(grid: StepGrid, values: Float64Array): MatrixSeries {
  const floatTimes = Float64Array.from(values, (_, step) => grid.startMs + step * grid.stepMs);
  return {
    labels: Labels.empty,
    floatTimes,
    floats: values.slice(),
    histogramTimes: NO_NUMBERS,
    histograms: [],
  };
}

/** The raw samples of a range vector. */
export function seriesFromSamples(labels: Labels, samples: RangeSamples): MatrixSeries {
  const { times, values, count, histograms } = samples;
  if (histograms === null) {
    return {
      labels,
      floatTimes: times.slice(0, count),
      floats: values.slice(0, count),
      histogramTimes: NO_NUMBERS,
      histograms: [],
    };
  }
  const floatAt: number[] = [];
  const histogramAt: number[] = [];
  for (let i = 0; i < count; i++) (histograms[i] === undefined ? floatAt : histogramAt).push(i);
  return {
    labels,
    floatTimes: Float64Array.from(floatAt, (i) => times[i]!),
    floats: Float64Array.from(floatAt, (i) => values[i]!),
    histogramTimes: Float64Array.from(histogramAt, (i) => times[i]!),
    histograms: histogramAt.map((i) => histograms[i]!),
  };
}

/** Series with equal labels become one. @throws ExecutionError where two of them have a point at the same time */
export function mergeSeries(all: readonly MatrixSeries[]): MatrixSeries[] {
  const byLabels = new Map<string, MatrixSeries[]>();
  for (const series of all) {
    const { key } = series.labels;
    const equal = byLabels.get(key);
    if (equal === undefined) byLabels.set(key, [series]);
    else equal.push(series);
  }
  return [...byLabels.values()].map((equal) => (equal.length === 1 ? equal[0]! : mergeEqual(equal)));
}

function mergeEqual(series: readonly MatrixSeries[]): MatrixSeries {
  const floats = series
    .flatMap((s) => Array.from(s.floatTimes, (time, i) => ({ time, value: s.floats[i]! })))
    .sort((a, b) => a.time - b.time);
  const histograms = series
    .flatMap((s) => s.histograms.map((histogram, i) => ({ time: s.histogramTimes[i]!, histogram })))
    .sort((a, b) => a.time - b.time);
  const times = [...floats, ...histograms].map(({ time }) => time);
  if (new Set(times).size !== times.length) throw new ExecutionError(DUPLICATE_LABELS);
  return {
    labels: series[0]!.labels,
    floatTimes: Float64Array.from(floats, ({ time }) => time),
    floats: Float64Array.from(floats, ({ value }) => value),
    histogramTimes: Float64Array.from(histograms, ({ time }) => time),
    histograms: histograms.map(({ histogram }) => histogram),
  };
}
