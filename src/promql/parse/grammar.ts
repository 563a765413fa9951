import { EmbeddedActionsParser, EOF, type IToken, type TokenType, tokenMatcher } from "chevrotain";
import { isValidLabelName } from "../../model/label-name.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import { Matcher, type MatchType } from "../../model/matcher.ts";
import { quote } from "../../model/quote.ts";
import { FUNCTION_SIGNATURES } from "../functions/signatures.ts";
import type {
  AggregationOp,
  AtModifier,
  BinaryOp,
  DurationExpr,
  DurationValue,
  Expr,
  NumberLiteral,
  ParserOptions,
  Position,
  StringLiteral,
  VectorMatching,
  VectorSelector,
} from "./ast.ts";
import { ByteOffsets } from "./byte-offsets.ts";
import { describeToken } from "./describe-token.ts";
import { lex } from "./lex.ts";
import { durationSeconds, isDurationInRange, numberValue, secondsToMilliseconds } from "./number-value.ts";
import { OperatorStack } from "./operator-stack.ts";
import { ParseError } from "./parse-error.ts";
import { unquoteString } from "./scan-string.ts";
import { type Modified, withAt, withExtension, withOffset, withRange } from "./selector-modifiers.ts";
import * as t from "./tokens.ts";

/** How deep parentheses and arguments may nest: far beyond any query, well within the stack. */
export const MAX_NESTING = 200;

/** How tightly binary operators bind; the signs in front of an operand bind like `*`. */
const PRECEDENCE: Readonly<Record<BinaryOp, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  "==": 3,
  "!=": 3,
  "<": 3,
  "<=": 3,
  ">": 3,
  ">=": 3,
  "</": 3,
  ">/": 3,
  "+": 4,
  "-": 4,
  "*": 5,
  "/": 5,
  "%": 5,
  atan2: 5,
  "^": 6,
};
const SIGN_PRECEDENCE = 5;

const NO_OFFSET: DurationValue = { milliseconds: 0, expression: null };

const ANY_DURATION = "number, duration, step(), or range()";

/** Names the construct a syntax error lies in, and what could have stood there. */
interface Context {
  readonly name: string;
  readonly expected: string;
}

interface Grouping {
  readonly without: boolean;
  readonly labels: readonly string[];
}

interface BinaryModifiers {
  readonly returnBool: boolean;
  readonly matching: VectorMatching;
}

/**
 * The grammar, with the tree built on the way. The first error ends the parse: rules of the language that need no
 * types are checked where their construct is complete, so that errors come in the order of the text.
 *
 * One token of lookahead decides everywhere, but for a word before "(", which is a call or an aggregation.
 */
export class PromqlParser extends EmbeddedActionsParser {
  private text = "";
  private offsets = new ByteOffsets("");
  private options!: ParserOptions;
  /** The innermost construct comes last. */
  private contexts: Context[] = [];
  private nesting = 0;

  constructor(options: { readonly skipValidations: boolean } = { skipValidations: true }) {
    super(t.VOCABULARY, {
      maxLookahead: 1,
      recoveryEnabled: false,
      skipValidations: options.skipValidations,
    });
    this.performSelfAnalysis();
  }

  /** @throws ParseError */
  parseExpression(text: string, options: ParserOptions): Expr {
    this.begin(text, options);
    if (tokenMatcher(this.LA(1), EOF)) throw new ParseError(text, 0, "no expression found in input");
    return this.run(() => this.expression());
  }

  /** A selector alone, without offset and the like. @throws ParseError */
  parseSelector(text: string, options: ParserOptions): VectorSelector {
    this.begin(text, options);
    return this.run(() => this.selector());
  }

  private begin(text: string, options: ParserOptions): void {
    this.text = text;
    this.offsets = new ByteOffsets(text);
    this.options = options;
    this.contexts = [];
    this.nesting = 0;
    this.input = lex(text);
  }

  private run<T>(rule: () => T): T {
    const result = rule();
    const error = this.errors[0];
    if (error !== undefined) throw this.syntaxError(error.token);
    return result;
  }

