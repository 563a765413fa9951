import { formatFloat } from "./format-float.ts";

const LARGE_PREFIXES = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL_PREFIXES = ["m", "u", "n", "p", "f", "a", "z", "y"];
const BINARY_PREFIXES = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];

const fourDigits = (value: number) => formatFloat(value, "g", 4);

/** With a metric prefix: 1234567 is `1.235M`, 0.001 is `1m`. */
export function humanize(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return fourDigits(value);
  const scaled = Math.abs(value) >= 1 ? scaleDown(value, 1000, LARGE_PREFIXES) : scaleUp(value);
  return fourDigits(scaled.value) + scaled.prefix;
}

/** With a binary prefix: 1048576 is `1Mi`. */
export function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return fourDigits(value);
  const scaled = scaleDown(value, 1024, BINARY_PREFIXES);
  return fourDigits(scaled.value) + scaled.prefix;
}

/** A number of seconds: `1d 2h 3m 4s`, `3.5s`, `20ms`. */
export function humanizeDuration(value: number): string {
  if (!Number.isFinite(value)) return fourDigits(value);
  if (value === 0) return `${fourDigits(value)}s`;
  if (Math.abs(value) < 1) {
    const scaled = scaleUp(value);
    return `${fourDigits(scaled.value)}${scaled.prefix}s`;
  }
  const sign = value < 0 ? "-" : "";
  const size = Math.abs(value);
  const whole = Math.trunc(size);
  const seconds = whole % 60;
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600) % 24;
  const days = Math.floor(whole / 86_400);
  if (days !== 0) return `${sign}${days}d ${hours}h ${minutes}m ${seconds}s`;
  if (hours !== 0) return `${sign}${hours}h ${minutes}m ${seconds}s`;
  if (minutes !== 0) return `${sign}${minutes}m ${seconds}s`;
  return `${sign}${fourDigits(size)}s`;
}

/** A ratio in percent: 0.1234 is `12.34%`. */
export function humanizePercentage(value: number): string {
  return `${fourDigits(value * 100)}%`;
}

function scaleDown(
  value: number,
  base: number,
  prefixes: readonly string[],
): { value: number; prefix: string } {
  let prefix = "";
  for (const next of prefixes) {
    if (Math.abs(value) < base) break;
    prefix = next;
    value /= base;
  }
  return { value, prefix };
}

function scaleUp(value: number): { value: number; prefix: string } {
  let prefix = "";
  for (const next of SMALL_PREFIXES) {
    if (Math.abs(value) >= 1) break;
    prefix = next;
    value *= 1000;
  }
  return { value, prefix };
}
