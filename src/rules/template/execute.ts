/**
 * The executor of Go's text/template. It runs without waiting (see `QueryMemo`), in bounded steps and output, and
 * reports errors at the place and with the words of Go.
 */
import { quote } from "../../model/quote.ts";
import type {
  ActionNode,
  BranchNode,
  ChainNode,
  CommandNode,
  IdentifierNode,
  ListNode,
  Node,
  NumberNode,
  OperandNode,
  PipeNode,
  StatementNode,
  TemplateNode,
} from "./ast.ts";
import { nodeText } from "./ast.ts";
import { printable, type FunctionContext, type ParameterType, type TemplateFunction } from "./functions.ts";
import type { Tree } from "./parse.ts";
import { sprint } from "./printf.ts";
import { QueryNeeded } from "./query-memo.ts";
import { TemplateError } from "./template-error.ts";
import { SAMPLE_LIST_TYPE, ListValue, isNil, isObject, isTrue, typeNameOf, type Value } from "./value.ts";

const MAX_STEPS = 2_000_000;
/** In UTF-16 units: of the whole output, and of each text on the way to it. */
const MAX_TEXT_LENGTH = 16 << 20;
const MAX_TEMPLATE_DEPTH = 200;

export interface Execution {
  readonly trees: ReadonlyMap<string, Tree>;
  readonly functions: ReadonlyMap<string, TemplateFunction>;
  readonly context: FunctionContext;
  /** Follows the output and makes what actions give fit into it; by default values stand as %v prints them. */
  readonly escaper?: OutputEscaper;
  /** Shared with executions within this one. */
  readonly budget?: Budget;
}

export interface OutputEscaper {
  text(text: string): string;
  /** @param escapedBy the function by which the template has already escaped the value */
  value(value: Value, escapedBy: "html" | "urlquery" | null): string;
}

/** What executions may still use up. */
export interface Budget {
  steps: number;
  textLength: number;
}

export function newBudget(): Budget {
  return { steps: MAX_STEPS, textLength: MAX_TEXT_LENGTH };
}

/**
 * The output of template `name` over `data`.
 * @throws TemplateError `template: <text>:<line>:<column>: executing "<name>" at <<node>>: <what is wrong>`
 * @throws QueryNeeded when a query's result isn't known yet
 */
export function executeTemplate(name: string, data: Value, execution: Execution): string {
  const tree = execution.trees.get(name);
  if (tree === undefined)
    throw new TemplateError(`template: ${name}: ${quote(name)} is an incomplete or empty template`);
  return new Executor(execution).run(tree, data);
}

/** No argument comes down the pipeline. */
const MISSING = Symbol("missing");
type Piped = Value | typeof MISSING;

class LoopExit extends Error {
  constructor(readonly kind: "break" | "continue") {
    super(kind);
  }
}

class Executor {
  private out: string[] = [];
  private readonly budget: Budget;
  private depth = 0;
  private tree!: Tree;
  /** The node at work, for messages. */
  private node: Node | null = null;
  private variables: { readonly name: string; value: Value }[] = [];

  constructor(private readonly execution: Execution) {
    this.budget = execution.budget ?? newBudget();
  }

  run(tree: Tree, data: Value): string {
    this.tree = tree;
    this.variables = [{ name: "$", value: data }];
    try {
      this.walkList(data, tree.root);
    } catch (error) {
      if (error instanceof RangeError) throw this.error("too deep a recursion");
      throw error;
    }
    return this.out.join("");
  }

  // ───────────────────────────────────────────── statements ─────────────────────────────────────────────

  private walkList(dot: Value, list: ListNode): void {
    this.node = list;
    for (const node of list.nodes) this.walk(dot, node);
  }

