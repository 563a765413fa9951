/**
 * What can be known of a pattern without running it: most patterns in dashboards and relabel rules are literals,
 * lists of literals, or literals with `.*` between them, and those need no automaton.
 *
 * The pattern becomes a list of alternatives, each a sequence of literals and gaps. What isn't understood becomes an
 * opaque piece (then RE2 decides, and only the prefix is of use), or makes the whole pattern opaque. Everything
 * understood must mean here what it means to RE2 with both ends anchored and the dot matching newlines.
 */
export type Piece =
  | { readonly kind: "literal"; readonly text: string }
  /** `.*` (at least 0 characters) or `.+` (at least 1). */
  | { readonly kind: "gap"; readonly minLength: 0 | 1 }
  | { readonly kind: "opaque" };

export type Alternative = readonly Piece[];

/** Products such as `(a|b)(c|d)` are multiplied out up to here; a plain list of alternatives may be longer. */
const MAX_PRODUCT = 256;
const MAX_DEPTH = 50;
/** Of a sequence: longer ones are left to RE2, for putting them together piece by piece takes quadratic time. */
const MAX_PARTS = 1_000;

/** The alternatives of `pattern`, or null where it uses syntax not looked into here. It may still be invalid. */
export function regexpShape(pattern: string): readonly Alternative[] | null {
  try {
    const reader = new ShapeReader(pattern);
    const alternatives = reader.readAlternation(0);
    return reader.position === pattern.length ? alternatives : null;
  } catch (error) {
    if (error === NOT_UNDERSTOOD) return null;
    throw error;
  }
}

const NOT_UNDERSTOOD = Symbol("not understood");

const GAPS: Record<string, Piece> = {
  "*": { kind: "gap", minLength: 0 },
  "+": { kind: "gap", minLength: 1 },
};
const OPAQUE: Piece = { kind: "opaque" };
const EMPTY: Alternative = [];

class ShapeReader {
  position = 0;

  constructor(private readonly pattern: string) {}

  readAlternation(depth: number): Alternative[] {
    if (depth > MAX_DEPTH) throw NOT_UNDERSTOOD;
    const alternatives: Alternative[] = [];
    for (;;) {
      for (const alternative of this.readSequence(depth)) alternatives.push(alternative);
      if (this.pattern[this.position] !== "|") return alternatives;
      this.position++;
    }
  }

  private readSequence(depth: number): Alternative[] {
    let product: Alternative[] = [EMPTY];
    // At the outermost level the anchors say what holds anyway.
    if (depth === 0) while (this.pattern[this.position] === "^") this.position++;
    for (;;) {
      const next = this.pattern[this.position];
      if (next === undefined || next === "|" || next === ")") return product;
      if (next === "$" && depth === 0) {
        this.position++;
        const after = this.pattern[this.position];
        if (after !== undefined && after !== "|") throw NOT_UNDERSTOOD;
        return product;
      }
      product = multiply(product, this.readRepeated(depth));
    }
  }

  private readRepeated(depth: number): Alternative[] {
    const isDot = this.pattern[this.position] === ".";
    const atom = this.readAtom(depth);
    const quantifier = this.pattern[this.position];
    if (quantifier === "{") throw NOT_UNDERSTOOD;
    if (quantifier !== "*" && quantifier !== "+" && quantifier !== "?") return atom;
    this.position++;
    // A lazy quantifier accepts the same whole strings as an eager one.
    if (this.pattern[this.position] === "?") this.position++;
    if (/^[*+?{]$/.test(this.pattern[this.position] ?? "")) throw NOT_UNDERSTOOD;
    if (isDot && quantifier !== "?") return [[GAPS[quantifier]!]];
    if (quantifier === "?" && !atom.some((alternative) => alternative.includes(OPAQUE)))
      return [...atom, EMPTY];
    return [[OPAQUE]];
  }

  private readAtom(depth: number): Alternative[] {
    const character = String.fromCodePoint(this.pattern.codePointAt(this.position)!);
    this.position += character.length;
    switch (character) {
      case "(":
        return this.readGroup(depth);
      case "[":
        return this.readClass();
      case ".":
        return [[OPAQUE]];
      case "\\":
        return this.readEscape();
      case "*":
      case "+":
      case "?":
      case "{":
      case "^":
      case "$":
        throw NOT_UNDERSTOOD;
      default:
        return [[{ kind: "literal", text: character }]];
    }
  }

  private readGroup(depth: number): Alternative[] {
    if (this.pattern[this.position] === "?") {
      if (this.pattern[this.position + 1] !== ":") throw NOT_UNDERSTOOD;
      this.position += 2;
    }
    const alternatives = this.readAlternation(depth + 1);
    if (this.pattern[this.position] !== ")") throw NOT_UNDERSTOOD;
    this.position++;
    return alternatives;
  }

  private readEscape(): Alternative[] {
    const escaped = this.pattern[this.position] ?? "";
    if (/^[dwsDWS]$/.test(escaped)) {
      this.position++;
      return [[OPAQUE]];
    }
    if (!isAsciiPunctuation(escaped)) throw NOT_UNDERSTOOD;
    this.position++;
    return [[{ kind: "literal", text: escaped }]];
  }

  /** `[abc]` and `[a-f0]` become their characters; other classes are left to RE2. */
  private readClass(): Alternative[] {
    const end = this.pattern.indexOf("]", this.position);
    const body = end < 0 ? "" : this.pattern.slice(this.position, end);
    if (!/^[A-Za-z0-9_:;,@#%&=<>~ ./-]+$/.test(body)) throw NOT_UNDERSTOOD;
    this.position = end + 1;
    const characters = new Set<string>();
    for (let i = 0; i < body.length; i++) {
      if (body[i] === "-") throw NOT_UNDERSTOOD;
      const first = body.charCodeAt(i);
      let last = first;
      if (body[i + 1] === "-") {
        if (i + 2 >= body.length || body[i + 2] === "-") throw NOT_UNDERSTOOD;
        last = body.charCodeAt(i + 2);
        i += 2;
      }
      if (last < first) throw NOT_UNDERSTOOD;
      for (let code = first; code <= last; code++) characters.add(String.fromCharCode(code));
    }
    return [...characters].map((text) => [{ kind: "literal", text }]);
  }
}

function multiply(left: Alternative[], right: Alternative[]): Alternative[] {
  if (left.length === 1 && left[0]!.length === 0) return right;
  if (left.length * right.length > MAX_PRODUCT) {
    if (left.length > 1) throw NOT_UNDERSTOOD;
    return [[...left[0]!, OPAQUE]];
  }
  const product: Alternative[] = [];
  for (const head of left) for (const tail of right) product.push(join(head, tail));
  return product;
}

/** Concatenates, keeping literals whole: two pieces of text that meet become one. */
function join(head: Alternative, tail: Alternative): Alternative {
  if (head.length === 0) return tail;
  if (tail.length === 0) return head;
  const last = head[head.length - 1]!;
  const first = tail[0]!;
  if (last.kind !== "literal" || first.kind !== "literal") {
    if (head.length + tail.length > MAX_PARTS) throw NOT_UNDERSTOOD;
    return [...head, ...tail];
  }
  return [...head.slice(0, -1), { kind: "literal", text: last.text + first.text }, ...tail.slice(1)];
}

function isAsciiPunctuation(character: string): boolean {
  return /^[!-/:-@[-`{-~]$/.test(character);
}
