/** The functions templates can call: those of Go's text/template, and Prometheus's own. */
import { LRUCache } from "lru-cache";
import { parseSignedDuration } from "../../model/duration.ts";
import { toLowerByRune, toUpperByRune } from "../../model/letter-case.ts";
import { quote } from "../../model/quote.ts";
import { SearchRegexp } from "../../model/regexp.ts";
import { graphLink, queryEscape, tableLink } from "./expression-link.ts";
import { formatFloat } from "./format-float.ts";
import { humanize, humanize1024, humanizeDuration, humanizePercentage } from "./humanize.ts";
import { isIpAddress, joinHostPort, splitHostPort } from "./host-port.ts";
import { parseGoFloat } from "./number-constant.ts";
import { sprint, sprintf, sprintln } from "./printf.ts";
import type { QueryResults } from "./query-memo.ts";
import { GoDuration, GoTime } from "./time.ts";
import {
  HtmlValue,
  ListValue,
  MapValue,
  SAMPLE_LIST_TYPE,
  StructValue,
  isNil,
  isObject,
  isTrue,
  queryResultValue,
  typeNameOf,
  type Value,
} from "./value.ts";

/** Types of parameters, by Go's names. `reflect.Value` takes anything, even no value. */
export type ParameterType =
  "interface {}" | "reflect.Value" | "string" | typeof SAMPLE_LIST_TYPE | "*template.sample";

export interface TemplateFunction {
  readonly parameters: readonly ParameterType[];
  /** The last parameter may be given any number of times. */
  readonly isVariadic: boolean;
  /** @throws Error whose text the template's error ends with */
  call(args: readonly Value[], context: FunctionContext): Value;
}

/** What functions know of the server. */
export interface FunctionContext {
  readonly queries: QueryResults;
  /** The time of evaluation. */
  readonly timeMs: number;
  /** How users reach this server, without a slash at the end. */
  readonly externalUrl: string;
}

const MAX_CACHED_REGEXPS = 256;
const regexps = new LRUCache<string, SearchRegexp>({ max: MAX_CACHED_REGEXPS });

const MAX_INT64 = 2 ** 63;

function define(
  parameters: readonly ParameterType[],
  call: (args: readonly Value[], context: FunctionContext) => Value,
  options: { readonly isVariadic?: boolean } = {},
): TemplateFunction {
  return { parameters, isVariadic: options.isVariadic ?? false, call };
}

/** A function from strings. */
function onText(count: number, call: (...texts: string[]) => Value): TemplateFunction {
  return define(new Array<ParameterType>(count).fill("string"), (args) => call(...(args as string[])));
}

/** A function of one number, given as such, as text or as a duration. */
function onNumber(call: (value: number) => Value): TemplateFunction {
  return define(["interface {}"], ([arg]) => call(toFloat(arg)));
}

function comparison(call: (first: Value, second: Value) => boolean): TemplateFunction {
  return define(["reflect.Value", "reflect.Value"], ([first, second]) => call(first, second));
}

/** Those of Go's text/template. */
const goFunctions: readonly (readonly [string, TemplateFunction])[] = [
  // The executor gives `and` and `or` their arguments one by one, and knows what `call` is written on.
  ["and", define(["reflect.Value", "reflect.Value"], failUndecided, { isVariadic: true })],
  ["or", define(["reflect.Value", "reflect.Value"], failUndecided, { isVariadic: true })],
  ["not", define(["reflect.Value"], ([arg]) => !isTrue(arg))],
  ["call", define(["reflect.Value", "reflect.Value"], failUndecided, { isVariadic: true })],
  ["html", define(["interface {}"], (args) => escapeHtml(textOf(args)), { isVariadic: true })],
  ["js", define(["interface {}"], (args) => escapeJs(textOf(args)), { isVariadic: true })],
  ["urlquery", define(["interface {}"], (args) => queryEscape(textOf(args)), { isVariadic: true })],
  ["print", define(["interface {}"], (args) => sprint(args.map(printable)), { isVariadic: true })],
  ["println", define(["interface {}"], (args) => sprintln(args.map(printable)), { isVariadic: true })],
  [
    "printf",
    define(["string", "interface {}"], ([format, ...args]) => sprintf(format as string, args), {
      isVariadic: true,
    }),
  ],
  ["len", define(["reflect.Value"], ([arg]) => lengthOf(arg))],
  [
    "index",
    define(
      ["reflect.Value", "reflect.Value"],
      ([item, ...keys]) => keys.reduce(indexOnce, startIndexing(item)),
      { isVariadic: true },
    ),
  ],
  [
    "slice",
    define(["reflect.Value", "reflect.Value"], ([item, ...ends]) => slice(item, ends), { isVariadic: true }),
  ],
  [
    "eq",
    define(["reflect.Value", "reflect.Value"], ([first, ...others]) => equalsAny(first, others), {
      isVariadic: true,
    }),
  ],
  ["ne", comparison((first, second) => !equalsAny(first, [second]))],
  ["lt", comparison(isLess)],
  ["le", comparison((first, second) => isLess(first, second) || equalsAny(first, [second]))],
  ["gt", comparison((first, second) => !isLess(first, second) && !equalsAny(first, [second]))],
  ["ge", comparison((first, second) => !isLess(first, second))],
];

