import type { Expr } from "../parse/ast.ts";

/** What the nodes above a selector make of histograms. */
export interface HistogramNeeds {
  /** Something takes only count and sum. */
  readonly statistics: boolean;
  /** Something takes buckets, or looks at samples out of turn. */
  readonly buckets: boolean;
}

export const NO_NEEDS: HistogramNeeds = { statistics: false, buckets: false };

const NEED_STATISTICS: ReadonlySet<string> = new Set(["histogram_count", "histogram_sum", "histogram_avg"]);
const NEED_BUCKETS: ReadonlySet<string> = new Set([
  "histogram_quantile",
  "histogram_quantiles",
  "histogram_fraction",
]);

/** The needs below `expr`, given those above it. */
export function needsBelow(expr: Expr, above: HistogramNeeds): HistogramNeeds {
  if (expr.kind === "subquery" || (expr.kind === "binary" && (expr.op === "</" || expr.op === ">/"))) {
    return { ...above, buckets: true };
  }
  if (expr.kind !== "call") return above;
  if (NEED_BUCKETS.has(expr.func.name)) return { ...above, buckets: true };
  return NEED_STATISTICS.has(expr.func.name) ? { ...above, statistics: true } : above;
}
