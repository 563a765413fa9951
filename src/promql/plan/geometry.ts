/** Where selectors and subqueries look: offset, `@`, range and lookback turned into times. Shared by all who plan. */
import type { WindowGrid } from "../../kernels/index.ts";
import { subqueryGrid } from "../exec/subquery.ts";
import type { StepGrid } from "../exec/step-column.ts";
import { infoSelector } from "../functions/info-selector.ts";
import type {
  AtModifier,
  DurationValue,
  Expr,
  MatrixSelector,
  Subquery,
  VectorSelector,
} from "../parse/ast.ts";
import type { DriftingSelector } from "./logical-plan.ts";

/** The times an instant selector reads, both ends included, and where it looks at each step. */
export interface InstantGeometry {
  readonly firstMs: number;
  readonly stepMs: number;
  readonly lookbackMs: number;
  readonly minTime: number;
  readonly maxTime: number;
}

export interface RangeGeometry {
  readonly windows: WindowGrid;
  readonly minTime: number;
  readonly maxTime: number;
}

interface Shifted {
  readonly at: AtModifier | null;
  readonly offset: DurationValue;
}

function firstAndStep({ at, offset }: Shifted, grid: StepGrid): { firstMs: number; stepMs: number } {
  if (at === null) return { firstMs: grid.startMs - offset.milliseconds, stepMs: grid.stepMs };
  if (at.kind !== "timestamp") throw new Error("cannot place a selector: @ is not resolved yet");
  return { firstMs: at.timeMs - offset.milliseconds, stepMs: 0 };
}

export function instantGeometry(
  selector: VectorSelector,
  grid: StepGrid,
  lookbackMs: number,
): InstantGeometry {
  const { firstMs, stepMs } = firstAndStep(selector, grid);
  const lastMs = firstMs + stepMs * (grid.count - 1);
  // A smoothed selector looks as far ahead as back.
  const ahead = selector.extension === "smoothed" ? lookbackMs : 0;
  const dataEndMs = "dataEndMs" in selector ? (selector as DriftingSelector).dataEndMs : Infinity;
  return {
    firstMs,
    stepMs,
    lookbackMs,
    minTime: firstMs - lookbackMs + 1,
    maxTime: Math.min(lastMs + ahead, dataEndMs),
  };
}

/**
 * timestamp(x @ T offset o): Prometheus forgets the offset when it looks back from T, but not in the data it fetched:
 * the sample lies within both.
 */
export function timestampGeometry(selector: VectorSelector, geometry: InstantGeometry): InstantGeometry {
  if (selector.at === null || selector.at.kind !== "timestamp") return geometry;
  const { timeMs } = selector.at;
  const shifted = timeMs - selector.offset.milliseconds;
  const firstMs = Math.min(timeMs, shifted);
  const lookbackMs = Math.max(0, firstMs - (Math.max(timeMs, shifted) - geometry.lookbackMs));
  return { firstMs, stepMs: 0, lookbackMs, minTime: firstMs - lookbackMs + 1, maxTime: firstMs };
}

export function rangeGeometry(
  { selector, range }: MatrixSelector,
  grid: StepGrid,
  lookbackMs: number,
): RangeGeometry {
  const { firstMs, stepMs } = firstAndStep(selector, grid);
  const rangeMs = range.milliseconds;
  const lastMs = firstMs + stepMs * (grid.count - 1);
  const before = selector.extension === null ? 0 : lookbackMs;
  const ahead = selector.extension === "smoothed" ? lookbackMs : 0;
  return {
    windows: { firstMs, stepMs, count: grid.count, rangeMs },
    minTime: firstMs - rangeMs - before + 1,
    maxTime: lastMs + ahead,
  };
}

/** The windows of a subquery at the outer steps, and the steps its expression is evaluated at. */
export function subqueryGeometry(
  subquery: Subquery,
  grid: StepGrid,
  defaultStepMs: number,
): { windows: WindowGrid; inner: StepGrid } {
  const { firstMs, stepMs } = firstAndStep(subquery, grid);
  const rangeMs = subquery.range.milliseconds;
  const lastMs = firstMs + stepMs * (grid.count - 1);
  return {
    windows: { firstMs, stepMs, count: grid.count, rangeMs },
    inner: subqueryGrid(firstMs, lastMs, rangeMs, subquery.step?.milliseconds ?? defaultStepMs),
  };
}

export interface GeometryOptions {
  readonly lookbackMs: number;
  readonly defaultSubqueryStepMs: number;
}

/** Visits every selector below `expr` with the times it reads when `expr` is evaluated on `grid`. */
export function visitSelectors(
  expr: Expr,
  grid: StepGrid,
  options: GeometryOptions,
  visit: (selector: VectorSelector, minTime: number, maxTime: number) => void,
): void {
  if (grid.count <= 0) return;
  switch (expr.kind) {
    case "number":
    case "string":
      return;
    case "vectorSelector": {
      const { minTime, maxTime } = instantGeometry(expr, grid, options.lookbackMs);
      return visit(expr, minTime, maxTime);
    }
    case "matrixSelector": {
      const { minTime, maxTime } = rangeGeometry(expr, grid, options.lookbackMs);
      return visit(expr.selector, minTime, maxTime);
    }
    case "subquery":
      return visitSelectors(
        expr.expr,
        subqueryGeometry(expr, grid, options.defaultSubqueryStepMs).inner,
        options,
        visit,
      );
    case "stepInvariant":
      return visitSelectors(expr.expr, { startMs: grid.startMs, stepMs: 0, count: 1 }, options, visit);
    case "paren":
    case "unary":
      return visitSelectors(expr.expr, grid, options, visit);
    case "binary":
      visitSelectors(expr.left, grid, options, visit);
      return visitSelectors(expr.right, grid, options, visit);
    case "aggregation":
      if (expr.param !== null) visitSelectors(expr.param, grid, options, visit);
      return visitSelectors(expr.expr, grid, options, visit);
    case "call":
      if (expr.func.name === "info") {
        // Its second argument holds matchers; info metrics are read when the first argument reads.
        visitSelectors(infoSelector(expr), grid, options, visit);
        return visitSelectors(expr.args[0]!, grid, options, visit);
      }
      for (const arg of expr.args) visitSelectors(arg, grid, options, visit);
      return;
  }
}
