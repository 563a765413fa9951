import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter, MAX_INT64, MIN_INT64 } from "../../src/tsdb/varint.ts";

function plainUvarint(value: bigint): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80n; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
  return [...bytes, Number(value)];
}

function written(write: (writer: ByteWriter) => void): number[] {
  const writer = new ByteWriter(1);
  write(writer);
  return [...writer.written()];
}

const exact = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -70, max: 70 }));

describe("integers of the file formats", () => {
  test("uvarint is LEB128, both ways", () => {
    fc.assert(
      fc.property(exact, (signed) => {
        const value = Math.abs(signed);
        const bytes = written((writer) => writer.uvarint(value));
        expect(bytes).toEqual(plainUvarint(BigInt(value)));
        expect(new ByteReader(Uint8Array.from(bytes)).uvarint()).toBe(value);
      }),
    );
  });

  test("varint is zigzag LEB128, both ways", () => {
    fc.assert(
      fc.property(exact, (value) => {
        const big = BigInt(value);
        const zigzag = BigInt.asUintN(64, (big << 1n) ^ (big >> 63n));
        const bytes = written((writer) => writer.varint(value));
        expect(bytes).toEqual(plainUvarint(zigzag));
        expect(new ByteReader(Uint8Array.from(bytes)).varint()).toBe(value);
      }),
    );
  });

  test("the ends of int64 are written exactly", () => {
    expect(written((writer) => writer.varint(MIN_INT64))).toEqual(plainUvarint(2n ** 64n - 1n));
    expect(written((writer) => writer.varint(MAX_INT64))).toEqual(plainUvarint(2n ** 64n - 2n));
    expect(written((writer) => writer.i64(MIN_INT64))).toEqual([0x80, 0, 0, 0, 0, 0, 0, 0]);
    expect(written((writer) => writer.i64(MAX_INT64))).toEqual([0x7f, 255, 255, 255, 255, 255, 255, 255]);
    const reader = new ByteReader(
      Uint8Array.from([...plainUvarint(2n ** 64n - 1n), ...plainUvarint(2n ** 64n - 2n)]),
    );
    expect(reader.varint()).toBe(MIN_INT64);
    expect(reader.varint()).toBe(MAX_INT64);
  });

  test("fixed-width integers are big-endian, both ways", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const view = new DataView(new ArrayBuffer(8));
        view.setBigInt64(0, BigInt(value));
        const bytes = written((writer) => writer.i64(value));
        expect(bytes).toEqual([...new Uint8Array(view.buffer)]);
        expect(new ByteReader(Uint8Array.from(bytes)).i64()).toBe(value);
      }),
    );
    expect(written((writer) => writer.u64(2 ** 40 + 5))).toEqual([0, 0, 1, 0, 0, 0, 0, 5]);
  });

  test("strings carry their length in bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
        const bytes = written((writer) => writer.string(text));
        const encoded = [...new TextEncoder().encode(text)];
        expect(bytes).toEqual([...plainUvarint(BigInt(encoded.length)), ...encoded]);
        expect(new ByteReader(Uint8Array.from(bytes)).string()).toBe(text);
      }),
    );
  });

  test("the bits of a float survive, a staleness marker's too", () => {
    const bytes = written((writer) => writer.f64Words(0x7ff00000, 2));
    expect(bytes).toEqual([0x7f, 0xf0, 0, 0, 0, 0, 0, 2]);
    const words = new Uint32Array(4);
    new ByteReader(Uint8Array.from(bytes)).f64Words(words, 1);
    expect([...words]).toEqual([0, 0, 2, 0x7ff00000]);
  });

  test("reading past the end, or a number of more than 64 bits, is an error", () => {
    const short = new ByteReader(Uint8Array.of(0x80));
    expect(() => short.uvarint()).toThrow("cannot read 1 bytes at byte 0: only 1 left");
    expect(() => new ByteReader(new Uint8Array(3)).u32()).toThrow("only 3 left");
    expect(() => new ByteReader(Uint8Array.of(5, 97)).string()).toThrow(
      "cannot read 5 bytes at byte 1: only 1 left",
    );
    const long = Uint8Array.from([...new Array<number>(10).fill(0xff), 1]);
    expect(() => new ByteReader(long).varint()).toThrow("longer than 64 bits");
  });
});