/** Those Prometheus adds: its list of features names them. */
export const prometheusFunctions: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ["query", define(["string"], ([text], { queries }) => queryResultValue(queries.get(text as string)))],
  ["first", define([SAMPLE_LIST_TYPE], ([list]) => firstOf(list as ListValue))],
  [
    "label",
    define(["string", "*template.sample"], ([name, sample]) =>
      sampleLabel(sample as StructValue, name as string),
    ),
  ],
  ["value", define(["*template.sample"], ([sample]) => sampleFields(sample as StructValue).get("Value"))],
  ["strvalue", define(["*template.sample"], ([sample]) => sampleLabel(sample as StructValue, "__value__"))],
  [
    "sortByLabel",
    define(["string", SAMPLE_LIST_TYPE], ([name, list]) => sortByLabel(name as string, list as ListValue)),
  ],
  [
    "args",
    define(
      ["interface {}"],
      (args) =>
        MapValue.of(
          args.map((arg, i) => [`arg${i}`, arg]),
          "map[string]interface {}",
        ),
      { isVariadic: true },
    ),
  ],
  ["humanize", onNumber(humanize)],
  ["humanize1024", onNumber(humanize1024)],
  ["humanizeDuration", onNumber(humanizeDuration)],
  ["humanizePercentage", onNumber(humanizePercentage)],
  [
    "humanizeTimestamp",
    onNumber((value) => (Number.isFinite(value) ? timeOf(value).text : formatFloat(value, "g", 4))),
  ],
  ["toTime", onNumber(timeOf)],
  ["toDuration", onNumber(durationOf)],
  ["now", define([], (_, { timeMs }) => timeMs / 1000)],
  ["parseDuration", onText(1, (text) => parseSignedDuration(text!) / 1000)],
  ["title", onText(1, (text) => titleCase(text!))],
  ["toUpper", onText(1, (text) => toUpperByRune(text!))],
  ["toLower", onText(1, (text) => toLowerByRune(text!))],
  ["match", onText(2, (pattern, text) => regexp(pattern!).occursIn(text!))],
  [
    "reReplaceAll",
    onText(3, (pattern, replacement, text) => mustCompile(pattern!).replaceAll(text!, replacement!)),
  ],
  ["graphLink", onText(1, (expression) => graphLink(expression!))],
  ["tableLink", onText(1, (expression) => tableLink(expression!))],
  ["stripPort", onText(1, (address) => splitHostPort(address!)?.host ?? address!)],
  ["stripDomain", onText(1, (address) => stripDomain(address!))],
  ["urlQueryEscape", onText(1, (text) => queryEscape(text!))],
  ["safeHtml", onText(1, (text) => new HtmlValue(text!))],
  ["pathPrefix", define([], (_, { externalUrl }) => pathOf(externalUrl))],
  ["externalURL", define([], (_, { externalUrl }) => externalUrl)],
]);

/** All that templates of alerts can call. */
export const templateFunctions: ReadonlyMap<string, TemplateFunction> = new Map([
  ...goFunctions,
  ...prometheusFunctions,
]);

// ───────────────────────────────────────────── Go's functions ─────────────────────────────────────────────

/** What is printed for a value: pointers are followed, and no value has a text of its own. */
export function printable(value: Value): Value {
  if (value === undefined) return "<no value>";
  if (value instanceof StructValue && value.isPointer) {
    return new StructValue(value.fields, value.structName, false);
  }
  return value;
}

function textOf(args: readonly Value[]): string {
  const [only] = args;
  return args.length === 1 && typeof only === "string" ? only : sprint(args.map(printable));
}

const HTML_ESCAPES: Readonly<Record<string, string>> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};

export function escapeHtml(text: string): string {
  return text.replace(/[\0"'&<>]/g, (character) => HTML_ESCAPES[character]!);
}

function escapeJs(text: string): string {
  let out = "";
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (character === "\\" || character === "'" || character === '"') out += `\\${character}`;
    else if (code < 0x20 || "<>&=".includes(character)) out += unicodeEscape(code);
    else if (code >= 0x7f && !/^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character)) out += unicodeEscape(code);
    else out += character;
  }
  return out;
}

