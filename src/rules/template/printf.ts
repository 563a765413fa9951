/** Go's fmt.Sprintf, Sprint and Sprintln over the values of templates. */
import { quote } from "../../model/quote.ts";
import { binaryParts, formatFloat } from "./format-float.ts";
import { TemplateError } from "./template-error.ts";
import { isNil, isObject, typeNameOf, type Value } from "./value.ts";

/** Widths and precisions beyond this are taken as missing, as in Go. */
const MAX_WIDTH = 1_000_000;

/** What arguments may become, in UTF-16 units, and how deep they may be nested. */
const MAX_OUTPUT_LENGTH = 4 << 20;
const MAX_DEPTH = 100;

interface Flags {
  plus: boolean;
  minus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  width: number | null;
  precision: number | null;
}

function noFlags(): Flags {
  return { plus: false, minus: false, sharp: false, space: false, zero: false, width: null, precision: null };
}

/** The values side by side as %v prints them, with a blank between two that are no strings. */
export function sprint(args: readonly Value[]): string {
  let out = "";
  for (const [index, arg] of args.entries()) {
    if (index > 0 && typeof arg !== "string" && typeof args[index - 1] !== "string") out += " ";
    out += printValue(arg, "v", noFlags(), 0);
  }
  return out;
}

/** The values as %v prints them, with blanks between and a newline at the end. */
export function sprintln(args: readonly Value[]): string {
  return args.map((arg) => printValue(arg, "v", noFlags(), 0)).join(" ") + "\n";
}

export function sprintf(format: string, args: readonly Value[]): string {
  return new Formatter(format, args).run();
}

class Formatter {
  private position = 0;
  private argIndex = 0;
  private isReordered = false;
  private isArgIndexGood = true;
  private out = "";

  constructor(
    private readonly format: string,
    private readonly args: readonly Value[],
  ) {}

  run(): string {
    const { format, args } = this;
    while (this.position < format.length) {
      const percent = format.indexOf("%", this.position);
      const plainEnd = percent < 0 ? format.length : percent;
      this.write(format.slice(this.position, plainEnd));
      this.position = plainEnd + 1;
      if (percent >= 0) this.directive();
    }
    if (!this.isReordered && this.argIndex < args.length) {
      const extra = args
        .slice(this.argIndex)
        .map((arg) => (isNil(arg) ? "<nil>" : `${typeNameOf(arg)}=${printValue(arg, "v", noFlags(), 0)}`));
      this.write(`%!(EXTRA ${extra.join(", ")})`);
    }
    return this.out;
  }

  private write(text: string): void {
    this.out = bounded(this.out + text);
  }

  private directive(): void {
    const { format, args } = this;
    this.isArgIndexGood = true;
    const flags = this.flags();
    let isAfterIndex = this.argNumber();
    if (format[this.position] === "*") {
      this.position++;
      const width = this.intArg();
      if (width === null) this.write("%!(BADWIDTH)");
      else {
        flags.width = Math.abs(width);
        if (width < 0) {
          flags.minus = true;
          flags.zero = false;
        }
      }
      isAfterIndex = false;
    } else {
      flags.width = this.number();
      if (isAfterIndex && flags.width !== null) this.isArgIndexGood = false;
    }
    if (format[this.position] === ".") {
      this.position++;
      if (isAfterIndex) this.isArgIndexGood = false;
      isAfterIndex = this.argNumber();
      if (format[this.position] === "*") {
        this.position++;
        const precision = this.intArg();
        if (precision === null) this.write("%!(BADPREC)");
        else if (precision >= 0) flags.precision = precision;
        isAfterIndex = false;
      } else flags.precision = this.number() ?? 0;
    }
    if (!isAfterIndex) this.argNumber();

    const code = format.codePointAt(this.position);
    if (code === undefined) {
      this.write("%!(NOVERB)");
      return;
    }
    const verb = String.fromCodePoint(code);
    this.position += verb.length;
    if (verb === "%") this.write("%");
    else if (!this.isArgIndexGood) this.write(`%!${verb}(BADINDEX)`);
    else if (this.argIndex >= args.length) this.write(`%!${verb}(MISSING)`);
    else this.write(printValue(args[this.argIndex++], verb, flags, 0));
  }

