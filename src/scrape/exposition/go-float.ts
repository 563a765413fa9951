import { ExpositionError } from "./exposition-error.ts";
import { quoteBytes } from "../../model/quote-bytes.ts";

/**
 * A number as Go's parser reads it: decimal with an optional exponent, infinities and NaN in any case. Underscores and
 * hexadecimal digits are refused, and so is what is too large for a double.
 */
export function parseGoFloat(text: string): number {
  if (DECIMAL.test(text)) {
    const value = Number(text);
    if (Number.isFinite(value)) return value;
    throw new ExpositionError(`strconv.ParseFloat: parsing ${quoteBytes(text)}: value out of range`);
  }
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return NaN;
  throw new ExpositionError(`strconv.ParseFloat: parsing ${quoteBytes(text)}: invalid syntax`);
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * A bucket bound or quantile as storage knows it: the shortest digits that read back as the same double, with an
 * exponent from a million on and below a ten-thousandth, always recognisable as a float (`1` is `1.0`).
 */
export function formatBound(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value === 0) return "0.0";
  const [digits = "", power = ""] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 6) {
    return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const text = String(value);
  return text.includes(".") ? text : `${text}.0`;
}

/** The same, where the text is a number; otherwise the text as it is. */
export function normalizeBound(text: string): string {
  try {
    return formatBound(parseGoFloat(text));
  } catch {
    return text;
  }
}
