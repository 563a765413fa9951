import type { IToken, Lexer, TokenType } from "chevrotain";
import { quote } from "../../model/quote.ts";
import { isWordCharacter, scanNumber } from "./scan-number.ts";
import { isBrokenCharacter, scanString } from "./scan-string.ts";
import {
  Colon,
  createLexer,
  DurationToken,
  DurationWord,
  Equals,
  Fill,
  FillLeft,
  FillRight,
  FirstNumeric,
  Identifier,
  KEYWORDS,
  LeftBrace,
  LeftBracket,
  LeftParen,
  MetricIdentifier,
  NumberToken,
  Numeric,
  RightBrace,
  RightBracket,
  RightParen,
  Unreadable,
  Word,
} from "./tokens.ts";

let lexer: Lexer | null = null;

/** Builds the lexer now rather than with the first query. */
export function warmUpLexer(): void {
  lexer ??= createLexer();
}

/**
 * The tokens of a query, in a shape the parser can take: words told apart, structure checked. Text that can't be read
 * ends the tokens with an `Unreadable` one whose payload says why; the parser reports it if nothing before it is
 * wrong.
 */
export function lex(text: string): IToken[] {
  warmUpLexer();
  const { tokens, errors } = lexer!.tokenize(text);
  const structure = new Structure(tokens, text);
  const structureError = structure.check();
  if (structureError !== null) return structureError;
  if (errors.length > 0) structure.endWith(explainError(text, errors[0]!.offset, structure));
  else structure.checkEnd();
  return tokens;
}

interface LexError {
  readonly offset: number;
  readonly reason: string;
}

/** One walk over the tokens: parentheses, colons in brackets, and which word is which. */
class Structure {
  private parenDepth = 0;
  isInBraces = false;
  isInBracket = false;
  /** In a bracket that had no number yet. */
  isStrict = false;
  private hadColon = false;
  /** A number stood in some bracket of the query, this or an earlier one. */
  private hadDuration = false;

  constructor(
    private readonly tokens: IToken[],
    private readonly text: string,
  ) {}

  /** The shortened tokens where something is wrong, else null. */
  check(): IToken[] | null {
    const tokens = this.tokens;
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i]!;
      const error = this.checkToken(token, tokens[i + 1]);
      if (error !== null) {
        tokens.length = i;
        this.endWith(error);
        return tokens;
      }
    }
    return null;
  }

  private checkToken(token: IToken, next: IToken | undefined): LexError | null {
    switch (token.tokenType) {
      case Word:
        setType(token, wordType(token.image, next));
        break;
      case DurationWord:
        setType(token, KEYWORDS.get(token.image.toLowerCase())!);
        break;
      case FirstNumeric:
        this.isStrict = false;
        this.hadDuration = true;
        setType(token, numericType(token.image));
        break;
      case Numeric:
        setType(token, numericType(token.image));
        break;
      case LeftParen:
        this.parenDepth++;
        break;
      case RightParen:
        // The reference points behind this one.
        if (--this.parenDepth < 0) {
          return { offset: token.startOffset + 1, reason: "unexpected right parenthesis ')'" };
        }
        break;
      case LeftBrace:
        this.isInBraces = true;
        break;
      case RightBrace:
        this.isInBraces = false;
        break;
      case LeftBracket:
        this.isInBracket = true;
        this.isStrict = true;
        this.hadColon = false;
        break;
      case RightBracket:
        this.isInBracket = false;
        this.isStrict = false;
        break;
      case Colon:
        return this.checkColon(token.startOffset);
    }
    return null;
  }

  private checkColon(offset: number): LexError | null {
    if (this.isStrict) {
      if (!this.hadDuration) {
        return { offset, reason: "unexpected colon before duration in duration expression" };
      }
      if (this.hadColon) {
        return { offset, reason: "unexpected repeated colon in duration expression" };
      }
    } else if (this.hadColon) return { offset, reason: "unexpected colon ':'" };
    this.hadColon = true;
    return null;
  }

  /** What must be closed when the text ends. */
  checkEnd(): void {
    const offset = this.text.length;
    if (this.isInBraces) this.endWith({ offset, reason: "unexpected end of input inside braces" });
    else if (this.isStrict)
      this.endWith({ offset, reason: "unexpected end of input in duration expression" });
    else if (this.parenDepth > 0) this.endWith({ offset, reason: "unclosed left parenthesis" });
    else if (this.isInBracket) this.endWith({ offset, reason: "unclosed left bracket" });
  }

  /** Whether the last token is of this type and starts at `offset`. */
  endsWith(type: TokenType, offset: number): boolean {
    const last = this.tokens.at(-1);
    return last?.tokenType === type && last.startOffset === offset;
  }

  /** Ends the tokens before `error.offset` with a token that carries the error. */
  endWith(error: LexError): void {
    const last = this.tokens.at(-1);
    if (last !== undefined && last.startOffset >= error.offset) this.tokens.pop();
    this.tokens.push({
      image: "",
      startOffset: error.offset,
      tokenType: Unreadable,
      tokenTypeIdx: Unreadable.tokenTypeIdx!,
      payload: error.reason,
    });
  }
}

