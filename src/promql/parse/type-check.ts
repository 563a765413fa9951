import { METRIC_NAME } from "../../model/labels.ts";
import { quote } from "../../model/quote.ts";
import type {
  Aggregation,
  Binary,
  BinaryOp,
  Call,
  Expr,
  ValueType,
  VectorMatching,
  VectorSelector,
} from "./ast.ts";
import { documentedType } from "./value-type.ts";

/** What is wrong with a tree that the grammar accepts, and at which byte of the query. */
export interface TypeError {
  readonly offset: number;
  readonly reason: string;
}

const COMPARISONS: ReadonlySet<BinaryOp> = new Set<BinaryOp>(["==", "!=", "<", "<=", ">", ">="]);
const SET_OPERATORS: ReadonlySet<BinaryOp> = new Set<BinaryOp>(["and", "or", "unless"]);

/**
 * Checks that every part has the type its place asks for, depth first. A binary expression with a scalar side loses
 * its vector matching on the way.
 *
 * @returns the first error, or null
 */
export function typeCheck(expr: Expr): TypeError | null {
  const checker = new Checker();
  checker.check(expr);
  return checker.firstError;
}

class Checker {
  firstError: TypeError | null = null;

  private fail(at: { readonly position: { readonly start: number } }, reason: string): void {
    this.firstError ??= { offset: at.position.start, reason };
  }

  /** Checks the tree and tells its type, each node once: asking a deep tree for its type anew would be quadratic. */
  check(expr: Expr): ValueType {
    switch (expr.kind) {
      case "number":
        return "scalar";
      case "string":
        return "string";
      case "vectorSelector":
        this.checkSelector(expr);
        return "vector";
      case "matrixSelector":
        this.checkSelector(expr.selector);
        return "matrix";
      case "subquery": {
        const type = this.check(expr.expr);
        if (type !== "vector")
          this.fail(expr, `subquery is only allowed on instant vector, got ${type} instead`);
        return "matrix";
      }
      case "paren":
      case "stepInvariant":
        return this.check(expr.expr);
      case "unary": {
        const type = this.check(expr.expr);
        if (type !== "scalar" && type !== "vector") {
          this.fail(
            expr,
            `unary expression only allowed on expressions of type scalar or instant vector, got ${quote(documentedType(type))}`,
          );
        }
        return type;
      }
      case "aggregation":
        this.checkAggregation(expr);
        return "vector";
      case "call":
        this.checkCall(expr);
        return expr.func.returnType;
      case "binary":
        return this.checkBinary(expr);
    }
  }

  private expectType(expr: Expr, wanted: ValueType, place: string): void {
    const type = this.check(expr);
    if (type === wanted) return;
    this.fail(expr, `expected type ${documentedType(wanted)} in ${place}, got ${documentedType(type)}`);
  }

  private checkAggregation(expr: Aggregation): void {
    this.expectType(expr.expr, "vector", "aggregation expression");
    if (expr.param === null) return;
    this.expectType(expr.param, expr.op === "count_values" ? "string" : "scalar", "aggregation parameter");
  }

  private checkCall(expr: Call): void {
    const { name, argTypes, variadic } = expr.func;
    const count = expr.args.length;
    const complain = (bound: string, wanted: number) =>
      this.fail(expr, `expected ${bound}${wanted} argument(s) in call to ${quote(name)}, got ${count}`);
    if (variadic === 0) {
      if (count !== argTypes.length) complain("", argTypes.length);
    } else {
      const required = argTypes.length - 1;
      if (count < required) complain("at least ", required);
      else if (variadic > 0 && count > required + variadic) complain("at most ", required + variadic);
    }
    expr.args.forEach((arg, index) => {
      if (index >= argTypes.length && variadic === 0) return;
      const wanted = argTypes[Math.min(index, argTypes.length - 1)]!;
      if (name === "info" && index === 1) this.checkInfoSelector(expr, arg);
      else this.expectType(arg, wanted, `call to function ${quote(name)}`);
    });
  }

