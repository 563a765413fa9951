import type { DurationExpr, Expr } from "./ast.ts";

/** The expressions directly below this one, left to right; a range selector's instant selector is its own part. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case "number":
    case "string":
    case "vectorSelector":
    case "matrixSelector":
      return [];
    case "subquery":
    case "unary":
    case "paren":
    case "stepInvariant":
      return [expr.expr];
    case "call":
      return expr.args;
    case "aggregation":
      return expr.param === null ? [expr.expr] : [expr.param, expr.expr];
    case "binary":
      return [expr.left, expr.right];
  }
}

/** Visits the tree, parents before their children, left to right; `visit` gets the path from the root. */
export function walk(expr: Expr, visit: (expr: Expr, ancestors: readonly Expr[]) => void): void {
  const ancestors: Expr[] = [];
  const step = (node: Expr): void => {
    visit(node, ancestors);
    ancestors.push(node);
    for (const child of childrenOf(node)) step(child);
    ancestors.pop();
  };
  step(expr);
}

/** How many levels the tree has, duration expressions included, found without recursion. */
export function depthOf(expr: Expr): number {
  let deepest = 0;
  const pending: { readonly node: Expr | DurationExpr; readonly depth: number }[] = [
    { node: expr, depth: 1 },
  ];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    deepest = Math.max(deepest, next.depth);
    for (const child of partsOf(next.node)) pending.push({ node: child, depth: next.depth + 1 });
  }
  return deepest;
}

function partsOf(node: Expr | DurationExpr): readonly (Expr | DurationExpr)[] {
  switch (node.kind) {
    case "number":
    case "string":
    case "step":
    case "range":
      return [];
    case "unary":
    case "paren":
      return "operand" in node ? [node.operand] : [node.expr];
    case "vectorSelector":
      return durationsOf([node.offset]);
    case "matrixSelector":
      return durationsOf([node.selector.offset, node.range]);
    case "subquery":
      return [node.expr, ...durationsOf([node.offset, node.range, node.step])];
    case "binary":
      return [node.left, node.right];
    default:
      return childrenOf(node);
  }
}

function durationsOf(
  values: readonly ({ readonly expression: DurationExpr | null } | null)[],
): DurationExpr[] {
  return values.flatMap((value) => (value === null || value.expression === null ? [] : [value.expression]));
}
