/**
 * Floats as Go prints them. Digits beyond the shortest are exact and round half to even, which JavaScript's own
 * methods don't do.
 */
export type FloatForm = "e" | "f" | "g";

/**
 * @param precision digits after the point (`e`, `f`) or significant ones (`g`); -1 for as few as tell the value from
 *   its neighbours
 */
export function formatFloat(value: number, form: FloatForm, precision: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const decimal = decimalOf(Math.abs(value), form, precision);
  return sign + printDecimal(decimal, form, precision);
}

/** 0.DIGITS × 10^point; zero has no digits. No zero at the end. */
interface Decimal {
  readonly digits: string;
  readonly point: number;
}

function decimalOf(value: number, form: FloatForm, precision: number): Decimal {
  if (value === 0) return { digits: "", point: 0 };
  if (precision < 0) return shortestDecimal(value);
  const exact = exactDecimal(value);
  switch (form) {
    case "e":
      return round(exact, precision + 1);
    case "f":
      return round(exact, exact.point + precision);
    case "g":
      return round(exact, Math.max(precision, 1));
  }
}

function shortestDecimal(value: number): Decimal {
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
  return withoutTrailingZeros(mantissa.replace(".", ""), Number(exponent) + 1);
}

function exactDecimal(value: number): Decimal {
  const { mantissa, exponent } = binaryParts(value);
  // A fraction m / 2^k is m × 5^k / 10^k.
  const shift = Math.max(0, -exponent);
  const scaled = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(shift);
  const digits = scaled.toString();
  return withoutTrailingZeros(digits, digits.length - shift);
}

/** The value as mantissa × 2^exponent. */
export function binaryParts(value: number): { readonly mantissa: bigint; readonly exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | (1n << 52n), exponent: biased - 1075 };
}

function round({ digits, point }: Decimal, keep: number): Decimal {
  if (keep >= digits.length) return { digits, point };
  if (keep < 0) return { digits: "", point: 0 };
  const kept = digits.slice(0, keep);
  const next = digits.charCodeAt(keep) - 48;
  const isTie = next === 5 && digits.length === keep + 1;
  const isOdd = keep > 0 && digits.charCodeAt(keep - 1) % 2 === 1;
  if (!(isTie ? isOdd : next >= 5)) return withoutTrailingZeros(kept, point);
  const raised = (BigInt(kept || "0") + 1n).toString();
  // 999 has become 1000, or nothing has become 1.
  return withoutTrailingZeros(raised, point + raised.length - kept.length);
}

function withoutTrailingZeros(digits: string, point: number): Decimal {
  const trimmed = digits.replace(/0+$/, "");
  return { digits: trimmed, point: trimmed === "" ? 0 : point };
}

function printDecimal(decimal: Decimal, form: FloatForm, precision: number): string {
  const { digits, point } = decimal;
  const isShortest = precision < 0;
  switch (form) {
    case "e":
      return printExponent(decimal, isShortest ? Math.max(digits.length - 1, 0) : precision);
    case "f":
      return printPlain(decimal, isShortest ? Math.max(digits.length - point, 0) : precision);
    case "g": {
      const wanted = isShortest ? digits.length : Math.max(precision, 1);
      const limit = isShortest
        ? 6
        : wanted > digits.length && digits.length >= point
          ? digits.length
          : wanted;
      const exponent = point - 1;
      if (exponent < -4 || exponent >= limit) {
        // Zero has the exponent 0 in this form, and is never printed in it by %g.
        if (digits !== "") return printExponent(decimal, Math.min(wanted, digits.length) - 1);
      }
      return printPlain(decimal, Math.max(digits.length - point, 0));
    }
  }
}

function printExponent({ digits, point }: Decimal, fractionLength: number): string {
  const exponent = digits === "" ? 0 : point - 1;
  const fraction = digits.slice(1).padEnd(fractionLength, "0");
  const sign = exponent < 0 ? "-" : "+";
  const power = String(Math.abs(exponent)).padStart(2, "0");
  return `${digits[0] ?? "0"}${fraction === "" ? "" : `.${fraction}`}e${sign}${power}`;
}

function printPlain({ digits, point }: Decimal, fractionLength: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, "0") : "0";
  const fraction = (point >= 0 ? digits.slice(point) : "0".repeat(-point) + digits)
    .slice(0, fractionLength)
    .padEnd(fractionLength, "0");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}