function setType(token: IToken, type: TokenType): void {
  token.tokenType = type;
  token.tokenTypeIdx = type.tokenTypeIdx!;
}

function wordType(word: string, next: IToken | undefined): TokenType {
  const keyword = KEYWORDS.get(word.toLowerCase());
  if (keyword === Fill || keyword === FillLeft || keyword === FillRight) {
    return next?.tokenType === LeftParen ? keyword : Identifier;
  }
  return keyword ?? (word.includes(":") ? MetricIdentifier : Identifier);
}

function numericType(image: string): TokenType {
  return scanNumber(image, 0).kind === "duration" ? DurationToken : NumberToken;
}

/** Why no token starts at `offset`. */
function explainError(text: string, offset: number, structure: Structure): LexError {
  const character = characterAt(text, offset);
  const here = (reason: string): LexError => ({ offset, reason });

  if (structure.isInBraces) {
    if ("\"'`".includes(character)) return here(stringError(text, offset));
    if (character === "{") return here("unexpected left brace '{'");
    if (character === "!") {
      return here(`unexpected character after '!' inside braces: ${quoteCharacter(text, offset + 1)}`);
    }
    return here(`unexpected character inside braces: ${quoteCharacter(text, offset)}`);
  }
  if (isDigit(character) || (character === "." && isDigit(text[offset + 1] ?? ""))) {
    const scan = scanNumber(text, offset);
    return here(`bad number or duration syntax: ${quote(text.slice(offset, scan.end))}`);
  }
  if (structure.isStrict) {
    return here(`unexpected character in duration expression: ${quoteCharacter(text, offset)}`);
  }
  if ("\"'`".includes(character)) return here(stringError(text, offset));
  if (structure.isInBracket && (isWordCharacter(text, offset) || character === ":")) {
    return here(`unexpected character: ${quoteCharacter(text, offset)}, expected ':'`);
  }
  if (character === "!") return here(`unexpected character after '!': ${quoteCharacter(text, offset + 1)}`);
  if (character === "~" && text[offset - 1] === "=" && structure.endsWith(Equals, offset - 1)) {
    return { offset: offset - 1, reason: "unexpected character after '=': '~'" };
  }
  if (character === "[") return here("unexpected left bracket '['");
  if (character === "]") return here("unexpected right bracket ']'");
  return here(`unexpected character: ${quoteCharacter(text, offset)}`);
}

function stringError(text: string, offset: number): string {
  const scan = scanString(text, offset);
  return "error" in scan ? scan.error : "unterminated quoted string";
}

function isDigit(character: string): boolean {
  return character >= "0" && character <= "9";
}

function characterAt(text: string, index: number): string {
  return index < text.length ? String.fromCodePoint(text.codePointAt(index)!) : "";
}

/** In single quotes, as Go's %q prints a character; the end of the text shows as U+FFFD. */
function quoteCharacter(text: string, index: number): string {
  const character = characterAt(text, index);
  if (character === "" || isBrokenCharacter(text, index)) return "'\ufffd'";
  if (character === "'") return "'\\''";
  if (character === '"') return "'\"'";
  return `'${quote(character).slice(1, -1)}'`;
}