  private walk(dot: Value, node: StatementNode): void {
    this.at(node);
    switch (node.kind) {
      case "list":
        return this.walkList(dot, node);
      case "text":
        return this.write(this.execution.escaper?.text(node.text) ?? node.text);
      case "action": {
        const value = this.pipeline(dot, node.pipe);
        if (node.pipe.variables.length === 0) this.writeValue(value, node);
        return;
      }
      case "if":
      case "with":
        return this.walkIfOrWith(dot, node);
      case "range":
        return this.walkRange(dot, node);
      case "template":
        return this.walkTemplate(dot, node);
      case "break":
      case "continue":
        throw new LoopExit(node.kind);
    }
  }

  private walkIfOrWith(dot: Value, node: BranchNode): void {
    const mark = this.variables.length;
    const value = this.pipeline(dot, node.pipe);
    if (isTrue(value)) this.walkList(node.kind === "with" ? value : dot, node.list);
    else if (node.elseList !== null) this.walkList(dot, node.elseList);
    this.variables.length = mark;
  }

  private walkRange(dot: Value, node: BranchNode): void {
    const outerMark = this.variables.length;
    const value = this.pipeline(dot, node.pipe);
    const mark = this.variables.length;
    let hasRun = false;
    for (const [key, element] of this.elementsOf(value, node)) {
      hasRun = true;
      this.setLoopVariables(node.pipe, key, element);
      try {
        this.walkList(element, node.list);
      } catch (exit) {
        if (!(exit instanceof LoopExit)) throw exit;
        if (exit.kind === "break") break;
      }
      this.variables.length = mark;
    }
    if (!hasRun && node.elseList !== null) this.walkList(dot, node.elseList);
    this.variables.length = outerMark;
  }

  private *elementsOf(value: Value, node: BranchNode): Generator<readonly [Value, Value]> {
    if (isNil(value)) return;
    if (typeof value === "bigint") {
      if (node.pipe.variables.length > 1) {
        this.fail(`can't use ${value} to iterate over more than one variable`);
      }
      for (let i = 0n; i < value; i++) {
        this.step();
        yield [i, i];
      }
      return;
    }
    if (isObject(value) && value.kind === "list") {
      for (const [index, item] of value.items.entries()) {
        this.step();
        yield [BigInt(index), item];
      }
      return;
    }
    if (isObject(value) && value.kind === "map") {
      for (const entry of value.entries) {
        this.step();
        yield entry;
      }
      return;
    }
    this.fail(`range can't iterate over ${sprint([printable(value)])}`);
  }

  /** With one variable it is the element; with two the key comes first. */
  private setLoopVariables({ variables, isAssignment }: PipeNode, key: Value, element: Value): void {
    if (variables.length === 0) return;
    const values = variables.length === 1 ? [element] : [key, element];
    for (const [i, value] of values.entries()) {
      if (isAssignment) this.setVariable(variables[i]!.name, value);
      else this.variables[this.variables.length - variables.length + i]!.value = value;
    }
  }

  private walkTemplate(dot: Value, node: TemplateNode): void {
    const tree = this.execution.trees.get(node.name);
    if (tree === undefined) this.fail(`template ${quote(node.name)} not defined`);
    if (this.depth === MAX_TEMPLATE_DEPTH) {
      this.fail(`exceeded maximum template depth (${MAX_TEMPLATE_DEPTH})`);
    }
    const data = node.pipe === null ? undefined : this.pipeline(dot, node.pipe);
    const { tree: outerTree, variables: outerVariables } = this;
    this.tree = tree;
    this.variables = [{ name: "$", value: data }];
    this.depth++;
    this.walkList(data, tree.root);
    this.depth--;
    this.tree = outerTree;
    this.variables = outerVariables;
  }

  private writeValue(value: Value, node: ActionNode): void {
    this.at(node);
    const { escaper } = this.execution;
    if (escaper === undefined) this.write(sprint([printable(value)]));
    else this.write(escaper.value(value, escapedBy(node)));
  }

  private write(text: string): void {
    this.budget.textLength -= text.length;
    if (this.budget.textLength < 0) this.fail(`output is longer than ${MAX_TEXT_LENGTH} characters`);
    this.out.push(text);
  }

