/** The parser of Go's text/template: one text gives a tree for itself and one for each template it defines. */
import { quote } from "../../model/quote.ts";
import type {
  BranchNode,
  CommandNode,
  ListNode,
  NumberNode,
  OperandNode,
  PipeNode,
  StatementNode,
  StringNode,
  TemplateNode,
  VariableNode,
} from "./ast.ts";
import { nodeText } from "./ast.ts";
import { Lexer, describeToken, type Token, type TokenKind } from "./lex.ts";
import { parseCharConstant, parseNumberConstant } from "./number-constant.ts";
import { TemplateError } from "./template-error.ts";
import { unquote } from "./unquote.ts";

/** Deeper nesting of actions and parentheses than this is refused: executing it would need too deep a stack. */
const MAX_NESTING = 500;

export interface Tree {
  /** The name the template is called by. */
  readonly name: string;
  /** The name messages show: of the text it is in. */
  readonly textName: string;
  readonly text: string;
  readonly root: ListNode;
}

/**
 * Parses a text, with the templates it defines.
 * @param hasFunction whether a function of this name may be called
 * @throws TemplateError `template: <name>:<line>: <what is wrong>`
 */
export function parseTemplate(
  name: string,
  text: string,
  hasFunction: (name: string) => boolean,
): ReadonlyMap<string, Tree> {
  return new Parser(name, text, hasFunction).parse();
}

type ElseNode = { readonly kind: "else"; readonly position: number };
type EndNode = { readonly kind: "end"; readonly position: number };
type ParsedNode = StatementNode | ElseNode | EndNode;

class Parser {
  private readonly lexer: Lexer;
  private readonly trees = new Map<string, Tree>();
  /** Tokens put back, the next one last. */
  private readonly pushedBack: Token[] = [];
  private lastLine = 1;
  /** Where the action began that is being read; 0 outside. */
  private actionLine = 0;
  /** Names in scope, the innermost last. */
  private variables: string[] = ["$"];
  private rangeDepth = 0;
  private nesting = 0;

  constructor(
    private readonly name: string,
    private readonly text: string,
    private readonly hasFunction: (name: string) => boolean,
  ) {
    this.lexer = new Lexer(text, !hasFunction("break") && !hasFunction("continue"));
  }

  parse(): ReadonlyMap<string, Tree> {
    const position = this.peek().position;
    const nodes: StatementNode[] = [];
    while (this.peek().kind !== "eof") {
      if (this.peek().kind === "leftDelim") {
        const delim = this.next();
        const token = this.nextNonSpace();
        if (token.kind === "define") {
          this.parseDefinition();
          continue;
        }
        this.putBack(delim, token);
      }
      const node = this.textOrAction();
      if (node.kind === "end" || node.kind === "else") this.fail(`unexpected {{${node.kind}}}`);
      nodes.push(node);
    }
    this.addTree(this.name, { kind: "list", position, nodes });
    return this.trees;
  }

  private parseDefinition(): void {
    const context = "define clause";
    const token = this.nextNonSpace();
    const name = this.templateName(token, context);
    this.expect("rightDelim", context);
    this.addTree(
      name,
      this.inOwnScope(() => this.definitionBody(context)),
    );
  }

  private definitionBody(context: string): ListNode {
    const { list, end } = this.itemList();
    if (end.kind !== "end") this.fail(`unexpected {{else}} in ${context}`);
    return list;
  }

  /** A template sees no variables but its own, and isn't in the loops around its definition. */
  private inOwnScope<T>(parse: () => T): T {
    const { variables, rangeDepth } = this;
    this.variables = ["$"];
    this.rangeDepth = 0;
    const result = parse();
    this.variables = variables;
    this.rangeDepth = rangeDepth;
    return result;
  }

  private addTree(name: string, root: ListNode): void {
    const earlier = this.trees.get(name);
    if (earlier === undefined || isEmpty(earlier.root)) {
      this.trees.set(name, { name, textName: this.name, text: this.text, root });
    } else if (!isEmpty(root)) {
      this.fail(`template: multiple definition of template ${quote(name)}`);
    }
  }

  /** Nodes up to the `end` or `else` that closes them. */
  private itemList(): { readonly list: ListNode; readonly end: ElseNode | EndNode } {
    const position = this.peekNonSpace().position;
    const nodes: StatementNode[] = [];
    while (this.peekNonSpace().kind !== "eof") {
      const node = this.textOrAction();
      if (node.kind === "end" || node.kind === "else")
        return { list: { kind: "list", position, nodes }, end: node };
      nodes.push(node);
    }
    return this.fail("unexpected EOF");
  }

  private textOrAction(): ParsedNode {
    const token = this.nextNonSpace();
    if (token.kind === "text") return { kind: "text", position: token.position, text: token.value };
    if (token.kind !== "leftDelim") return this.unexpected(token, "input");
    this.actionLine = token.line;
    const node = this.nested(() => this.action());
    this.actionLine = 0;
    return node;
  }

