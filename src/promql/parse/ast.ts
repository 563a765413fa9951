/**
 * The syntax tree of a query. Immutable once parsed; a plan is a tree of its own. Positions are byte offsets into the
 * query text, as in Prometheus's messages: `start` included, `end` not.
 */
import type { Matcher } from "../../model/matcher.ts";

export interface Position {
  readonly start: number;
  readonly end: number;
}

/** What an expression gives. The names are those of Prometheus's messages ("instant vector" is `vector`). */
export type ValueType = "scalar" | "vector" | "matrix" | "string" | "none";

export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Call
  | Aggregation
  | Binary
  | Unary
  | Paren
  | StepInvariant;

interface Node {
  readonly position: Position;
}

export interface NumberLiteral extends Node {
  readonly kind: "number";
  readonly value: number;
  /** Written as a duration ("5m"): printed as one again. */
  readonly isDuration: boolean;
}

export interface StringLiteral extends Node {
  readonly kind: "string";
  readonly value: string;
}

/** Where a selector or subquery looks instead of at each step. */
export type AtModifier =
  | { readonly kind: "timestamp"; readonly timeMs: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" };

/** What `offset`, `[range]` and `[range:step]` hold: a constant, or an expression over step() and range(). */
export type DurationExpr =
  | {
      readonly kind: "number";
      readonly seconds: number;
      readonly isDuration: boolean;
      readonly position: Position;
    }
  | { readonly kind: "step" | "range"; readonly position: Position }
  | {
      readonly kind: "unary";
      readonly op: "+" | "-";
      readonly operand: DurationExpr;
      readonly position: Position;
    }
  | {
      readonly kind: "binary";
      readonly op: "+" | "-" | "*" | "/" | "%" | "^" | "min_of" | "max_of";
      readonly left: DurationExpr;
      readonly right: DurationExpr;
      readonly position: Position;
    }
  | { readonly kind: "paren"; readonly operand: DurationExpr; readonly position: Position };

/** A duration in milliseconds where it is constant; else the expression to evaluate when step and range are known. */
export interface DurationValue {
  readonly milliseconds: number;
  readonly expression: DurationExpr | null;
}

interface Shifted {
  /** Zero where no `offset` is written. */
  readonly offset: DurationValue;
  readonly at: AtModifier | null;
}

export type RangeExtension = "anchored" | "smoothed";

export interface VectorSelector extends Node, Shifted {
  readonly kind: "vectorSelector";
  /** The name written before the braces, or "" (a name inside the braces is only a matcher). */
  readonly name: string;
  /** All conditions in the order written, then the equality of the name before the braces if there is one. */
  readonly matchers: readonly Matcher[];
  readonly extension: RangeExtension | null;
}

export interface MatrixSelector extends Node {
  readonly kind: "matrixSelector";
  /** Carries offset, `@` and extension, though they are written after the range. */
  readonly selector: VectorSelector;
  readonly range: DurationValue;
}

export interface Subquery extends Node, Shifted {
  readonly kind: "subquery";
  readonly expr: Expr;
  readonly range: DurationValue;
  /** Null: the default step. */
  readonly step: DurationValue | null;
}

export interface Call extends Node {
  readonly kind: "call";
  readonly func: FunctionSignature;
  readonly args: readonly Expr[];
}

/** A function as the parser needs to know it; how it computes is its implementation's, found by name. */
export interface FunctionSignature {
  readonly name: string;
  readonly argTypes: readonly ValueType[];
  /**
   * 0: exactly argTypes. Otherwise the last of argTypes may be left out, and may stand up to `variadic` times in all
   * (-1: any number of times).
   */
  readonly variadic: number;
  readonly returnType: ValueType;
  readonly isExperimental: boolean;
}

export type AggregationOp =
  | "sum"
  | "avg"
  | "count"
  | "min"
  | "max"
  | "group"
  | "stddev"
  | "stdvar"
  | "topk"
  | "bottomk"
  | "count_values"
  | "quantile"
  | "limitk"
  | "limit_ratio";

export interface Aggregation extends Node {
  readonly kind: "aggregation";
  readonly op: AggregationOp;
  readonly expr: Expr;
  readonly param: Expr | null;
  readonly grouping: readonly string[];
  readonly without: boolean;
}

export type BinaryOp =
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "^"
  | "atan2"
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "</"
  | ">/"
  | "and"
  | "or"
  | "unless";

export interface VectorMatching {
  readonly cardinality: "one-to-one" | "many-to-one" | "one-to-many" | "many-to-many";
  readonly on: boolean;
  readonly labels: readonly string[];
  /** Labels of the "one" side that group_left / group_right copies. */
  readonly include: readonly string[];
  readonly fillLeft: number | null;
  readonly fillRight: number | null;
}

export interface Binary extends Node {
  readonly kind: "binary";
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
  readonly returnBool: boolean;
  /** Null when one side is a scalar. Set operators are many-to-many. */
  readonly matching: VectorMatching | null;
  /** Where the operator itself stands, for messages. */
  readonly opPosition: Position;
}

export interface Unary extends Node {
  readonly kind: "unary";
  readonly op: "+" | "-";
  readonly expr: Expr;
}

export interface Paren extends Node {
  readonly kind: "paren";
  readonly expr: Expr;
}

/** Put around a subtree by the plan, never by the parser: evaluated at one step, the same at all. */
export interface StepInvariant extends Node {
  readonly kind: "stepInvariant";
  readonly expr: Expr;
}

/** What the parser accepts beyond the default; feature flags set them. */
export interface ParserOptions {
  readonly experimentalFunctions: boolean;
  readonly durationExpressions: boolean;
  readonly extendedRangeSelectors: boolean;
  readonly fillModifiers: boolean;
}

/** Prometheus's server default. */
export const defaultParserOptions: ParserOptions = {
  experimentalFunctions: false,
  durationExpressions: true,
  extendedRangeSelectors: false,
  fillModifiers: false,
};

/** All of the language, experimental or not. */
export const everyParserOption: ParserOptions = {
  experimentalFunctions: true,
  durationExpressions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
};
