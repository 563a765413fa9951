/**
 * The lexer of Go's text/template: text, and between `{{` and `}}` the tokens of actions. Blanks inside actions are
 * tokens, since they tell `.a .b` from `.a.b`. It runs ahead of the parser by as little as the parser asks, because
 * text may hold errors that an earlier one hides.
 */
import { quote } from "../../model/quote.ts";

export type TokenKind =
  | "error"
  | "eof"
  | "text"
  | "leftDelim"
  | "rightDelim"
  | "space"
  | "assign"
  | "declare"
  | "pipe"
  | "leftParen"
  | "rightParen"
  | "char"
  | "bool"
  | "charConstant"
  | "complex"
  | "number"
  | "string"
  | "rawString"
  | "dot"
  | "field"
  | "identifier"
  | "variable"
  | Keyword;

export type Keyword =
  "block" | "break" | "continue" | "define" | "else" | "end" | "if" | "nil" | "range" | "template" | "with";

const KEYWORDS: ReadonlySet<string> = new Set<Keyword>([
  "block",
  "break",
  "continue",
  "define",
  "else",
  "end",
  "if",
  "nil",
  "range",
  "template",
  "with",
]);

export interface Token {
  readonly kind: TokenKind;
  /** As written; of an error, the message. */
  readonly value: string;
  /** In UTF-16 units from the start of the text. */
  readonly position: number;
  /** Where it starts, from 1. */
  readonly line: number;
}

/** A token as messages show it. */
export function describeToken({ kind, value }: Token): string {
  if (kind === "eof") return "EOF";
  if (kind === "error") return value;
  if (KEYWORDS.has(kind) || kind === "dot") return `<${value}>`;
  const characters = [...value];
  return characters.length > 10 || Buffer.byteLength(value) > 10
    ? `${quote(characters.slice(0, 10).join(""))}...`
    : quote(value);
}

const LEFT_DELIM = "{{";
const RIGHT_DELIM = "}}";
const LEFT_COMMENT = "/*";
const RIGHT_COMMENT = "*/";
/** `- ` after the left delimiter, ` -` before the right one. */
const TRIM_MARKER_LENGTH = 2;

export class Lexer {
  private position = 0;
  /** Where the token being read starts. */
  private start = 0;
  /** The line of `position`, and of `start`. */
  private line = 1;
  private startLine = 1;
  private isInAction = false;
  private parenDepth = 0;
  private isDone = false;

  constructor(
    private readonly input: string,
    /** Whether `break` and `continue` are keywords: not where functions bear these names. */
    private readonly hasLoopKeywords: boolean,
  ) {}

  /** The next token; `eof` or an error again and again once it is reached. */
  next(): Token {
    if (this.isDone) return this.token("eof");
    for (;;) {
      const token = this.isInAction ? this.lexAction() : this.lexText();
      if (token !== null) return token;
    }
  }

  private lexText(): Token | null {
    const { input } = this;
    const delim = input.indexOf(LEFT_DELIM, this.position);
    if (delim < 0) {
      if (this.position === input.length) {
        this.isDone = true;
        return this.token("eof");
      }
      this.advanceTo(input.length);
      return this.token("text");
    }
    if (delim > this.position) {
      const end = hasLeftTrimMarker(input, delim + LEFT_DELIM.length)
        ? rightTrimmedEnd(input, this.position, delim)
        : delim;
      this.advanceTo(end);
      const text = end > this.start ? this.token("text") : null;
      this.advanceTo(delim);
      this.ignore();
      if (text !== null) return text;
    }
    return this.lexLeftDelim();
  }

  private lexLeftDelim(): Token | null {
    const { input } = this;
    const afterDelim = this.position + LEFT_DELIM.length;
    const afterMarker = afterDelim + (hasLeftTrimMarker(input, afterDelim) ? TRIM_MARKER_LENGTH : 0);
    if (input.startsWith(LEFT_COMMENT, afterMarker)) {
      this.advanceTo(afterMarker);
      this.ignore();
      return this.lexComment();
    }
    this.advanceTo(afterDelim);
    const token = this.token("leftDelim");
    this.advanceTo(afterMarker);
    this.ignore();
    this.isInAction = true;
    this.parenDepth = 0;
    return token;
  }