  private action(): ParsedNode {
    const token = this.nextNonSpace();
    switch (token.kind) {
      case "if":
      case "with":
      case "range":
        return this.branch(token.kind);
      case "block":
        return this.block();
      case "template":
        return this.templateCall();
      case "break":
      case "continue": {
        const context = `{{${token.kind}}}`;
        const after = this.nextNonSpace();
        if (after.kind !== "rightDelim") this.unexpected(after, context);
        if (this.rangeDepth === 0) this.fail(`${context} outside {{range}}`);
        return { kind: token.kind, position: token.position };
      }
      case "else": {
        const after = this.peekNonSpace();
        // `else if` is read as an `else` with an `if` in it.
        if (after.kind === "if" || after.kind === "with") return { kind: "else", position: after.position };
        return { kind: "else", position: this.expect("rightDelim", "else").position };
      }
      case "end":
        return { kind: "end", position: this.expect("rightDelim", "end").position };
    }
    this.putBack(token);
    // Variables that are declared here live on until the end of the block.
    return { kind: "action", position: this.peek().position, pipe: this.pipeline("command", "rightDelim") };
  }

  private branch(kind: BranchNode["kind"]): BranchNode {
    const variableCount = this.variables.length;
    const pipe = this.pipeline(kind, "rightDelim");
    if (kind === "range") this.rangeDepth++;
    const { list, end } = this.itemList();
    if (kind === "range") this.rangeDepth--;
    let elseList: ListNode | null = null;
    if (end.kind === "else") {
      const after = this.peek();
      if ((kind === "if" || kind === "with") && after.kind === kind) {
        this.next();
        const inner = this.nested(() => this.branch(kind));
        elseList = { kind: "list", position: end.position, nodes: [inner] };
      } else {
        const rest = this.itemList();
        if (rest.end.kind !== "end") this.fail(`expected end; found {{${rest.end.kind}}}`);
        elseList = rest.list;
      }
    }
    this.variables.length = variableCount;
    return { kind, position: pipe.position, pipe, list, elseList };
  }

  private block(): TemplateNode {
    const context = "block clause";
    const token = this.nextNonSpace();
    const name = this.templateName(token, context);
    const pipe = this.pipeline(context, "rightDelim");
    this.addTree(
      name,
      this.inOwnScope(() => this.definitionBody(context)),
    );
    return { kind: "template", position: token.position, name, pipe };
  }

  private templateCall(): TemplateNode {
    const context = "template clause";
    const token = this.nextNonSpace();
    const name = this.templateName(token, context);
    const after = this.nextNonSpace();
    if (after.kind === "rightDelim") return { kind: "template", position: token.position, name, pipe: null };
    this.putBack(after);
    return { kind: "template", position: token.position, name, pipe: this.pipeline(context, "rightDelim") };
  }

  private templateName(token: Token, context: string): string {
    if (token.kind !== "string" && token.kind !== "rawString") return this.unexpected(token, context);
    return unquote(token.value) ?? this.fail("invalid syntax");
  }

  private pipeline(context: string, end: TokenKind): PipeNode {
    const position = this.peekNonSpace().position;
    const { variables, isAssignment } = this.declarations(context);
    const commands: CommandNode[] = [];
    for (;;) {
      const token = this.nextNonSpace();
      if (token.kind === end) break;
      if (!STARTS_OPERAND.has(token.kind)) this.unexpected(token, context);
      this.putBack(token);
      commands.push(this.command());
    }
    if (commands.length === 0) this.fail(`missing value for ${context}`);
    for (const [index, { args }] of commands.entries()) {
      // Only the first stage can be a plain value: what comes later has to take the one before.
      if (index > 0 && ["bool", "dot", "nil", "number", "string"].includes(args[0]!.kind)) {
        this.fail(`non executable command in pipeline stage ${index + 1}`);
      }
    }
    return { kind: "pipe", position, variables, isAssignment, commands };
  }

  private declarations(context: string): { variables: VariableNode[]; isAssignment: boolean } {
    const variables: VariableNode[] = [];
    for (;;) {
      const token = this.peekNonSpace();
      if (token.kind !== "variable") return { variables, isAssignment: false };
      this.next();
      // A blank is a token: it is kept to be put back, should the variable turn out to be an argument.
      const adjacent = this.peek();
      const after = this.peekNonSpace();
      const isComma = after.kind === "char" && after.value === ",";
      if (after.kind === "assign" || after.kind === "declare" || isComma) {
        this.nextNonSpace();
        variables.push(this.variableNode(token));
        this.variables.push(token.value);
        if (!isComma) return { variables, isAssignment: after.kind === "assign" };
        if (context === "range" && variables.length < 2) {
          if (["variable", "rightDelim", "rightParen"].includes(this.peekNonSpace().kind)) continue;
          this.fail("range can only initialize variables");
        }
        this.fail(`too many declarations in ${context}`);
      }
      if (adjacent.kind === "space") this.putBack(token, adjacent);
      else this.putBack(token);
      return { variables, isAssignment: false };
    }
  }