  private syntaxError(token: IToken): ParseError {
    if (token.tokenType === t.Unreadable) return this.error(this.startOf(token), String(token.payload));
    const context = this.contexts.at(-1);
    const within = context === undefined ? "" : ` in ${context.name}`;
    const expected = context === undefined || context.expected === "" ? "" : `, expected ${context.expected}`;
    return this.error(this.startOf(token), `unexpected ${describeToken(token)}${within}${expected}`);
  }

  private error(offset: number, reason: string): ParseError {
    return new ParseError(this.text, offset, reason);
  }

  // ──────────────────────────────────────────── places ────────────────────────────────────────────

  private startOf(token: IToken): number {
    return this.offsets.at(tokenMatcher(token, EOF) ? this.text.length : token.startOffset);
  }

  private endOf(token: IToken): number {
    return this.offsets.at(token.startOffset + token.image.length);
  }

  private positionOf(token: IToken): Position {
    return { start: this.startOf(token), end: this.endOf(token) };
  }

  /** From `start` to the end of the token taken last. */
  private positionFrom(start: number): Position {
    return { start, end: this.endOf(this.LA(0)) };
  }

  private enter(name: string, expected: string): void {
    if (this.RECORDING_PHASE) return;
    this.contexts.push({ name, expected });
  }

  /** Within the same construct, something else is expected now. */
  private expect(expected: string): void {
    if (this.RECORDING_PHASE) return;
    this.contexts.push({ name: this.contexts.pop()!.name, expected });
  }

  private leave(): void {
    this.contexts.pop();
  }

  private nest(token: IToken): void {
    if (++this.nesting > MAX_NESTING) {
      throw this.error(this.startOf(token), `expression nests deeper than ${MAX_NESTING} levels`);
    }
  }

  private is(distance: number, type: TokenType): boolean {
    return tokenMatcher(this.LA(distance), type);
  }

  // ───────────────────────────────────────── expressions ──────────────────────────────────────────

  readonly expression = this.RULE("expression", (): Expr => {
    const stack = this.ACTION(() => new OperatorStack<Expr>());
    this.MANY1(() => {
      const sign = this.CONSUME1(t.Sign);
      this.ACTION(() => stack.prefix(SIGN_PRECEDENCE, (operand) => this.signed(sign, operand)));
    });
    const first = this.SUBRULE1(this.operand);
    this.ACTION(() => stack.operand(first));
    this.MANY2(() => {
      const operator = this.CONSUME(t.BinaryOperator);
      const modifiers = this.SUBRULE(this.binaryModifiers);
      this.ACTION(() => {
        const op = operator.image.toLowerCase() as BinaryOp;
        stack.infix(PRECEDENCE[op], op === "^", (left, right) =>
          this.binary(operator, op, modifiers, left, right),
        );
      });
      this.MANY3(() => {
        const sign = this.CONSUME2(t.Sign);
        this.ACTION(() => stack.prefix(SIGN_PRECEDENCE, (operand) => this.signed(sign, operand)));
      });
      const right = this.SUBRULE2(this.operand);
      this.ACTION(() => stack.operand(right));
    });
    return this.ACTION(() => stack.finish());
  });

  private signed(sign: IToken, operand: Expr): Expr {
    const op = sign.image as "+" | "-";
    const position = { start: this.startOf(sign), end: operand.position.end };
    if (operand.kind === "number") {
      return { ...operand, value: op === "-" ? -operand.value : operand.value, position };
    }
    return { kind: "unary", op, expr: operand, position };
  }

  private binary(operator: IToken, op: BinaryOp, modifiers: BinaryModifiers, left: Expr, right: Expr): Expr {
    const position = { start: left.position.start, end: right.position.end };
    const { returnBool, matching } = modifiers;
    if (!this.options.fillModifiers && (matching.fillLeft !== null || matching.fillRight !== null)) {
      throw this.error(position.start, "binop fill modifiers are experimental and not enabled");
    }
    const isSetOperator = op === "and" || op === "or" || op === "unless";
    return {
      kind: "binary",
      op,
      left,
      right,
      returnBool,
      matching:
        isSetOperator && matching.cardinality === "one-to-one"
          ? { ...matching, cardinality: "many-to-many" }
          : matching,
      position,
      opPosition: this.positionOf(operator),
    };
  }

