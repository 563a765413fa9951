/**
 * The window kernels in plain TypeScript, written from the definitions: each window on its own, nothing reused. NaN is
 * absent from nothing: presence is `undefined`.
 */
import type { AccumulatedOp, WindowArgument, WindowFunction, WindowGrid } from "../../src/kernels/index.ts";

interface Sample {
  readonly time: number;
  readonly value: number;
}

/** The samples of window k, left end excluded. */
export function windowOf(samples: readonly Sample[], grid: WindowGrid, k: number): Sample[] {
  const end = grid.firstMs + k * grid.stepMs;
  return samples.filter(({ time }) => time > end - grid.rangeMs && time <= end);
}

export function overWindows(
  name: WindowFunction,
  samples: readonly Sample[],
  grid: WindowGrid,
  argument?: WindowArgument,
): (number | undefined)[] {
  return Array.from({ length: grid.count }, (_, k) => {
    const end = grid.firstMs + k * grid.stepMs;
    const window = windowOf(samples, grid, k);
    if (name === "quantile_over_time" && window.length > 0) return quantileOf(window, argument!.values[k]!);
    if (name === "predict_linear" && window.length > 1) {
      const { startMs, stepMs } = argument!.steps;
      const { slope, intercept } = line(window, startMs + k * stepMs);
      return slope * argument!.values[k]! + intercept;
    }
    return window.length === 0 ? undefined : evaluate(name, window, end - grid.rangeMs, end);
  });
}

function evaluate(
  name: WindowFunction,
  window: readonly Sample[],
  start: number,
  end: number,
): number | undefined {
  const values = window.map(({ value }) => value);
  switch (name) {
    case "rate":
    case "increase":
    case "delta":
      return extrapolated(name, window, start, end);
    case "irate":
    case "idelta": {
      if (window.length < 2) return undefined;
      const [a, b] = window.slice(-2) as [Sample, Sample];
      if (name === "idelta") return b.value - a.value;
      return (b.value < a.value ? b.value : b.value - a.value) / ((b.time - a.time) / 1000);
    }
    case "resets":
      return values.filter((v, i) => i > 0 && v < values[i - 1]!).length;
    case "changes":
      return values.filter(
        (v, i) => i > 0 && !(v === values[i - 1] || (v !== v && values[i - 1] !== values[i - 1])),
      ).length;
    case "sum_over_time": {
      const { sum, compensation } = neumaier(values, 0);
      return Math.abs(sum) === Infinity ? sum : sum + compensation;
    }
    case "avg_over_time":
      return mean(values);
    case "min_over_time":
      return values.reduce((best, v) => (v < best || best !== best ? v : best));
    case "max_over_time":
      return values.reduce((best, v) => (v > best || best !== best ? v : best));
    case "count_over_time":
      return values.length;
    case "present_over_time":
      return 1;
    case "last_over_time":
      return values.at(-1);
    case "first_over_time":
      return values[0];
    case "stddev_over_time":
      return Math.sqrt(variance(values));
    case "stdvar_over_time":
      return variance(values);
    case "deriv":
      return window.length < 2 ? undefined : line(window, window[0]!.time).slope;
    case "predict_linear":
    case "quantile_over_time":
      return undefined;
  }
}

function extrapolated(
  name: "rate" | "increase" | "delta",
  window: readonly Sample[],
  start: number,
  end: number,
): number | undefined {
  if (window.length < 2) return undefined;
  const first = window[0]!;
  const last = window.at(-1)!;
  const isCounter = name !== "delta";
  let change = last.value - first.value;
  if (isCounter) {
    for (let i = 1; i < window.length; i++) {
      if (window[i]!.value < window[i - 1]!.value) change += window[i - 1]!.value;
    }
  }
  const sampled = (last.time - first.time) / 1000;
  const average = sampled / (window.length - 1);
  let toStart = (first.time - start) / 1000;
  let toEnd = (end - last.time) / 1000;
  if (toStart >= average * 1.1) toStart = average / 2;
  if (isCounter && change > 0 && first.value >= 0) {
    toStart = Math.min(toStart, sampled * (first.value / change));
  }
  if (toEnd >= average * 1.1) toEnd = average / 2;
  let factor = (sampled + toStart + toEnd) / sampled;
  if (name === "rate") factor /= (end - start) / 1000;
  return change * factor;
}

