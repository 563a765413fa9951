import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDecimal, formatGeneral, formatSignificant } from "../../src/model/format-float.ts";

describe("a decimal number", () => {
  test("never has an exponent", () => {
    expect(
      [0, -0, 1, -1.5, 1e6, 1.2e-5, 1e23, 123456.789, 5e-324, Infinity, -Infinity, NaN].map(formatDecimal),
    ).toEqual([
      "0",
      "-0",
      "1",
      "-1.5",
      "1000000",
      "0.000012",
      "100000000000000000000000",
      "123456.789",
      `0.${"0".repeat(323)}5`,
      "+Inf",
      "-Inf",
      "NaN",
    ]);
  });

  test("reads back as the same number", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(formatDecimal(value)).not.toMatch(/e/);
        expect(Object.is(Number(formatDecimal(value)), value)).toBe(true);
      }),
    );
  });
});

describe("a general number", () => {
  test("has an exponent of two digits below 0.0001 and from a million on", () => {
    expect(
      [0, -0, 999999, 1e6, 1234567, 0.0001, 0.00001, -1.5e-7, 1e100, Infinity, NaN].map(formatGeneral),
    ).toEqual([
      "0",
      "-0",
      "999999",
      "1e+06",
      "1.234567e+06",
      "0.0001",
      "1e-05",
      "-1.5e-07",
      "1e+100",
      "+Inf",
      "NaN",
    ]);
  });
});

describe("a number of two significant digits", () => {
  test("drops trailing zeros and has an exponent where its digits don't reach the point", () => {
    expect(
      [0, 12, 5, 100, 126, 0.00012, 0.0000126, 1.04, 9.96, -3.14159].map((value) =>
        formatSignificant(value, 2),
      ),
    ).toEqual(["0", "12", "5", "1e+02", "1.3e+02", "0.00012", "1.3e-05", "1", "10", "-3.1"]);
  });
});
