import { Labels, LabelsBuilder, METRIC_NAME } from "../../model/labels.ts";
import type { Expr } from "../parse/ast.ts";

/** The labels of what absent() gives: those its selector fixes to one value each; none for anything but a selector. */
export function absentLabels(expr: Expr): Labels {
  if (expr.kind === "stepInvariant" || expr.kind === "paren") return absentLabels(expr.expr);
  const selector = expr.kind === "matrixSelector" ? expr.selector : expr;
  if (selector.kind !== "vectorSelector") return Labels.empty;
  const builder = new LabelsBuilder();
  const seen = new Set<string>();
  for (const { name, type, value } of selector.matchers) {
    if (name === METRIC_NAME) continue;
    if (type === "=" && !seen.has(name)) {
      builder.set(name, value);
      seen.add(name);
    } else builder.delete(name);
  }
  return builder.labels();
}
