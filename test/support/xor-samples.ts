import fc from "fast-check";
import type { OracleSample } from "../oracles/xor-chunk-oracle.ts";

const FLOAT = new DataView(new ArrayBuffer(8));

/** The bits of a number that is no NaN. */
export function bitsOf(value: number): bigint {
  FLOAT.setFloat64(0, value);
  return FLOAT.getBigUint64(0);
}

const STALE_BITS = 0x7ff0000000000002n;

const anyDelta = fc.oneof(
  { weight: 6, arbitrary: fc.constant(15000) },
  { weight: 3, arbitrary: fc.integer({ min: 14990, max: 15010 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(1, 15000 + 8192, 15000 - 8191, 15000 + 8193, 80536, 80537, 539288, 539289),
  },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 ** 34 }) },
);

/** Values as they come: equal ones, counters, gauges, any bits at all, staleness markers. */
export const anyBits = fc.oneof(
  { weight: 4, arbitrary: fc.constant(bitsOf(1)) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 100000 }).map(bitsOf) },
  { weight: 2, arbitrary: fc.double({ noNaN: true }).map(bitsOf) },
  { weight: 1, arbitrary: fc.constant(STALE_BITS) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
);

/** 1 to 130 samples ascending in time. */
export function anySamples(startTimes: fc.Arbitrary<number> = fc.integer({ min: -(2 ** 40), max: 2 ** 42 })) {
  return fc
    .tuple(startTimes, fc.array(fc.tuple(anyDelta, anyBits), { minLength: 1, maxLength: 130, size: "max" }))
    .map(([start, steps]): OracleSample[] => {
      let timeMs = BigInt(start);
      return steps.map(([delta, bits]) => {
        timeMs += BigInt(delta);
        return { timeMs, bits };
      });
    });
}
