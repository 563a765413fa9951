import { RE2JS } from "re2js";
import { type Alternative, regexpShape } from "./regexp-shape.ts";

/** How many values a regexp remembers in each of its two generations of answers. */
const CACHE_GENERATION_SIZE = 2_048;

/** Longer values aren't remembered, so that a cache has a bound in bytes too. */
const MAX_CACHED_VALUE_LENGTH = 512;

/**
 * A user's pattern, anchored at both ends, dot matching newlines, run by RE2 in linear time. V8's RegExp never sees
 * a user's pattern: `^(a+)+$` takes it seconds at 28 characters.
 *
 * Literals, lists of literals and literals with `.*` between them are matched without RE2; other answers are
 * remembered for some thousands of values.
 */
export class AnchoredRegexp {
  /** The values it matches, where they are finitely many and few; then nothing else matches. */
  readonly setMatches: readonly string[] | null;
  /** Every matching value starts with this; "" where nothing is known. */
  readonly prefix: string;
  private readonly matchFast: ((value: string) => boolean) | null;
  private compiled: RE2JS | null;
  private youngAnswers = new Map<string, boolean>();
  private oldAnswers = new Map<string, boolean>();

  private constructor(readonly pattern: string) {
    const shape = regexpShape(pattern);
    this.matchFast = shape === null ? null : fastMatcher(shape);
    this.setMatches = shape === null ? null : literalsOf(shape);
    // Compiling is put off where the fast way suffices; everything understood in full is valid.
    this.compiled = this.matchFast === null ? compileRe2(pattern) : null;
    this.prefix = shape === null ? "" : commonPrefix(shape);
  }

  /** @throws Error with RE2's text, such as "error parsing regexp: missing closing ): `(`" */
  static compile(pattern: string): AnchoredRegexp {
    return new AnchoredRegexp(pattern);
  }

  /** Whether the whole value matches. */
  matches(value: string): boolean {
    if (this.matchFast !== null) return this.matchFast(value);
    if (value.length > MAX_CACHED_VALUE_LENGTH) return this.re2.testExact(value);
    let answer = this.youngAnswers.get(value);
    if (answer !== undefined) return answer;
    answer = this.oldAnswers.get(value) ?? this.re2.testExact(value);
    if (this.youngAnswers.size >= CACHE_GENERATION_SIZE) {
      this.oldAnswers = this.youngAnswers;
      this.youngAnswers = new Map();
    }
    this.youngAnswers.set(value, answer);
    return answer;
  }

  /** What the groups of the pattern hold for `value`, or null where it doesn't match. */
  capture(value: string): Captures | null {
    if (this.pattern === "(.*)") return { groups: [value, value], names: NO_NAMES };
    const re2 = this.re2;
    const matcher = re2.matcher(value);
    return matcher.matches() ? capturesOf(re2, matcher) : null;
  }

  /** `template` with the groups filled in, or null where `value` doesn't match. */
  expand(value: string, template: string): string | null {
    const captures = this.capture(value);
    return captures === null ? null : expandTemplate(template, captures);
  }

  private get re2(): RE2JS {
    return (this.compiled ??= compileRe2(this.pattern));
  }
}

/** A match: group 0 is the whole of it; a group that took no part is null. */
export interface Captures {
  readonly groups: readonly (string | null)[];
  readonly names: Readonly<Record<string, number>>;
}

const NO_NAMES: Readonly<Record<string, number>> = {};

/**
 * Fills `$1`, `${1}`, `$name` and `${name}` as Go does: the name is the longest run of letters, digits and `_`, so
 * `$1x` is the group called 1x. Unknown and idle groups give nothing; `$$` is `$`; a `$` that starts no name stays.
 */
export function expandTemplate(template: string, captures: Captures): string {
  if (!template.includes("$")) return template;
  let out = "";
  let position = 0;
  for (;;) {
    const dollar = template.indexOf("$", position);
    if (dollar < 0) return out + template.slice(position);
    out += template.slice(position, dollar);
    position = dollar + 1;
    if (template[position] === "$") {
      out += "$";
      position++;
      continue;
    }
    REFERENCE.lastIndex = position;
    const reference = REFERENCE.exec(template);
    if (reference === null) {
      out += "$";
      continue;
    }
    position = REFERENCE.lastIndex;
    out += groupText(reference[1] ?? reference[2]!, captures);
  }
}

const REFERENCE = /\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+)/uy;

function groupText(name: string, captures: Captures): string {
  const index = /^(0|[1-9][0-9]{0,8})$/.test(name) ? Number(name) : captures.names[name];
  return index === undefined ? "" : (captures.groups[index] ?? "");
}

/** A user's pattern looked for anywhere in a text, as templates do; the dot stops at newlines. */
export class SearchRegexp {
  private readonly compiled: RE2JS;

  /** @throws Error with RE2's text */
  constructor(readonly pattern: string) {
    this.compiled = translateErrors(() => RE2JS.compile(pattern), pattern);
  }

  /** Whether the pattern occurs in `text`. */
  occursIn(text: string): boolean {
    return this.compiled.matcher(text).find();
  }

