const UNITS_MS: readonly (readonly [unit: string, sizeMs: number])[] = [
  ["y", 365 * 86_400_000],
  ["w", 7 * 86_400_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Milliseconds of a duration as PromQL writes it (`1h30m`) or of a plain number of seconds; else null. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
  const match = trimmed === "" ? null : DURATION.exec(trimmed);
  if (!match) return null;
  return UNITS_MS.reduce((sum, [, sizeMs], index) => sum + Number(match[index + 1] ?? 0) * sizeMs, 0);
}

/** The shortest duration that PromQL reads back as the same milliseconds: `90m` is `1h30m`. */
export function formatDuration(durationMs: number): string {
  let rest = Math.round(Math.abs(durationMs));
  if (rest === 0) return "0s";
  let text = durationMs < 0 ? "-" : "";
  for (const [unit, sizeMs] of UNITS_MS) {
    // Years and weeks only when they come out even: nobody reads 1w3d as ten days.
    if ((unit === "y" || unit === "w") && rest % sizeMs !== 0) continue;
    const count = Math.floor(rest / sizeMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * sizeMs;
  }
  return text;
}

/** A measured time with three significant digits: `1.52ms`, `340µs`, `2.1s`, `3m 5s`. */
export function formatElapsed(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds === 0) return "0s";
  const size = Math.abs(seconds);
  const digits = (value: number) => String(Number(value.toPrecision(3)));
  if (size < 1e-3) return `${digits(seconds * 1e6)}µs`;
  if (size < 1) return `${digits(seconds * 1e3)}ms`;
  if (size < 60) return `${digits(seconds)}s`;
  return formatAge(seconds * 1000);
}

/** The two largest units of a span, for ages: `3d 4h`, `5m 10s`, `12s`. */
export function formatAge(spanMs: number): string {
  let rest = Math.max(0, Math.floor(spanMs / 1000));
  if (rest === 0) return "0s";
  const parts: string[] = [];
  for (const [unit, sizeMs] of UNITS_MS) {
    if (unit === "w" || unit === "ms") continue;
    const count = Math.floor(rest / (sizeMs / 1000));
    rest -= count * (sizeMs / 1000);
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}
