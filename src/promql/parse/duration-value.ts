import type { DurationExpr, DurationValue } from "./ast.ts";

/** What step() and range() stand for in the durations of one query, in seconds; both 0 for an instant query. */
export interface DurationTerms {
  readonly stepSeconds: number;
  readonly rangeSeconds: number;
}

/** 2^63 nanoseconds: what a duration can't reach. */
const LIMIT_SECONDS = 2 ** 63 / 1e9;

/**
 * The milliseconds of a duration once step and range are known.
 *
 * @param mustBePositive true for ranges and steps, false for offsets
 * @throws Error such as `4:11: division by zero`, where the numbers are byte offsets into the query
 */
export function durationMilliseconds(
  duration: DurationValue,
  terms: DurationTerms,
  mustBePositive: boolean,
): number {
  const { expression, milliseconds } = duration;
  if (expression === null) return milliseconds;
  const seconds = evaluate(expression, terms);
  if (!Number.isFinite(seconds)) throw fault(expression, "duration is NaN or infinite");
  if (mustBePositive && seconds <= 0) throw fault(expression, "duration must be greater than 0");
  if (Math.abs(seconds) >= LIMIT_SECONDS) throw fault(expression, "duration is out of range");
  return Math.trunc(seconds * 1000) + 0;
}

function evaluate(expr: DurationExpr, terms: DurationTerms): number {
  switch (expr.kind) {
    case "number":
      return expr.seconds;
    case "step":
      return terms.stepSeconds;
    case "range":
      return terms.rangeSeconds;
    case "paren":
      return evaluate(expr.operand, terms);
    case "unary": {
      const operand = evaluate(expr.operand, terms);
      return expr.op === "-" ? -operand : operand;
    }
    case "binary": {
      const left = evaluate(expr.left, terms);
      const right = evaluate(expr.right, terms);
      switch (expr.op) {
        case "+":
          return left + right;
        case "-":
          return left - right;
        case "*":
          return left * right;
        case "/":
          if (right === 0) throw fault(expr, "division by zero");
          return left / right;
        case "%":
          if (right === 0) throw fault(expr, "modulo by zero");
          return left % right;
        case "^":
          return left ** right;
        case "min_of":
          return Math.min(left, right);
        case "max_of":
          return Math.max(left, right);
      }
    }
  }
}

function fault({ position }: DurationExpr, reason: string): Error {
  return new Error(`${position.start}:${position.end}: ${reason}`);
}
