import fc from "fast-check";
import snappyjs from "snappyjs";
import { describe, expect, test } from "vitest";
import { MAX_SNAPPY_BYTES, SnappyKernel } from "../../src/kernels/index.ts";

const kernel = new SnappyKernel();

const compressed = (bytes: Uint8Array) => Buffer.from(kernel.compress(bytes));

/** What follows the length, which takes a byte for each 7 bits. */
function elements(block: Uint8Array): Uint8Array {
  return block.subarray(block.findIndex((byte) => byte < 128) + 1);
}

/** Bytes that repeat themselves, near and far, and some that don't. */
const repetitive = fc
  .array(
    fc.oneof(
      fc.record({ fresh: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
      fc.record({ back: fc.integer({ min: 1, max: 100_000 }), length: fc.integer({ min: 1, max: 90_000 }) }),
      fc.record({ back: fc.integer({ min: 1, max: 20 }), length: fc.integer({ min: 1, max: 80 }) }),
    ),
    { maxLength: 40 },
  )
  .map((parts) => {
    const bytes = new Uint8Array(MAX_SNAPPY_BYTES);
    let size = 0;
    for (const part of parts) {
      if ("fresh" in part) {
        if (size + part.fresh.length > bytes.length) continue;
        bytes.set(part.fresh, size);
        size += part.fresh.length;
      } else {
        const end = Math.min(size + part.length, bytes.length);
        for (const back = Math.min(part.back, size); back > 0 && size < end; size++)
          bytes[size] = bytes[size - back]!;
      }
    }
    return bytes.subarray(0, size);
  });

describe("the snappy kernel", () => {
  test("makes blocks that another reader takes apart again", () => {
    fc.assert(
      fc.property(fc.oneof(repetitive, fc.uint8Array({ maxLength: 3000 })), (bytes) => {
        const block = compressed(bytes);
        expect(Buffer.from(snappyjs.uncompress(block)).equals(bytes)).toBe(true);
        expect(Buffer.from(kernel.decompress(elements(block), bytes.length)!).equals(bytes)).toBe(true);
      }),
    );
  });

  test("takes apart the blocks of another writer", () => {
    fc.assert(
      fc.property(repetitive, (bytes) => {
        const block = new Uint8Array(snappyjs.compress(bytes));
        expect(Buffer.from(kernel.decompress(elements(block), bytes.length)!).equals(bytes)).toBe(true);
      }),
    );
  });

  test("compresses about as well as the other one", () => {
    const record = Buffer.alloc(60_000, "a series and its value, ");
    for (let at = 0; at + 8 < record.length; at += 11) record.writeDoubleLE(Math.floor(at ** 1.3) % 97, at);
    expect(kernel.compress(record).length).toBeLessThan(1.02 * snappyjs.compress(record).length);
    expect(kernel.compress(new Uint8Array(MAX_SNAPPY_BYTES)).length).toBeLessThan(MAX_SNAPPY_BYTES / 20);
  });

  test("lets what can't be compressed grow by some bytes only", () => {
    const bytes = new Uint8Array(MAX_SNAPPY_BYTES);
    for (let i = 0, state = 1; i < bytes.length; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      bytes[i] = state >>> 16;
    }
    const block = compressed(bytes);
    expect(block.length).toBeLessThan(bytes.length + 100);
    expect(Buffer.from(kernel.decompress(elements(block), bytes.length)!).equals(bytes)).toBe(true);
  });

  describe("refuses", () => {
    const refused = (size: number, ...bytes: number[]) =>
      kernel.decompress(Uint8Array.from(bytes), size) === null;
    const literal = (...bytes: number[]) => [(bytes.length - 1) << 2, ...bytes];

    test.each([
      ["fewer bytes than promised", 4, literal(1, 2, 3)],
      ["more bytes than promised", 2, literal(1, 2, 3)],
      ["a literal that is cut short", 3, [2 << 2, 1, 2]],
      ["a literal whose length is cut short", 3, [61 << 2, 1]],
      ["a literal of 4 GiB", 3, [63 << 2, 255, 255, 255, 255, 1, 2, 3]],
      ["a copy from before the start", 8, [...literal(1, 2, 3), 1 | (1 << 2), 4]],
      ["a copy from nowhere", 7, [...literal(1, 2, 3), 1, 0]],
      ["a copy that is cut short", 7, [...literal(1, 2, 3), 2 | (3 << 2), 1]],
      ["a copy from 4 GiB back", 7, [...literal(1, 2, 3), 3 | (3 << 2), 255, 255, 255, 255]],
      ["a copy beyond the end", 6, [...literal(1, 2, 3), 2 | (3 << 2), 1, 0]],
    ])("%s", (_what, size, bytes) => {
      expect(refused(size, ...bytes)).toBe(true);
    });

    test("nothing that is whole", () => {
      expect([
        ...kernel.decompress(Uint8Array.from([...literal(1, 2, 3), 3 | (3 << 2), 2, 0, 0, 0]), 7)!,
      ]).toEqual([1, 2, 3, 2, 3, 2, 3]);
      expect(kernel.decompress(new Uint8Array(0), 0)).toHaveLength(0);
    });

    test("any damaged block, or gives as many bytes as were promised", () => {
      fc.assert(
        fc.property(
          repetitive,
          fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
          (bytes, damages) => {
            const block = Buffer.from(elements(compressed(bytes)));
            for (const [at, byte] of damages) if (block.length > 0) block[at % block.length] = byte;
            expect(kernel.decompress(block, bytes.length)?.length ?? bytes.length).toBe(bytes.length);
          },
        ),
      );
    });
  });
});
