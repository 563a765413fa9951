import { parseDuration } from "../model/duration.ts";
import { quote } from "../model/quote.ts";
import { ApiError } from "./api-error.ts";

/**
 * Request parameters as Prometheus reads them: those of a form body first, then those of the URL. The empty string
 * counts as absent.
 */
export class Params {
  private constructor(
    private readonly pairs: readonly (readonly [name: string, value: string])[],
    private readonly urlPairs: readonly (readonly [name: string, value: string])[],
    /** What is wrong with the first pair that was dropped, null where none was. */
    private readonly fault: string | null,
  ) {}

  static read(rawUrl: string, formBody: string | null): Params {
    const questionMark = rawUrl.indexOf("?");
    const url = decodePairs(questionMark < 0 ? "" : rawUrl.slice(questionMark + 1));
    const body = decodePairs(formBody ?? "");
    return new Params([...body.pairs, ...url.pairs], url.pairs, body.fault ?? url.fault);
  }

  /** The first value, or "" when there is none. */
  get(name: string): string {
    return this.pairs.find(([key]) => key === name)?.[1] ?? "";
  }

  /** The first value in the URL's query string, a form body left aside. */
  getFromUrl(name: string): string {
    return this.urlPairs.find(([key]) => key === name)?.[1] ?? "";
  }

  getAll(name: string): string[] {
    return this.pairs.filter(([key]) => key === name).map(([, value]) => value);
  }

  /** For the routes that refuse what the others drop in silence. */
  requireWellFormed(): void {
    if (this.fault !== null) throw new ApiError("bad_data", `error parsing form values: ${this.fault}`);
  }
}

/** A pair with a bad escape or a semicolon is dropped, as Go's ParseQuery drops it. */
function decodePairs(query: string): { pairs: [string, string][]; fault: string | null } {
  const pairs: [string, string][] = [];
  let fault: string | null = null;
  for (const part of query.split("&")) {
    if (part === "") continue;
    const badEscape = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(part);
    if (part.includes(";")) fault ??= "invalid semicolon separator in query";
    else if (badEscape) fault ??= `invalid URL escape ${quote(badEscape[0])}`;
    else {
      const equals = part.indexOf("=");
      const name = equals < 0 ? part : part.slice(0, equals);
      const value = equals < 0 ? "" : part.slice(equals + 1);
      pairs.push([decodeComponent(name), decodeComponent(value)]);
    }
  }
  return { pairs, fault };
}

/** Escapes may stand for bytes that are no text. */
function decodeComponent(text: string): string {
  const spaced = text.replaceAll("+", " ");
  try {
    return decodeURIComponent(spaced);
  } catch {
    const bytes = Buffer.from(spaced).toString("latin1");
    const decoded = bytes.replace(/%(..)/g, (_whole, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    return Buffer.from(decoded, "latin1").toString("utf8");
  }
}

/** The two texts that stand for the ends of time, as clients written in Go send them. */
const MIN_TIME_TEXT = "-292273086-05-16T16:47:06Z";
const MAX_TIME_TEXT = "292277025-08-18T07:12:54.999999999Z";
export const MIN_TIME_MS = -9223372036854775;
export const MAX_TIME_MS = 9223372036854775;

const floatPattern = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const rfc3339Pattern = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Unix seconds or RFC 3339 → milliseconds. @throws Error with Prometheus's text */
export function parseTime(text: string): number {
  if (floatPattern.test(text)) {
    const seconds = Number(text);
    const whole = Math.trunc(seconds);
    const ms = whole * 1000 + Math.round((seconds - whole) * 1000);
    if (Number.isFinite(ms)) return Math.min(Math.max(ms, MIN_TIME_MS), MAX_TIME_MS);
  }
  if (text === MIN_TIME_TEXT) return MIN_TIME_MS;
  if (text === MAX_TIME_TEXT) return MAX_TIME_MS;
  if (rfc3339Pattern.test(text) && isRealDate(text.slice(0, 10)) && text.slice(11, 13) !== "24") {
    const ms = Date.parse(
      text.replace(/\.(\d+)/, (_, digits: string) => `.${digits.slice(0, 3).padEnd(3, "0")}`),
    );
    if (!Number.isNaN(ms)) return ms;
  }
  throw new Error(`cannot parse ${JSON.stringify(text)} to a valid timestamp`);
}

/** Not the 30th of February, which the platform takes for the 2nd of March. */
function isRealDate(date: string): boolean {
  const ms = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}

/** Seconds as a number, or a Prometheus duration → milliseconds. @throws Error with Prometheus's text */
export function parseDurationParam(text: string): number {
  if (floatPattern.test(text)) {
    const nanoseconds = Number(text) * 1e9;
    if (Math.abs(nanoseconds) > 2 ** 63) {
      throw new Error(`cannot parse ${JSON.stringify(text)} to a valid duration. It overflows int64`);
    }
    // Cut twice, as Prometheus does: "1.025" is 1024.999999 ms and becomes 1024.
    return Math.trunc(Math.trunc(nanoseconds) / 1e6);
  }
  try {
    return parseDuration(text);
  } catch {
    throw new Error(`cannot parse ${JSON.stringify(text)} to a valid duration`);
  }
}

function asParameterError<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw ApiError.invalidParameter(name, (cause as Error).message);
  }
}

export function timeParam(params: Params, name: string): number {
  return asParameterError(name, () => parseTime(params.get(name)));
}

export function optionalTimeParam(params: Params, name: string, absent: number): number {
  const text = params.get(name);
  if (text === "") return absent;
  return asParameterError(name, () => {
    try {
      return parseTime(text);
    } catch (cause) {
      throw new Error(`invalid time value for '${name}': ${(cause as Error).message}`, { cause });
    }
  });
}

export function durationParam(params: Params, name: string): number {
  return asParameterError(name, () => parseDurationParam(params.get(name)));
}

/** An integer ≥ 0, 0 when absent. */
export function limitParam(params: Params, name = "limit"): number {
  const text = params.get(name);
  if (text === "") return 0;
  return asParameterError(name, () => {
    const limit = parseGoInteger(text);
    if (limit < 0) throw new Error("limit must be non-negative");
    return limit;
  });
}

/** @throws Error with the text of Go's strconv.Atoi */
export function parseGoInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text))
    throw new Error(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = Number(text);
  if (Math.abs(value) > 2 ** 63) {
    throw new Error(`strconv.Atoi: parsing ${JSON.stringify(text)}: value out of range`);
  }
  return value;
}

const trueTexts = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const falseTexts = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** @throws Error with the text of Go's strconv.ParseBool */
export function parseGoBoolean(text: string): boolean {
  if (trueTexts.has(text)) return true;
  if (falseTexts.has(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}
