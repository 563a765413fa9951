import type { Labels } from "./api-client.ts";

/** 3.x writes the bounds of buckets and quantiles as floats, 2.42 as the target did. */
export function labelsAsIn3(metric: Labels): Labels {
  const { le, quantile } = metric;
  return {
    ...metric,
    ...(le === undefined ? {} : { le: asFloat(le) }),
    ...(quantile === undefined ? {} : { quantile: asFloat(quantile) }),
  };
}

/** Shortest digits, with an exponent of two digits outside of 1e-4 … 1e6, and always with a point or an exponent. */
function asFloat(text: string): string {
  const value = Number(text);
  if (!Number.isFinite(value)) return text;
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  if (value !== 0 && (Number(exponent) < -4 || Number(exponent) >= 6)) {
    return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }
  const plain = String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}
