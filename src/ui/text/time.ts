export type TimeZone = "local" | "utc";

const two = (value: number) => String(value).padStart(2, "0");

/** `2026-01-02 15:04:05`, with milliseconds only where there are some. */
export function formatTime(timeMs: number, zone: TimeZone): string {
  const date = new Date(timeMs);
  if (Number.isNaN(date.getTime())) return "–";
  const milliseconds = date.getUTCMilliseconds();
  const fraction = milliseconds === 0 ? "" : `.${String(milliseconds).padStart(3, "0")}`;
  const [year, month, day, hour, minute, second] =
    zone === "utc"
      ? [
          date.getUTCFullYear(),
          date.getUTCMonth(),
          date.getUTCDate(),
          date.getUTCHours(),
          date.getUTCMinutes(),
          date.getUTCSeconds(),
        ]
      : [
          date.getFullYear(),
          date.getMonth(),
          date.getDate(),
          date.getHours(),
          date.getMinutes(),
          date.getSeconds(),
        ];
  return `${year}-${two(month + 1)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}${fraction}`;
}

const CIVIL_TIME =
  /^(\d{4})-(\d\d?)-(\d\d?)(?:[ T](\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,3})\d*)?)?)?(Z|[+-]\d\d:\d\d)?$/i;

/**
 * Milliseconds of a time as a person types it: `2026-01-02`, `2026-01-02 15:04[:05[.678]]` in the given zone,
 * RFC 3339 with its own zone, or Unix seconds. Null when it is none of these.
 */
export function parseTime(text: string, zone: TimeZone): number | null {
  const trimmed = text.trim();
  if (/^\d{9,}(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
  const match = CIVIL_TIME.exec(trimmed);
  if (!match) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const millisecond = Number((match[7] ?? "0").padEnd(3, "0"));
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) return null;
  const offset = match[8];
  if (offset === undefined && zone === "local") {
    return new Date(year, month - 1, day, hour, minute, second, millisecond).getTime();
  }
  const offsetMinutes =
    offset === undefined || offset.toUpperCase() === "Z"
      ? 0
      : (offset.startsWith("-") ? -1 : 1) * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6)));
  return Date.UTC(year, month - 1, day, hour, minute, second, millisecond) - offsetMinutes * 60_000;
}

/** Milliseconds of an API time, or null for the zero time, which means "never". */
export function apiTime(text: string): number | null {
  if (text.startsWith("0001-")) return null;
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? null : timeMs;
}
