import type { SyntaxNode } from "../../api/types.ts";
import { formatDuration } from "./duration.ts";
import { labelNameText, quote, selectorText } from "./selector.ts";

type TimeShifted = Extract<SyntaxNode, { type: "vectorSelector" | "matrixSelector" | "subquery" }>;
type Selector = Extract<SyntaxNode, { type: "vectorSelector" | "matrixSelector" }>;

function durationText(expression: SyntaxNode | null, durationMs: number): string {
  return expression ? syntaxText(expression) : formatDuration(durationMs);
}

function timeShiftText(node: TimeShifted): string {
  let text = "";
  if (node.timestamp !== null) text += ` @ ${(node.timestamp / 1000).toFixed(3)}`;
  else if (node.startOrEnd !== null) text += ` @ ${node.startOrEnd}()`;
  if (node.offsetExpr !== null || node.offset !== 0) {
    text += ` offset ${durationText(node.offsetExpr, node.offset)}`;
  }
  return text;
}

function matchersText(node: Selector): string {
  const named = node.matchers.find(({ name, type }) => name === "__name__" && type === "=");
  const metricName = node.name || named?.value || "";
  return selectorText(
    metricName,
    node.matchers
      .filter((matcher) => matcher !== named)
      .map(({ name, type, value }) => `${labelNameText(name)}${type}${quote(value)}`),
  );
}

function rangeModeText(node: Selector): string {
  return node.anchored ? " anchored" : node.smoothed ? " smoothed" : "";
}

/** What joins the sides of a binary expression: `/ on (job) group_left ()`, the operator included. */
export function operatorText(node: Extract<SyntaxNode, { type: "binaryExpr" }>): string {
  let text = node.op + (node.bool ? " bool" : "");
  const matching = node.matching;
  if (!matching) return text;
  if (matching.on || matching.labels.length > 0) {
    text += ` ${matching.on ? "on" : "ignoring"} (${matching.labels.map(labelNameText).join(", ")})`;
  }
  if (matching.card === "many-to-one")
    text += ` group_left (${matching.include.map(labelNameText).join(", ")})`;
  if (matching.card === "one-to-many")
    text += ` group_right (${matching.include.map(labelNameText).join(", ")})`;
  const { lhs, rhs } = matching.fillValues;
  if (lhs !== null && lhs === rhs) return `${text} fill (${lhs})`;
  if (lhs !== null) text += ` fill_left (${lhs})`;
  if (rhs !== null) text += ` fill_right (${rhs})`;
  return text;
}

/** `sum by (job)`: an aggregation without what it aggregates. */
export function aggregationText(node: Extract<SyntaxNode, { type: "aggregation" }>): string {
  if (!node.without && node.grouping.length === 0) return node.op;
  return `${node.op} ${node.without ? "without" : "by"} (${node.grouping.map(labelNameText).join(", ")})`;
}

/** The PromQL of a node of the syntax tree, on one line. */
export function syntaxText(node: SyntaxNode): string {
  switch (node.type) {
    case "aggregation":
      return `${aggregationText(node)} (${node.param ? `${syntaxText(node.param)}, ` : ""}${syntaxText(node.expr)})`;
    case "binaryExpr":
      return `${syntaxText(node.lhs)} ${operatorText(node)} ${syntaxText(node.rhs)}`;
    case "call":
      return `${node.func.name}(${node.args.map(syntaxText).join(", ")})`;
    case "vectorSelector":
      return matchersText(node) + rangeModeText(node) + timeShiftText(node);
    case "matrixSelector":
      return `${matchersText(node)}[${durationText(node.rangeExpr, node.range)}]${rangeModeText(node)}${timeShiftText(node)}`;
    case "subquery": {
      const step = node.stepExpr !== null || node.step !== 0 ? durationText(node.stepExpr, node.step) : "";
      return `${syntaxText(node.expr)}[${durationText(node.rangeExpr, node.range)}:${step}]${timeShiftText(node)}`;
    }
    case "numberLiteral":
      return node.duration === true ? formatDuration(Number(node.val) * 1000) : node.val;
    case "stringLiteral":
      return quote(node.val);
    case "parenExpr":
      return `(${syntaxText(node.expr)})`;
    case "unaryExpr":
      return node.op + syntaxText(node.expr);
    case "durationExpr": {
      const left = node.lhs ? `${syntaxText(node.lhs)} ` : "";
      const text = `${left}${node.op}${left ? " " : ""}${node.rhs ? syntaxText(node.rhs) : ""}`;
      return node.wrapped ? `(${text})` : text;
    }
  }
}
