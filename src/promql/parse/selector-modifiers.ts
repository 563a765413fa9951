/**
 * What `offset`, `@`, `anchored`, `smoothed` and `[…]` do to the expression on their left. Each gives the changed
 * node, or the reason why it may not stand there.
 */
import type {
  AtModifier,
  DurationValue,
  Expr,
  MatrixSelector,
  RangeExtension,
  Subquery,
  VectorSelector,
} from "./ast.ts";

export type Modified = Expr | { readonly error: string };

const MUST_FOLLOW_SELECTOR =
  "must be preceded by an instant vector selector or range vector selector or a subquery";

export function withOffset(expr: Expr, offset: DurationValue, end: number): Modified {
  const shifted = shiftedPart(expr);
  if (shifted === null) return { error: `offset modifier ${MUST_FOLLOW_SELECTOR}` };
  if (shifted.offset.milliseconds !== 0 || shifted.offset.expression !== null) {
    return { error: "offset may not be set multiple times" };
  }
  return withShift(expr, { offset }, end);
}

export function withAt(expr: Expr, at: AtModifier, end: number): Modified {
  const shifted = shiftedPart(expr);
  if (shifted === null) return { error: `@ modifier ${MUST_FOLLOW_SELECTOR}` };
  if (shifted.at !== null) return { error: "@ <timestamp> may not be set multiple times" };
  return withShift(expr, { at }, end);
}

export function withExtension(expr: Expr, extension: RangeExtension, end: number): Modified {
  if (expr.kind === "subquery") return { error: `${extension} modifier is not supported for subqueries` };
  const shifted = shiftedPart(expr);
  if (shifted === null || shifted.kind === "subquery")
    return { error: `${extension} modifier not implemented` };
  if (shifted.extension !== null && shifted.extension !== extension) {
    return { error: "anchored and smoothed modifiers cannot be used together" };
  }
  return withShift(expr, { extension }, end);
}

export function withRange(expr: Expr, range: DurationValue, end: number): Modified {
  if (expr.kind !== "vectorSelector") return { error: "ranges only allowed for vector selectors" };
  if (expr.offset.milliseconds !== 0 || expr.offset.expression !== null) {
    return { error: "no offset modifiers allowed before range" };
  }
  if (expr.at !== null) return { error: "no @ modifiers allowed before range" };
  return { kind: "matrixSelector", selector: expr, range, position: { start: expr.position.start, end } };
}

/** The node that holds offset and `@` of this one, if it can have them. */
function shiftedPart(expr: Expr): VectorSelector | Subquery | null {
  switch (expr.kind) {
    case "vectorSelector":
    case "subquery":
      return expr;
    case "matrixSelector":
      return expr.selector;
    default:
      return null;
  }
}

interface Shift {
  readonly offset?: DurationValue;
  readonly at?: AtModifier;
  readonly extension?: RangeExtension;
}

function withShift(expr: Expr, shift: Shift, end: number): VectorSelector | MatrixSelector | Subquery {
  const position = { start: (expr as Expr).position.start, end };
  if (expr.kind === "matrixSelector") {
    return { ...expr, selector: { ...expr.selector, ...shift }, position };
  }
  return { ...(expr as VectorSelector | Subquery), ...shift, position };
}