  // ───────────────────────────────────────────── pipelines ─────────────────────────────────────────────

  private pipeline(dot: Value, pipe: PipeNode): Value {
    this.at(pipe);
    let piped: Piped = MISSING;
    for (const command of pipe.commands) piped = this.command(dot, command, piped);
    const value = piped === MISSING ? undefined : piped;
    for (const { name } of pipe.variables) {
      if (pipe.isAssignment) this.setVariable(name, value);
      else this.variables.push({ name, value });
    }
    return value;
  }

  private command(dot: Value, command: CommandNode, piped: Piped): Value {
    this.step();
    const { args } = command;
    const first = args[0]!;
    switch (first.kind) {
      case "field":
        this.at(first);
        return this.fieldChain(dot, dot, first, first.path, args, piped);
      case "chain":
        return this.chain(dot, first, args, piped);
      case "identifier":
        return this.callFunction(dot, first, command, args, piped);
      case "pipe":
        this.expectNoArgs(args, piped);
        return this.pipeline(dot, first);
      case "variable": {
        this.at(first);
        const value = this.variable(first.name);
        if (first.path.length === 0) {
          this.expectNoArgs(args, piped);
          return value;
        }
        return this.fieldChain(dot, value, first, first.path, args, piped);
      }
    }
    this.at(first);
    this.expectNoArgs(args, piped);
    switch (first.kind) {
      case "bool":
        return first.value;
      case "dot":
        return dot;
      case "nil":
        return this.fail("nil is not a command");
      case "number":
        return this.constant(first);
      case "string":
        return first.value;
    }
  }

  private expectNoArgs(args: readonly OperandNode[], piped: Piped): void {
    if (args.length > 1 || piped !== MISSING) {
      this.fail(`can't give argument to non-function ${nodeText(args[0]!)}`);
    }
  }

  private constant(node: NumberNode): Value {
    if (node.isFloatByDefault) return node.asFloat!;
    return node.asInt ?? this.fail(`${node.text} overflows int`);
  }

  private chain(dot: Value, node: ChainNode, args: readonly OperandNode[] | null, piped: Piped): Value {
    this.at(node);
    if (node.operand.kind === "nil") this.fail(`indirection through explicit nil in ${nodeText(node)}`);
    const receiver = this.untypedArg(dot, node.operand);
    return this.fieldChain(dot, receiver, node, node.path, args, piped);
  }

  /** `receiver.a.b.c`, of which only the last may take arguments. */
  private fieldChain(
    dot: Value,
    receiver: Value,
    node: Node,
    path: readonly string[],
    args: readonly OperandNode[] | null,
    piped: Piped,
  ): Value {
    let typeName = typeNameOf(receiver);
    for (const name of path.slice(0, -1)) {
      const next = this.field(dot, receiver, typeName, name, node, null, MISSING);
      typeName = hasInterfaceFields(receiver, name) ? "interface {}" : typeNameOf(next);
      receiver = next;
    }
    return this.field(dot, receiver, typeName, path.at(-1)!, node, args, piped);
  }

  private field(
    dot: Value,
    receiver: Value,
    typeName: string,
    name: string,
    node: Node,
    args: readonly OperandNode[] | null,
    piped: Piped,
  ): Value {
    this.step();
    if (receiver === undefined) return undefined;
    if (receiver === null) return this.fail(`nil pointer evaluating interface {}.${name}`);
    const hasArgs = (args?.length ?? 0) > 1 || piped !== MISSING;
    if (isObject(receiver)) {
      switch (receiver.kind) {
        case "time":
        case "duration": {
          const method = receiver.method(name);
          if (method !== null) return this.callMethod(dot, name, method, node, args, piped);
          break;
        }
        case "struct": {
          const field = receiver.fields.get(name);
          if (!receiver.fields.has(name)) break;
          if (hasArgs) this.fail(`${name} has arguments but cannot be invoked as function`);
          return field;
        }
        case "map":
          if (hasArgs) this.fail(`${name} is not a method but has arguments`);
          return receiver.get(name) ?? undefined;
        case "histogram":
          if (name === "String") return receiver.text;
          break;
        case "list":
        case "html":
          break;
      }
    }
    return this.fail(`can't evaluate field ${name} in type ${typeName}`);
  }