  private command(): CommandNode {
    const position = this.peekNonSpace().position;
    const args: OperandNode[] = [];
    for (;;) {
      this.peekNonSpace();
      const operand = this.operand();
      if (operand !== null) args.push(operand);
      const token = this.next();
      if (token.kind === "space") continue;
      if (token.kind === "rightDelim" || token.kind === "rightParen") this.putBack(token);
      else if (token.kind !== "pipe") this.unexpected(token, "operand");
      break;
    }
    if (args.length === 0) this.fail("empty command");
    return { kind: "command", position, args };
  }

  private operand(): OperandNode | null {
    const term = this.term();
    if (term === null || this.peek().kind !== "field") return term;
    const position = this.peek().position;
    const path: string[] = [];
    while (this.peek().kind === "field") path.push(this.next().value.slice(1));
    switch (term.kind) {
      case "field":
        return { kind: "field", position, path: [...term.path, ...path] };
      case "variable":
        return { kind: "variable", position, name: term.name, path: [...term.path, ...path] };
      case "bool":
      case "string":
      case "number":
      case "nil":
      case "dot":
        return this.fail(`unexpected . after term ${quote(nodeText(term))}`);
      case "identifier":
      case "chain":
      case "pipe":
        return { kind: "chain", position, operand: term, path };
    }
  }

  private term(): OperandNode | null {
    const token = this.nextNonSpace();
    const { position, value } = token;
    switch (token.kind) {
      case "identifier":
        if (!this.hasFunction(value)) this.fail(`function ${quote(value)} not defined`);
        return { kind: "identifier", position, name: value };
      case "dot":
        return { kind: "dot", position };
      case "nil":
        return { kind: "nil", position };
      case "variable":
        if (!this.variables.includes(value)) this.fail(`undefined variable ${quote(value)}`);
        return this.variableNode(token);
      case "field":
        return { kind: "field", position, path: [value.slice(1)] };
      case "bool":
        return { kind: "bool", position, value: value === "true" };
      case "number":
      case "charConstant":
      case "complex":
        return this.numberNode(token);
      case "leftParen":
        return this.nested(() => this.pipeline("parenthesized pipeline", "rightParen"));
      case "string":
      case "rawString":
        return this.stringNode(token);
    }
    this.putBack(token);
    return null;
  }

  private variableNode({ position, value }: Token): VariableNode {
    return { kind: "variable", position, name: value, path: [] };
  }

  private numberNode({ kind, position, value }: Token): NumberNode {
    try {
      const constant =
        kind === "charConstant" ? parseCharConstant(value, unquote(value)) : parseNumberConstant(value);
      return { kind: "number", position, text: value, ...constant };
    } catch (error) {
      return this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  private stringNode({ position, value }: Token): StringNode {
    return { kind: "string", position, quoted: value, value: unquote(value) ?? this.fail("invalid syntax") };
  }

  private nested<T>(parse: () => T): T {
    if (++this.nesting > MAX_NESTING) this.fail(`more than ${MAX_NESTING} levels of nesting`);
    const result = parse();
    this.nesting--;
    return result;
  }

  private next(): Token {
    const token = this.pushedBack.pop() ?? this.lexer.next();
    this.lastLine = token.line;
    return token;
  }

  private putBack(...tokens: Token[]): void {
    this.pushedBack.push(...tokens.reverse());
  }

  private peek(): Token {
    const token = this.next();
    this.putBack(token);
    return token;
  }

  private nextNonSpace(): Token {
    let token = this.next();
    while (token.kind === "space") token = this.next();
    return token;
  }

  /** The next token that is no blank; blanks before it are gone. */
  private peekNonSpace(): Token {
    const token = this.nextNonSpace();
    this.putBack(token);
    return token;
  }

  private expect(kind: TokenKind, context: string): Token {
    const token = this.nextNonSpace();
    return token.kind === kind ? token : this.unexpected(token, context);
  }

  private unexpected(token: Token, context: string): never {
    if (token.kind !== "error") return this.fail(`unexpected ${describeToken(token)} in ${context}`);
    let where = "";
    if (this.actionLine !== 0 && this.actionLine !== token.line) {
      const started = `started at ${this.name}:${this.actionLine}`;
      where = token.value.endsWith(" action") ? ` ${started}` : ` in action ${started}`;
    }
    return this.fail(token.value + where);
  }

  private fail(message: string): never {
    throw new TemplateError(`template: ${this.name}:${this.lastLine}: ${message}`);
  }
}

const STARTS_OPERAND: ReadonlySet<TokenKind> = new Set([
  "bool",
  "charConstant",
  "complex",
  "dot",
  "field",
  "identifier",
  "number",
  "nil",
  "rawString",
  "string",
  "variable",
  "leftParen",
]);

/** Whether executing it writes nothing but blanks. */
export function isEmptyTree({ root }: Tree): boolean {
  return isEmpty(root);
}

function isEmpty(list: ListNode): boolean {
  return list.nodes.every(
    (node) => (node.kind === "text" && node.text.trim() === "") || (node.kind === "list" && isEmpty(node)),
  );
}
