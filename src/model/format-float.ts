/**
 * Numbers as text in the two forms Prometheus uses beside that of HTTP values: always with the fewest digits that
 * read back as the same number.
 */

/** Decimal, never with an exponent: "0.00001234", "100000000000000000000000", "+Inf", "-0". Go's 'f' form. */
export function formatDecimal(value: number): string {
  if (!Number.isFinite(value)) return formatNonFinite(value);
  const { sign, digits, exponent } = shortestDigits(value);
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const fraction = digits.slice(exponent + 1);
  return fraction === "" ? sign + whole : `${sign}${whole}.${fraction}`;
}

/** With an exponent of two digits or more below 0.0001 and from 1e6 on ("1e+06", "1e-05"), as Go's %g and %v. */
export function formatGeneral(value: number): string {
  if (!Number.isFinite(value)) return formatNonFinite(value);
  const { sign, digits, exponent } = shortestDigits(value);
  if (value === 0 || (exponent >= -4 && exponent < GENERAL_EXPONENT)) return formatDecimal(value);
  return `${sign}${withPoint(digits)}e${signedExponent(exponent)}`;
}

/** So many significant digits, trailing zeros dropped, else as `formatGeneral`: Go's %.2g and the like. */
export function formatSignificant(value: number, precision: number): string {
  if (!Number.isFinite(value)) return formatNonFinite(value);
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa, exponentText] = Math.abs(value)
    .toExponential(precision - 1)
    .split("e") as [string, string];
  const digits = mantissa.replace(".", "").replace(/0+$/, "");
  const exponent = Number(exponentText);
  const sign = value < 0 ? "-" : "";
  if (exponent < -4 || exponent >= precision)
    return `${sign}${withPoint(digits)}e${signedExponent(exponent)}`;
  return formatDecimal(Number(`${sign}${mantissa}e${exponent}`));
}

/** From this decimal exponent on, %g writes an exponent. */
const GENERAL_EXPONENT = 6;

function formatNonFinite(value: number): string {
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

/** `digits` without trailing zeros, the first one before the point, times ten to the `exponent`. */
function shortestDigits(value: number): { sign: string; digits: string; exponent: number } {
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const [mantissa, exponent] = Math.abs(value).toExponential().split("e") as [string, string];
  return { sign, digits: mantissa.replace(".", ""), exponent: Number(exponent) };
}

function withPoint(digits: string): string {
  return digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`;
}

function signedExponent(exponent: number): string {
  return (exponent < 0 ? "-" : "+") + String(Math.abs(exponent)).padStart(2, "0");
}