function unicodeEscape(code: number): string {
  return `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

function failUndecided(): never {
  throw new Error("the executor answers this call by itself");
}

/** Strings are counted, indexed and cut by their UTF-8 bytes. */
function lengthOf(value: Value): bigint {
  if (typeof value === "string") return BigInt(Buffer.byteLength(value));
  if (isObject(value)) {
    if (value.kind === "map") return BigInt(value.entries.size);
    if (value.kind === "list") return BigInt(value.items.length);
    if (value.kind === "html") return BigInt(Buffer.byteLength(value.text));
  }
  if (isNil(value)) throw new Error("reflect: call of reflect.Value.Type on zero Value");
  throw new Error(`len of type ${indirectTypeName(value)}`);
}

function indirectTypeName(value: Value): string {
  return typeNameOf(value).replace(/^\*/, "");
}

function startIndexing(item: Value): Value {
  if (isNil(item)) throw new Error("index of untyped nil");
  return item;
}

function indexOnce(item: Value, key: Value): Value {
  if (isNil(item)) throw new Error("index of nil pointer");
  if (typeof item === "string") {
    const bytes = Buffer.from(item);
    const index = indexArg(key, bytes.length);
    if (index === bytes.length) throw new Error("reflect: string index out of range");
    return BigInt(bytes[index]!);
  }
  if (isObject(item) && item.kind === "list") {
    const index = indexArg(key, item.items.length);
    if (index === item.items.length) throw new Error("reflect: slice index out of range");
    return item.items[index];
  }
  if (isObject(item) && item.kind === "map") {
    if (isNil(key)) throw new Error("value is nil; should be of type string");
    if (typeof key !== "string") throw new Error(`value has type ${typeNameOf(key)}; should be string`);
    return item.get(key);
  }
  throw new Error(`can't index item of type ${indirectTypeName(item)}`);
}

function indexArg(index: Value, capacity: number): number {
  if (isNil(index)) throw new Error("cannot index slice/array with nil");
  if (typeof index !== "bigint") throw new Error(`cannot index slice/array with type ${typeNameOf(index)}`);
  if (index < 0n || index > BigInt(capacity)) throw new Error(`index out of range: ${index}`);
  return Number(index);
}

function slice(item: Value, ends: readonly Value[]): Value {
  if (isNil(item)) throw new Error("slice of untyped nil");
  if (ends.length > 3) throw new Error(`too many slice indexes: ${ends.length}`);
  const isList = isObject(item) && item.kind === "list";
  if (typeof item !== "string" && !isList) throw new Error(`can't slice item of type ${typeNameOf(item)}`);
  if (typeof item === "string" && ends.length === 3) throw new Error("cannot 3-index slice a string");
  const bytes = typeof item === "string" ? Buffer.from(item) : null;
  const size = bytes?.length ?? (item as ListValue).items.length;
  const [from = 0, to = size, capacity] = ends.map((end) => indexArg(end, size));
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`);
  if (capacity !== undefined && to > capacity) throw new Error(`invalid slice index: ${to} > ${capacity}`);
  if (bytes !== null) return bytes.subarray(from, to).toString();
  const list = item as ListValue;
  return new ListValue(list.items.slice(from, to), list.typeName);
}

type BasicKind = "bool" | "int" | "float" | "string";

function basicKind(value: Value): BasicKind | null {
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return "float";
    case "string":
      return "string";
  }
  if (!isObject(value)) return null;
  if (value.kind === "html") return "string";
  return null;
}

const BAD_COMPARISON_TYPE = "invalid type for comparison";

function equalsAny(first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw new Error("missing argument for comparison");
  for (const other of others) {
    const kind = basicKind(first);
    if (kind !== basicKind(other)) {
      if (!isNil(first) && !isNil(other)) throw badComparison(first, other);
      continue;
    }
    if (kind !== null) {
      if (comparable(first) === comparable(other)) return true;
      continue;
    }
    if (isNil(first) || isNil(other)) {
      if (isNil(first) && isNil(other)) return true;
      continue;
    }
    for (const value of [first, other]) {
      if (isObject(value) && (value.kind === "map" || value.kind === "list")) {
        throw new Error(`non-comparable type ${sprint([value])}: ${typeNameOf(value)}`);
      }
    }
    if (first === other) return true;
  }
  return false;
}

function badComparison(first: Value, second: Value): Error {
  return new Error(`incompatible types for comparison: ${typeNameOf(first)} and ${typeNameOf(second)}`);
}

function comparable(value: Value): Value {
  return value instanceof HtmlValue ? value.text : value;
}

function isLess(first: Value, second: Value): boolean {
  const kind = basicKind(first);
  const otherKind = basicKind(second);
  if (kind === null || otherKind === null) throw new Error(BAD_COMPARISON_TYPE);
  if (kind !== otherKind) throw badComparison(first, second);
  switch (kind) {
    case "bool":
      throw new Error(BAD_COMPARISON_TYPE);
    case "int":
      return (first as bigint) < (second as bigint);
    case "float":
      return (first as number) < (second as number);
    case "string":
      return (
        Buffer.compare(Buffer.from(comparable(first) as string), Buffer.from(comparable(second) as string)) <
        0
      );
  }
}

// ───────────────────────────────────────── Prometheus's functions ─────────────────────────────────────────

function toFloat(value: Value): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof GoDuration) return value.seconds;
  if (typeof value === "string") {
    const parsed = parseGoFloat(value);
    if (parsed === null) throw new Error(`strconv.ParseFloat: parsing ${quote(value)}: invalid syntax`);
    if (!Number.isFinite(parsed) && /[0-9]/.test(value)) {
      throw new Error(`strconv.ParseFloat: parsing ${quote(value)}: value out of range`);
    }
    return parsed;
  }
  throw new Error(`can't convert ${typeNameOf(value)} to float`);
}