  private readonly binaryModifiers = this.RULE("binaryModifiers", (): BinaryModifiers => {
    let returnBool = false;
    let cardinality: VectorMatching["cardinality"] = "one-to-one";
    let on = false;
    let labels: readonly string[] = [];
    let include: readonly string[] = [];
    let fillLeft: number | null = null;
    let fillRight: number | null = null;
    this.OPTION1(() => {
      this.CONSUME(t.Bool);
      returnBool = true;
    });
    this.OPTION2(() => {
      this.OR1([
        {
          ALT: () => {
            this.CONSUME(t.On);
            on = true;
          },
        },
        { ALT: () => this.CONSUME(t.Ignoring) },
      ]);
      labels = this.SUBRULE1(this.groupingLabels);
      this.OPTION3(() => {
        this.OR2([
          {
            ALT: () => {
              this.CONSUME(t.GroupLeft);
              cardinality = "many-to-one";
            },
          },
          {
            ALT: () => {
              this.CONSUME(t.GroupRight);
              cardinality = "one-to-many";
            },
          },
        ]);
        this.OPTION4(() => {
          include = this.SUBRULE2(this.groupingLabels);
        });
      });
    });
    this.OPTION5(() => {
      this.OR3([
        {
          ALT: () => {
            this.CONSUME(t.Fill);
            fillLeft = fillRight = this.SUBRULE1(this.fillValue);
          },
        },
        {
          ALT: () => {
            this.CONSUME1(t.FillLeft);
            fillLeft = this.SUBRULE2(this.fillValue);
            this.OPTION6(() => {
              this.CONSUME2(t.FillRight);
              fillRight = this.SUBRULE3(this.fillValue);
            });
          },
        },
        {
          ALT: () => {
            this.CONSUME1(t.FillRight);
            fillRight = this.SUBRULE4(this.fillValue);
            this.OPTION7(() => {
              this.CONSUME2(t.FillLeft);
              fillLeft = this.SUBRULE5(this.fillValue);
            });
          },
        },
      ]);
    });
    return { returnBool, matching: { cardinality, on, labels, include, fillLeft, fillRight } };
  });

  private readonly fillValue = this.RULE("fillValue", (): number => {
    this.CONSUME(t.LeftParen);
    const literal = this.SUBRULE(this.signedLiteral);
    this.CONSUME(t.RightParen);
    return this.ACTION(() => literal.value);
  });

  private readonly signedLiteral = this.RULE("signedLiteral", (): NumberLiteral => {
    let sign: IToken | undefined;
    this.OPTION(() => {
      sign = this.CONSUME(t.Sign);
    });
    const token = this.CONSUME(t.Literal);
    return this.ACTION(() => {
      const literal = this.literal(token);
      return sign === undefined ? literal : (this.signed(sign, literal) as NumberLiteral);
    });
  });

  private literal(token: IToken): NumberLiteral {
    const isDuration = token.tokenType === t.DurationToken;
    try {
      const value = isDuration ? durationSeconds(token.image) : numberValue(token.image);
      return { kind: "number", value, isDuration, position: this.positionOf(token) };
    } catch (cause) {
      throw this.error(this.startOf(token), (cause as Error).message);
    }
  }

