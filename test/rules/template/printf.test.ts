import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatFloat } from "../../../src/rules/template/format-float.ts";
import { sprint, sprintf } from "../../../src/rules/template/printf.ts";
import { ListValue, MapValue, type Value } from "../../../src/rules/template/value.ts";

const list = new ListValue(["a", "b", "c"], "[]interface {}");
const map = MapValue.of(
  [
    ["k2", "v2"],
    ["k1", "v1"],
  ],
  "map[string]interface {}",
);

// Checked against Go's fmt.
describe("printf prints as Go does", () => {
  test.each<[string, Value[], string]>([
    ["%d %s %v %q %5.2f|%-5d|%05d", [3n, "s", 1.5, "q", 3.14159, 42n, 42n], '3 s 1.5 "q"  3.14|42   |00042'],
    ["%x %X %t %c %U %#U", [255n, 255n, true, 120n, 121n, 0x2318n], "ff FF true x U+0079 U+2318 '⌘'"],
    ["%b %o %O %#o %#b %#x %x", [5n, 8n, 8n, 8n, 5n, 255n, -255n], "101 10 0o10 010 0b101 0xff -ff"],
    ["%+d|% d|%+.1f|%08.3f|%6.2f%%", [5n, 5n, 1.25, 3.14159, 12.345], "+5| 5|+1.2|0003.142| 12.35%"],
    ["%e %E %g %G", [1234.5678, 0.00001, 1e21, 1e-7], "1.234568e+03 1.000000E-05 1e+21 1E-07"],
    [
      "%f %.0f %.0f %.2g %.10g %g %g %#g",
      [1, 2.5, 3.5, 123, 123, 100000, 1000000, 1],
      "1.000000 2 4 1.2e+02 123 100000 1e+06 1.00000",
    ],
    ["%v %v %v %v", [Infinity, -Infinity, NaN, -0], "+Inf -Inf NaN -0"],
    ["%5v|%-5v|%05v|%+v", [Infinity, NaN, -Infinity, NaN], " +Inf|NaN  | -Inf|+NaN"],
    ["%x %b", [1.5, 1.5], "0x1.8p+00 6755399441055744p-52"],
    [
      "%.3s|%10s|%-10s|%x|% X|%#x",
      ["abcdef", "ab", "ab", "hello", "hi", "hi"],
      "abc|        ab|ab        |68656c6c6f|68 69|0x6869",
    ],
    ["%q %#q %+q %q", ["é\n", "raw", "é", 97n], '"é\\n" `raw` "\\u00e9" \'a\''],
    [
      "%v %v %s %d",
      [list, map, list, list],
      "[a b c] map[k1:v1 k2:v2] [a b c] [%!d(string=a) %!d(string=b) %!d(string=c)]",
    ],
    [
      "%T %T %T %T %T %T %T",
      [1n, 1, "a", true, list, map, null],
      "int float64 string bool []interface {} map[string]interface {} <nil>",
    ],
    ["%#v %#v", ["s", 1n], '"s" 1'],
    ["%[2]d %[1]d %d", [1n, 2n], "2 1 2"],
    ["%*d|%-*d|%.*f", [5n, 1n, 5n, 2n, 2n, 3.14159], "    1|2    |3.14"],
    ["%6v|%-6v|%06v|%6d", [true, false, 12n, -3n], "  true|false |000012|    -3"],
  ])("%s, case %#", (format, args, expected) => expect(sprintf(format, args)).toBe(expected));
});

describe("printf tells what is wrong in its output", () => {
  test.each<[string, Value[], string]>([
    ["%d", ["x"], "%!d(string=x)"],
    ["%s", [3n], "%!s(int=3)"],
    ["%d", [1.5], "%!d(float64=1.5)"],
    ["%z", [1n], "%!z(int=1)"],
    ["%d", [], "%!d(MISSING)"],
    ["x", [1n, 2.5, "a", null], "x%!(EXTRA int=1, float64=2.5, string=a, <nil>)"],
    ["%", [], "%!(NOVERB)"],
    ["%!", [], "%!!(MISSING)"],
    ["%[3]d", [1n], "%!d(BADINDEX)"],
    ["%*d", ["w", 1n], "%!(BADWIDTH)1"],
    ["%s %v %d", [null, null, null], "%!s(<nil>) <nil> %!d(<nil>)"],
    ["%t", [1n], "%!t(int=1)"],
  ])("%s, case %#", (format, args, expected) => expect(sprintf(format, args)).toBe(expected));
});

test("print puts blanks only between two values that are no strings", () => {
  expect(sprint([1n, 2n, "a", "b", 3n, 4.5, true, null])).toBe("1 2ab3 4.5 true <nil>");
});

describe("floats", () => {
  test("round half to even where JavaScript would round up", () => {
    expect(formatFloat(12345, "g", 4)).toBe("1.234e+04");
    expect(formatFloat(12355, "g", 4)).toBe("1.236e+04");
    expect(formatFloat(0.5, "f", 0)).toBe("0");
    expect(formatFloat(1.5, "f", 0)).toBe("2");
    expect(formatFloat(999.95, "f", 1)).toBe("1000.0");
    expect(formatFloat(9.996, "e", 2)).toBe("1.00e+01");
  });

  test("have all their digits however small or large they are", () => {
    expect(formatFloat(5e-324, "e", 3)).toBe("4.941e-324");
    expect(formatFloat(1.7976931348623157e308, "f", 0)).toBe(BigInt(1.7976931348623157e308).toString());
  });

  test("in their shortest form read back as themselves", () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom("e", "f", "g"),
        (value, form) => {
          expect(Number(formatFloat(value, form as "e" | "f" | "g", -1))).toBe(value);
        },
      ),
    );
  });

  test("with a precision agree with JavaScript where there is no tie", () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer({ min: 0, max: 20 }),
        (value, digits) => {
          const [mantissa, exponent] = value.toExponential(digits).split("e") as [string, string];
          const exact = value.toExponential(Math.min(100, digits + 60));
          // A tie is what JavaScript rounds another way.
          fc.pre(!/50{50,}e/.test(exact));
          const power = `${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
          const sign = Object.is(value, -0) ? "-" : "";
          expect(formatFloat(value, "e", digits)).toBe(`${sign}${mantissa}e${power}`);
        },
      ),
    );
  });
});
