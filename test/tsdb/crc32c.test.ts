import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32c, crc32cBySlices } from "../../src/tsdb/crc32c.ts";

/** The definition, bit by bit. */
function plainCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe("crc32c", () => {
  test("gives the check value of the Castagnoli polynomial", () => {
    expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(0))).toBe(0);
  });

  test("equals the definition for any part of any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(200), (bytes, a, b) => {
        const start = Math.min(a, b, bytes.length);
        const end = Math.min(Math.max(a, b), bytes.length);
        expect(crc32c(bytes, start, end)).toBe(plainCrc(bytes.subarray(start, end)));
      }),
    );
  });

  test("continues from the checksum of what came before", () => {
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i * 7);
    expect(crc32c(bytes, 33, 100, crc32c(bytes, 0, 33))).toBe(crc32c(bytes));
  });

  test("gives the same for large buffers, which the native function takes where it is installed", () => {
    const bytes = Uint8Array.from({ length: 100_003 }, (_, i) => (i * i) >>> 3);
    expect(crc32c(bytes)).toBe(crc32cBySlices(bytes, 0, bytes.length, 0));
    expect(crc32c(bytes, 5, bytes.length, 77)).toBe(crc32cBySlices(bytes, 5, bytes.length, 77));
  });
});
