import { parseDuration } from "../../model/duration.ts";
import { quote } from "../../model/quote.ts";

/**
 * The value of a number as written: decimal, hexadecimal ("0x1F"), octal ("010"), with underscores, "inf", "nan".
 *
 * @throws Error such as `error parsing number: strconv.ParseFloat: parsing "1e+": invalid syntax`
 */
export function numberValue(text: string): number {
  const lower = text.toLowerCase();
  if (lower === "inf") return Infinity;
  if (lower === "nan") return NaN;
  // The scan stops behind an underscore that no digit follows.
  if (text.endsWith("_")) throw numberError(text, "invalid syntax");
  if (/^0x/.test(lower)) {
    const digits = lower.slice(2).replaceAll("_", "");
    const value = digits === "" ? null : BigInt(`0x${digits}`);
    if (value === null || value >= 2n ** 63n) throw numberError(text, "invalid syntax");
    return Number(value);
  }
  if (/^0_?[0-7]+(?:_[0-7]+)*$/.test(text)) return octalValue(text);
  const plain = text.replaceAll("_", "");
  if (!/^(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?$/.test(plain.toLowerCase())) {
    throw numberError(text, "invalid syntax");
  }
  const value = Number(plain);
  if (value === Infinity) throw numberError(text, "value out of range");
  return value;
}

/** A whole number with a leading zero is octal, unless it exceeds 63 bits: then it is read as a decimal float. */
function octalValue(text: string): number {
  const digits = text.replaceAll("_", "");
  const value = BigInt(`0o${digits}`);
  return value < 2n ** 63n ? Number(value) : Number(digits);
}

function numberError(text: string, reason: string): Error {
  return new Error(`error parsing number: strconv.ParseFloat: parsing ${quote(text)}: ${reason}`);
}

/** The largest duration in seconds, what fits 63 bits of nanoseconds. */
const MAX_DURATION_SECONDS = 2 ** 63 / 1e9;

/** Seconds of a duration as written, "1h30m". @throws Error with Prometheus's text */
export function durationSeconds(text: string): number {
  const ms = parseDuration(text);
  return Math.floor(ms / 1000) + ((ms % 1000) * 1e6) / 1e9;
}

/** Whether so many seconds can be a duration. */
export function isDurationInRange(seconds: number): boolean {
  return Math.abs(seconds) <= MAX_DURATION_SECONDS;
}

/** Seconds to whole milliseconds: rounded to the nanosecond, then cut. */
export function secondsToMilliseconds(seconds: number): number {
  const nanoseconds = Math.sign(seconds) * Math.round(Math.abs(seconds) * 1e9);
  return Math.trunc(nanoseconds / 1e6) + 0;
}
