import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatAge, formatDuration, formatElapsed, parseDuration } from "../../../src/ui/text/duration.ts";

describe("a duration in a field", () => {
  test.each([
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["2w", 14 * 86_400_000],
    ["1y", 365 * 86_400_000],
    ["250ms", 250],
    ["15", 15_000],
    ["0.5", 500],
    [" 5m ", 300_000],
  ])("%s is read", (text, durationMs) => {
    expect(parseDuration(text)).toBe(durationMs);
  });

  test.each(["", "m", "5x", "30m1h", "-5m", "1h 30m"])("%j is refused", (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  test("is written so that it is read back as the same", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 * 365 * 86_400_000 }), (durationMs) => {
        expect(parseDuration(formatDuration(durationMs))).toBe(durationMs);
      }),
    );
  });

  test("is written in the units one would choose", () => {
    expect([5_400_000, 10 * 86_400_000, 14 * 86_400_000, 0].map(formatDuration)).toEqual([
      "1h30m",
      "10d",
      "2w",
      "0s",
    ]);
  });
});

test("a measured time has three digits in a fitting unit", () => {
  expect([0, 0.000034, 0.00152, 0.25, 2.0956, 185].map(formatElapsed)).toEqual([
    "0s",
    "34µs",
    "1.52ms",
    "250ms",
    "2.1s",
    "3m 5s",
  ]);
});

test("an age has its two largest units, and no more than is there", () => {
  expect([0, 999, 12_000, 310_000, 3_600_000, 90_061_000].map(formatAge)).toEqual([
    "0s",
    "0s",
    "12s",
    "5m 10s",
    "1h",
    "1d 1h",
  ]);
});
