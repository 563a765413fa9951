import type { ElementwiseFunction, ScalarFunction } from "./contract.ts";
import * as go from "./go-math.ts";

const elementwise = (apply: ElementwiseFunction["apply"]): ElementwiseFunction => ({
  kind: "elementwise",
  apply,
});
const scalar = (apply: ScalarFunction["apply"]): ScalarFunction => ({ kind: "scalar", apply });

/** The greater of two, where NaN wins over everything but +Inf, and 0 over −0. */
export function maxOf(a: number, b: number): number {
  if (a === Infinity || b === Infinity) return Infinity;
  return Math.max(a, b);
}

/** The smaller of two, where NaN wins over everything but −Inf, and −0 over 0. */
export function minOf(a: number, b: number): number {
  if (a === -Infinity || b === -Infinity) return -Infinity;
  return Math.min(a, b);
}

function clamp(value: number, min: number, max: number): number | undefined {
  if (max < min) return undefined;
  return maxOf(min, minOf(max, value));
}

function round(value: number, toNearest: number): number {
  // Dividing by the inverse keeps 0.1 and its like exact where multiplying would not.
  const inverse = 1 / toNearest;
  return Math.floor(value * inverse + 0.5) / inverse;
}

export const mathFunctions: Readonly<Record<string, ElementwiseFunction | ScalarFunction>> = {
  abs: elementwise(Math.abs),
  acos: elementwise(go.acos),
  acosh: elementwise(go.acosh),
  asin: elementwise(go.asin),
  asinh: elementwise(go.asinh),
  atan: elementwise(go.atan),
  atanh: elementwise(go.atanh),
  ceil: elementwise(Math.ceil),
  clamp: elementwise((v, [min, max]) => clamp(v, min!, max!)),
  clamp_max: elementwise((v, [max]) => minOf(max!, v)),
  clamp_min: elementwise((v, [min]) => maxOf(min!, v)),
  cos: elementwise(go.cos),
  cosh: elementwise(go.cosh),
  deg: elementwise((v) => (v * 180) / Math.PI),
  exp: elementwise(go.exp),
  floor: elementwise(Math.floor),
  ln: elementwise(go.ln),
  log10: elementwise(go.log10),
  log2: elementwise(go.log2),
  max_of: scalar((_, [a, b]) => maxOf(a!, b!)),
  min_of: scalar((_, [a, b]) => minOf(a!, b!)),
  pi: scalar(() => Math.PI),
  rad: elementwise((v) => (v * Math.PI) / 180),
  round: elementwise((v, [to]) => round(v, to ?? 1)),
  sgn: elementwise((v) => (v < 0 ? -1 : v > 0 ? 1 : v)),
  sin: elementwise(go.sin),
  sinh: elementwise(go.sinh),
  sqrt: elementwise(Math.sqrt),
  tan: elementwise(go.tan),
  tanh: elementwise(go.tanh),
};
