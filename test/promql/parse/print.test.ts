import { describe, expect, test } from "vitest";
import {
  everyParserOption,
  type DurationTerms,
  durationMilliseconds,
  exprToJson,
  type MatrixSelector,
  parseExpr,
  prettyExpr,
  printExpr,
  type VectorSelector,
} from "../../../src/promql/parse/index.ts";

const parse = (query: string) => parseExpr(query, everyParserOption);

describe("a printed expression", () => {
  const printed: readonly (readonly [query: string, text: string])[] = [
    ["1+2*3^ -2", "1 + 2 * 3 ^ -2"],
    ["010 + 0x1F + 1_000 + .5 + Inf", "8 + 31 + 1000 + 0.5 + +Inf"],
    ["1e21", "1000000000000000000000"],
    ["5m + 1h30m", "5m + 1h30m"],
    ["-5m", "-5m"],
    ["'it\\'s \"q\"'", '"it\'s \\"q\\""'],
    ["SUM BY(b,a,)(foo)", "sum by (b, a) (foo)"],
    ["sum(foo) without()", "sum without () (foo)"],
    ["sum by () (foo)", "sum(foo)"],
    ["topk(5,foo)", "topk(5, foo)"],
    ['sum by ("a b") (foo)', 'sum by ("a b") (foo)'],
    ["a+on(x)group_left(y)b", "a + on (x) group_left (y) b"],
    ["a+ignoring()b", "a + b"],
    ["a+ignoring()group_right b", "a + ignoring () group_right () b"],
    ["a==bool b", "a == bool b"],
    ["a + fill(1) b", "a + fill (1) b"],
    ["a + fill_right(-1) fill_left(1e6) b", "a + fill_left (1e+06) fill_right (-1) b"],
    ["a </ 5 >/ b", "a </ 5 >/ b"],
    ['foo{b="2",a=~"1",}', 'foo{a=~"1",b="2"}'],
    ['{__name__="foo"}', '{__name__="foo"}'],
    ['{"foo bar", "x y"!="z"}', '{"x y"!="z",__name__="foo bar"}'],
    ["foo offset 90m @ 1.5", "foo @ 1.500 offset 1h30m"],
    ["foo offset -1w @ start()", "foo @ start() offset -1w"],
    ["foo[1w] offset 8d smoothed @ 3", "foo[1w] smoothed @ 3.000 offset 8d"],
    ["foo offset 1m anchored", "foo anchored offset 1m"],
    ["foo[300]", "foo[5m]"],
    ["foo[1h:]", "foo[1h:]"],
    ["sum(foo)[1h:1m] @ end() offset 5m", "sum(foo)[1h:1m] @ end() offset 5m"],
    ["foo[STEP()+1m*2]", "foo[step() + 1m * 2]"],
    ["foo[-(+step()-5m)]", "foo[-(step() - 5m)]"],
    ["foo[min_of(5m,Step()):max_of(1,2)]", "foo[min_of(5m, step()):max_of(1, 2)]"],
    ["foo offset (step()*2)", "foo offset (step() * 2)"],
    ["(foo)", "(foo)"],
  ];

  test("is spaced, sorted and spelled in one way", () => {
    for (const [query, text] of printed) expect(printExpr(parse(query)), query).toBe(text);
  });
});

describe("what binds how tightly", () => {
  const same = (query: string, grouped: string) => {
    const withoutParens = (text: string) =>
      JSON.stringify(exprToJson(parse(text)), (_, value: { type?: string; expr?: unknown }) =>
        value?.type === "parenExpr" ? value.expr : value,
      );
    expect(withoutParens(query), query).toBe(withoutParens(grouped));
  };

  test("powers before signs, signs before products", () => {
    same("-a^b", "-(a^b)");
    same("-a*b", "(-a)*b");
    same("a^-b*c", "(a^(-b))*c");
    same("a^-b^c", "a^(-(b^c))");
    same("a^b^c", "a^(b^c)");
    same("a-b-c", "(a-b)-c");
  });

  test("and before or, comparison before both", () => {
    same("a or b and c == d", "a or (b and (c == d))");
    same("a unless b and c", "(a unless b) and c");
  });

  test("a modifier belongs to the nearest expression on its left", () => {
    const sum = exprToJson(parse("a + b @ 5")) as unknown as {
      lhs: { timestamp: unknown };
      rhs: { timestamp: unknown };
    };
    expect([sum.lhs.timestamp, sum.rhs.timestamp]).toEqual([null, 5000]);
  });

  test("an offset is one operand, but goes on behind bare parentheses", () => {
    expect(printExpr(parse("x offset 100 + 2"))).toBe("x offset 1m40s + 2");
    expect(printExpr(parse("x offset -2^2"))).toBe("x offset -2s ^ 2");
    expect(printExpr(parse("x offset step()*2"))).toBe("x offset step() * 2");
    expect(printExpr(parse("x offset -(1h)*2"))).toBe("x offset -1h * 2");
    const selector = parse("x offset (1h)+2") as VectorSelector;
    const terms: DurationTerms = { stepSeconds: 0, rangeSeconds: 0 };
    expect(durationMilliseconds(selector.offset, terms, false)).toBe(3_602_000);
  });
});

