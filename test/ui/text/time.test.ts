import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { apiTime, formatTime, parseTime } from "../../../src/ui/text/time.ts";

const MOMENT_MS = Date.UTC(2026, 0, 2, 15, 4, 5);

describe("a time in a field", () => {
  test.each([
    ["2026-01-02 15:04:05", MOMENT_MS],
    ["2026-01-02T15:04:05", MOMENT_MS],
    ["2026-1-2 15:04", MOMENT_MS - 5000],
    ["2026-01-02", Date.UTC(2026, 0, 2)],
    ["2026-01-02 15:04:05.25", MOMENT_MS + 250],
    ["2026-01-02T15:04:05Z", MOMENT_MS],
    ["2026-01-02T17:34:05+02:30", MOMENT_MS],
    [String(MOMENT_MS / 1000), MOMENT_MS],
  ])("%s is read in UTC", (text, timeMs) => {
    expect(parseTime(text, "utc")).toBe(timeMs);
  });

  test.each(["", "yesterday", "2026-13-01", "2026-01-02 25:00", "02.01.2026"])("%j is refused", (text) => {
    expect(parseTime(text, "utc")).toBeNull();
  });

  test("is written so that it is read back as the same, in UTC and, but for the hour that comes twice, locally", () => {
    // No zone changes its clocks in the first days of February.
    const february = fc.integer({ min: Date.UTC(2026, 1, 3), max: Date.UTC(2026, 1, 5) });
    fc.assert(
      fc.property(february, fc.constantFrom("utc" as const, "local" as const), (timeMs, zone) => {
        expect(parseTime(formatTime(timeMs, zone), zone)).toBe(timeMs);
      }),
    );
  });

  test("has milliseconds only where there are some", () => {
    expect(formatTime(MOMENT_MS, "utc")).toBe("2026-01-02 15:04:05");
    expect(formatTime(MOMENT_MS + 7, "utc")).toBe("2026-01-02 15:04:05.007");
  });
});

test("the zero time of the API means never", () => {
  expect(apiTime("0001-01-01T00:00:00Z")).toBeNull();
  expect(apiTime("2026-01-02T15:04:05.123456789Z")).toBe(MOMENT_MS + 123);
});