function timeOf(seconds: number): GoTime {
  if (!Number.isFinite(seconds)) throw new Error("value is NaN or Inf");
  if (Math.abs(seconds * 1e9) >= MAX_INT64) {
    const shown = formatFloat(seconds, "g", -1);
    throw new Error(`${shown} cannot be represented as a nanoseconds timestamp since it overflows int64`);
  }
  return GoTime.fromMilliseconds(Number(BigInt(Math.trunc(seconds * 1e9)) / 1_000_000n));
}

function durationOf(seconds: number): GoDuration {
  if (!Number.isFinite(seconds)) throw new Error("value is NaN or Inf");
  if (Math.abs(seconds * 1e9) >= MAX_INT64) {
    const shown = formatFloat(seconds, "g", -1);
    throw new Error(`${shown} cannot be represented as a nanoseconds duration since it overflows int64`);
  }
  return new GoDuration(BigInt(Math.trunc(seconds * 1e9)));
}

function firstOf(list: ListValue): Value {
  if (list.items.length === 0) throw new Error("first() called on vector with no elements");
  return list.items[0];
}

function sampleFields(sample: StructValue | null): ReadonlyMap<string, Value> {
  if (sample === null) throw new Error("runtime error: invalid memory address or nil pointer dereference");
  return sample.fields;
}

function sampleLabel(sample: StructValue | null, name: string): string {
  return (sampleFields(sample).get("Labels") as MapValue).get(name) as string;
}

function sortByLabel(name: string, list: ListValue): ListValue {
  const keyed = list.items.map((item) => ({
    item,
    key: Buffer.from(sampleLabel(item as StructValue, name)),
  }));
  keyed.sort((a, b) => Buffer.compare(a.key, b.key));
  return new ListValue(
    keyed.map(({ item }) => item),
    list.typeName,
  );
}

/** The first letter of each word as a capital, the rest as it is. */
function titleCase(text: string): string {
  let out = "";
  let isInWord = false;
  for (const character of text) {
    out += isInWord ? character : toUpperByRune(character);
    isInWord = /^[\p{L}\p{Nd}_]$/u.test(character) || (character > "\x7f" && !/^\s$/u.test(character));
  }
  return out;
}

function regexp(pattern: string): SearchRegexp {
  let compiled = regexps.get(pattern);
  if (compiled === undefined) regexps.set(pattern, (compiled = new SearchRegexp(pattern)));
  return compiled;
}

function mustCompile(pattern: string): SearchRegexp {
  try {
    return regexp(pattern);
  } catch (cause) {
    const shown = /[`\x00-\x08\x0a-\x1f\x7f]/.test(pattern) ? quote(pattern) : `\`${pattern}\``;
    throw new Error(`regexp: Compile(${shown}): ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

function stripDomain(address: string): string {
  const parts = splitHostPort(address);
  const host = parts?.host ?? address;
  if (isIpAddress(host)) return address;
  const first = host.split(".")[0]!;
  return parts !== null && parts.port !== "" ? joinHostPort(first, parts.port) : first;
}

function pathOf(url: string): string {
  if (!URL.canParse(url)) return "";
  const path = new URL(url).pathname;
  return path === "/" && !url.endsWith("/") ? "" : decodeURI(path);
}