  /** What stands between operators: something primary and what is attached to it. */
  private readonly operand = this.RULE("operand", (): Expr => {
    let expr = this.OR1([
      { ALT: () => this.SUBRULE(this.numberLiteral) },
      { ALT: () => this.SUBRULE(this.stringLiteral) },
      { ALT: () => this.SUBRULE(this.parenthesised) },
      {
        GATE: () =>
          this.is(1, t.Aggregator) && (this.is(2, t.LeftParen) || this.is(2, t.By) || this.is(2, t.Without)),
        ALT: () => this.SUBRULE(this.aggregation),
      },
      {
        GATE: () => this.is(2, t.LeftParen),
        ALT: () => this.SUBRULE(this.call),
        IGNORE_AMBIGUITIES: true,
      },
      { ALT: () => this.SUBRULE(this.selector), IGNORE_AMBIGUITIES: true },
    ]);
    this.MANY(() => {
      const start = this.LA(1);
      const before = expr;
      expr = this.OR2([
        { ALT: () => this.SUBRULE(this.brackets, { ARGS: [before] }) },
        {
          ALT: () => {
            const offset = this.SUBRULE(this.offset);
            return this.ACTION(() =>
              this.modified(before, withOffset(before, offset, this.endOf(this.LA(0)))),
            );
          },
        },
        {
          ALT: () => {
            const at = this.SUBRULE(this.at, { ARGS: [before] });
            return this.ACTION(() => this.modified(before, withAt(before, at, this.endOf(this.LA(0)))));
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.Anchored);
            return this.ACTION(() => this.extended(before, "anchored", start));
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.Smoothed);
            return this.ACTION(() => this.extended(before, "smoothed", start));
          },
        },
      ]);
    });
    return expr;
  });

  /** The modified expression; an error is reported where the unmodified one starts. */
  private modified(before: Expr, after: Modified): Expr {
    if ("error" in after) throw this.error(before.position.start, after.error);
    return after;
  }

  private extended(before: Expr, extension: "anchored" | "smoothed", keyword: IToken): Expr {
    if (!this.options.extendedRangeSelectors) {
      throw this.error(before.position.start, `${extension} modifier is experimental and not enabled`);
    }
    return this.modified(before, withExtension(before, extension, this.endOf(keyword)));
  }

  private readonly numberLiteral = this.RULE("numberLiteral", (): Expr => {
    const token = this.CONSUME(t.Literal);
    return this.ACTION(() => this.literal(token));
  });

  private readonly stringLiteral = this.RULE("stringLiteral", (): Expr => {
    const token = this.CONSUME(t.StringToken);
    return this.ACTION((): StringLiteral => ({
      kind: "string",
      value: unquoteString(token.image),
      position: this.positionOf(token),
    }));
  });

  private readonly parenthesised = this.RULE("parenthesised", (): Expr => {
    const open = this.CONSUME(t.LeftParen);
    this.ACTION(() => this.nest(open));
    const expr = this.SUBRULE(this.expression);
    this.CONSUME(t.RightParen);
    return this.ACTION((): Expr => {
      this.nesting--;
      return { kind: "paren", expr, position: this.positionFrom(this.startOf(open)) };
    });
  });

  private readonly call = this.RULE("call", (): Expr => {
    const name = this.CONSUME(t.Callable);
    const args = this.SUBRULE(this.callArguments);
    return this.ACTION((): Expr => {
      const func = FUNCTION_SIGNATURES.get(name.image);
      if (func === undefined) {
        throw this.error(this.startOf(name), `unknown function with name ${quote(name.image)}`);
      }
      if (func.isExperimental && !this.options.experimentalFunctions) {
        throw this.error(this.startOf(name), `function ${quote(name.image)} is not enabled`);
      }
      return { kind: "call", func, args, position: this.positionFrom(this.startOf(name)) };
    });
  });

  private readonly callArguments = this.RULE("callArguments", (): readonly Expr[] => {
    const args: Expr[] = [];
    const open = this.CONSUME(t.LeftParen);
    this.ACTION(() => this.nest(open));
    this.OPTION(() => {
      args.push(this.SUBRULE1(this.expression));
      this.MANY(() => {
        const comma = this.CONSUME(t.Comma);
        this.ACTION(() => this.forbidTrailingComma(comma));
        args.push(this.SUBRULE2(this.expression));
      });
    });
    this.CONSUME(t.RightParen);
    this.ACTION(() => this.nesting--);
    return args;
  });

  private forbidTrailingComma(comma: IToken): void {
    const startsExpression = [
      t.MetricName,
      t.Literal,
      t.StringToken,
      t.LeftParen,
      t.LeftBrace,
      t.Sign,
      t.Unreadable,
    ];
    if (startsExpression.some((type) => this.is(1, type))) return;
    throw this.error(this.startOf(comma), "trailing commas not allowed in function call args");
  }

  private readonly aggregation = this.RULE("aggregation", (): Expr => {
    let grouping: Grouping = { without: false, labels: [] };
    let args: readonly Expr[] = [];
    const operator = this.CONSUME(t.Aggregator);
    this.enter("aggregation", "");
    this.OR([
      {
        ALT: () => {
          grouping = this.SUBRULE1(this.grouping);
          args = this.SUBRULE1(this.callArguments);
        },
      },
      {
        ALT: () => {
          args = this.SUBRULE2(this.callArguments);
          this.OPTION(() => {
            grouping = this.SUBRULE2(this.grouping);
          });
        },
      },
    ]);
    this.leave();
    return this.ACTION(() => this.aggregate(operator, grouping, args));
  });

  private aggregate(operator: IToken, grouping: Grouping, args: readonly Expr[]): Expr {
    const op = operator.image.toLowerCase() as AggregationOp;
    const position = this.positionFrom(this.startOf(operator));
    const fail = (reason: string) => this.error(position.start, reason);
    if (args.length === 0) throw fail("no arguments for aggregate expression provided");
    if ((op === "limitk" || op === "limit_ratio") && !this.options.experimentalFunctions) {
      throw fail(
        `${op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions`,
      );
    }
    const wanted = AGGREGATIONS_WITH_PARAMETER.has(op) ? 2 : 1;
    if (args.length !== wanted) {
      throw fail(
        `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`,
      );
    }
    return {
      kind: "aggregation",
      op,
      expr: args[wanted - 1]!,
      param: wanted === 2 ? args[0]! : null,
      grouping: grouping.labels,
      without: grouping.without,
      position,
    };
  }

  private readonly grouping = this.RULE("grouping", (): Grouping => {
    let without = false;
    this.OR([
      { ALT: () => this.CONSUME(t.By) },
      {
        ALT: () => {
          this.CONSUME(t.Without);
          without = true;
        },
      },
    ]);
    return { without, labels: this.SUBRULE(this.groupingLabels) };
  });

  private readonly groupingLabels = this.RULE("groupingLabels", (): readonly string[] => {
    const labels: string[] = [];
    this.enter("grouping opts", '"("');
    this.CONSUME(t.LeftParen);
    this.expect("label");
    this.OPTION1(() => {
      labels.push(this.SUBRULE1(this.groupingLabel));
      this.MANY({
        GATE: () => !this.is(2, t.RightParen),
        DEF: () => {
          this.CONSUME1(t.Comma);
          this.expect("label");
          labels.push(this.SUBRULE2(this.groupingLabel));
        },
      });
      this.OPTION2(() => this.CONSUME2(t.Comma));
    });
    this.CONSUME(t.RightParen);
    this.leave();
    return labels;
  });

  private readonly groupingLabel = this.RULE("groupingLabel", (): string => {
    const token = this.CONSUME(t.GroupingLabel);
    this.expect('"," or ")"');
    return this.ACTION(() => {
      const label = token.tokenType === t.StringToken ? unquoteString(token.image) : token.image;
      if (!isValidLabelName(label)) {
        throw this.error(this.startOf(token), `invalid label name for grouping: ${quote(label)}`);
      }
      return label;
    });
  });

  // ────────────────────────────────────────── selectors ───────────────────────────────────────────

  readonly selector = this.RULE("selector", (): VectorSelector => {
    let name: IToken | undefined;
    let matchers: readonly Matcher[] = [];
    const first = this.LA(1);
    this.OR([
      {
        ALT: () => {
          name = this.CONSUME(t.MetricName);
          this.OPTION(() => {
            matchers = this.SUBRULE1(this.braces);
          });
        },
      },
      {
        ALT: () => {
          matchers = this.SUBRULE2(this.braces);
        },
      },
    ]);
    return this.ACTION(() => ({
      kind: "vectorSelector",
      name: name?.image ?? "",
      matchers: name === undefined ? matchers : [...matchers, new Matcher("=", METRIC_NAME, name.image)],
      extension: null,
      offset: NO_OFFSET,
      at: null,
      position: this.positionFrom(this.startOf(first)),
    }));
  });

  private readonly braces = this.RULE("braces", (): readonly Matcher[] => {
    const matchers: Matcher[] = [];
    this.CONSUME(t.LeftBrace);
    this.enter("label matching", 'identifier or "}"');
    this.OPTION1(() => {
      matchers.push(this.SUBRULE1(this.matcher));
      this.MANY({
        GATE: () => !this.is(2, t.RightBrace),
        DEF: () => {
          this.CONSUME1(t.Comma);
          this.expect('identifier or "}"');
          matchers.push(this.SUBRULE2(this.matcher));
        },
      });
      this.OPTION2(() => this.CONSUME2(t.Comma));
    });
    this.CONSUME(t.RightBrace);
    this.leave();
    return matchers;
  });

  private readonly matcher = this.RULE("matcher", (): Matcher => {
    let name!: IToken;
    let operator: IToken | undefined;
    let value!: IToken;
    this.OR([
      {
        ALT: () => {
          name = this.CONSUME(t.Identifier);
          this.expect("label matching operator");
          operator = this.CONSUME1(t.MatchOperator);
          this.expect("string");
          value = this.CONSUME1(t.StringToken);
        },
      },
      {
        ALT: () => {
          name = this.CONSUME2(t.StringToken);
          this.expect('"," or "}"');
          this.OPTION(() => {
            operator = this.CONSUME2(t.MatchOperator);
            this.expect("string");
            value = this.CONSUME3(t.StringToken);
          });
        },
      },
    ]);
    this.expect('"," or "}"');
    return this.ACTION(() => {
      const text = name.tokenType === t.StringToken ? unquoteString(name.image) : name.image;
      if (operator === undefined) return new Matcher("=", METRIC_NAME, text);
      try {
        return new Matcher(operator.image as MatchType, text, unquoteString(value.image));
      } catch (cause) {
        throw this.error(this.startOf(name), (cause as Error).message);
      }
    });
  });

  private readonly brackets = this.RULE("brackets", (expr: Expr): Expr => {
    let isSubquery = false;
    let step: DurationValue | null = null;
    const open = this.CONSUME(t.LeftBracket);
    this.enter("subquery or range selector", ANY_DURATION);
    const range = this.SUBRULE1(this.positiveDuration);
    this.leave();
    this.enter("subquery or range", '":" or "]"');
    this.OPTION1(() => {
      this.CONSUME(t.Colon);
      isSubquery = true;
      this.leave();
      this.enter("subquery selector", 'number, duration, step(), range(), or "]"');
      this.OPTION2(() => {
        step = this.SUBRULE2(this.positiveDuration);
        this.expect('"]"');
      });
    });
    const close = this.CONSUME(t.RightBracket);
    this.leave();
    return this.ACTION((): Expr => {
      const end = this.endOf(close);
      if (isSubquery) {
        const position = { start: expr.position.start, end };
        return { kind: "subquery", expr, range, step, offset: NO_OFFSET, at: null, position };
      }
      const selector = withRange(expr, range, end);
      if ("error" in selector) throw this.error(this.startOf(open), selector.error);
      return selector;
    });
  });

  private readonly at = this.RULE("at", (expr: Expr): AtModifier => {
    let at!: AtModifier;
    this.CONSUME(t.At);
    this.enter("@", "timestamp");
    this.OR([
      {
        ALT: () => {
          const literal = this.SUBRULE(this.signedLiteral);
          this.ACTION(() => {
            at = { kind: "timestamp", timeMs: this.timestampMs(expr, literal.value) };
          });
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Start);
          this.CONSUME1(t.LeftParen);
          this.CONSUME1(t.RightParen);
          at = { kind: "start" };
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.End);
          this.CONSUME2(t.LeftParen);
          this.CONSUME2(t.RightParen);
          at = { kind: "end" };
        },
      },
    ]);
    this.leave();
    return at;
  });

  private timestampMs(expr: Expr, seconds: number): number {
    if (!(Math.abs(seconds) < 2 ** 63)) {
      const text = Number.isFinite(seconds)
        ? `${BigInt(seconds)}.000000`
        : Number.isNaN(seconds)
          ? "NaN"
          : seconds > 0
            ? "+Inf"
            : "-Inf";
      throw this.error(expr.position.start, `timestamp out of bounds for @ modifier: ${text}`);
    }
    const ms = seconds * 1000;
    return (ms < 0 ? -Math.round(-ms) : Math.round(ms)) + 0;
  }

  // ────────────────────────────────────────── durations ───────────────────────────────────────────

  private readonly offset = this.RULE("offset", (): DurationValue => {
    this.CONSUME(t.Offset);
    this.enter("offset", ANY_DURATION);
    const expression = this.OR1([
      // Bare parentheses go on with operators behind them; anything else is one operand, signed or not.
      { ALT: () => this.SUBRULE(this.durationInParentheses) },
      { ALT: () => this.SUBRULE(this.signedDurationOperand), IGNORE_AMBIGUITIES: true },
    ]);
    this.leave();
    return this.ACTION(() => this.durationValue(expression));
  });

  private durationValue(expression: DurationExpr): DurationValue {
    return expression.kind === "number"
      ? { milliseconds: secondsToMilliseconds(expression.seconds), expression: null }
      : { milliseconds: 0, expression };
  }

  private readonly positiveDuration = this.RULE("positiveDuration", (): DurationValue => {
    const expression = this.SUBRULE(this.durationExpression);
    return this.ACTION(() => {
      if (expression.kind === "number" && expression.seconds <= 0) {
        throw this.error(expression.position.start, "duration must be greater than 0");
      }
      return this.durationValue(expression);
    });
  });

  private readonly durationExpression = this.RULE("durationExpression", (): DurationExpr => {
    const stack = this.ACTION(() => new OperatorStack<DurationExpr>());
    this.MANY(() => {
      const sign = this.CONSUME(t.Sign);
      this.ACTION(() => stack.prefix(SIGN_PRECEDENCE, (operand) => this.signedDuration(sign, operand)));
    });
    const operand = this.SUBRULE(this.durationOperand);
    this.ACTION(() => stack.operand(operand));
    this.SUBRULE(this.durationOperations, { ARGS: [stack] });
    return this.ACTION(() => stack.finish());
  });

  /** As a duration expression that begins with a parenthesis. */
  private readonly durationInParentheses = this.RULE("durationInParentheses", (): DurationExpr => {
    const stack = this.ACTION(() => new OperatorStack<DurationExpr>());
    const operand = this.SUBRULE(this.durationParentheses);
    this.ACTION(() => stack.operand(operand));
    this.SUBRULE(this.durationOperations, { ARGS: [stack] });
    return this.ACTION(() => stack.finish());
  });

  private readonly durationOperations = this.RULE(
    "durationOperations",
    (stack: OperatorStack<DurationExpr>) => {
      this.MANY1(() => {
        const operator = this.CONSUME(t.DurationOperator);
        this.ACTION(() => {
          const op = operator.image as "+" | "-" | "*" | "/" | "%" | "^";
          stack.infix(PRECEDENCE[op], op === "^", (left, right) =>
            this.durationBinary(operator, op, left, right),
          );
        });
        this.MANY2(() => {
          const sign = this.CONSUME(t.Sign);
          this.ACTION(() => stack.prefix(SIGN_PRECEDENCE, (operand) => this.signedDuration(sign, operand)));
        });
        const right = this.SUBRULE(this.durationOperand);
        this.ACTION(() => stack.operand(right));
      });
    },
  );

  private durationBinary(
    operator: IToken,
    op: "+" | "-" | "*" | "/" | "%" | "^",
    left: DurationExpr,
    right: DurationExpr,
  ): DurationExpr {
    this.requireDurationExpressions(left.position);
    if ((op === "/" || op === "%") && right.kind === "number" && right.seconds === 0) {
      throw this.error(this.startOf(operator), op === "/" ? "division by zero" : "modulo by zero");
    }
    return {
      kind: "binary",
      op,
      left,
      right,
      position: { start: left.position.start, end: right.position.end },
    };
  }

  private requireDurationExpressions(position: Position): void {
    if (this.options.durationExpressions) return;
    throw this.error(position.start, "experimental duration expression is not enabled");
  }

  private signedDuration(sign: IToken, operand: DurationExpr): DurationExpr {
    const op = sign.image as "+" | "-";
    const position = { start: this.startOf(sign), end: operand.position.end };
    if (operand.kind === "number") {
      return { ...operand, seconds: op === "-" ? -operand.seconds : operand.seconds, position };
    }
    return { kind: "unary", op, operand, position };
  }

  private readonly signedDurationOperand = this.RULE("signedDurationOperand", (): DurationExpr => {
    let sign: IToken | undefined;
    this.OPTION(() => {
      sign = this.CONSUME(t.Sign);
    });
    const operand = this.SUBRULE(this.durationOperand);
    return this.ACTION(() => (sign === undefined ? operand : this.signedDuration(sign, operand)));
  });

  private readonly durationOperand = this.RULE("durationOperand", (): DurationExpr =>
    this.OR([
      {
        ALT: () => {
          const token = this.CONSUME(t.Literal);
          return this.ACTION(() => this.durationLiteral(token));
        },
      },
      { ALT: () => this.SUBRULE(this.durationParentheses) },
      { ALT: () => this.SUBRULE(this.durationCall) },
      { ALT: () => this.SUBRULE(this.durationChoice) },
    ]),
  );

  private durationLiteral(token: IToken): DurationExpr {
    const { value, isDuration, position } = this.literal(token);
    if (!isDurationInRange(value)) throw this.error(position.start, "duration out of range");
    return { kind: "number", seconds: value, isDuration, position };
  }

  private readonly durationParentheses = this.RULE("durationParentheses", (): DurationExpr => {
    const open = this.CONSUME(t.LeftParen);
    this.ACTION(() => this.nest(open));
    const operand = this.SUBRULE(this.durationExpression);
    this.CONSUME(t.RightParen);
    return this.ACTION((): DurationExpr => {
      this.nesting--;
      this.requireDurationExpressions(operand.position);
      // A literal needs none, and several say no more than one; messages point at what is inside.
      if (operand.kind === "number" || operand.kind === "paren") return operand;
      return { kind: "paren", operand, position: operand.position };
    });
  });

  /** step() and range(). */
  private readonly durationCall = this.RULE("durationCall", (): DurationExpr => {
    let kind: "step" | "range" = "step";
    const word = this.LA(1);
    this.OR([
      { ALT: () => this.CONSUME(t.Step) },
      {
        ALT: () => {
          this.CONSUME(t.Range);
          kind = "range";
        },
      },
    ]);
    this.CONSUME(t.LeftParen);
    this.CONSUME(t.RightParen);
    return this.ACTION((): DurationExpr => {
      const position = this.positionFrom(this.startOf(word));
      this.requireDurationExpressions(position);
      return { kind, position };
    });
  });

  /** min_of(a, b) and max_of(a, b). */
  private readonly durationChoice = this.RULE("durationChoice", (): DurationExpr => {
    let op: "min_of" | "max_of" = "min_of";
    const word = this.LA(1);
    this.OR([
      { ALT: () => this.CONSUME(t.MinOf) },
      {
        ALT: () => {
          this.CONSUME(t.MaxOf);
          op = "max_of";
        },
      },
    ]);
    const open = this.CONSUME(t.LeftParen);
    this.ACTION(() => this.nest(open));
    const left = this.SUBRULE1(this.durationExpression);
    this.CONSUME(t.Comma);
    const right = this.SUBRULE2(this.durationExpression);
    this.CONSUME(t.RightParen);
    return this.ACTION((): DurationExpr => {
      this.nesting--;
      const position = this.positionFrom(this.startOf(word));
      this.requireDurationExpressions(position);
      return { kind: "binary", op, left, right, position };
    });
  });
}

const AGGREGATIONS_WITH_PARAMETER: ReadonlySet<AggregationOp> = new Set<AggregationOp>([
  "topk",
  "bottomk",
  "count_values",
  "quantile",
  "limitk",
  "limit_ratio",
]);
