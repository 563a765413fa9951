import { quote } from "../../model/quote.ts";

const MIN_INT = -(2n ** 63n);
const MAX_INT = 2n ** 63n - 1n;
const MAX_UINT = 2n ** 64n - 1n;

/** What a number in a template can stand for. */
export interface NumberConstant {
  readonly asInt: bigint | null;
  readonly asFloat: number | null;
  readonly isFloatByDefault: boolean;
}

/**
 * The value of a number as Go writes it: decimal, hex, octal or binary with underscores between digits, floats, hex
 * floats.
 * @throws Error when it is none, or none that fits
 */
export function parseNumberConstant(text: string): NumberConstant {
  const int = parseGoInt(text);
  if (int !== null) {
    if (int >= MIN_INT && int <= MAX_INT)
      return { asInt: int, asFloat: Number(int), isFloatByDefault: false };
    if (int > 0n && int <= MAX_UINT) return { asInt: null, asFloat: Number(int), isFloatByDefault: false };
    throw new Error(`integer overflow: ${quote(text)}`);
  }
  const float = parseGoFloat(text);
  if (float === null || !Number.isFinite(float)) throw new Error(`illegal number syntax: ${quote(text)}`);
  const isWhole = Number.isInteger(float) && Math.abs(float) < 2 ** 63;
  return { asInt: isWhole ? BigInt(float) : null, asFloat: float, isFloatByDefault: /[.eEpP]/.test(text) };
}

/** The code point of a character constant such as `'a'` or `'\n'`. @throws Error when it isn't one character */
export function parseCharConstant(text: string, unquoted: string | null): NumberConstant {
  const characters = unquoted === null ? [] : [...unquoted];
  if (characters.length !== 1) throw new Error(`malformed character constant: ${text}`);
  const code = characters[0]!.codePointAt(0)!;
  return { asInt: BigInt(code), asFloat: code, isFloatByDefault: false };
}

/** A whole number with Go's prefixes; null when it is none. Of any size. */
export function parseGoInt(text: string): bigint | null {
  const sign = text.startsWith("-") ? -1n : 1n;
  const unsigned = text.replace(/^[+-]/, "");
  if (!/^(0[xX](_?[0-9a-fA-F])+|0[bB](_?[01])+|0[oO]?(_?[0-7])+|0|[1-9](_?[0-9])*)$/.test(unsigned))
    return null;
  const digits = unsigned.replaceAll("_", "").toLowerCase();
  if (/^0[xbo]/.test(digits)) return sign * BigInt(digits);
  return (
    sign * (digits.startsWith("0") && digits.length > 1 ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits))
  );
}

/** A float with Go's syntax; null when it is none. Infinite where it is too large. */
export function parseGoFloat(text: string): number | null {
  const hex =
    /^([+-]?)0[xX]((?:_?[0-9a-fA-F])*)(?:\.((?:[0-9a-fA-F]_?)*))?[pP]([+-]?[0-9]+(?:_[0-9]+)*)$/.exec(text);
  if (hex !== null) {
    const whole = hex[2]!.replaceAll("_", "");
    const fraction = (hex[3] ?? "").replaceAll("_", "");
    if (whole + fraction === "") return null;
    const mantissa = Number(BigInt(`0x${whole}${fraction}`));
    const exponent = Number(hex[4]!.replaceAll("_", "")) - 4 * fraction.length;
    return (hex[1] === "-" ? -1 : 1) * mantissa * 2 ** exponent;
  }
  if (/^[+-]?(inf|infinity)$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (/^[+-]?nan$/i.test(text)) return /^[+-]/.test(text) ? null : NaN;
  const isDecimal =
    /^[+-]?([0-9](_?[0-9])*\.?([0-9](_?[0-9])*)?|\.[0-9](_?[0-9])*)([eE][+-]?[0-9](_?[0-9])*)?$/;
  return isDecimal.test(text) ? Number(text.replaceAll("_", "")) : null;
}