  private flags(): Flags {
    const flags = noFlags();
    for (; ; this.position++) {
      switch (this.format[this.position]) {
        case "#":
          flags.sharp = true;
          continue;
        case "0":
          flags.zero = true;
          continue;
        case "+":
          flags.plus = true;
          continue;
        case "-":
          flags.minus = true;
          continue;
        case " ":
          flags.space = true;
          continue;
      }
      return flags;
    }
  }

  /** Reads `[n]`, which says which argument comes next. */
  private argNumber(): boolean {
    const { format } = this;
    if (format[this.position] !== "[") return false;
    this.isReordered = true;
    const close = format.indexOf("]", this.position);
    if (close < 0) {
      this.isArgIndexGood = false;
      this.position++;
      return false;
    }
    const text = format.slice(this.position + 1, close);
    this.position = close + 1;
    const index = /^[0-9]{1,7}$/.test(text) ? Number(text) - 1 : -1;
    if (index < 0 || index >= this.args.length) {
      this.isArgIndexGood = false;
      return true;
    }
    this.argIndex = index;
    return true;
  }

  private number(): number | null {
    const digits = /[0-9]*/y;
    digits.lastIndex = this.position;
    const text = digits.exec(this.format)![0];
    this.position += text.length;
    if (text === "") return null;
    const value = Number(text);
    return value > MAX_WIDTH ? null : value;
  }

  private intArg(): number | null {
    const arg = this.args[this.argIndex];
    if (this.argIndex < this.args.length) this.argIndex++;
    if (typeof arg !== "bigint" || arg > MAX_WIDTH || arg < -MAX_WIDTH) return null;
    return Number(arg);
  }
}

/** @param depth 0 for an argument itself, more for what it holds */
function printValue(value: Value, verb: string, flags: Flags, depth: number): string {
  if (verb === "T") return printString(typeNameOf(value), "s", flags);
  if (isNil(value)) return verb === "v" ? pad("<nil>", flags) : `%!${verb}(<nil>)`;
  const printed = tryPrint(value, verb, flags, depth);
  return printed ?? badVerb(value, verb);
}

function badVerb(value: Value, verb: string): string {
  return `%!${verb}(${typeNameOf(value)}=${printValue(value, "v", noFlags(), 0)})`;
}

function bounded(text: string): string {
  if (text.length > MAX_OUTPUT_LENGTH) {
    throw new TemplateError(`cannot print value: more than ${MAX_OUTPUT_LENGTH} characters`);
  }
  return text;
}

/** Null where the verb doesn't suit the value. */
function tryPrint(
  value: Exclude<Value, null | undefined>,
  verb: string,
  flags: Flags,
  depth: number,
): string | null {
  if (!isObject(value)) {
    switch (typeof value) {
      case "boolean":
        return verb === "v" || verb === "t" ? pad(String(value), flags) : null;
      case "bigint":
        return printInt(value, verb, flags);
      case "number":
        return printFloat(value, verb, flags);
      case "string":
        return STRING_VERBS.has(verb) ? printString(value, verb, flags) : null;
    }
  }
  if (depth > MAX_DEPTH) throw new TemplateError(`cannot print value: more than ${MAX_DEPTH} levels deep`);
  switch (value.kind) {
    case "time":
    case "histogram":
    case "html":
      return STRING_VERBS.has(verb) ? printString(value.text, verb, flags) : null;
    case "duration":
      return STRING_VERBS.has(verb)
        ? printString(value.text, verb, flags)
        : printInt(value.nanoseconds, verb, flags);
    case "map": {
      const pairs = [...value.entries].map(
        ([key, element]) =>
          `${printValue(key, verb, flags, depth + 1)}:${printValue(element, verb, flags, depth + 1)}`,
      );
      if (isGoSyntax(verb, flags)) return bounded(`${value.typeName}{${pairs.join(", ")}}`);
      return bounded(`map[${pairs.join(" ")}]`);
    }
    case "list": {
      const items = value.items.map((item) => printValue(item, verb, flags, depth + 1));
      if (isGoSyntax(verb, flags)) return bounded(`${value.typeName}{${items.join(", ")}}`);
      return bounded(`[${items.join(" ")}]`);
    }
    case "struct": {
      const goSyntax = isGoSyntax(verb, flags);
      const fields = [...value.fields].map(([name, field]) => {
        const text = printValue(field, verb, flags, depth + 1);
        return goSyntax || (verb === "v" && flags.plus) ? `${name}:${text}` : text;
      });
      const pointer = value.isPointer ? "&" : "";
      if (goSyntax) return `${pointer}${value.structName}{${fields.join(", ")}}`;
      return `${pointer}{${fields.join(" ")}}`;
    }
  }
}