  private lexComment(): Token | null {
    const end = this.input.indexOf(RIGHT_COMMENT, this.position + LEFT_COMMENT.length);
    if (end < 0) return this.error("unclosed comment");
    this.advanceTo(end + RIGHT_COMMENT.length);
    const delim = this.rightDelimHere();
    if (delim === null) return this.error("comment ends before closing delimiter");
    this.closeAction(delim);
    return null;
  }

  private rightDelimHere(): { readonly trims: boolean } | null {
    const { input, position } = this;
    if (hasRightTrimMarker(input, position) && input.startsWith(RIGHT_DELIM, position + TRIM_MARKER_LENGTH)) {
      return { trims: true };
    }
    return input.startsWith(RIGHT_DELIM, position) ? { trims: false } : null;
  }

  private closeAction({ trims }: { readonly trims: boolean }): Token {
    if (trims) {
      this.advanceTo(this.position + TRIM_MARKER_LENGTH);
      this.ignore();
    }
    this.advanceTo(this.position + RIGHT_DELIM.length);
    const token = this.token("rightDelim");
    if (trims) {
      let end = this.position;
      while (isSpace(this.input[end])) end++;
      this.advanceTo(end);
      this.ignore();
    }
    this.isInAction = false;
    return token;
  }

  private lexAction(): Token {
    const delim = this.rightDelimHere();
    if (delim !== null)
      return this.parenDepth === 0 ? this.closeAction(delim) : this.error("unclosed left paren");
    const character = this.peek();
    if (character === "") return this.error("unclosed action");
    if (isSpace(character)) return this.lexSpace();
    if (isAlphaNumeric(character) && !isDigit(character)) return this.lexIdentifier();
    this.advance();
    switch (character) {
      case "=":
        return this.token("assign");
      case ":":
        if (this.peek() !== "=") return this.error("expected :=");
        this.advance();
        return this.token("declare");
      case "|":
        return this.token("pipe");
      case '"':
        return this.lexQuoted('"', "string", "unterminated quoted string");
      case "`": {
        const end = this.input.indexOf("`", this.position);
        if (end < 0) return this.error("unterminated raw quoted string");
        this.advanceTo(end + 1);
        return this.token("rawString");
      }
      case "'":
        return this.lexQuoted("'", "charConstant", "unterminated character constant");
      case "$":
        return this.lexFieldOrVariable("variable");
      case "(":
        this.parenDepth++;
        return this.token("leftParen");
      case ")":
        this.parenDepth--;
        return this.parenDepth < 0 ? this.error("unexpected right paren") : this.token("rightParen");
    }
    // A dot starts a field unless a digit follows, or nothing at all.
    if (character === "." && this.peek() !== "" && !isAsciiDigit(this.peek())) {
      return this.lexFieldOrVariable("field");
    }
    if (/^[.+\-0-9]$/.test(character)) {
      this.position = this.start;
      return this.lexNumber();
    }
    if (isDigit(character)) {
      this.position = this.start;
      return this.lexIdentifier();
    }
    if (/^[\x20-\x7e]$/.test(character)) return this.token("char");
    return this.error(`unrecognized character in action: ${describeCharacter(character)}`);
  }

  private lexSpace(): Token {
    const { input } = this;
    let end = this.position;
    while (isSpace(input[end])) end++;
    // The last blank may belong to a trim marker.
    if (hasRightTrimMarker(input, end - 1) && input.startsWith(RIGHT_DELIM, end - 1 + TRIM_MARKER_LENGTH)) {
      end--;
      if (end === this.start) return this.closeAction({ trims: true });
    }
    this.advanceTo(end);
    return this.token("space");
  }

  private lexIdentifier(): Token {
    while (isAlphaNumeric(this.peek())) this.advance();
    if (!this.isAtTerminator()) return this.badCharacter();
    const word = this.input.slice(this.start, this.position);
    if (word === "true" || word === "false") return this.token("bool");
    const isLoopKeyword = word === "break" || word === "continue";
    if (KEYWORDS.has(word) && (this.hasLoopKeywords || !isLoopKeyword)) return this.token(word as Keyword);
    return this.token("identifier");
  }

  private lexFieldOrVariable(kind: "field" | "variable"): Token {
    if (this.isAtTerminator()) return this.token(kind === "variable" ? "variable" : "dot");
    while (isAlphaNumeric(this.peek())) this.advance();
    return this.isAtTerminator() ? this.token(kind) : this.badCharacter();
  }

