import { formatDuration } from "../../model/duration.ts";
import { formatDecimal, formatGeneral } from "../../model/format-float.ts";
import { isValidLabelName } from "../../model/label-name.ts";
import { compareUtf8, METRIC_NAME } from "../../model/labels.ts";
import { quote } from "../../model/quote.ts";
import { childrenOf } from "./children.ts";
import type {
  Aggregation,
  AtModifier,
  Binary,
  DurationExpr,
  DurationValue,
  Expr,
  NumberLiteral,
  RangeExtension,
  Subquery,
  VectorSelector,
} from "./ast.ts";

/** An expression on one line, as it stands in messages; parsing it again gives the same tree. */
export function printExpr(expr: Expr): string {
  switch (expr.kind) {
    case "number":
      return printNumber(expr.value, expr.isDuration);
    case "string":
      return quote(expr.value);
    case "vectorSelector":
      return (
        printSelectorBody(expr) + printAt(expr.at) + printExtension(expr.extension) + printOffset(expr.offset)
      );
    case "matrixSelector": {
      const { selector, range } = expr;
      const suffix = printExtension(selector.extension) + printAt(selector.at) + printOffset(selector.offset);
      return `${printSelectorBody(selector)}[${printDuration(range)}]${suffix}`;
    }
    case "subquery":
      return printExpr(expr.expr) + subquerySuffix(expr);
    case "call":
      return `${expr.func.name}(${expr.args.map(printExpr).join(", ")})`;
    case "aggregation": {
      const args = expr.param === null ? [expr.expr] : [expr.param, expr.expr];
      return `${aggregationHead(expr)}(${args.map(printExpr).join(", ")})`;
    }
    case "binary":
      return `${printExpr(expr.left)} ${operatorWithModifiers(expr)} ${printExpr(expr.right)}`;
    case "unary":
      return expr.op + printExpr(expr.expr);
    case "paren":
      return `(${printExpr(expr.expr)})`;
    case "stepInvariant":
      return printExpr(expr.expr);
  }
}

/** What is longer than this many bytes on one line is split. */
const MAX_LINE_BYTES = 100;

/** An expression over as many lines as it needs, two blanks further in at each level. */
export function prettyExpr(expr: Expr): string {
  return pretty(expr, 0, new Map());
}

function pretty(expr: Expr, level: number, printed: Map<Expr, boolean>): string {
  const indent = "  ".repeat(level);
  const inner = (child: Expr) => pretty(child, level + 1, printed);
  if (expr.kind === "unary") return indent + expr.op + pretty(expr.expr, level, printed).trim();
  if (expr.kind === "stepInvariant") return pretty(expr.expr, level, printed);
  // A short subquery stands at the margin: so it does in Prometheus.
  if (!isTooLong(expr, printed)) return (expr.kind === "subquery" ? "" : indent) + printExpr(expr);
  switch (expr.kind) {
    case "aggregation": {
      const param = expr.param === null ? "" : `${inner(expr.param)},\n`;
      return `${indent}${aggregationHead(expr)}(\n${param}${inner(expr.expr)}\n${indent})`;
    }
    case "binary":
      return `${inner(expr.left)}\n${indent}${operatorWithModifiers(expr)}\n${inner(expr.right)}`;
    case "call":
      return `${indent}${expr.func.name}(\n${expr.args.map(inner).join(",\n")}\n${indent})`;
    case "paren":
      return `${indent}(\n${inner(expr.expr)}\n${indent})`;
    case "subquery":
      return pretty(expr.expr, level, printed) + subquerySuffix(expr);
    default:
      return indent + printExpr(expr);
  }
}

/** A part of what fits a line fits too: only what has no part that is too long is printed to be measured, and once. */
function isTooLong(expr: Expr, measured: Map<Expr, boolean>): boolean {
  let tooLong = measured.get(expr);
  if (tooLong === undefined) {
    tooLong =
      childrenOf(expr).some((child) => isTooLong(child, measured)) ||
      Buffer.byteLength(printExpr(expr)) > MAX_LINE_BYTES;
    measured.set(expr, tooLong);
  }
  return tooLong;
}

