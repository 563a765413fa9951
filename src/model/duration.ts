import { quote } from "./quote.ts";

/** Units of a duration, biggest first, which is also the order in which they must stand. */
const UNITS: readonly { readonly name: string; readonly ms: number }[] = [
  { name: "y", ms: 365 * 24 * 3_600_000 },
  { name: "w", ms: 7 * 24 * 3_600_000 },
  { name: "d", ms: 24 * 3_600_000 },
  { name: "h", ms: 3_600_000 },
  { name: "m", ms: 60_000 },
  { name: "s", ms: 1_000 },
  { name: "ms", ms: 1 },
];

/** The longest duration, about 292 years: what fits 63 bits of nanoseconds. */
const MAX_DURATION_MS = 9_223_372_036_854;

/**
 * Milliseconds of a duration such as "5m", "1h30m" or "0". Whole numbers with units from y to ms, biggest first,
 * each unit once; only 0 may stand without a unit.
 *
 * @throws Error with the text Prometheus gives: `not a valid duration string: "5"`
 */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  if (text === "") throw new Error("empty duration string");
  let totalMs = 0;
  let nextUnit = 0;
  let position = 0;
  while (position < text.length) {
    const digitsStart = position;
    while (isDigit(text, position)) position++;
    const unitStart = position;
    while (position < text.length && !isDigit(text, position)) position++;
    if (unitStart === digitsStart || position === unitStart) {
      throw new Error(`not a valid duration string: ${quote(text)}`);
    }
    const unitName = text.slice(unitStart, position);
    const unit = UNITS.findIndex((candidate) => candidate.name === unitName);
    if (unit < 0) throw new Error(`unknown unit ${quote(unitName)} in duration ${quote(text)}`);
    if (unit < nextUnit) throw new Error(`not a valid duration string: ${quote(text)}`);
    nextUnit = unit + 1;
    totalMs += Number(text.slice(digitsStart, unitStart)) * UNITS[unit]!.ms;
    if (totalMs > MAX_DURATION_MS) throw new Error("duration out of range");
  }
  return totalMs;
}

/** As `parseDuration`, with an optional minus sign in front. */
export function parseSignedDuration(text: string): number {
  if (!text.startsWith("-")) return parseDuration(text);
  const ms = parseDuration(text.slice(1));
  return ms === 0 ? 0 : -ms;
}

/**
 * A duration as Prometheus prints it: "1h30m", "0s". Years and weeks are used only where nothing remains, since 90d
 * reads easier than 12w6d.
 */
export function formatDuration(durationMs: number): string {
  let restMs = Math.trunc(Math.abs(durationMs));
  if (restMs === 0) return "0s";
  let out = durationMs < 0 ? "-" : "";
  for (const { name, ms } of UNITS) {
    if ((name === "y" || name === "w") && restMs % ms !== 0) continue;
    const count = Math.floor(restMs / ms);
    if (count > 0) out += `${count}${name}`;
    restMs -= count * ms;
  }
  return out;
}

const SIZE_PREFIXES = ["", "K", "M", "G", "T", "P", "E"];

/** The largest size: what fits 63 bits. */
const MAX_SIZE_BYTES = 2 ** 63;

/**
 * Bytes of a size such as "512MB", "10MiB", "1.5GB" or "0": powers of two whether written MB or MiB, and several
 * may follow each other. Only 0 may stand without a unit.
 *
 * @throws Error such as `units: unknown unit XB in 5XB`
 */
export function parseSize(text: string): number {
  if (text === "0") return 0;
  const sign = text.startsWith("-") ? -1 : 1;
  let position = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
  if (position === 1 && text.slice(1) === "0") return 0;
  if (position === text.length) throw new Error(`units: invalid ${text}`);
  let total = 0;
  while (position < text.length) {
    const start = position;
    let digits = 0;
    for (; isDigit(text, position); position++) digits++;
    if (text[position] === ".") for (position++; isDigit(text, position); position++) digits++;
    if (digits === 0) throw new Error(`units: invalid ${text}`);
    const unitStart = position;
    while (position < text.length && text[position] !== "." && !isDigit(text, position)) position++;
    if (position === unitStart) throw new Error(`units: missing unit in ${text}`);
    const unit = text.slice(unitStart, position);
    const power = SIZE_PREFIXES.findIndex(
      (prefix) => unit === `${prefix}B` || (prefix !== "" && unit === `${prefix}iB`),
    );
    if (power < 0) throw new Error(`units: unknown unit ${unit} in ${text}`);
    total += Number(text.slice(start, unitStart)) * 1024 ** power;
  }
  if (total >= MAX_SIZE_BYTES) throw new Error(`units: invalid ${text}`);
  // Never the negative zero.
  return sign * Math.trunc(total) || 0;
}

/** A size as Prometheus prints it: "10MiB", "1GiB512MiB", "0B". */
export function formatSize(sizeBytes: number): string {
  if (sizeBytes === 0) return "0B";
  let out = "";
  let rest = Math.abs(Math.trunc(sizeBytes));
  for (const prefix of SIZE_PREFIXES) {
    const part = prefix === "E" ? rest : rest % 1024;
    if (part !== 0) out = `${part}${prefix}${prefix === "" ? "B" : "iB"}${out}`;
    rest = Math.floor(rest / 1024);
    if (rest === 0) break;
  }
  return sizeBytes < 0 ? `-${out}` : out;
}

function isDigit(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 0x30 && code <= 0x39;
}
