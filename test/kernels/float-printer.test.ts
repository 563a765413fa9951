import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FloatPrinter } from "../../src/kernels/index.ts";

const printer = new FloatPrinter();

function print(value: number): string {
  const count = printer.print(value);
  return Buffer.from(printer.text.subarray(0, count)).toString("latin1");
}

/** What JavaScript prints, with exponents of two digits. */
const expected = (value: number) => String(value).replace(/e([+-])(\d)$/, "e$10$2");

describe("the printer of floats", () => {
  test("prints what String does, but for short exponents", () => {
    const anyFloat = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => value !== 0);
    fc.assert(
      fc.property(anyFloat, (value) => {
        expect(print(value)).toBe(expected(value));
      }),
      { numRuns: 20_000 },
    );
  });

  test("prints numbers of any bits, of few decimals, and around powers of two and ten", () => {
    const words = new Uint32Array(2);
    const floats = new Float64Array(words.buffer);
    let state = 88_172_645_463_325n;
    const next = () => {
      state ^= (state << 13n) & 0xffffffffffffffffn;
      state ^= state >> 7n;
      state ^= (state << 17n) & 0xffffffffffffffffn;
      return state;
    };
    const wrong: string[] = [];
    const check = (value: number) => {
      if (!Number.isFinite(value) || value === 0) return;
      const text = print(value);
      if (text !== expected(value)) wrong.push(`${text} for ${expected(value)}`);
    };
    for (let i = 0; i < 200_000; i++) {
      const bits = next();
      words[0] = Number(bits & 0xffffffffn);
      words[1] = Number(bits >> 32n);
      check(floats[0]!);
      check(Number(bits >> 20n) / 10 ** Number(bits & 15n));
      check(Number(bits >> 11n));
      check(Number(bits & 0xffffffn) / 300);
    }
    for (let exponent = -1074; exponent < 1024; exponent++) {
      floats[0] = 2 ** exponent;
      check(floats[0]);
      words[0]!++;
      check(floats[0]);
      floats[0] = -(2 ** exponent);
      words[0]!--;
      check(floats[0]);
    }
    for (let exponent = -323; exponent <= 308; exponent++) {
      const power = Number(`1e${exponent}`);
      for (const factor of [1, 5, 9.999999999999999, 1.0000000000000002, 123456789]) check(power * factor);
    }
    expect(wrong).toEqual([]);
  });
});