describe("a duration expression", () => {
  const value = (query: string, terms: DurationTerms = { stepSeconds: 60, rangeSeconds: 3600 }) =>
    durationMilliseconds((parse(query) as MatrixSelector).range, terms, true);

  test("is evaluated in seconds and cut to milliseconds", () => {
    expect(value("x[5m+1.0005]")).toBe(301_000);
    expect(value("x[2*step()+range()/2]")).toBe(1_920_000);
    expect(value("x[2^3^2]")).toBe(512_000);
    expect(value("x[7%4]")).toBe(3_000);
    expect(value("x[min_of(step(),1h)]")).toBe(60_000);
    expect(value("x[max_of(-step(),1h)]")).toBe(3_600_000);
    expect(value("x[0.0015]")).toBe(1);
  });

  test("that gives no duration fails with its place in bytes", () => {
    expect(() => value("x[step()-1h]")).toThrow("2:11: duration must be greater than 0");
    expect(() => value("x[5m/(step()-1m)]")).toThrow("2:15: division by zero");
    expect(() => value("x[5m%(step()-1m)]")).toThrow("2:15: modulo by zero");
    expect(() => value("x[10^step()]")).toThrow("2:11: duration is out of range");
    expect(() => value("x[(0-step())^0.5]")).toThrow("duration is NaN or infinite");
  });
});

describe("a pretty-printed expression", () => {
  test("stays on one line up to a hundred bytes", () => {
    const query = `sum by (job) (rate(${"x".repeat(70)}[5m]))`;
    expect(prettyExpr(parse(query))).toBe(query);
  });

  test("has a line per argument when it is longer", () => {
    const name = "a_metric_with_quite_a_long_name_that_fills_much_of_a_line";
    expect(
      prettyExpr(parse(`histogram_quantile(0.9, sum by (le, job) (rate(${name}[5m])) + on (le) -${name})`)),
    ).toBe(
      [
        "histogram_quantile(",
        "  0.9,",
        `    sum by (le, job) (rate(${name}[5m]))`,
        "  + on (le)",
        `    -${name}`,
        ")",
      ].join("\n"),
    );
  });
});

describe("a short subquery among long arguments", () => {
  test("stands at the margin, as in Prometheus", () => {
    const sum = `${"1".repeat(30)} + ${"2".repeat(30)} + ${"3".repeat(30)}`;
    expect(prettyExpr(parse(`predict_linear(foo[5m:1m], ${sum})`))).toMatch(
      /^predict_linear\(\nfoo\[5m:1m\],\n {2}1/,
    );
  });
});

describe("the tree as JSON", () => {
  test("has every key of every node", () => {
    expect(
      exprToJson(parse('sum(foo{a="b"}) / on(x) -bar[5m:1m] @ 3'.replace("-bar", "max_over_time(bar") + ")")),
    ).toEqual({
      type: "binaryExpr",
      op: "/",
      bool: false,
      matching: {
        card: "one-to-one",
        labels: ["x"],
        on: true,
        include: [],
        fillValues: { lhs: null, rhs: null },
      },
      lhs: {
        type: "aggregation",
        op: "sum",
        param: null,
        grouping: [],
        without: false,
        expr: {
          type: "vectorSelector",
          name: "foo",
          offset: 0,
          offsetExpr: null,
          matchers: [
            { name: "a", value: "b", type: "=" },
            { name: "__name__", value: "foo", type: "=" },
          ],
          timestamp: null,
          startOrEnd: null,
          anchored: false,
          smoothed: false,
        },
      },
      rhs: {
        type: "call",
        func: { name: "max_over_time", argTypes: ["matrix"], variadic: 0, returnType: "vector" },
        args: [
          {
            type: "subquery",
            expr: expect.objectContaining({ type: "vectorSelector", name: "bar" }) as unknown,
            range: 300_000,
            rangeExpr: null,
            step: 60_000,
            stepExpr: null,
            offset: 0,
            offsetExpr: null,
            timestamp: 3000,
            startOrEnd: null,
          },
        ],
      },
    });
  });

  test("shows duration expressions, and where they stand in parentheses", () => {
    expect(exprToJson(parse("x[(step() + 5m) * 2] @ end()"))).toMatchObject({
      type: "matrixSelector",
      range: 0,
      startOrEnd: "end",
      rangeExpr: {
        type: "durationExpr",
        op: "*",
        wrapped: false,
        lhs: {
          type: "durationExpr",
          op: "+",
          wrapped: true,
          lhs: { type: "durationExpr", op: "step", lhs: null, rhs: null, wrapped: false },
          rhs: { type: "numberLiteral", val: "300", duration: true },
        },
        rhs: { type: "numberLiteral", val: "2", duration: false },
      },
    });
  });
});

describe("words that are keywords elsewhere", () => {
  test("may name metrics and labels", () => {
    for (const name of [
      "sum",
      "and",
      "or",
      "by",
      "offset",
      "start",
      "end",
      "step",
      "range",
      "fill",
      "anchored",
    ]) {
      expect((parse(`${name}{a="b"}`) as VectorSelector).name).toBe(name);
    }
    expect(printExpr(parse("sum by (on, bool, ignoring, group_left, sum, a:b) (x)"))).toBe(
      'sum by (on, bool, ignoring, group_left, sum, "a:b") (x)',
    );
  });

  test("are label names inside braces", () => {
    expect(printExpr(parse('x{by="1",inf="2",sum="3"}'))).toBe('x{by="1",inf="2",sum="3"}');
  });

  test("may stand where calls of the same name may", () => {
    expect(printExpr(parse("start() + end() + step() + min_of(1, 2) + start"))).toBe(
      "start() + end() + step() + min_of(1, 2) + start",
    );
  });

  test("of a string's raw bytes come back as they were", () => {
    expect(parse("'\\xc3\\xa9\\U0001F600\\101'")).toMatchObject({ value: "é😀A" });
    expect(printExpr(parse("'a\\xc5z'"))).toBe('"a\\xc5z"');
  });
});