function aggregationHead(expr: Aggregation): string {
  if (expr.without) return `${expr.op} without (${printLabels(expr.grouping)}) `;
  return expr.grouping.length > 0 ? `${expr.op} by (${printLabels(expr.grouping)}) ` : expr.op;
}

function operatorWithModifiers({ op, returnBool, matching }: Binary): string {
  let out: string = op;
  if (returnBool) out += " bool";
  if (matching === null) return out;
  const { cardinality, on, labels, include, fillLeft, fillRight } = matching;
  const hasGroup = cardinality === "many-to-one" || cardinality === "one-to-many";
  if (on || labels.length > 0 || hasGroup) out += ` ${on ? "on" : "ignoring"} (${printLabels(labels)})`;
  if (hasGroup) {
    out += ` group_${cardinality === "many-to-one" ? "left" : "right"} (${printLabels(include)})`;
  }
  if (fillLeft !== null && Object.is(fillLeft, fillRight)) return `${out} fill (${formatGeneral(fillLeft)})`;
  if (fillLeft !== null) out += ` fill_left (${formatGeneral(fillLeft)})`;
  if (fillRight !== null) out += ` fill_right (${formatGeneral(fillRight)})`;
  return out;
}

function printLabels(labels: readonly string[]): string {
  return labels.map(printLabelName).join(", ");
}

function printLabelName(name: string): string {
  return isValidLabelName(name, "legacy") ? name : quote(name);
}

function printSelectorBody({ name, matchers }: VectorSelector): string {
  const texts = matchers
    .filter(
      (matcher) =>
        !(name !== "" && matcher.name === METRIC_NAME && matcher.type === "=" && matcher.value === name),
    )
    .map((matcher) => `${printLabelName(matcher.name)}${matcher.type}${quote(matcher.value)}`)
    .sort(compareUtf8);
  return texts.length === 0 && name !== "" ? name : `${name}{${texts.join(",")}}`;
}

function subquerySuffix({ range, step, at, offset }: Subquery): string {
  const stepText = step === null ? "" : printDuration(step);
  return `[${printDuration(range)}:${stepText}]${printAt(at)}${printOffset(offset)}`;
}

function printAt(at: AtModifier | null): string {
  if (at === null) return "";
  return at.kind === "timestamp" ? ` @ ${(at.timeMs / 1000).toFixed(3)}` : ` @ ${at.kind}()`;
}

function printExtension(extension: RangeExtension | null): string {
  return extension === null ? "" : ` ${extension}`;
}

function printOffset(offset: DurationValue): string {
  if (offset.expression === null) {
    return offset.milliseconds === 0 ? "" : ` offset ${formatDuration(offset.milliseconds)}`;
  }
  const text = printDuration(offset);
  // An operator would otherwise end the offset when read again.
  const isOperation = offset.expression.kind === "binary" && !CHOICES.has(offset.expression.op);
  return isOperation ? ` offset (${text})` : ` offset ${text}`;
}

const CHOICES: ReadonlySet<string> = new Set(["min_of", "max_of"]);

function printDuration(duration: DurationValue): string {
  return duration.expression === null
    ? formatDuration(duration.milliseconds)
    : printDurationExpr(duration.expression);
}

function printDurationExpr(expr: DurationExpr): string {
  switch (expr.kind) {
    case "number":
      return printNumber(expr.seconds, expr.isDuration);
    case "step":
    case "range":
      return `${expr.kind}()`;
    case "unary":
      return (expr.op === "-" ? "-" : "") + printDurationExpr(expr.operand);
    case "paren":
      return `(${printDurationExpr(expr.operand)})`;
    case "binary": {
      const left = printDurationExpr(expr.left);
      const right = printDurationExpr(expr.right);
      return CHOICES.has(expr.op) ? `${expr.op}(${left}, ${right})` : `${left} ${expr.op} ${right}`;
    }
  }
}

/** A number literal, as a duration if it was written as one. */
export function printNumber(value: number, isDuration: NumberLiteral["isDuration"]): string {
  return isDuration ? formatDuration(Math.round(value * 1000)) : formatDecimal(value);
}