const STRING_VERBS: ReadonlySet<string> = new Set(["v", "s", "x", "X", "q"]);

function isGoSyntax(verb: string, flags: Flags): boolean {
  return verb === "v" && flags.sharp;
}

function printString(text: string, verb: string, flags: Flags): string {
  const { precision } = flags;
  switch (verb) {
    case "x":
    case "X": {
      const bytes = Buffer.from(text).subarray(0, precision ?? undefined);
      const prefix = flags.sharp ? `0${verb}` : "";
      const pairs = [...bytes].map((byte) => {
        const hex = byte.toString(16).padStart(2, "0");
        return verb === "X" ? hex.toUpperCase() : hex;
      });
      const body = flags.space
        ? pairs.map((pair) => prefix + pair).join(" ")
        : pairs.length === 0
          ? ""
          : prefix + pairs.join("");
      return pad(body, flags);
    }
    case "q": {
      const shown = truncate(text, precision);
      const canBeRaw = flags.sharp && !/[`\x00-\x08\x0a-\x1f\x7f\ufeff]/.test(shown);
      if (canBeRaw) return pad(`\`${shown}\``, flags);
      return pad(flags.plus ? toAscii(quote(shown)) : quote(shown), flags);
    }
    case "v":
      if (flags.sharp) return pad(quote(text), flags);
      return pad(truncate(text, precision), flags);
    default:
      return pad(truncate(text, precision), flags);
  }
}

