import { childrenOf, type Expr, parseExpr, type ParserOptions, printExpr } from "../parse/index.ts";

/** Another way to ask the same: at another time, with `@` saying which time is meant. */
export interface Variant {
  readonly query: string;
  readonly timeMs: number;
}

/** Functions whose result depends on when they are evaluated, even where their arguments don't. */
const STEP_DEPENDENT: ReadonlySet<string> = new Set([
  "days_in_month",
  "day_of_month",
  "day_of_week",
  "day_of_year",
  "hour",
  "minute",
  "month",
  "year",
  "predict_linear",
  "time",
  "timestamp",
  "start",
  "end",
  "step",
  "range",
]);

/**
 * The query held at `timeMs` by an `@` on every selector and outer subquery, asked at several times: the result is that
 * of the query itself. None where something in it looks at the clock.
 */
export function variantsOf(query: string, timeMs: number, options: ParserOptions): Variant[] {
  const expr = parseExpr(query, options);
  if (looksAtTheClock(expr)) return [];
  const pinned = printExpr(pin(expr, timeMs));
  const times =
    timeMs === 0 ? [-1000, 0, 1000] : [-10 * timeMs, 0, Math.trunc(timeMs / 5), timeMs, 10 * timeMs];
  return times.map((time) => ({ query: pinned, timeMs: time }));
}

function looksAtTheClock(expr: Expr): boolean {
  // A subquery gets an `@`, so what is inside it is evaluated at set times.
  if (expr.kind === "subquery") return false;
  if (expr.kind === "call" && STEP_DEPENDENT.has(expr.func.name)) return true;
  return childrenOf(expr).some(looksAtTheClock);
}

function pin(expr: Expr, timeMs: number): Expr {
  const inner = (child: Expr) => pin(child, timeMs);
  switch (expr.kind) {
    case "number":
    case "string":
      return expr;
    case "vectorSelector":
    case "subquery":
      return expr.at?.kind === "timestamp" ? expr : { ...expr, at: { kind: "timestamp", timeMs } };
    case "matrixSelector": {
      const { selector } = expr;
      if (selector.at?.kind === "timestamp") return expr;
      return { ...expr, selector: { ...selector, at: { kind: "timestamp", timeMs } } };
    }
    case "call": {
      // The second argument of info() holds matchers and is never read by itself.
      const args =
        expr.func.name === "info" ? [inner(expr.args[0]!), ...expr.args.slice(1)] : expr.args.map(inner);
      return { ...expr, args };
    }
    case "aggregation":
      return { ...expr, expr: inner(expr.expr), param: expr.param === null ? null : inner(expr.param) };
    case "binary":
      return { ...expr, left: inner(expr.left), right: inner(expr.right) };
    case "unary":
    case "paren":
    case "stepInvariant":
      return { ...expr, expr: inner(expr.expr) };
  }
}
