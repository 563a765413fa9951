import { functionImplementation } from "../functions/registry.ts";
import { isSetOperator } from "../exec/binary-arithmetic.ts";
import type { Expr } from "../parse/ast.ts";
import { walk } from "../parse/children.ts";
import { typeOf } from "../parse/value-type.ts";

/**
 * How a range query can be divided among threads whose results, put together, are the whole one to the digit:
 *
 * - `series`: each takes some of the series, at all steps: where every series of the result comes from one that is read;
 * - `steps`: each takes some of the steps, for all series: a step's result depends on no other step.
 *
 * Null where neither holds. What can only be told while running is told by `QueryResult.mustBeWhole`.
 */
export type Division = "series" | "steps";

export function divisionOf(expr: Expr): Division | null {
  if (heedsBounds(expr)) return null;
  return isSeriesBySeries(expr) ? "series" : "steps";
}

/** Whether anything refers to where the query begins or ends, or may be chosen by looking at all steps. */
function heedsBounds(expr: Expr): boolean {
  let found = false;
  walk(expr, (node) => {
    switch (node.kind) {
      case "vectorSelector":
        found ||= node.at !== null || node.offset.expression !== null;
        return;
      case "matrixSelector":
        found ||= node.range.expression !== null;
        return;
      case "subquery":
        found ||= node.at !== null || node.offset.expression !== null || node.range.expression !== null;
        found ||= node.step !== null && node.step.expression !== null;
        return;
      case "call":
        found ||= HEED_BOUNDS.has(node.func.name);
        return;
      case "aggregation":
        found ||= node.param !== null && node.param.kind !== "number" && node.param.kind !== "string";
        return;
      default:
        return;
    }
  });
  return found;
}

/** `info` chooses labels by what it finds in the whole range. */
const HEED_BOUNDS: ReadonlySet<string> = new Set(["start", "end", "range", "step", "info"]);

/** Whether the result's series are those of one selector of one metric, each worked on by itself. */
function isSeriesBySeries(expr: Expr): boolean {
  switch (expr.kind) {
    case "vectorSelector":
      return expr.matchers.some((m) => m.name === "__name__" && m.type === "=" && m.value !== "");
    case "matrixSelector":
      return isSeriesBySeries(expr.selector);
    case "paren":
    case "unary":
      return isSeriesBySeries(expr.expr);
    case "call": {
      const { kind } = functionImplementation(expr.func.name);
      if (kind !== "elementwise" && kind !== "range") return false;
      return expr.args.every((arg) => arg.kind === "number" || isSeriesBySeries(arg));
    }
    case "binary":
      if (isSetOperator(expr.op)) return false;
      if (typeOf(expr.left) === "vector" && expr.right.kind === "number") return isSeriesBySeries(expr.left);
      return expr.left.kind === "number" && typeOf(expr.right) === "vector" && isSeriesBySeries(expr.right);
    default:
      return false;
  }
}
