import { describe, expect, test } from "vitest";
import {
  everyParserOption,
  defaultParserOptions,
  parseExpr,
  parseMetricSelector,
  type ParserOptions,
} from "../../../src/promql/parse/index.ts";

function errorOf(query: string, options: ParserOptions = everyParserOption): string {
  try {
    parseExpr(query, options);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

type Table = readonly (readonly [query: string, message: string])[];

function checkAll(table: Table, options: ParserOptions = everyParserOption): void {
  for (const [query, message] of table) expect(errorOf(query, options), query).toBe(message);
}

describe("text that is made of no PromQL tokens is refused where the token starts", () => {
  test("in expressions", () => {
    checkAll([
      ["", "unknown position: parse error: no expression found in input"],
      [" ", "1:1: parse error: no expression found in input"],
      ["# nothing", "1:1: parse error: no expression found in input"],
      ["foo $", "1:5: parse error: unexpected character: '$'"],
      ["foo\n  é", "2:3: parse error: unexpected character: 'é'"],
      ['{a="é"} $', "1:10: parse error: unexpected character: '$'"],
      ["foo !", "1:5: parse error: unexpected character after '!': '\ufffd'"],
      ["foo =~ bar", "1:5: parse error: unexpected character after '=': '~'"],
      ["1)", "1:3: parse error: unexpected right parenthesis ')'"],
      ["(foo", "1:5: parse error: unclosed left parenthesis"],
      ["foo]", "1:4: parse error: unexpected right bracket ']'"],
      ["sum}", "1:4: parse error: unexpected character: '}'"],
    ]);
  });

  test("in braces", () => {
    checkAll([
      ["foo{a", "1:6: parse error: unexpected end of input inside braces"],
      ["foo{{", "1:5: parse error: unexpected left brace '{'"],
      ["foo{a!b}", "1:6: parse error: unexpected character after '!' inside braces: 'b'"],
      ["foo{a:b}", "1:6: parse error: unexpected character inside braces: ':'"],
    ]);
  });

  test("in brackets", () => {
    checkAll([
      ["foo[", "1:5: parse error: unexpected end of input in duration expression"],
      ["foo[5m", "1:7: parse error: unclosed left bracket"],
      ["foo[x]", "1:5: parse error: unexpected character in duration expression: 'x'"],
      ["foo[#x\n5m]", "1:5: parse error: unexpected character in duration expression: '#'"],
      ["foo[5m x]", "1:8: parse error: unexpected character: 'x', expected ':'"],
      ["foo[5m[", "1:7: parse error: unexpected left bracket '['"],
      ["foo[5m:1m:2m]", "1:10: parse error: unexpected colon ':'"],
      ["foo[step():1m]", "1:11: parse error: unexpected colon before duration in duration expression"],
      ["y[5m] + x[step()::1m]", "1:18: parse error: unexpected repeated colon in duration expression"],
    ]);
  });

  test("in strings", () => {
    checkAll([
      ['"abc', "1:1: parse error: unterminated quoted string"],
      ['"a\nb"', "1:1: parse error: unterminated quoted string"],
      ["`abc", "1:1: parse error: unterminated raw string"],
      ["'a\\cb'", "1:1: parse error: unknown escape sequence U+0063 'c'"],
      ["'a\\\"'", "1:1: parse error: unknown escape sequence U+0022 '\"'"],
      ["'\\x5z'", "1:1: parse error: illegal character U+007A 'z' in escape sequence"],
      ["'\\400'", "1:1: parse error: escape sequence is an invalid Unicode code point"],
      ["'\\ud800'", "1:1: parse error: escape sequence is an invalid Unicode code point"],
      ["'\\", "1:1: parse error: escape sequence not terminated"],
      ["'\ufffd'", "1:1: parse error: invalid UTF-8 rune"],
      ["`\ud83d`", "1:1: parse error: invalid UTF-8 rune"],
    ]);
  });

  test("in numbers and durations", () => {
    checkAll([
      ["1.5.2", '1:1: parse error: bad number or duration syntax: "1.5."'],
      ["1__0", '1:1: parse error: bad number or duration syntax: "1__"'],
      ["1_", '1:1: parse error: bad number or duration syntax: "1_"'],
      ["1_ + 1", '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1_": invalid syntax'],
      [
        "0x1F_ ",
        '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "0x1F_": invalid syntax',
      ],
      ["5mx", '1:1: parse error: bad number or duration syntax: "5mx"'],
      ["0x1.8", '1:1: parse error: bad number or duration syntax: "0x1."'],
      ["foo[5hs]", '1:5: parse error: unknown unit "hs" in duration "5hs"'],
      ["foo[5m1h]", '1:5: parse error: not a valid duration string: "5m1h"'],
      ["foo[300y]", "1:5: parse error: duration out of range"],
      ["1e+ ", '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e+": invalid syntax'],
      [
        "1e999",
        '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e999": value out of range',
      ],
    ]);
  });
});

describe("a token that may not stand there is named with what could", () => {
  test("alone", () => {
    checkAll([
      ["sum foo", '1:5: parse error: unexpected identifier "foo"'],
      ["foo a:b", '1:5: parse error: unexpected metric identifier "a:b"'],
      ["foo 5", '1:5: parse error: unexpected number "5"'],
      ["foo 5m", '1:5: parse error: unexpected duration "5m"'],
      ['foo "abcdefghijk"', '1:5: parse error: unexpected string "\\"abcdefghi"...'],
      ["foo BY", "1:5: parse error: unexpected <BY>"],
      ["foo Sum", "1:5: parse error: unexpected <aggr:Sum>"],
      ["foo start", '1:5: parse error: unexpected "start"'],
      ["* 2", "1:1: parse error: unexpected <op:*>"],
      ["foo = 2", '1:5: parse error: unexpected "="'],
      ["foo @ 5 @", "1:10: parse error: unexpected end of input in @, expected timestamp"],
      ["foo +", "1:6: parse error: unexpected end of input"],
      ["by(x)", '1:3: parse error: unexpected "("'],
      ["a:b(x)", '1:4: parse error: unexpected "("'],
    ]);
  });

  test("in its construct", () => {
    checkAll([
      ["sum(foo bar)", '1:9: parse error: unexpected identifier "bar" in aggregation'],
      ["sum by (a) foo", '1:12: parse error: unexpected identifier "foo" in aggregation'],
      ["sum by foo", '1:8: parse error: unexpected identifier "foo" in grouping opts, expected "("'],
      ["sum by (5) (x)", '1:9: parse error: unexpected number "5" in grouping opts, expected label'],
      [
        "sum by (a b) (x)",
        '1:11: parse error: unexpected identifier "b" in grouping opts, expected "," or ")"',
      ],
      ["foo{,}", '1:5: parse error: unexpected "," in label matching, expected identifier or "}"'],
      [
        "foo{a b}",
        '1:7: parse error: unexpected identifier "b" in label matching, expected label matching operator',
      ],
      ["foo{a=5}", "1:7: parse error: unexpected character inside braces: '5'"],
      ["foo{a=b}", '1:7: parse error: unexpected identifier "b" in label matching, expected string'],
      ['foo{a="b" c}', '1:11: parse error: unexpected identifier "c" in label matching, expected "," or "}"'],
      [
        "foo offset",
        "1:11: parse error: unexpected end of input in offset, expected number, duration, step(), or range()",
      ],
      [
        "foo[]",
        '1:5: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()',
      ],
      ["foo[5m 5m]", '1:8: parse error: unexpected duration "5m" in subquery or range, expected ":" or "]"'],
      ["foo[5m:)]", "1:9: parse error: unexpected right parenthesis ')'"],
      [
        "foo[5m:@]",
        '1:8: parse error: unexpected <op:@> in subquery selector, expected number, duration, step(), range(), or "]"',
      ],
      ["foo[5m:1m 1m]", '1:11: parse error: unexpected duration "1m" in subquery selector, expected "]"'],
      ["foo @ bar", '1:7: parse error: unexpected identifier "bar" in @, expected timestamp'],
    ]);
  });
});

describe("what is grammatical and yet makes no sense", () => {
  test("in calls and aggregations", () => {
    checkAll([
      ["bar(foo)", '1:1: parse error: unknown function with name "bar"'],
      ["STEP()", '1:1: parse error: unknown function with name "STEP"'],
      ["rate(foo[5m],)", "1:13: parse error: trailing commas not allowed in function call args"],
      [
        "rate(foo)",
        '1:6: parse error: expected type range vector in call to function "rate", got instant vector',
      ],
      ["rate()", '1:1: parse error: expected 1 argument(s) in call to "rate", got 0'],
      ["round(foo, 1, 2)", '1:1: parse error: expected at most 2 argument(s) in call to "round", got 3'],
      [
        "label_join(foo, 'a')",
        '1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 2',
      ],
      ["sum()", "1:1: parse error: no arguments for aggregate expression provided"],
      [
        "topk(foo)",
        "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1",
      ],
      ["sum(5)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar"],
      ["topk('x', foo)", "1:6: parse error: expected type scalar in aggregation parameter, got string"],
      ["sum by ('') (foo)", '1:9: parse error: invalid label name for grouping: ""'],
      ["info(foo, bar)", "1:11: parse error: expected label selectors only, got vector selector instead"],
      ["info(foo, -{a='b'})", "1:11: parse error: expected label selectors only"],
    ]);
  });

  test("in operators", () => {
    checkAll([
      ["1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"],
      ["foo + bool bar", "1:5: parse error: bool modifier can only be used on comparison operators"],
      [
        "foo * on(a) group_left(a) bar",
        '1:5: parse error: label "a" must not occur in ON and GROUP clause at once',
      ],
      [
        "foo + foo[5m]",
        "1:7: parse error: binary expression must contain only scalar and instant vector types",
      ],
      ["foo + on(a) 1", "1:1: parse error: vector matching only allowed between instant vectors"],
      ["foo and on(a) group_left bar", '1:1: parse error: no grouping allowed for "and" operation'],
      ["foo and 1", '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
      ["foo or fill(1) bar", "1:1: parse error: filling in missing series not allowed for set operators"],
      ["foo + fill(1) 1", "1:1: parse error: filling in missing series only allowed between instant vectors"],
      [
        "-'x'",
        '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "string"',
      ],
    ]);
  });

  test("in selectors", () => {
    checkAll([
      ["{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"],
      ['{a=~".*"}', "1:1: parse error: vector selector must contain at least one non-empty matcher"],
      ['foo{__name__="bar"}', '1:1: parse error: metric name must not be set twice: "foo" or "bar"'],
      ['{"foo","bar"}', '1:1: parse error: metric name must not be set twice: "foo" or "bar"'],
      ['foo{b="x",a=~"("}', "1:11: parse error: error parsing regexp: missing closing ): `(`"],
      ["(foo)[5m]", "1:6: parse error: ranges only allowed for vector selectors"],
      ["foo offset 1m[5m]", "1:14: parse error: no offset modifiers allowed before range"],
      ["foo @ 5 [5m]", "1:9: parse error: no @ modifiers allowed before range"],
      ["foo offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"],
      [
        "1 offset 1m",
        "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
      ],
      [
        "sum(foo) @ 5",
        "1:1: parse error: @ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
      ],
      ["foo @ 5 @ 5", "1:1: parse error: @ <timestamp> may not be set multiple times"],
      ["foo @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf"],
      ["foo[5m][5m]", "1:8: parse error: ranges only allowed for vector selectors"],
      ["foo[5m][5m:]", "1:1: parse error: subquery is only allowed on instant vector, got matrix instead"],
      ["foo anchored smoothed", "1:1: parse error: anchored and smoothed modifiers cannot be used together"],
      ["foo[5m:] anchored", "1:1: parse error: anchored modifier is not supported for subqueries"],
      ["sum(foo) smoothed", "1:1: parse error: smoothed modifier not implemented"],
    ]);
  });

  test("in durations", () => {
    checkAll([
      ["foo[0]", "1:5: parse error: duration must be greater than 0"],
      ["foo[-5m]", "1:5: parse error: duration must be greater than 0"],
      ["foo[5m/0]", "1:7: parse error: division by zero"],
      ["foo[5m%0s]", "1:7: parse error: modulo by zero"],
      ["foo[1e10]", "1:5: parse error: duration out of range"],
    ]);
  });

  test("is told by its first fault in the order of the text", () => {
    checkAll([
      ["bar(foo) ~", '1:1: parse error: unknown function with name "bar"'],
      ["foo[0] + bar(", "1:5: parse error: duration must be greater than 0"],
      ["1 == 1 +", "1:9: parse error: unexpected end of input"],
    ]);
  });
});

describe("what is experimental is refused unless it is enabled", () => {
  test("by name", () => {
    checkAll(
      [
        ["info(foo)", '1:1: parse error: function "info" is not enabled'],
        [
          "limitk(1, foo)",
          "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
        ],
        ["foo anchored", "1:1: parse error: anchored modifier is experimental and not enabled"],
        ["foo + fill(1) bar", "1:1: parse error: binop fill modifiers are experimental and not enabled"],
      ],
      defaultParserOptions,
    );
  });

  test("duration expressions, but not signed literals", () => {
    const options = { ...defaultParserOptions, durationExpressions: false };
    checkAll(
      [
        ["foo[5m+1m]", "1:5: parse error: experimental duration expression is not enabled"],
        ["foo[(5m)]", "1:6: parse error: experimental duration expression is not enabled"],
        ["foo[step()]", "1:5: parse error: experimental duration expression is not enabled"],
        ["foo offset -5m", ""],
        ["foo[+5m]", ""],
      ],
      options,
    );
  });
});

describe("hostile texts", () => {
  const n = 30_000;

  test("that nest without end are refused before the stack runs out", () => {
    for (const text of ["(".repeat(n), "abs(".repeat(n), "sum(".repeat(n), "foo[" + "(".repeat(n)]) {
      expect(errorOf(text)).toMatch(/nests deeper than/);
    }
  });

  test("that make a tree without end are refused", () => {
    for (const text of [
      `1${"+1".repeat(n)}`,
      `1${"^1".repeat(n)}`,
      `foo[1s${"+1s".repeat(n)}]`,
      `foo${"[1m:]".repeat(n)}`,
    ]) {
      expect(errorOf(text)).toMatch(/more than [0-9]+ levels/);
    }
  });

  test("a query of a thousand operators is not hostile", () => {
    expect(errorOf(`foo${" + foo".repeat(990)}`)).toBe("");
  });
});

describe("a selector for match[]", () => {
  test("gives its matchers, the name's among them", () => {
    const matchers = parseMetricSelector('up{job!="x"}').map(({ name, type, value }) => [name, type, value]);
    expect(matchers).toEqual([
      ["job", "!=", "x"],
      ["__name__", "=", "up"],
    ]);
  });

  test("is nothing more than a selector", () => {
    expect(() => parseMetricSelector("up[5m]")).toThrow('1:3: parse error: unexpected "["');
    expect(() => parseMetricSelector("up offset 5m")).toThrow("1:4: parse error: unexpected <offset>");
    expect(() => parseMetricSelector("")).toThrow("unknown position: parse error: unexpected end of input");
  });
});
