import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { FlowList, printYaml } from "../../src/config/go-yaml.ts";

describe("a string in YAML", () => {
  // As Prometheus 2.42 showed these external labels in its own configuration.
  test.each([
    ["1", '"1"'],
    ["!x", "'!x'"],
    ["&x", "'&x'"],
    ["@x", "'@x'"],
    ["`x", "'`x'"],
    [",x", "',x'"],
    ["[x", "'[x'"],
    ["x]", "x]"],
    ["o", "o"],
    ["on", '"on"'],
    ["y", '"y"'],
    ["=", "="],
    ["<<", "<<"],
    [".5", '".5"'],
    ["1_000", '"1_000"'],
    ["a,b", "a,b"],
    ["\x01", '"\\x01"'],
    [":x", ":x"],
    ["x:", "'x:'"],
    ["0o17", '"0o17"'],
    ["017", '"017"'],
    ["+1", '"+1"'],
    [".inf", '".inf"'],
    ["NaN", "NaN"],
    ["-", "'-'"],
    ["---", "'---'"],
    ["|x", "'|x'"],
    ['tr"ue', 'tr"ue'],
    ["x: y", "'x: y'"],
    ["# no", "'# no'"],
    ["", '""'],
    ["it's", "it's"],
    ["multi\nline", "|-\n    multi\n    line"],
    ["é😀", '"é\\U0001F600"'],
    ["tab\there", '"tab\\there"'],
    ["-5m", "-5m"],
    ["null", '"null"'],
    ["1e3", '"1e3"'],
    ["{{x}}", "'{{x}}'"],
    [" lead", "' lead'"],
    ["trail ", "'trail '"],
    ["a #b", "'a #b'"],
    ["*", "'*'"],
    ["12:30", '"12:30"'],
    ["2001-01-01", '"2001-01-01"'],
    ["0x1F", '"0x1F"'],
    ["~", '"~"'],
    ["?x", "?x"],
    ["- x", "'- x'"],
    ["a: b: c", "'a: b: c'"],
    ["%x", "'%x'"],
  ])("%j stands as %s", (text, printed) => {
    expect(printYaml(new Map([["k", new Map([["s", text]])]]))).toBe(`k:\n  s: ${printed}\n`);
  });

  test("is itself again when read, whatever it is", () => {
    const anyText = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.string({ unit: fc.constantFrom(..."aA01 \n\t:-#'\"\\{}[],&*!|>%@`~?.$") }),
    );
    fc.assert(
      fc.property(anyText, fc.array(anyText), (text, items) => {
        const printed = printYaml(
          new Map<string, string | string[] | FlowList>([
            ["text", text],
            ["list", items],
            ["flow", new FlowList(items)],
          ]),
        );
        expect(parse(printed, { schema: "failsafe" })).toEqual({ text, list: items, flow: items });
      }),
      { numRuns: 2_000 },
    );
  });
});

test("lists aren't indented, maps by two blanks, and what is empty says so", () => {
  const printed = printYaml(
    new Map<string, never>(
      Object.entries({
        list: [
          new Map<string, unknown>(Object.entries({ a: [1, 2], b: new Map([["c", true]]) })),
          "x",
          [["y"]],
        ],
        none: [],
        nothing: new Map(),
        missing: null,
        number: 0.5,
        big: 1e21,
      }) as [string, never][],
    ),
  );
  expect(printed).toBe(
    `list:\n- a:\n  - 1\n  - 2\n  b:\n    c: true\n- x\n- - - "y"\nnone: []\nnothing: {}\nmissing: null\nnumber: 0.5\nbig: 1e+21\n`,
  );
});