  /** What may follow a word: anything else is a typing error. */
  private isAtTerminator(): boolean {
    const character = this.peek();
    return (
      character === "" ||
      isSpace(character) ||
      ".,|:)(".includes(character) ||
      this.input.startsWith(RIGHT_DELIM, this.position)
    );
  }

  private badCharacter(): Token {
    return this.error(`bad character ${describeCharacter(this.peek())}`);
  }

  private lexQuoted(mark: string, kind: "string" | "charConstant", complaint: string): Token {
    for (;;) {
      let character = this.peek();
      this.advance();
      if (character === mark) return this.token(kind);
      if (character === "\\") {
        character = this.peek();
        this.advance();
        if (character !== "" && character !== "\n") continue;
      }
      if (character === "" || character === "\n") return this.error(complaint);
    }
  }

  private lexNumber(): Token {
    if (!this.scanNumber()) return this.badNumber();
    if (this.peek() === "+" || this.peek() === "-") {
      // 1+2i: no blanks, ends in i.
      if (!this.scanNumber() || this.input[this.position - 1] !== "i") return this.badNumber();
      return this.token("complex");
    }
    return this.token("number");
  }

  private badNumber(): Token {
    return this.error(`bad number syntax: ${quote(this.input.slice(this.start, this.position))}`);
  }

  /** Moves past what looks like a number; whether it is one is found out when its value is taken. */
  private scanNumber(): boolean {
    this.accept("+-");
    let digits = "0123456789_";
    let base = 10;
    if (this.accept("0")) {
      if (this.accept("xX")) {
        digits = "0123456789abcdefABCDEF_";
        base = 16;
      } else if (this.accept("oO")) {
        digits = "01234567_";
        base = 8;
      } else if (this.accept("bB")) {
        digits = "01_";
        base = 2;
      }
    }
    this.acceptRun(digits);
    if (this.accept(".")) this.acceptRun(digits);
    if ((base === 10 && this.accept("eE")) || (base === 16 && this.accept("pP"))) {
      this.accept("+-");
      this.acceptRun("0123456789_");
    }
    this.accept("i");
    if (!isAlphaNumeric(this.peek())) return true;
    this.advance();
    return false;
  }

  private accept(valid: string): boolean {
    const character = this.peek();
    if (character === "" || !valid.includes(character)) return false;
    this.advance();
    return true;
  }

  private acceptRun(valid: string): void {
    while (this.accept(valid));
  }

  /** The character here, a surrogate pair as one; "" at the end. */
  private peek(): string {
    const code = this.input.codePointAt(this.position);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  private advance(): void {
    const character = this.peek();
    if (character === "\n") this.line++;
    this.position += character.length;
  }

  private advanceTo(position: number): void {
    for (let i = this.position; i < position; i++) if (this.input[i] === "\n") this.line++;
    this.position = position;
  }

  private ignore(): void {
    this.start = this.position;
    this.startLine = this.line;
  }

  private token(kind: TokenKind): Token {
    const token = {
      kind,
      value: this.input.slice(this.start, this.position),
      position: this.start,
      line: this.startLine,
    };
    this.ignore();
    return token;
  }

  private error(message: string): Token {
    this.isDone = true;
    return { kind: "error", value: message, position: this.start, line: this.startLine };
  }
}

function hasLeftTrimMarker(input: string, position: number): boolean {
  return input[position] === "-" && isSpace(input[position + 1]);
}

function hasRightTrimMarker(input: string, position: number): boolean {
  return isSpace(input[position]) && input[position + 1] === "-";
}

function rightTrimmedEnd(input: string, start: number, end: number): number {
  while (end > start && isSpace(input[end - 1])) end--;
  return end;
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\t" || character === "\r" || character === "\n";
}

function isAsciiDigit(character: string): boolean {
  return /^[0-9]$/.test(character);
}

function isDigit(character: string): boolean {
  return /^\p{Nd}$/u.test(character);
}

function isAlphaNumeric(character: string): boolean {
  return /^[_\p{L}\p{Nd}]$/u.test(character);
}

/** `U+003F '?'`, as Go's %#U prints a character. */
function describeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0xfffd;
  const hex = code.toString(16).toUpperCase().padStart(4, "0");
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(character) ? `U+${hex} '${character}'` : `U+${hex}`;
}
