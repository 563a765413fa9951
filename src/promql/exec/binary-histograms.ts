import {
  addHistograms,
  compactHistogram,
  divideHistogram,
  equalHistograms,
  multiplyHistogram,
  subtractHistograms,
  withHint,
} from "../../model/histogram-arithmetic.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { Annotations } from "../annotations.ts";
import type { Binary } from "../parse/ast.ts";

/**
 * Two native histograms: a sum or difference, or whether an (in)equality holds. "incompatible" where the operator does
 * not go with histograms, "dropped" where these two don't go together (a warning says why).
 */
export function combineHistograms(
  node: Binary,
  left: FloatHistogram,
  right: FloatHistogram,
  annotations: Annotations,
): FloatHistogram | boolean | "incompatible" | "dropped" {
  switch (node.op) {
    case "==":
      return equalHistograms(left, right);
    case "!=":
      return !equalHistograms(left, right);
    case "+":
    case "-": {
      const isSum = node.op === "+";
      const operation = isSum ? "addition" : "subtraction";
      const combined = isSum ? addHistograms(left, right) : subtractHistograms(left, right);
      if (combined === null) {
        annotations.warn(
          `incompatible bucket layout encountered for binary operator ${node.op}`,
          node.position,
        );
        return "dropped";
      }
      if (combined.collision) {
        annotations.warn(`conflicting counter resets during histogram ${operation}`, node.position);
        return "dropped";
      }
      if (combined.reconciled) {
        annotations.info(`mismatched custom buckets were reconciled during ${operation}`, node.position);
      }
      const compact = compactHistogram(combined.histogram);
      return isSum ? compact : withHint(compact, "gauge");
    }
    default:
      return "incompatible";
  }
}

/** A histogram times or divided by a number. */
export function scaleHistogram(op: "*" | "/", histogram: FloatHistogram, factor: number): FloatHistogram {
  return compactHistogram(
    op === "*" ? multiplyHistogram(histogram, factor) : divideHistogram(histogram, factor),
  );
}