  /** The second argument of info() is a bag of matchers, not something to select: it may match everything. */
  private checkInfoSelector(call: Call, arg: Expr): void {
    const type = arg.kind === "vectorSelector" ? "vector" : this.check(arg);
    if (type !== "vector") {
      this.fail(call, `expected type instant vector in call to function "info", got ${documentedType(type)}`);
    } else if (arg.kind !== "vectorSelector") this.fail(arg, "expected label selectors only");
    else if (arg.name !== "") this.fail(arg, "expected label selectors only, got vector selector instead");
    else this.checkSingleName(arg);
  }

  private checkSelector(selector: VectorSelector): void {
    this.checkSingleName(selector);
    if (selector.name === "" && selector.matchers.every((matcher) => matcher.matchesEmpty)) {
      this.fail(selector, "vector selector must contain at least one non-empty matcher");
    }
  }

  private checkSingleName(selector: VectorSelector): void {
    const twice = (first: string, second: string) =>
      this.fail(selector, `metric name must not be set twice: ${quote(first)} or ${quote(second)}`);
    if (selector.name !== "") {
      const other = selector.matchers.slice(0, -1).find((matcher) => matcher.name === METRIC_NAME);
      if (other !== undefined) twice(selector.name, other.value);
      return;
    }
    const names = selector.matchers.filter((matcher) => matcher.name === METRIC_NAME && matcher.type === "=");
    if (names.length > 1) twice(names[0]!.value, names[1]!.value);
  }

  private checkBinary(expr: Binary): ValueType {
    const { op, matching } = expr;
    const left = this.check(expr.left);
    const right = this.check(expr.right);
    const areScalars = left === "scalar" && right === "scalar";
    const operator = { position: expr.opPosition };
    if (expr.returnBool && !COMPARISONS.has(op)) {
      this.fail(operator, "bool modifier can only be used on comparison operators");
    }
    if (areScalars && COMPARISONS.has(op) && !expr.returnBool) {
      this.fail(operator, "comparisons between scalars must use BOOL modifier");
    }
    if (matching?.on === true) {
      const shared = matching.labels.find((label) => matching.include.includes(label));
      if (shared !== undefined) {
        this.fail(operator, `label ${quote(shared)} must not occur in ON and GROUP clause at once`);
      }
    }
    for (const [side, type] of [
      [expr.left, left],
      [expr.right, right],
    ] as const) {
      if (type !== "scalar" && type !== "vector") {
        this.fail(side, "binary expression must contain only scalar and instant vector types");
      }
    }
    if (matching !== null) {
      if (left !== "vector" || right !== "vector") this.dropMatching(expr, matching);
      else if (SET_OPERATORS.has(op)) this.checkSetMatching(expr, matching);
    }
    if (SET_OPERATORS.has(op) && (left === "scalar" || right === "scalar")) {
      this.fail(expr, `set operator ${quote(op)} not allowed in binary scalar expression`);
    }
    return areScalars ? "scalar" : "vector";
  }

  private dropMatching(expr: Binary, matching: VectorMatching): void {
    if (matching.labels.length > 0) this.fail(expr, "vector matching only allowed between instant vectors");
    if (hasFill(matching)) {
      this.fail(expr, "filling in missing series only allowed between instant vectors");
    }
    // The tree is still ours alone here.
    (expr as { matching: VectorMatching | null }).matching = null;
  }

  private checkSetMatching(expr: Binary, matching: VectorMatching): void {
    if (matching.cardinality === "many-to-one" || matching.cardinality === "one-to-many") {
      this.fail(expr, `no grouping allowed for ${quote(expr.op)} operation`);
    }
    if (hasFill(matching)) this.fail(expr, "filling in missing series not allowed for set operators");
  }
}

function hasFill(matching: VectorMatching): boolean {
  return matching.fillLeft !== null || matching.fillRight !== null;
}
