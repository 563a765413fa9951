/**
 * Rewrites of a plan that give the same answer for less work. Each says what it turns into what, and why that is safe.
 *
 * Matchers are not carried over between the sides of arithmetic and comparisons: a series that finds no partner can
 * still be one of two with the same signature, and that is an error the query must give.
 */
import { METRIC_NAME } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import type { Binary, Expr, VectorMatching, VectorSelector } from "../parse/ast.ts";

export function rewritePlan(expr: Expr): Expr {
  switch (expr.kind) {
    case "binary": {
      const rewritten = { ...expr, left: rewritePlan(expr.left), right: rewritePlan(expr.right) };
      return narrowMask(rewritten);
    }
    case "call":
      return { ...expr, args: expr.args.map(rewritePlan) };
    case "aggregation":
      return { ...expr, expr: rewritePlan(expr.expr), param: expr.param && rewritePlan(expr.param) };
    case "subquery":
    case "unary":
    case "paren":
    case "stepInvariant":
      return { ...expr, expr: rewritePlan(expr.expr) };
    default:
      return expr;
  }
}

/**
 *   a{x="1"} and b        →  a{x="1"} and b{x="1"}
 *   a{x="1"} unless b     →  a{x="1"} unless b{x="1"}
 *
 * The right side of `and` and `unless` only says at which steps a signature is there, and the signatures asked for are
 * those of the left side. So what the left selector fixes, of the labels that make the signature, may be fixed on the
 * right. Only where the right side is a selector as it stands: what is computed may have other labels, and notes to make.
 */
function narrowMask(expr: Binary): Expr {
  if (expr.op !== "and" && expr.op !== "unless") return expr;
  const { left, right, matching } = expr;
  if (right.kind !== "vectorSelector" || matching === null) return expr;
  const added = fixedLabels(left).filter(
    ({ name, value }) => isInSignature(name, matching) && !right.matchers.some((m) => isSame(m, name, value)),
  );
  if (added.length === 0) return expr;
  const narrowed: VectorSelector = { ...right, matchers: [...right.matchers, ...added] };
  return { ...expr, right: narrowed };
}

/** The equalities that every sample of an expression satisfies, as far as they can be told. */
function fixedLabels(expr: Expr): readonly Matcher[] {
  switch (expr.kind) {
    case "vectorSelector":
      return expr.matchers.filter((m) => m.type === "=" && m.value !== "");
    case "binary":
      // What passes a filter or a mask has the labels of the left side.
      return expr.op === "and" || expr.op === "unless" ? fixedLabels(expr.left) : [];
    default:
      return [];
  }
}

function isInSignature(name: string, matching: VectorMatching): boolean {
  const isListed = matching.labels.includes(name);
  return matching.on ? isListed : !isListed && name !== METRIC_NAME;
}

function isSame(matcher: Matcher, name: string, value: string): boolean {
  return matcher.type === "=" && matcher.name === name && matcher.value === value;
}
