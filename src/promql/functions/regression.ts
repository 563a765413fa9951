import type { RangeWindow } from "../exec/range-window.ts";
import { NeumaierSum } from "./neumaier-sum.ts";

/** The least-squares line through the window's floats; x in seconds since `interceptMs`. */
export function linearRegression(
  window: RangeWindow,
  interceptMs: number,
): { slope: number; intercept: number } {
  const n = window.floatCount;
  const first = window.float(0);
  let isConstant = true;
  const sumX = new NeumaierSum();
  const sumY = new NeumaierSum();
  const sumXY = new NeumaierSum();
  const sumX2 = new NeumaierSum();
  for (let i = 0; i < n; i++) {
    const y = window.float(i);
    if (y !== first) isConstant = false;
    const x = (window.floatTime(i) - interceptMs) / 1000;
    sumX.add(x);
    sumY.add(y);
    sumXY.add(x * y);
    sumX2.add(x * x);
  }
  if (isConstant) {
    return Number.isFinite(first) ? { slope: 0, intercept: first } : { slope: NaN, intercept: NaN };
  }
  const x = sumX.compensated;
  const y = sumY.compensated;
  const covariance = sumXY.compensated - (x * y) / n;
  const variance = sumX2.compensated - (x * x) / n;
  const slope = covariance / variance;
  return { slope, intercept: y / n - (slope * x) / n };
}
