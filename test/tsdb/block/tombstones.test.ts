import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addInterval,
  decodeTombstones,
  encodeTombstones,
  type Interval,
  intervalCount,
  isDeleted,
} from "../../../src/tsdb/block/tombstones.ts";

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

describe("tombstones", () => {
  test("have the layout of their format, nine bytes where there are none", () => {
    expect(hex(encodeTombstones(new Map()))).toBe("0130ba300100000000");
    const bytes = encodeTombstones(new Map([[300, [{ minTime: -1, maxTime: 64 }]]]));
    expect(hex(bytes.subarray(0, -4))).toBe("0130ba3001" + "ac02" + "01" + "8001");
  });

  test("come back as they were written", () => {
    const interval = fc
      .tuple(fc.integer({ min: -1e15, max: 1e15 }), fc.nat(1e9))
      .map(([minTime, length]) => ({ minTime, maxTime: minTime + length }));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2 ** 31), interval), { maxLength: 30 }), (entries) => {
        const tombstones = new Map<number, readonly Interval[]>();
        for (const [series, each] of entries) addInterval(tombstones, series, each);
        expect(decodeTombstones(encodeTombstones(tombstones))).toEqual(
          new Map([...tombstones].sort((a, b) => a[0] - b[0])),
        );
      }),
    );
  });

  test("join ranges that overlap or touch, and cover exactly what was added", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(60), fc.nat(10)), { maxLength: 12 }), (ranges) => {
        const tombstones = new Map<number, readonly Interval[]>();
        for (const [minTime, length] of ranges)
          addInterval(tombstones, 1, { minTime, maxTime: minTime + length });
        const intervals = tombstones.get(1) ?? [];
        for (let time = 0; time < 75; time++) {
          const expected = ranges.some(([minTime, length]) => time >= minTime && time <= minTime + length);
          expect([time, isDeleted(intervals, time)]).toEqual([time, expected]);
        }
        for (let i = 1; i < intervals.length; i++) {
          expect(intervals[i]!.minTime).toBeGreaterThan(intervals[i - 1]!.maxTime + 1);
        }
        expect(intervalCount(tombstones)).toBe(intervals.length);
      }),
    );
  });

  test("of a series with ranges beyond number are read in one pass", () => {
    const many = Array.from({ length: 200_000 }, (_, i) => ({ minTime: 10 * i, maxTime: 10 * i + 5 }));
    const decoded = decodeTombstones(encodeTombstones(new Map([[1, many.toReversed()]])));
    expect(decoded.get(1)).toEqual(many);
  });

  test("that are damaged are an error", () => {
    const bytes = encodeTombstones(new Map([[300, [{ minTime: -1, maxTime: 64 }]]]));
    for (let offset = 0; offset < bytes.length; offset++) {
      const damaged = bytes.slice();
      damaged[offset]! ^= 4;
      expect(() => decodeTombstones(damaged)).toThrow("cannot decode tombstones");
    }
    expect(() => decodeTombstones(bytes.subarray(0, 8))).toThrow("only 8 bytes");
  });
});
