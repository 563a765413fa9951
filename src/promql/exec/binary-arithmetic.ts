import type { FloatHistogram } from "../../model/histogram.ts";
import { quote } from "../../model/quote.ts";
import type { Annotations } from "../annotations.ts";
import { atan2, pow } from "../functions/go-math.ts";
import { ExecutionError } from "../limits.ts";
import type { Binary, BinaryOp } from "../parse/ast.ts";
import { trimHistogram } from "../functions/histogram-trim.ts";
import { combineHistograms, scaleHistogram } from "./binary-histograms.ts";
import { ABSENT, FLOAT, HISTOGRAM } from "./step-column.ts";

export function isComparison(op: BinaryOp): boolean {
  return op === "==" || op === "!=" || op === "<" || op === "<=" || op === ">" || op === ">=";
}

export function isTrim(op: BinaryOp): boolean {
  return op === "</" || op === ">/";
}

/** Whether samples pass or fall rather than change: their labels stay. Trimming counts as passing. */
export function isFilter(op: BinaryOp): boolean {
  return isComparison(op) || isTrim(op);
}

export function isSetOperator(op: BinaryOp): op is "and" | "or" | "unless" {
  return op === "and" || op === "or" || op === "unless";
}

export function comparisonOf(op: BinaryOp): (a: number, b: number) => boolean {
  switch (op) {
    case "==":
      return (a, b) => a === b;
    case "!=":
      return (a, b) => a !== b;
    case "<":
      return (a, b) => a < b;
    case "<=":
      return (a, b) => a <= b;
    case ">":
      return (a, b) => a > b;
    case ">=":
      return (a, b) => a >= b;
    default:
      throw new Error(`cannot compare by ${op}: not a comparison`);
  }
}

export function arithmeticOf(op: BinaryOp): (a: number, b: number) => number {
  switch (op) {
    case "+":
      return (a, b) => a + b;
    case "-":
      return (a, b) => a - b;
    case "*":
      return (a, b) => a * b;
    case "/":
      return (a, b) => a / b;
    case "%":
      return (a, b) => a % b;
    case "^":
      return pow;
    case "atan2":
      return atan2;
    default:
      throw new ExecutionError(`operator ${quote(op)} not allowed for Scalar operations`);
  }
}

/** Scalar with scalar; comparisons give 0 or 1. */
export function scalarOperation(op: BinaryOp): (a: number, b: number) => number {
  if (!isComparison(op)) return arithmeticOf(op);
  const compare = comparisonOf(op);
  return (a, b) => (compare(a, b) ? 1 : 0);
}

/** What a pair of samples gives. Reused from pair to pair. */
export interface PairResult {
  /** ABSENT where the types don't go together. */
  kind: number;
  value: number;
  histogram: FloatHistogram | null;
  /** Comparisons: whether it holds. */
  keep: boolean;
}

export function newPairResult(): PairResult {
  return { kind: ABSENT, value: 0, histogram: null, keep: false };
}

/** Combines two samples, either of which may be a native histogram (then its number means nothing). */
export function applyBinary(
  node: Binary,
  leftValue: number,
  left: FloatHistogram | null,
  rightValue: number,
  right: FloatHistogram | null,
  annotations: Annotations,
  result: PairResult,
): void {
  const { op } = node;
  result.kind = ABSENT;
  result.keep = true;
  if (left === null && right === null) {
    if (isTrim(op)) return noteIncompatible(node, "float", "float", annotations);
    result.kind = FLOAT;
    if (isComparison(op)) {
      result.keep = comparisonOf(op)(leftValue, rightValue);
      result.value = leftValue;
    } else result.value = arithmeticOf(op)(leftValue, rightValue);
    return;
  }
  if (left !== null && right !== null) {
    const combined = combineHistograms(node, left, right, annotations);
    if (combined === "incompatible") return noteIncompatible(node, "histogram", "histogram", annotations);
    if (combined === "dropped") return;
    result.kind = HISTOGRAM;
    if (typeof combined === "boolean") {
      result.keep = combined;
      result.histogram = left;
    } else result.histogram = combined;
    return;
  }
  if (left !== null) {
    if (isTrim(op)) result.histogram = trimHistogram(op as "</" | ">/", left, rightValue);
    else if (op === "*" || op === "/") result.histogram = scaleHistogram(op, left, rightValue);
    else return noteIncompatible(node, "histogram", "float", annotations);
  } else {
    if (op !== "*") return noteIncompatible(node, "float", "histogram", annotations);
    result.histogram = scaleHistogram("*", right!, leftValue);
  }
  result.kind = HISTOGRAM;
}

function noteIncompatible(node: Binary, left: string, right: string, annotations: Annotations): void {
  annotations.info(
    `incompatible sample types encountered for binary operator ${quote(node.op)}: ${left} ${node.op} ${right}`,
    node.position,
  );
}
