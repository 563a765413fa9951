import fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, test } from "vitest";
import { AnchoredRegexp, SearchRegexp, expandTemplate } from "../../src/model/regexp.ts";

/** What RE2 alone says, without any of the shortcuts. */
function oracle(pattern: string, value: string): boolean {
  return RE2JS.compile(`^(?s:${pattern})$`).testExact(value);
}

const patternText = fc
  .array(
    fc.constantFrom(
      ...[
        "a",
        "b",
        "ab",
        "é",
        "😀",
        ".",
        ".*",
        ".+",
        ".*?",
        "a?",
        "(a|b)",
        "(?:ab|)",
        "(a",
        ")",
        "|",
        "[ab]",
        "[a-c]",
        "[^a]",
      ],
      ...[
        "\\.",
        "\\d",
        "^",
        "$",
        "*",
        "+",
        "?",
        "{2}",
        "(?i)a",
        "\\Qa\\E",
        "\n",
        "(|b.*)",
        "(a.+b)?",
        "(.*)",
      ],
    ),
    { maxLength: 7 },
  )
  .map((parts) => parts.join(""));

const valueText = fc
  .array(fc.constantFrom("a", "b", "c", "ab", "é", "😀", ".", "\n", "1", "A"), { maxLength: 8 })
  .map((parts) => parts.join(""));

describe("an anchored regular expression", () => {
  test("answers as RE2 does, whichever way it takes", () => {
    fc.assert(
      fc.property(patternText, fc.array(valueText, { minLength: 1, maxLength: 12 }), (pattern, values) => {
        let valid = true;
        try {
          RE2JS.compile(pattern);
        } catch {
          valid = false;
        }
        if (!valid) {
          expect(() => AnchoredRegexp.compile(pattern)).toThrow("error parsing regexp");
          return;
        }
        const regexp = AnchoredRegexp.compile(pattern);
        for (const value of values) {
          const expected = oracle(pattern, value);
          expect([pattern, value, regexp.matches(value)]).toEqual([pattern, value, expected]);
          expect(regexp.matches(value)).toBe(expected);
          expect(regexp.capture(value) !== null).toBe(expected);
          if (expected) expect(value.startsWith(regexp.prefix)).toBe(true);
          if (regexp.setMatches !== null) expect(regexp.setMatches.includes(value)).toBe(expected);
        }
        for (const value of regexp.setMatches ?? [])
          expect([value, oracle(pattern, value)]).toEqual([value, true]);
      }),
      { numRuns: 3_000 },
    );
  });

  test.each([
    ["foo", ["foo"], "foo"],
    ["", [""], ""],
    ["foo|bar", ["foo", "bar"], ""],
    ["(foo|foe)", ["foo", "foe"], "fo"],
    ["^(?:foo|foe)$", ["foo", "foe"], "fo"],
    ["(200|404)\\.html", ["200.html", "404.html"], ""],
    ["node[12]", ["node1", "node2"], "node"],
    ["https?", ["https", "http"], "http"],
    ["api-.*", null, "api-"],
    ["api-[0-9]+", null, "api-"],
    ["api-\\d+|api-x", null, "api-"],
    [".*", null, ""],
    [".+x", null, ""],
    ["(?i)foo", null, ""],
    ["a|", ["a", ""], ""],
  ] as const)("%s is known to match %j and to begin with %j", (pattern, setMatches, prefix) => {
    const regexp = AnchoredRegexp.compile(pattern);
    expect(regexp.setMatches).toEqual(setMatches);
    expect(regexp.prefix).toBe(prefix);
  });

  test("a long list of alternatives is still a set", () => {
    const names = Array.from({ length: 5_000 }, (_, i) => `pod-${i}`);
    const regexp = AnchoredRegexp.compile(`(${names.join("|")})`);
    expect(regexp.setMatches).toEqual(names);
    expect([regexp.matches("pod-4999"), regexp.matches("pod-5000")]).toEqual([true, false]);
  });

  test("remembers answers without growing for ever and stays right", () => {
    const regexp = AnchoredRegexp.compile("x[0-9]*7");
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 6_000; i++) expect(regexp.matches(`x${i}`)).toBe(i % 10 === 7);
    }
  });

  test.each([
    ["(", "error parsing regexp: missing closing ): `(`"],
    ["a)|(b", "error parsing regexp: unexpected ): `a)|(b`"],
    ["*", "error parsing regexp: missing argument to repetition operator: `*`"],
    ["[b-a]", "error parsing regexp: invalid character class range: `b-a`"],
    ["a**", "error parsing regexp: invalid nested repetition operator: `**`"],
  ])("the pattern %s is refused with RE2's text", (pattern, message) => {
    expect(() => AnchoredRegexp.compile(pattern)).toThrow(message);
  });

  test("a pattern that makes backtrackers explode is answered at once", () => {
    expect(AnchoredRegexp.compile("(a+)+b").matches("a".repeat(5_000))).toBe(false);
  });
});

describe("expanding a template", () => {
  test.each([
    ["$1", "x"],
    ["${1}", "x"],
    ["$1x", ""],
    ["${1}x", "xx"],
    ["$name-$2", "y-"],
    ["${name}", "y"],
    ["$$1", "$1"],
    ["$", "$"],
    ["a$-b", "a$-b"],
    ["${", "${"],
    ["${}", "${}"],
    ["${1", "${1"],
    ["${1-}", "${1-}"],
    ["$&$`$'", "$&$`$'"],
    ["$0", "xy"],
    ["$01", ""],
    ["$9", ""],
    ["$3é", ""],
    ["no reference", "no reference"],
  ])("%s gives %j", (template, expected) => {
    const captures = { groups: ["xy", "x", null, "y"], names: { name: 3 } };
    expect(expandTemplate(template, captures)).toBe(expected);
  });

  test("uses the groups of the whole-value match", () => {
    const regexp = AnchoredRegexp.compile("(a|ab)(?P<rest>c|bcd)?");
    expect(regexp.expand("abcd", "$1-$rest")).toBe("a-bcd");
    expect(regexp.expand("xabcd", "$1")).toBeNull();
    expect(AnchoredRegexp.compile("(.*)").expand("v\n1", "<$1>")).toBe("<v\n1>");
    expect(AnchoredRegexp.compile("(foo|bar)-(.*)").expand("bar-7", "$2/$1")).toBe("7/bar");
  });
});

describe("searching a text", () => {
  test("finds a pattern anywhere", () => {
    expect(new SearchRegexp("b+").occursIn("abba")).toBe(true);
    expect(new SearchRegexp("^b").occursIn("abba")).toBe(false);
    expect(new SearchRegexp("a.b").occursIn("a\nb")).toBe(false);
  });

  test.each([
    ["a*", "baac", "x", "xbxcx"],
    ["(a)(b)?", "abac", "[$1$2]", "[ab][a]c"],
    ["b", "abba", "$$", "a$$a"],
    ["", "é😀", "-", "-é-😀-"],
    ["z", "abc", "x", "abc"],
  ])("replaces %s in %s by %s", (pattern, text, template, expected) => {
    expect(new SearchRegexp(pattern).replaceAll(text, template)).toBe(expected);
  });
});
