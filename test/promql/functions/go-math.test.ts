import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as go from "../../../src/promql/functions/go-math.ts";

/** How many floats lie between two of the same sign. */
function ulpsApart(a: number, b: number): number {
  if (Object.is(a, b) || (a === 0 && b === 0)) return 0;
  const bits = new BigInt64Array(Float64Array.of(a, b).buffer);
  return Math.abs(Number(bits[0]! - bits[1]!));
}

const size = (min: number, max: number) => fc.double({ min, max, noNaN: true });
const cases: readonly (readonly [
  string,
  (x: number) => number,
  (x: number) => number,
  fc.Arbitrary<number>,
])[] = [
  ["ln", go.ln, Math.log, size(1e-300, 1e300)],
  ["log2", go.log2, Math.log2, size(1e-300, 1e300)],
  ["log10", go.log10, Math.log10, size(1e-300, 1e300)],
  ["exp", go.exp, Math.exp, size(-700, 700)],
  ["exp2", go.exp2, (x) => 2 ** x, size(-1000, 1000)],
  ["asin", go.asin, Math.asin, size(-1, 1)],
  ["atan", go.atan, Math.atan, size(-1e6, 1e6)],
  ["sinh", go.sinh, Math.sinh, size(-700, 700)],
  ["cosh", go.cosh, Math.cosh, size(-700, 700)],
  ["tanh", go.tanh, Math.tanh, size(-100, 100)],
  ["asinh", go.asinh, Math.asinh, size(-1e9, 1e9)],
  ["acosh", go.acosh, Math.acosh, size(1, 1e9)],
  ["atanh", go.atanh, Math.atanh, size(-1, 1)],
  ["sin near zero", go.sin, Math.sin, size(-3, 3)],
  ["cos near zero", go.cos, Math.cos, size(-1.5, 1.5)],
];

describe("Go's mathematics", () => {
  test.each(cases)("%s is within a few digits of the last of V8's", (_, ours, v8, arguments_) => {
    fc.assert(
      fc.property(arguments_, (x) => {
        expect(ulpsApart(ours(x), v8(x))).toBeLessThanOrEqual(16);
      }),
      { numRuns: 500 },
    );
  });

  // As Prometheus 2.42 answers on amd64.
  test.each([
    ["log10(10)", go.log10(10), 1],
    ["log10(71.34)", go.log10(71.34), 1.8533331050023352],
    ["ln(43.41)", go.ln(43.41), 3.770689829311502],
    ["exp(7.25)", go.exp(7.25), 1408.1048482046956],
    ["463.3 ^ 1.7", go.pow(463.3, 1.7), 34038.147063668395],
    ["2 ^ 2.66", go.pow(2, 2.66), 6.320330494907018],
    ["sinh(1.3)", go.sinh(1.3), 1.698382437292616],
    ["tanh(0.4)", go.tanh(0.4), 0.3799489622552249],
    ["asinh(12.5)", go.asinh(12.5), 3.220471998464453],
    ["atanh(0.3)", go.atanh(0.3), 0.30951960420311175],
    ["sin(10)", go.sin(10), -0.5440211108893699],
    ["cos(100)", go.cos(100), 0.8623188722876839],
    ["tan(77.7)", go.tan(77.7), -1.115220182673068],
    ["asin(0.47)", go.asin(0.47), 0.4892907780141157],
    ["acos(0.9)", go.acos(0.9), 0.45102681179626236],
    ["atan(10)", go.atan(10), 1.4711276743037345],
  ])("%s has Go's digits", (_, got, expected) => {
    expect(got).toBe(expected);
  });

  test.each([
    [2, 10, 1024],
    [2, -1074, 5e-324],
    [-2, 3, -8],
    [-8, 1 / 3, NaN],
    [0, -1, Infinity],
    [-0, -3, -Infinity],
    [1, NaN, 1],
    [-1, Infinity, 1],
    [0.5, Infinity, 0],
    [Infinity, -2, 0],
    [10, 309, Infinity],
    [3, 0, 1],
  ])("pow(%d, %d) is %d", (x, y, expected) => {
    expect(go.pow(x, y)).toBe(expected);
  });

  test("frexp and ldexp undo each other, subnormal numbers included", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (x) => {
        const { mantissa, exponent } = go.frexp(x);
        expect(go.ldexp(mantissa, exponent)).toBe(x);
        if (x !== 0 && Number.isFinite(x)) {
          expect(Math.abs(mantissa)).toBeGreaterThanOrEqual(0.5);
          expect(Math.abs(mantissa)).toBeLessThan(1);
        }
      }),
    );
  });

  test("what is no number or beyond all stays so", () => {
    expect([go.exp(800), go.exp(-800), go.exp(NaN)]).toEqual([Infinity, 0, NaN]);
    expect([go.ln(0), go.ln(-1), go.ln(Infinity)]).toEqual([-Infinity, NaN, Infinity]);
    expect([go.acosh(0.5), go.atanh(1), go.atanh(-1), go.asin(2)]).toEqual([NaN, Infinity, -Infinity, NaN]);
    expect(go.sin(Infinity)).toBeNaN();
    expect(Object.is(go.sin(-0), -0)).toBe(true);
  });
});