function toAscii(quoted: string): string {
  return quoted.replace(/[^\x00-\x7f]/gu, (character) => {
    const hex = character.codePointAt(0)!.toString(16);
    return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
}

function truncate(text: string, characterCount: number | null): string {
  return characterCount === null ? text : [...text].slice(0, characterCount).join("");
}

function printInt(value: bigint, verb: string, flags: Flags): string | null {
  switch (verb) {
    case "v":
    case "d":
      return printDigits(value, 10, "", { ...flags, sharp: verb === "v" ? false : flags.sharp });
    case "b":
      return printDigits(value, 2, flags.sharp ? "0b" : "", flags);
    case "o":
      return printDigits(value, 8, flags.sharp ? "0" : "", flags);
    case "O":
      return printDigits(value, 8, "0o", flags);
    case "x":
      return printDigits(value, 16, flags.sharp ? "0x" : "", flags);
    case "X":
      return printDigits(value, 16, flags.sharp ? "0X" : "", flags).replace(/[a-f]/g, (digit) =>
        digit.toUpperCase(),
      );
    case "c":
      return pad(codePointText(value), flags);
    case "q":
      return pad(quoteCharacter(codePointText(value)), flags);
    case "U": {
      const hex = BigInt.asUintN(64, value).toString(16).toUpperCase();
      const text = `U+${hex.padStart(Math.max(4, flags.precision ?? 0), "0")}`;
      return pad(
        flags.sharp && value >= 0n && value <= 0x10ffffn ? `${text} '${codePointText(value)}'` : text,
        flags,
      );
    }
    default:
      return null;
  }
}

function codePointText(value: bigint): string {
  const isValid = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value <= 0xdfffn);
  return isValid ? String.fromCodePoint(Number(value)) : "\ufffd";
}

function quoteCharacter(character: string): string {
  if (character === "'") return "'\\''";
  if (character === '"') return `'"'`;
  return `'${quote(character).slice(1, -1)}'`;
}

function printDigits(value: bigint, base: number, prefix: string, flags: Flags): string {
  const isNegative = value < 0n;
  const sign = isNegative ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  let digits = (isNegative ? -value : value).toString(base);
  let minDigits = 0;
  if (flags.precision !== null) {
    if (flags.precision === 0 && value === 0n) return " ".repeat(flags.width ?? 0);
    minDigits = flags.precision;
  } else if (flags.zero && !flags.minus && flags.width !== null) {
    minDigits = flags.width - (sign === "" ? 0 : 1);
  }
  digits = digits.padStart(minDigits, "0");
  // An octal zero in front is enough of a prefix.
  const shownPrefix = prefix === "0" && digits.startsWith("0") ? "" : prefix;
  return pad(sign + shownPrefix + digits, { ...flags, zero: false });
}

function printFloat(value: number, verb: string, flags: Flags): string | null {
  let text: string;
  switch (verb) {
    case "v":
      text = formatFloat(value, "g", flags.precision ?? -1);
      break;
    case "g":
    case "G":
      text = formatFloat(value, "g", flags.precision ?? -1);
      break;
    case "e":
    case "E":
      text = formatFloat(value, "e", flags.precision ?? 6);
      break;
    case "f":
    case "F":
      text = formatFloat(value, "f", flags.precision ?? 6);
      break;
    case "b":
      text = binaryExponentForm(value);
      break;
    case "x":
    case "X":
      text = hexFloat(value, flags.precision ?? -1);
      break;
    default:
      return null;
  }
  if ("EGX".includes(verb) && Number.isFinite(value)) text = text.toUpperCase();
  return padNumber(
    flags.sharp && verb !== "v" && verb !== "b" ? withPoint(text, verb, flags.precision) : text,
    value,
    flags,
  );
}

/** `#` keeps the point, and under %g the zeros up to the precision. */
function withPoint(text: string, verb: string, precision: number | null): string {
  const match = /^([+-]?)([0-9.]+)(.*)$/.exec(text);
  if (match === null) return text;
  const [, sign, number, tail] = match as unknown as [string, string, string, string];
  const dotted = number.includes(".") ? number : `${number}.`;
  if (verb !== "g" && verb !== "G") return sign + dotted + tail;
  const significant = dotted.replace(".", "").replace(/^0+/, "").length;
  const missing = Math.max(0, (precision ?? 6) - (significant === 0 ? 1 : significant));
  return sign + dotted + "0".repeat(missing) + tail;
}

function padNumber(text: string, value: number, flags: Flags): string {
  if (Number.isNaN(value)) {
    return pad(flags.plus ? `+${text}` : flags.space ? ` ${text}` : text, { ...flags, zero: false });
  }
  const isNegative = text.startsWith("-");
  const magnitude = text.replace(/^[+-]/, "");
  if (!Number.isFinite(value)) {
    const sign = isNegative ? "-" : flags.space && !flags.plus ? " " : "+";
    return pad(sign + magnitude, { ...flags, zero: false });
  }
  const sign = isNegative ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  if (flags.zero && !flags.minus && flags.width !== null) {
    return sign + magnitude.padStart(flags.width - sign.length, "0");
  }
  return pad(sign + magnitude, flags);
}

/** The mantissa as a whole number and a power of two: `4503599627370496p-52`. */
function binaryExponentForm(value: number): string {
  if (!Number.isFinite(value)) return formatFloat(value, "g", -1);
  const { mantissa, exponent } = binaryParts(Math.abs(value));
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  return `${sign}${mantissa}p${exponent >= 0 ? "+" : ""}${exponent}`;
}

/** `0x1.8p+01`: one bit before the point. */
function hexFloat(value: number, precision: number): string {
  if (!Number.isFinite(value)) return formatFloat(value, "g", -1);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  let { mantissa, exponent } = binaryParts(Math.abs(value));
  if (mantissa === 0n) {
    const zeros = precision > 0 ? `.${"0".repeat(precision)}` : "";
    return `${sign}0x0${zeros}p+00`;
  }
  while (mantissa < 1n << 52n) {
    mantissa <<= 1n;
    exponent--;
  }
  exponent += 52;
  if (precision >= 0 && precision < 13) {
    const shift = BigInt(4 * (13 - precision));
    const half = 1n << (shift - 1n);
    const rest = mantissa & ((1n << shift) - 1n);
    mantissa >>= shift;
    if (rest > half || (rest === half && mantissa % 2n === 1n)) mantissa++;
    mantissa <<= shift;
    if (mantissa >= 1n << 53n) {
      mantissa >>= 1n;
      exponent++;
    }
  }
  const hex = (mantissa & ((1n << 52n) - 1n)).toString(16).padStart(13, "0");
  const fraction = precision < 0 ? hex.replace(/0+$/, "") : hex.slice(0, precision).padEnd(precision, "0");
  const power = String(Math.abs(exponent)).padStart(2, "0");
  return `${sign}0x1${fraction === "" ? "" : `.${fraction}`}p${exponent < 0 ? "-" : "+"}${power}`;
}

function pad(text: string, { width, minus, zero }: Flags): string {
  if (width === null) return text;
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (minus) return text + " ".repeat(missing);
  return (zero ? "0" : " ").repeat(missing) + text;
}
