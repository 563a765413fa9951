import type { AtModifier, Call, DurationValue, Expr, NumberLiteral, VectorSelector } from "../parse/ast.ts";
import { durationMilliseconds, type DurationTerms } from "../parse/duration-value.ts";
import { ExecutionError } from "../limits.ts";
import { rewritePlan } from "./rewrites.ts";

/** What a plan is made for: the bounds of the whole query. For an instant query both ends are the same, the step 0. */
export interface PlanBounds {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/**
 * The logical plan of a query: its syntax tree with durations resolved to milliseconds, `@ start()` and `@ end()` to
 * times, start() end() range() step() to numbers, parentheses gone, and every part that is the same at all steps
 * wrapped so that it is evaluated once.
 * @throws ExecutionError for a duration that cannot be
 */
export function planQuery(expr: Expr, bounds: PlanBounds): Expr {
  const resolved = resolve(expr, {
    bounds,
    durations: { stepSeconds: bounds.stepMs / 1000, rangeSeconds: (bounds.endMs - bounds.startMs) / 1000 },
    inParameter: false,
  });
  const { expr: planned, isInvariant, isWorthWrapping } = wrapInvariant(rewritePlan(resolved));
  return isInvariant && isWorthWrapping ? wrap(planned) : planned;
}

// ── resolving ──

interface Scope {
  readonly bounds: PlanBounds;
  readonly durations: DurationTerms;
  /** Inside an aggregation's parameter `@ start()` and `@ end()` are ignored, as Prometheus does. */
  readonly inParameter: boolean;
}

function resolve(expr: Expr, scope: Scope): Expr {
  switch (expr.kind) {
    case "number":
    case "string":
      return expr;
    case "paren":
      return resolve(expr.expr, scope);
    case "stepInvariant":
      return { ...expr, expr: resolve(expr.expr, scope) };
    case "vectorSelector":
      if (scope.inParameter && expr.at?.kind === "timestamp")
        return driftingSelector(expr, expr.at.timeMs, scope);
      return resolveSelector(expr, scope);
    case "matrixSelector":
      return {
        ...expr,
        selector: resolveSelector(expr.selector, scope),
        range: constant(expr.range, scope, true),
      };
    case "subquery":
      return {
        ...expr,
        expr: resolve(expr.expr, scope),
        range: constant(expr.range, scope, true),
        step: expr.step === null ? null : constant(expr.step, scope, true),
        offset: constant(expr.offset, scope, false),
        at: resolveAt(expr.at, scope),
      };
    case "call":
      return (
        boundConstant(expr, scope.bounds) ?? { ...expr, args: expr.args.map((arg) => resolve(arg, scope)) }
      );
    case "aggregation":
      return {
        ...expr,
        expr: resolve(expr.expr, scope),
        param: expr.param === null ? null : resolve(expr.param, { ...scope, inParameter: true }),
      };
    case "binary":
      return { ...expr, left: resolve(expr.left, scope), right: resolve(expr.right, scope) };
    case "unary":
      return { ...expr, expr: resolve(expr.expr, scope) };
  }
}

/**
 * An instant selector whose data end at a time of their own. In an aggregation's parameter Prometheus does not hold
 * `x @ T` still: it reads at T plus the time since the first step, from data fetched up to T.
 */
export interface DriftingSelector extends VectorSelector {
  readonly dataEndMs: number;
}

function driftingSelector(selector: VectorSelector, timeMs: number, scope: Scope): DriftingSelector {
  const offset = constant(selector.offset, scope, false).milliseconds;
  return {
    ...selector,
    at: null,
    offset: { milliseconds: scope.bounds.startMs - timeMs + offset, expression: null },
    dataEndMs: timeMs - offset,
  };
}

function resolveSelector(selector: VectorSelector, scope: Scope): VectorSelector {
  return { ...selector, offset: constant(selector.offset, scope, false), at: resolveAt(selector.at, scope) };
}

function constant(duration: DurationValue, scope: Scope, mustBePositive: boolean): DurationValue {
  if (duration.expression === null) return duration;
  try {
    return {
      milliseconds: durationMilliseconds(duration, scope.durations, mustBePositive),
      expression: null,
    };
  } catch (cause) {
    throw new ExecutionError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function resolveAt(at: AtModifier | null, scope: Scope): AtModifier | null {
  if (at === null || at.kind === "timestamp") return at;
  if (scope.inParameter) return null;
  return { kind: "timestamp", timeMs: at.kind === "start" ? scope.bounds.startMs : scope.bounds.endMs };
}

/** start(), end(), range() and step() are the same at every step: numbers. */
function boundConstant(call: Call, bounds: PlanBounds): NumberLiteral | null {
  const number = (value: number): NumberLiteral => ({
    kind: "number",
    value,
    isDuration: false,
    position: call.position,
  });
  switch (call.func.name) {
    case "start":
      return number(bounds.startMs / 1000);
    case "end":
      return number(bounds.endMs / 1000);
    case "range":
      return number((bounds.endMs - bounds.startMs) / 1000);
    case "step":
      return number(bounds.startMs === bounds.endMs ? 0 : bounds.stepMs / 1000);
    default:
      return null;
  }
}

// ── what is the same at every step ──

interface Wrapped {
  readonly expr: Expr;
  readonly isInvariant: boolean;
  /** Scalars of numbers alone are cheaper as they are; where vectors are made, how often shows in parameters and notes. */
  readonly isWorthWrapping: boolean;
}

/** Functions whose value depends on the step even when their arguments do not. */
const STEP_DEPENDENT = new Set([
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
]);

function wrapInvariant(expr: Expr): Wrapped {
  switch (expr.kind) {
    case "number":
    case "string":
      return { expr, isInvariant: true, isWorthWrapping: false };
    case "vectorSelector":
      return { expr, isInvariant: expr.at !== null, isWorthWrapping: expr.at !== null };
    case "matrixSelector": {
      const isFixed = expr.selector.at !== null;
      return { expr, isInvariant: isFixed, isWorthWrapping: isFixed };
    }
    case "subquery": {
      // What the subquery evaluates is wrapped for itself; the subquery is held still by its own `@` alone.
      const planned = { ...expr, expr: wrapIf(wrapInvariant(expr.expr)) };
      return { expr: planned, isInvariant: expr.at !== null, isWorthWrapping: expr.at !== null };
    }
    case "aggregation": {
      const inner = wrapInvariant(expr.expr);
      // The parameter need not stay the same: it is read once because the whole is wrapped.
      if (inner.isInvariant)
        return { expr: { ...expr, expr: inner.expr }, isInvariant: true, isWorthWrapping: true };
      return { expr: { ...expr, expr: wrapIf(inner) }, isInvariant: false, isWorthWrapping: false };
    }
    case "binary": {
      const left = wrapInvariant(expr.left);
      const right = wrapInvariant(expr.right);
      return wrapAll([left, right], true, ([l, r]) => ({ ...expr, left: l!, right: r! }));
    }
    case "call": {
      const dependsOnStep = STEP_DEPENDENT.has(expr.func.name) && !isPinnedTimestamp(expr);
      const wrapped = wrapAll(expr.args.map(wrapInvariant), !dependsOnStep, (args) => ({ ...expr, args }));
      if (wrapped.isInvariant && expr.func.returnType === "vector")
        return { ...wrapped, isWorthWrapping: true };
      return wrapped;
    }
    case "unary": {
      const inner = wrapInvariant(expr.expr);
      return { ...inner, expr: { ...expr, expr: inner.expr } };
    }
    case "paren":
    case "stepInvariant":
      return wrapInvariant(expr.expr);
  }
}

/** timestamp(x @ t) reads the time of a sample, which is the same at every step. */
function isPinnedTimestamp(call: Call): boolean {
  const arg = call.args[0];
  return call.func.name === "timestamp" && arg?.kind === "vectorSelector" && arg.at !== null;
}

function wrapAll(
  parts: readonly Wrapped[],
  mayBeInvariant: boolean,
  rebuild: (exprs: Expr[]) => Expr,
): Wrapped {
  if (mayBeInvariant && parts.every((part) => part.isInvariant)) {
    return {
      expr: rebuild(parts.map((part) => part.expr)),
      isInvariant: true,
      isWorthWrapping: parts.some((part) => part.isWorthWrapping),
    };
  }
  return { expr: rebuild(parts.map(wrapIf)), isInvariant: false, isWorthWrapping: false };
}

function wrapIf(part: Wrapped): Expr {
  return part.isInvariant && part.isWorthWrapping ? wrap(part.expr) : part.expr;
}

function wrap(expr: Expr): Expr {
  return { kind: "stepInvariant", expr, position: expr.position };
}
