/** The end of a string literal (behind its closing quote), or what is wrong with it. */
export type StringScan = { readonly end: number } | { readonly error: string };

/** Finds the end of the string literal whose opening quote (", ' or `) stands at `start`. */
export function scanString(text: string, start: number): StringScan {
  const quote = text[start]!;
  const isRaw = quote === "`";
  for (let i = start + 1; i < text.length; i++) {
    const character = text[i]!;
    if (character === quote) return { end: i + 1 };
    if (isRaw) {
      if (isBrokenCharacter(text, i)) return { error: "invalid UTF-8 rune" };
    } else if (character === "\n") return { error: "unterminated quoted string" };
    else if (character === "\\") {
      const escape = scanEscape(text, i + 1, quote);
      if (typeof escape === "string") return { error: escape };
      i = escape - 1;
    } else if (isBrokenCharacter(text, i)) return { error: "invalid UTF-8 rune" };
  }
  return { error: isRaw ? "unterminated raw string" : "unterminated quoted string" };
}

/** Whether bytes that aren't UTF-8 stood here: they arrive as U+FFFD or as half a surrogate pair. */
export function isBrokenCharacter(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  if (unit === 0xfffd) return true;
  if (unit < 0xd800 || unit > 0xdfff) return false;
  if (unit <= 0xdbff) return !isBetween(text.charCodeAt(index + 1), 0xdc00, 0xdfff);
  return !isBetween(text.charCodeAt(index - 1), 0xd800, 0xdbff);
}

/** The index behind the escape whose first character after the backslash is at `start`, or what is wrong. */
function scanEscape(text: string, start: number, quote: string): number | string {
  const kind = text[start];
  if (kind === undefined) return "escape sequence not terminated";
  if (kind === quote || "abfnrtv\\".includes(kind)) return start + 1;
  const form = isBetween(kind.charCodeAt(0), 0x30, 0x37) ? OCTAL : NUMERIC_ESCAPES.get(kind);
  if (form === undefined) return `unknown escape sequence ${describeCharacter(text, start)}`;
  const digitsStart = form === OCTAL ? start : start + 1;
  let value = 0;
  for (let i = digitsStart; i < digitsStart + form.digits; i++) {
    if (i >= text.length) return "escape sequence not terminated";
    const digit = parseInt(text[i]!, 16);
    if (!(digit < form.base)) return `illegal character ${describeCharacter(text, i)} in escape sequence`;
    value = value * form.base + digit;
  }
  if (value > form.max || isBetween(value, 0xd800, 0xdfff)) {
    return "escape sequence is an invalid Unicode code point";
  }
  return digitsStart + form.digits;
}

interface NumericEscape {
  readonly digits: number;
  readonly base: number;
  readonly max: number;
}

const OCTAL: NumericEscape = { digits: 3, base: 8, max: 0xff };
const NUMERIC_ESCAPES = new Map<string, NumericEscape>([
  ["x", { digits: 2, base: 16, max: 0xff }],
  ["u", { digits: 4, base: 16, max: 0x10ffff }],
  ["U", { digits: 8, base: 16, max: 0x10ffff }],
]);

/** As in "U+0063 'c'"; a character that can't be shown goes without its picture. */
function describeCharacter(text: string, index: number): string {
  const code = text.codePointAt(index)!;
  const name = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  const picture = String.fromCodePoint(code);
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(picture) ? `${name} '${picture}'` : name;
}

const SIMPLE_ESCAPES = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
]);

/**
 * The value of a string literal that `scanString` accepted. Octal and \x escapes give single bytes, which may form
 * UTF-8 together; a byte that forms none becomes the lone surrogate U+DC00 plus the byte, which no name may hold
 * and which messages show as the byte it was.
 */
export function unquoteString(literal: string): string {
  const body = literal.slice(1, -1);
  if (literal[0] === "`") return body;
  if (!body.includes("\\")) return body;
  const parts: Buffer[] = [];
  let plainStart = 0;
  for (let i = body.indexOf("\\"); i >= 0; i = body.indexOf("\\", plainStart)) {
    parts.push(Buffer.from(body.slice(plainStart, i)));
    const kind = body[i + 1]!;
    const form = isBetween(kind.charCodeAt(0), 0x30, 0x37) ? OCTAL : NUMERIC_ESCAPES.get(kind);
    if (form === undefined) {
      parts.push(Buffer.from(SIMPLE_ESCAPES.get(kind) ?? kind));
      plainStart = i + 2;
    } else {
      const digitsStart = form === OCTAL ? i + 1 : i + 2;
      plainStart = digitsStart + form.digits;
      const value = parseInt(body.slice(digitsStart, plainStart), form.base);
      parts.push(form.max === 0xff ? Buffer.of(value) : Buffer.from(String.fromCodePoint(value)));
    }
  }
  parts.push(Buffer.from(body.slice(plainStart)));
  return decodeUtf8(Buffer.concat(parts));
}

function decodeUtf8(bytes: Buffer): string {
  let text = "";
  let validStart = 0;
  for (let i = 0; i < bytes.length;) {
    const length = sequenceLength(bytes, i);
    if (length === 0) {
      text += bytes.toString("utf8", validStart, i) + String.fromCharCode(0xdc00 + bytes[i]!);
      validStart = ++i;
    } else i += length;
  }
  return text + bytes.toString("utf8", validStart);
}

/** How many bytes the character at `start` takes, 0 where none is well formed. */
function sequenceLength(bytes: Buffer, start: number): number {
  const lead = bytes[start]!;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const character = bytes.toString("utf8", start, start + length);
  if (character === "\ufffd" && length === 3 && bytes.readUIntBE(start, 3) === 0xefbfbd) return 3;
  return character.codePointAt(0) === 0xfffd || Buffer.byteLength(character) !== length ? 0 : length;
}

function isBetween(value: number, low: number, high: number): boolean {
  return value >= low && value <= high;
}
