import { formatDecimal } from "../../model/format-float.ts";
import type { Matcher } from "../../model/matcher.ts";
import type { AtModifier, DurationExpr, DurationValue, Expr, VectorSelector } from "./ast.ts";

/** A node as /api/v1/parse_query gives it: `type`, then keys of its own, null where there is nothing. */
export type JsonNode = { readonly type: string } & Readonly<Record<string, unknown>>;

/** The tree as /api/v1/parse_query gives it. Durations are in whole milliseconds. */
export function exprToJson(expr: Expr): JsonNode {
  switch (expr.kind) {
    case "number":
      return { type: "numberLiteral", val: formatDecimal(expr.value) };
    case "string":
      return { type: "stringLiteral", val: expr.value };
    case "vectorSelector":
      return { type: "vectorSelector", ...selectorKeys(expr) };
    case "matrixSelector":
      return {
        type: "matrixSelector",
        ...selectorKeys(expr.selector),
        range: expr.range.milliseconds,
        rangeExpr: durationToJson(expr.range),
      };
    case "subquery":
      return {
        type: "subquery",
        expr: exprToJson(expr.expr),
        range: expr.range.milliseconds,
        rangeExpr: durationToJson(expr.range),
        step: expr.step?.milliseconds ?? 0,
        stepExpr: expr.step === null ? null : durationToJson(expr.step),
        offset: expr.offset.milliseconds,
        offsetExpr: durationToJson(expr.offset),
        ...atKeys(expr.at),
      };
    case "call": {
      const { name, argTypes, variadic, returnType } = expr.func;
      return {
        type: "call",
        func: { name, argTypes, variadic, returnType },
        args: expr.args.map(exprToJson),
      };
    }
    case "aggregation":
      return {
        type: "aggregation",
        op: expr.op,
        expr: exprToJson(expr.expr),
        param: expr.param === null ? null : exprToJson(expr.param),
        grouping: expr.grouping,
        without: expr.without,
      };
    case "binary": {
      const { matching } = expr;
      return {
        type: "binaryExpr",
        op: expr.op,
        lhs: exprToJson(expr.left),
        rhs: exprToJson(expr.right),
        bool: expr.returnBool,
        matching:
          matching === null
            ? null
            : {
                card: matching.cardinality,
                labels: matching.labels,
                on: matching.on,
                include: matching.include,
                fillValues: { lhs: matching.fillLeft, rhs: matching.fillRight },
              },
      };
    }
    case "unary":
      return { type: "unaryExpr", op: expr.op, expr: exprToJson(expr.expr) };
    case "paren":
      return { type: "parenExpr", expr: exprToJson(expr.expr) };
    case "stepInvariant":
      return exprToJson(expr.expr);
  }
}

function selectorKeys(selector: VectorSelector): Record<string, unknown> {
  return {
    name: selector.name,
    offset: selector.offset.milliseconds,
    offsetExpr: durationToJson(selector.offset),
    matchers: selector.matchers.map(({ name, value, type }: Matcher) => ({ name, value, type })),
    ...atKeys(selector.at),
    anchored: selector.extension === "anchored",
    smoothed: selector.extension === "smoothed",
  };
}

function atKeys(at: AtModifier | null): Record<string, unknown> {
  return {
    timestamp: at?.kind === "timestamp" ? at.timeMs : null,
    startOrEnd: at === null || at.kind === "timestamp" ? null : at.kind,
  };
}

function durationToJson(duration: DurationValue): JsonNode | null {
  return duration.expression === null ? null : durationExprToJson(duration.expression, false);
}

function durationExprToJson(expr: DurationExpr, wrapped: boolean): JsonNode {
  const node = (op: string, left: DurationExpr | null, right: DurationExpr | null): JsonNode => ({
    type: "durationExpr",
    op,
    lhs: left === null ? null : durationExprToJson(left, false),
    rhs: right === null ? null : durationExprToJson(right, false),
    wrapped,
  });
  switch (expr.kind) {
    case "number":
      return { type: "numberLiteral", val: formatDecimal(expr.seconds), duration: expr.isDuration };
    case "step":
    case "range":
      return node(expr.kind, null, null);
    case "unary":
      return node(expr.op, null, expr.operand);
    case "paren":
      return durationExprToJson(expr.operand, true);
    case "binary":
      return node(expr.op, expr.left, expr.right);
  }
}
