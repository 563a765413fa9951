import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatDuration,
  formatSize,
  parseDuration,
  parseSignedDuration,
  parseSize,
} from "../../src/model/duration.ts";

describe("a duration", () => {
  test.each([
    ["0", 0, "0s"],
    ["0s", 0, "0s"],
    ["5m", 300_000, "5m"],
    ["1h30m", 5_400_000, "1h30m"],
    ["90m", 5_400_000, "1h30m"],
    ["1d", 86_400_000, "1d"],
    ["7d", 604_800_000, "1w"],
    ["8d", 691_200_000, "8d"],
    ["365d", 31_536_000_000, "1y"],
    ["1y2w3d4h5m6s7ms", 33_019_506_007, "382d4h5m6s7ms"],
    ["100ms", 100, "100ms"],
    ["1500ms", 1_500, "1s500ms"],
    ["292y", 9_208_512_000_000, "292y"],
  ])("%s is %d ms and prints as %s", (text, ms, printed) => {
    expect(parseDuration(text)).toBe(ms);
    expect(formatDuration(ms)).toBe(printed);
  });

  test.each([
    ["", "empty duration string"],
    ["5", 'not a valid duration string: "5"'],
    ["m5", 'not a valid duration string: "m5"'],
    ["-5m", 'not a valid duration string: "-5m"'],
    ["1m1h", 'not a valid duration string: "1m1h"'],
    ["1m1m", 'not a valid duration string: "1m1m"'],
    ["1.5h", 'unknown unit "." in duration "1.5h"'],
    ["5x", 'unknown unit "x" in duration "5x"'],
    ["5 m", 'unknown unit " m" in duration "5 m"'],
    ["300y", "duration out of range"],
  ])("%j is refused: %s", (text, message) => {
    expect(() => parseDuration(text)).toThrow(new Error(message));
  });

  test("may carry a sign where that is asked for", () => {
    expect([parseSignedDuration("-1m"), parseSignedDuration("1m"), parseSignedDuration("-0s")]).toEqual([
      -60_000, 60_000, 0,
    ]);
    expect(formatDuration(-90_000)).toBe("-1m30s");
  });

  test("printed and parsed is the same again", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_223_372_036_854 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe("a size", () => {
  test.each([
    ["0", 0, "0B"],
    ["512MB", 536_870_912, "512MiB"],
    ["10MiB", 10_485_760, "10MiB"],
    ["1.5GB", 1_610_612_736, "1GiB512MiB"],
    ["1GB512MB", 1_610_612_736, "1GiB512MiB"],
    ["1000B", 1_000, "1000B"],
    ["2EB", 2 ** 61, "2EiB"],
    ["-1KB", -1_024, "-1KiB"],
  ])("%s is %d bytes and prints as %s", (text, bytes, printed) => {
    expect(parseSize(text)).toBe(bytes);
    expect(formatSize(bytes)).toBe(printed);
  });

  test.each([
    ["512", "units: missing unit in 512"],
    ["5XB", "units: unknown unit XB in 5XB"],
    ["5mb", "units: unknown unit mb in 5mb"],
    ["", "units: invalid "],
    ["MB", "units: invalid MB"],
    ["9EB", "units: invalid 9EB"],
  ])("%j is refused: %s", (text, message) => {
    expect(() => parseSize(text)).toThrow(new Error(message));
  });
});