  private callMethod(
    dot: Value,
    name: string,
    method: (args: readonly Value[]) => Value,
    node: Node,
    args: readonly OperandNode[] | null,
    piped: Piped,
  ): Value {
    const values = (args ?? []).slice(1).map((arg) => this.typedArg(dot, "interface {}", arg));
    if (piped !== MISSING) values.push(piped);
    return this.callSafely(name, node, () => method(values));
  }

  // ───────────────────────────────────────────── calls ─────────────────────────────────────────────

  /** @param args the function's own node first; null for a function that is itself an argument */
  private callFunction(
    dot: Value,
    node: IdentifierNode,
    callNode: Node,
    args: readonly OperandNode[] | null,
    piped: Piped,
  ): Value {
    this.at(node);
    const { name } = node;
    const called = this.execution.functions.get(name);
    if (called === undefined) return this.fail(`${quote(name)} is not a defined function`);
    const operands = (args ?? []).slice(1);
    const count = operands.length + (piped === MISSING ? 0 : 1);
    const { parameters, isVariadic } = called;
    const fixedCount = isVariadic ? parameters.length - 1 : parameters.length;
    if (isVariadic && count < fixedCount) {
      this.fail(`wrong number of args for ${name}: want at least ${fixedCount} got ${operands.length}`);
    }
    if (!isVariadic && count !== fixedCount) {
      this.fail(`wrong number of args for ${name}: want ${fixedCount} got ${count}`);
    }
    if (name === "and" || name === "or") return this.shortCircuit(dot, name, operands, piped);
    const typeAt = (index: number): ParameterType => parameters[Math.min(index, parameters.length - 1)]!;
    const values = operands.map((operand, index) => this.typedArg(dot, typeAt(index), operand));
    if (piped !== MISSING) values.push(this.checkType(piped, typeAt(values.length)));
    if (name === "call") return this.refuseCall(callNode, operands[0], values[0]);
    return this.callSafely(name, callNode, () => called.call(values, this.execution.context));
  }

  /** No value of ours is a function. */
  private refuseCall(node: Node, operand: OperandNode | undefined, callee: Value): never {
    this.at(node);
    const written = operand === undefined ? "" : `${nodeText(operand)} `;
    return this.fail(
      `error calling call: ${isNil(callee) ? "call of nil" : `non-function ${written}of type ${typeNameOf(callee)}`}`,
    );
  }

  /** `and` and `or` stop at the argument that decides. */
  private shortCircuit(
    dot: Value,
    name: "and" | "or",
    operands: readonly OperandNode[],
    piped: Piped,
  ): Value {
    let value: Value;
    for (const operand of operands) {
      value = this.typedArg(dot, "reflect.Value", operand);
      if (isTrue(value) === (name === "or")) return value;
    }
    return piped === MISSING ? value : piped;
  }