/** NaN is less than any number. */
function quantileOf(window: readonly Sample[], q: number): number {
  const sorted = window
    .map(({ value }) => value)
    .sort((a, b) =>
      Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : Number.isNaN(b) ? 1 : a < b ? -1 : Number(a > b),
    );
  const rank = q * (sorted.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return sorted[lower]! * (1 - weight) + sorted[upper]! * weight;
}

function line(window: readonly Sample[], originMs: number): { slope: number; intercept: number } {
  const first = window[0]!.value;
  if (window.every(({ value }) => value === first)) {
    return Number.isFinite(first) ? { slope: 0, intercept: first } : { slope: NaN, intercept: NaN };
  }
  const xs = window.map(({ time }) => (time - originMs) / 1000);
  const total = (terms: readonly number[]) => {
    const { sum, compensation } = neumaier(terms, 0);
    return sum + compensation;
  };
  const n = window.length;
  const x = total(xs);
  const y = total(window.map(({ value }) => value));
  const covariance = total(window.map(({ value }, i) => xs[i]! * value)) - (x * y) / n;
  const slope = covariance / (total(xs.map((v) => v * v)) - (x * x) / n);
  return { slope, intercept: y / n - (slope * x) / n };
}

function neumaier(values: readonly number[], start: number): { sum: number; compensation: number } {
  let sum = start;
  let compensation = 0;
  for (const value of values) [sum, compensation] = increased(value, sum, compensation);
  return { sum, compensation };
}

function increased(x: number, sum: number, compensation: number): [sum: number, compensation: number] {
  const t = sum + x;
  if (Math.abs(t) === Infinity) return [t, 0];
  if (Math.abs(sum) >= Math.abs(x)) return [t, compensation + (sum - t + x)];
  return [t, compensation + (x - t + sum)];
}

function mean(values: readonly number[]): number {
  let [sum, compensation] = [values[0]!, 0];
  let isRunning = false;
  for (let i = 1; i < values.length; i++) {
    const n = i + 1;
    if (!isRunning) {
      const [next, nextCompensation] = increased(values[i]!, sum, compensation);
      if (Math.abs(next) !== Infinity) {
        [sum, compensation] = [next, nextCompensation];
        continue;
      }
      isRunning = true;
      sum /= i;
      compensation /= i;
    }
    const share = (n - 1) / n;
    [sum, compensation] = increased(values[i]! / n, share * sum, share * compensation);
  }
  return isRunning ? sum + compensation : sum / values.length + compensation / values.length;
}

function variance(values: readonly number[]): number {
  let [m, cm, s, cs] = [0, 0, 0, 0];
  values.forEach((value, i) => {
    const delta = value - (m + cm);
    [m, cm] = increased(delta / (i + 1), m, cm);
    [s, cs] = increased(delta * (value - (m + cm)), s, cs);
  });
  return (s + cs) / values.length;
}

/** What an aggregation gives at one step for the samples of one group, in their order. */
export function aggregate(op: AccumulatedOp, values: readonly number[]): number | undefined {
  const [first, ...rest] = values;
  if (first === undefined) return undefined;
  switch (op) {
    case "sum": {
      const { sum, compensation } = neumaier(rest, first);
      return sum + compensation;
    }
    case "avg":
      return mean(values);
    case "min":
      return values.reduce((best, v) => (best > v || best !== best ? v : best));
    case "max":
      return values.reduce((best, v) => (best < v || best !== best ? v : best));
    case "count":
      return values.length;
    case "group":
      return 1;
    case "stddev":
    case "stdvar": {
      let m = first;
      let s = Number.isFinite(first) ? 0 : NaN;
      rest.forEach((value, i) => {
        const delta = value - m;
        m += delta / (i + 2);
        s += delta * (value - m);
      });
      const result = s / values.length;
      return op === "stddev" ? Math.sqrt(result) : result;
    }
  }
}
