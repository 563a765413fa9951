/** The tree of a template, as Go's text/template/parse builds it, and its nodes' text as error messages quote it. */
import { quote } from "../../model/quote.ts";

/** Positions are in UTF-16 units from the start of the text. */
interface Positioned {
  readonly position: number;
}

export interface ListNode extends Positioned {
  readonly kind: "list";
  readonly nodes: readonly StatementNode[];
}

export type StatementNode = ListNode | TextNode | ActionNode | BranchNode | TemplateNode | LoopExitNode;

export interface TextNode extends Positioned {
  readonly kind: "text";
  readonly text: string;
}

export interface ActionNode extends Positioned {
  readonly kind: "action";
  readonly pipe: PipeNode;
}

export interface BranchNode extends Positioned {
  readonly kind: "if" | "with" | "range";
  readonly pipe: PipeNode;
  readonly list: ListNode;
  readonly elseList: ListNode | null;
}

export interface TemplateNode extends Positioned {
  readonly kind: "template";
  readonly name: string;
  readonly pipe: PipeNode | null;
}

export interface LoopExitNode extends Positioned {
  readonly kind: "break" | "continue";
}

export interface PipeNode extends Positioned {
  readonly kind: "pipe";
  /** Variables it declares, or assigns to. */
  readonly variables: readonly VariableNode[];
  readonly isAssignment: boolean;
  readonly commands: readonly CommandNode[];
}

export interface CommandNode extends Positioned {
  readonly kind: "command";
  readonly args: readonly OperandNode[];
}

export type OperandNode =
  | IdentifierNode
  | FieldNode
  | VariableNode
  | ChainNode
  | PipeNode
  | DotNode
  | NilNode
  | BoolNode
  | NumberNode
  | StringNode;

export interface IdentifierNode extends Positioned {
  readonly kind: "identifier";
  readonly name: string;
}

/** `.a.b` */
export interface FieldNode extends Positioned {
  readonly kind: "field";
  readonly path: readonly string[];
}

/** `$x.a.b`: the name with its dollar, then fields. */
export interface VariableNode extends Positioned {
  readonly kind: "variable";
  readonly name: string;
  readonly path: readonly string[];
}

/** Fields of something else: `(pipeline).a.b`. */
export interface ChainNode extends Positioned {
  readonly kind: "chain";
  readonly operand: OperandNode;
  readonly path: readonly string[];
}

export interface DotNode extends Positioned {
  readonly kind: "dot";
}

export interface NilNode extends Positioned {
  readonly kind: "nil";
}

export interface BoolNode extends Positioned {
  readonly kind: "bool";
  readonly value: boolean;
}

/** A constant, in each of the types it can stand for. */
export interface NumberNode extends Positioned {
  readonly kind: "number";
  readonly text: string;
  readonly asInt: bigint | null;
  readonly asFloat: number | null;
  /** Written so that it is a float where nothing says otherwise. */
  readonly isFloatByDefault: boolean;
}

export interface StringNode extends Positioned {
  readonly kind: "string";
  /** As written, with its quotes. */
  readonly quoted: string;
  readonly value: string;
}

export type Node = StatementNode | CommandNode | OperandNode;

/** The node as it would be written. */
export function nodeText(node: Node): string {
  switch (node.kind) {
    case "list":
      return node.nodes.map(nodeText).join("");
    case "text":
      return quote(node.text);
    case "action":
      return `{{${nodeText(node.pipe)}}}`;
    case "if":
    case "with":
    case "range": {
      const elseText = node.elseList === null ? "" : `{{else}}${nodeText(node.elseList)}`;
      return `{{${node.kind} ${nodeText(node.pipe)}}}${nodeText(node.list)}${elseText}{{end}}`;
    }
    case "template":
      return `{{template ${quote(node.name)}${node.pipe === null ? "" : ` ${nodeText(node.pipe)}`}}}`;
    case "break":
    case "continue":
      return `{{${node.kind}}}`;
    case "pipe": {
      const variables = node.variables.map(nodeText).join(", ");
      const declaration = variables === "" ? "" : `${variables} ${node.isAssignment ? "=" : ":="} `;
      return declaration + node.commands.map(nodeText).join(" | ");
    }
    case "command":
      return node.args.map((arg) => (arg.kind === "pipe" ? `(${nodeText(arg)})` : nodeText(arg))).join(" ");
    case "identifier":
      return node.name;
    case "field":
      return node.path.map((name) => `.${name}`).join("");
    case "variable":
      return [node.name, ...node.path].join(".");
    case "chain": {
      const operand = nodeText(node.operand);
      const fields = node.path.map((name) => `.${name}`).join("");
      return (node.operand.kind === "pipe" ? `(${operand})` : operand) + fields;
    }
    case "dot":
      return ".";
    case "nil":
      return "nil";
    case "bool":
      return String(node.value);
    case "number":
      return node.text;
    case "string":
      return node.quoted;
  }
}