  /** `text` with every occurrence replaced by the filled-in template; an empty match right after a match is none. */
  replaceAll(text: string, template: string): string {
    const matcher = this.compiled.matcher(text);
    let out = "";
    let copiedTo = 0;
    let lastEnd = -1;
    while (matcher.find()) {
      const start = matcher.start();
      const end = matcher.end();
      if (start === end && start === lastEnd) continue;
      out += text.slice(copiedTo, start) + expandTemplate(template, capturesOf(this.compiled, matcher));
      copiedTo = end;
      lastEnd = end;
    }
    return out + text.slice(copiedTo);
  }
}

function capturesOf(re2: RE2JS, matcher: ReturnType<RE2JS["matcher"]>): Captures {
  const groups: (string | null)[] = [];
  for (let group = 0; group <= re2.groupCount(); group++) groups.push(matcher.group(group));
  return { groups, names: re2.namedGroups() };
}

function compileRe2(pattern: string): RE2JS {
  return translateErrors(() => RE2JS.compile(pattern, RE2JS.DOTALL), pattern);
}

/** Errors that quote the whole pattern quote it with the flag that was put in front; the user never wrote that. */
function translateErrors(compile: () => RE2JS, pattern: string): RE2JS {
  try {
    return compile();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      message.replace(`\`(?s)${pattern}\``, () => `\`${pattern}\``),
      { cause },
    );
  }
}

function fastMatcher(shape: readonly Alternative[]): ((value: string) => boolean) | null {
  if (shape.some((alternative) => alternative.some((piece) => piece.kind === "opaque"))) return null;
  const literals = new Set<string>();
  const globs: ((value: string) => boolean)[] = [];
  for (const alternative of shape) {
    const literal = literalOf(alternative);
    if (literal === null) globs.push(globMatcher(alternative));
    else literals.add(literal);
  }
  const [onlyLiteral] = literals;
  if (globs.length === 0) {
    return literals.size === 1 ? (value) => value === onlyLiteral : (value) => literals.has(value);
  }
  const [onlyGlob] = globs;
  if (literals.size === 0 && globs.length === 1) return onlyGlob!;
  return (value) => literals.has(value) || globs.some((glob) => glob(value));
}

/**
 * Literals with gaps: the first is the start, the last is the end, and each between them is taken at its leftmost
 * place, which leaves the most room for those after it.
 */
function globMatcher(alternative: Alternative): (value: string) => boolean {
  // Literal i is followed by at least minGaps[i] characters of anything.
  const literals = [""];
  const minGaps: number[] = [];
  for (const piece of alternative) {
    if (piece.kind === "literal") literals[literals.length - 1] = piece.text;
    else if (piece.kind === "gap") {
      const isSecondGap = minGaps.length > 0 && literals[literals.length - 1] === "";
      if (isSecondGap) minGaps[minGaps.length - 1]! += piece.minLength;
      else {
        minGaps.push(piece.minLength);
        literals.push("");
      }
    }
  }
  const head = literals[0]!;
  const tail = literals[literals.length - 1]!;
  const middle = literals.slice(1, -1);
  const lastGap = minGaps[minGaps.length - 1]!;
  if (middle.length === 0) {
    if (lastGap === 0 && head === "" && tail === "") return () => true;
    if (lastGap === 1 && head === "" && tail === "") return (value) => value !== "";
    if (tail === "" && lastGap === 0) return (value) => value.startsWith(head);
    if (head === "" && lastGap === 0) return (value) => value.endsWith(tail);
  }
  if (middle.length === 1 && head === "" && tail === "" && minGaps.every((gap) => gap === 0)) {
    return (value) => value.includes(middle[0]!);
  }
  return (value) => {
    if (!value.startsWith(head)) return false;
    let position = head.length;
    for (let i = 0; i < middle.length; i++) {
      position = skipCharacters(value, position, minGaps[i]!);
      if (position < 0) return false;
      const found = value.indexOf(middle[i]!, position);
      if (found < 0) return false;
      position = found + middle[i]!.length;
    }
    position = skipCharacters(value, position, lastGap);
    return position >= 0 && value.length - tail.length >= position && value.endsWith(tail);
  };
}

/** The position `count` characters on, or -1 past the end. A character above 0xffff takes two units. */
function skipCharacters(value: string, position: number, count: number): number {
  for (let i = 0; i < count; i++) {
    const code = value.codePointAt(position);
    if (code === undefined) return -1;
    position += code > 0xffff ? 2 : 1;
  }
  return position;
}

function literalOf(alternative: Alternative): string | null {
  if (alternative.length === 0) return "";
  const [piece] = alternative;
  return alternative.length === 1 && piece!.kind === "literal" ? piece!.text : null;
}

function literalsOf(shape: readonly Alternative[]): readonly string[] | null {
  const literals = new Set<string>();
  for (const alternative of shape) {
    const literal = literalOf(alternative);
    if (literal === null) return null;
    literals.add(literal);
  }
  return [...literals];
}

function commonPrefix(shape: readonly Alternative[]): string {
  let prefix: string | null = null;
  for (const alternative of shape) {
    const first = alternative[0];
    const text = first?.kind === "literal" ? first.text : "";
    if (prefix === null) prefix = text;
    let shared = 0;
    while (shared < prefix.length && prefix[shared] === text[shared]) shared++;
    prefix = prefix.slice(0, shared);
  }
  // Never end within a character: half of one is no prefix of anything as bytes.
  return /[\ud800-\udbff]$/.test(prefix ?? "") ? prefix!.slice(0, -1) : (prefix ?? "");
}