  private callSafely(name: string, node: Node, call: () => Value): Value {
    let result: Value;
    try {
      result = call();
    } catch (error) {
      if (error instanceof QueryNeeded || error instanceof RangeError) throw error;
      this.at(node);
      return this.fail(`error calling ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (typeof result === "string" && result.length > MAX_TEXT_LENGTH) {
      this.fail(`error calling ${name}: text is longer than ${MAX_TEXT_LENGTH} characters`);
    }
    return result;
  }

  private typedArg(dot: Value, type: ParameterType, node: OperandNode): Value {
    this.at(node);
    switch (node.kind) {
      case "dot":
      case "field":
      case "variable":
      case "pipe":
      case "identifier":
      case "chain":
        return this.checkType(this.untypedArg(dot, node), type);
      case "nil":
        if (type === "string") return this.fail(`cannot assign nil to ${type}`);
        return this.checkType(null, type);
    }
    switch (type) {
      case "string":
        if (node.kind === "string") return node.value;
        return this.fail(`expected string; found ${nodeText(node)}`);
      case "interface {}":
      case "reflect.Value":
        return node.kind === "number" ? this.constant(node) : node.value;
      case SAMPLE_LIST_TYPE:
      case "*template.sample":
        return this.fail(`can't handle ${nodeText(node)} for arg of type ${type}`);
    }
  }

  private untypedArg(dot: Value, node: OperandNode): Value {
    this.at(node);
    switch (node.kind) {
      case "dot":
        return dot;
      case "field":
        return this.fieldChain(dot, dot, node, node.path, null, MISSING);
      case "variable": {
        const value = this.variable(node.name);
        return node.path.length === 0 ? value : this.fieldChain(dot, value, node, node.path, null, MISSING);
      }
      case "pipe":
        return this.pipeline(dot, node);
      case "identifier":
        return this.callFunction(dot, node, node, null, MISSING);
      case "chain":
        return this.chain(dot, node, null, MISSING);
      case "nil":
        return null;
      case "number":
        return this.constant(node);
      case "bool":
      case "string":
        return node.value;
    }
  }

  /** The value as one of this type. */
  private checkType(value: Value, type: ParameterType): Value {
    if (type === "reflect.Value") return value;
    if (isNil(value)) {
      switch (type) {
        case "string":
          return this.fail(`invalid value; expected ${type}`);
        case SAMPLE_LIST_TYPE:
          return new ListValue([], SAMPLE_LIST_TYPE);
        case "interface {}":
        case "*template.sample":
          return null;
      }
    }
    if (type === "interface {}" || typeNameOf(value) === type) return value;
    return this.fail(`wrong type for value; expected ${type}; got ${typeNameOf(value)}`);
  }

  // ───────────────────────────────────────────── state ─────────────────────────────────────────────

  private variable(name: string): Value {
    const found = this.variables.findLast((variable) => variable.name === name);
    return found === undefined ? this.fail(`undefined variable: ${name}`) : found.value;
  }

  private setVariable(name: string, value: Value): void {
    const found = this.variables.findLast((variable) => variable.name === name);
    if (found === undefined) this.fail(`undefined variable: ${name}`);
    found.value = value;
  }

  private at(node: Node): void {
    this.node = node;
  }

  private step(): void {
    if (--this.budget.steps < 0) this.fail(`more than ${MAX_STEPS} steps`);
  }

  private fail(message: string): never {
    throw this.error(message);
  }

  private error(message: string): TemplateError {
    const { name, textName, text } = this.tree;
    if (this.node === null) return new TemplateError(`template: ${name}: ${message}`);
    const before = text.slice(0, this.node.position);
    const lineStart = before.lastIndexOf("\n") + 1;
    const line = 1 + before.split("\n").length - 1;
    const column = Buffer.byteLength(before.slice(lineStart));
    const context = nodeText(this.node);
    return new TemplateError(
      `template: ${textName}:${line}:${column}: executing ${quote(name)} at <${context}>: ${message}`,
    );
  }
}

/** The escaping function that an action ends with. */
function escapedBy({ pipe }: ActionNode): "html" | "urlquery" | null {
  const last = pipe.commands.at(-1)!.args[0]!;
  return last.kind === "identifier" && (last.name === "html" || last.name === "urlquery") ? last.name : null;
}

/** Whether Go's type of the field says nothing of what is in it, so that messages don't either. */
function hasInterfaceFields(receiver: Value, name: string): boolean {
  if (!isObject(receiver)) return false;
  if (receiver.kind === "map") return receiver.typeName === "map[string]interface {}";
  return receiver.kind === "struct" && receiver.typeName.includes(`${name} interface {}`);
}
