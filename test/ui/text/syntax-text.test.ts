import { describe, expect, test } from "vitest";
import type { BinaryNode, SyntaxNode, VectorMatchingBody } from "../../../src/api/types.ts";
import { syntaxText } from "../../../src/ui/text/syntax-text.ts";

const still = { offset: 0, offsetExpr: null, timestamp: null, startOrEnd: null };
const selector = { ...still, anchored: false, smoothed: false };
const up: SyntaxNode = {
  type: "vectorSelector",
  name: "up",
  matchers: [
    { name: "job", type: "=~", value: "a|b" },
    { name: "__name__", type: "=", value: "up" },
  ],
  ...selector,
};
const one: SyntaxNode = { type: "numberLiteral", val: "1" };
const matching: VectorMatchingBody = {
  card: "one-to-one",
  labels: [],
  on: false,
  include: [],
  fillValues: { lhs: null, rhs: null },
};
const sum: BinaryNode = { type: "binaryExpr", op: "+", lhs: up, rhs: one, bool: false, matching: null };

describe("a node of the syntax tree is written as the PromQL it stands for:", () => {
  test.each<[string, SyntaxNode]>([
    ['up{job=~"a|b"}', up],
    [
      '{__name__!="up"}',
      { ...up, name: "", matchers: [{ name: "__name__", type: "!=", value: "up" }] } as SyntaxNode,
    ],
    [
      '{"my.metric"}',
      { ...up, name: "", matchers: [{ name: "__name__", type: "=", value: "my.metric" }] } as SyntaxNode,
    ],
    [
      "up[1h30m] @ 5.500 offset -5m",
      {
        type: "matrixSelector",
        name: "up",
        matchers: [],
        range: 5_400_000,
        rangeExpr: null,
        ...selector,
        offset: -300_000,
        timestamp: 5500,
      },
    ],
    [
      'up{job=~"a|b"}[1h:30s] @ end()',
      {
        type: "subquery",
        expr: up,
        range: 3_600_000,
        rangeExpr: null,
        step: 30_000,
        stepExpr: null,
        ...still,
        startOrEnd: "end",
      },
    ],
    [
      'topk without ("a.b", job) (1, up{job=~"a|b"})',
      { type: "aggregation", op: "topk", expr: up, param: one, grouping: ["a.b", "job"], without: true },
    ],
    ['up{job=~"a|b"} + 1', sum],
    ['up{job=~"a|b"} > bool 1', { ...sum, op: ">", bool: true }],
    [
      'up{job=~"a|b"} / on (job) group_left (team) 1',
      {
        ...sum,
        op: "/",
        matching: { ...matching, on: true, labels: ["job"], card: "many-to-one", include: ["team"] },
      },
    ],
    [
      'up{job=~"a|b"} + ignoring (job) fill_right (0) 1',
      { ...sum, matching: { ...matching, labels: ["job"], fillValues: { lhs: null, rhs: 0 } } },
    ],
    ['-(up{job=~"a|b"})', { type: "unaryExpr", op: "-", expr: { type: "parenExpr", expr: up } }],
    [
      'label_join(up{job=~"a|b"}, "x")',
      {
        type: "call",
        func: { name: "label_join", argTypes: ["vector", "string"], variadic: -1, returnType: "vector" },
        args: [up, { type: "stringLiteral", val: "x" }],
      },
    ],
  ])("%s", (text, node) => {
    expect(syntaxText(node)).toBe(text);
  });
});
