import * as z from "zod";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../model/duration.ts";
import { AnchoredRegexp } from "../../model/regexp.ts";
import { urlFault } from "../../model/url-fault.ts";
import { FlowList, type YamlValue } from "../go-yaml.ts";
import { Secret } from "../secret.ts";
import { RawScalar } from "../yaml-source.ts";

/** One type of value in a configuration: how it is read, and how it is printed back. */
export interface ConfigType<T> {
  /** Reads a RawValue; every fault becomes an issue with the path to it. */
  readonly schema: z.ZodType<T>;
  print(value: T): YamlValue;
  /** Whether it is the zero value of its type, which most fields leave out when printed. */
  isEmpty(value: T): boolean;
  /** What an explicit null stands for; absent where it is the same as leaving the key out. */
  readonly zero?: T;
  /** The value with every file name in it rewritten; absent where there can be none. */
  mapPaths?(value: T, map: (path: string) => string): T;
}

export type ValueOf<C> = C extends ConfigType<infer T> ? T : never;

/** Says what is wrong with a value; `path` leads from the value to the fault. */
export type Report = (message: string, path?: readonly (string | number)[]) => void;

interface ScalarType<T> {
  /** The type's name in Go, for messages. */
  readonly goType: string;
  /** What null means: the zero value of the type, whatever a key is when left out. */
  readonly zero: T;
  /** @throws Error saying why the text isn't one; null says only that it isn't */
  readonly read: (scalar: RawScalar) => T | null;
  readonly print?: (value: T) => YamlValue;
  readonly isEmpty?: (value: T) => boolean;
}

function scalar<T>({ goType, zero, read, print, isEmpty }: ScalarType<T>): ConfigType<T> {
  return {
    schema: z.unknown().transform((raw, context): T => {
      if (raw === null) return zero;
      if (!(raw instanceof RawScalar)) return fail(context, mismatch(raw, goType));
      try {
        return read(raw) ?? fail(context, mismatch(raw, goType));
      } catch (error) {
        return fail(context, error instanceof Error ? error.message : String(error));
      }
    }),
    print: print ?? ((value) => value as YamlValue),
    isEmpty: isEmpty ?? ((value) => !value),
    zero,
  };
}

function fail(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: "custom", message });
  return z.NEVER;
}

/** As Go's decoder puts it: "cannot unmarshal !!str `abc` into bool". */
function mismatch(raw: unknown, goType: string): string {
  if (raw instanceof RawScalar) {
    const shown = raw.text.length > 10 ? `${raw.text.slice(0, 7)}...` : raw.text;
    return `cannot unmarshal ${tagOf(raw)} \`${shown}\` into ${goType}`;
  }
  if (Array.isArray(raw)) return `cannot unmarshal !!seq into ${goType}`;
  return raw === null || raw === undefined
    ? `cannot unmarshal !!null into ${goType}`
    : `cannot unmarshal !!map into ${goType}`;
}

function tagOf({ text, isPlain }: RawScalar): string {
  if (!isPlain) return "!!str";
  if (readBoolean(text) !== null) return "!!bool";
  if (readInteger(text) !== null) return "!!int";
  return readFloat(text) !== null ? "!!float" : "!!str";
}

function readBoolean(text: string): boolean | null {
  if (/^(?:y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/.test(text)) return true;
  return /^(?:n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/.test(text) ? false : null;
}

/** Underscores may stand between digits; a leading 0 means octal. */
function readInteger(text: string): number | null {
  const parts = /^([-+]?)(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|[0-9][0-9_]*)$/.exec(text);
  if (parts === null) return null;
  const digits = parts[2]!.replaceAll("_", "");
  const isOctal = /^0[0-7]+$/.test(digits);
  const value = Number(isOctal ? `0o${digits.slice(1)}` : digits);
  if (Number.isNaN(value)) return null;
  return parts[1] === "-" && value !== 0 ? -value : value;
}

function readFloat(text: string): number | null {
  if (/^[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) {
    return Number(text.replaceAll("_", ""));
  }
  const special = /^([-+]?)\.(?:inf|Inf|INF)$/.exec(text);
  if (special !== null) return special[1] === "-" ? -Infinity : Infinity;
  return /^\.(?:nan|NaN|NAN)$/.test(text) ? NaN : null;
}

/** Any scalar, as it is written. */
export const text: ConfigType<string> = scalar({ goType: "string", zero: "", read: (raw) => raw.text });

/** The name of a file or a glob; a relative one is meant from the folder of the configuration file. */
export const filePath: ConfigType<string> = {
  ...text,
  mapPaths: (path, map) => (path === "" ? path : map(path)),
};

export const boolean: ConfigType<boolean> = scalar({
  goType: "bool",
  zero: false,
  read: (raw) => (raw.isPlain ? readBoolean(raw.text) : null),
});

function wholeNumber(goType: string, least: number): ConfigType<number> {
  return scalar({
    goType,
    zero: 0,
    read: (raw) => {
      if (!raw.isPlain) return null;
      const value = readInteger(raw.text) ?? readFloat(raw.text);
      if (value === null || !Number.isFinite(value)) return null;
      const whole = Math.trunc(value);
      return whole < least || Math.abs(whole) > Number.MAX_SAFE_INTEGER ? null : whole;
    },
  });
}

export const integer = wholeNumber("int", -Infinity);
export const unsigned = wholeNumber("uint", 0);

export const float: ConfigType<number> = scalar({
  goType: "float64",
  zero: 0,
  read: (raw) => (raw.isPlain ? (readInteger(raw.text) ?? readFloat(raw.text)) : null),
});

/** Milliseconds, written "1h30m". */
export const duration: ConfigType<number> = scalar({
  goType: "string",
  zero: 0,
  read: (raw) => parseDuration(raw.text),
  print: formatDuration,
});

/** Bytes, written "512MB". */
export const size: ConfigType<number> = scalar({
  goType: "string",
  zero: 0,
  read: (raw) => parseSize(raw.text),
  print: formatSize,
});

export const secret: ConfigType<Secret> = scalar({
  goType: "string",
  zero: new Secret(""),
  read: (raw) => new Secret(raw.text),
  print: (value) => (value.isEmpty ? null : value.toString()),
  isEmpty: (value) => value.isEmpty,
});

/** An absolute or relative URL; its password is hidden when printed. */
export const url: ConfigType<string> = scalar({
  goType: "string",
  zero: "",
  read: (raw) => {
    const fault = urlFault(raw.text);
    if (fault !== null) throw new Error(`parse ${JSON.stringify(raw.text)}: ${fault}`);
    return raw.text;
  },
  print: (value) => value.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*):[^/?#@]*@/i, "$1:xxxxx@"),
});

/** An RE2 pattern, known to compile. */
export const regex: ConfigType<string> = scalar({
  goType: "string",
  zero: "",
  read: (raw) => AnchoredRegexp.compile(raw.text).pattern,
  print: (value) => (value === "" ? null : value),
});

/** One of a few words. `onOther` says what is wrong with any other; "" is taken where it is among them. */
export function choice<const T extends string>(
  words: readonly T[],
  onOther: (value: string) => string,
): ConfigType<T> {
  return scalar<T>({
    goType: "string",
    zero: words[0]!,
    read: (raw) => {
      const word = words.find((candidate) => candidate === raw.text);
      if (word === undefined) throw new Error(onOther(raw.text));
      return word;
    },
  });
}

const anyList = z
  .unknown()
  .transform((raw) => raw ?? [])
  .refine(Array.isArray, { error: (issue) => mismatch(issue.input, "[]string"), abort: true });

const anyMap = z
  .unknown()
  .transform((raw) => raw ?? {})
  .refine(isMap, { error: (issue) => mismatch(issue.input, "map[string]string"), abort: true });

const anyName = z.string();

/** A list. `onNull` is the message for an item that is null; without it, null items are the item type's matter. */
export function list<T>(item: ConfigType<T>, onNull?: string): ConfigType<readonly T[]> {
  const itemSchema =
    onNull === undefined
      ? item.schema
      : z.preprocess((raw, context) => (raw === null ? fail(context, onNull) : raw), item.schema);
  const { mapPaths } = item;
  return {
    schema: anyList.pipe(z.array(itemSchema)) as unknown as z.ZodType<readonly T[]>,
    print: (values) => values.map((value) => item.print(value)),
    isEmpty: (values) => values.length === 0,
    ...(mapPaths && { mapPaths: (values, map) => values.map((value) => mapPaths(value, map)) }),
  };
}

/** A list of strings that prints on one line. */
export const flowTexts: ConfigType<readonly string[]> = {
  ...list(text),
  print: (values) => new FlowList(values),
};

/** A map from any name to values of one type; printed in the order of names. */
export function record<T>(item: ConfigType<T>): ConfigType<Readonly<Record<string, T>>> {
  const { mapPaths } = item;
  return {
    schema: anyMap.pipe(z.record(anyName, item.schema)) as unknown as z.ZodType<Readonly<Record<string, T>>>,
    print: (values) =>
      new Map(
        Object.keys(values)
          .sort()
          .map((name) => [name, item.print(values[name]!)]),
      ),
    isEmpty: (values) => Object.keys(values).length === 0,
    ...(mapPaths && {
      mapPaths: (values, map) =>
        Object.fromEntries(Object.entries(values).map(([name, value]) => [name, mapPaths(value, map)])),
    }),
  };
}

/** A value that may be absent, and then isn't printed. */
export function optional<T>(type: ConfigType<T>): ConfigType<T | undefined> {
  const { mapPaths } = type;
  return {
    schema: type.schema.optional(),
    print: (value) => (value === undefined ? null : type.print(value)),
    isEmpty: (value) => value === undefined,
    ...(mapPaths && { mapPaths: (value, map) => (value === undefined ? value : mapPaths(value, map)) }),
  };
}

function isMap(raw: unknown): boolean {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw) && !(raw instanceof RawScalar);
}

// ─────────────────────────────────────────── sections ───────────────────────────────────────────

/** A key of a section. */
export interface Field<T> {
  readonly type: ConfigType<T>;
  readonly fallback: T | undefined;
  readonly key: string | null;
  readonly printsEmpty: boolean;
}

interface FieldOptions {
  /** The key in the file, where it isn't the field's name in snake case. */
  readonly key?: string;
  /** Printed even when it is the zero value of its type. */
  readonly printsEmpty?: boolean;
}

/** A key with its type and what it is when left out. */
export function field<T>(type: ConfigType<T>, fallback: T, options: FieldOptions = {}): Field<T> {
  return {
    type,
    fallback,
    key: options.key ?? null,
    printsEmpty: options.printsEmpty ?? false,
  };
}

/** A key that may be absent. */
export function maybe<T>(type: ConfigType<T>, options: FieldOptions = {}): Field<T | undefined> {
  return field<T | undefined>(optional(type), undefined, options);
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

export type SectionValue<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};

/**
 * A map with known keys and no others. Fields are named in camel case, keys are the same in snake case; both reading
 * and printing follow the order of the table.
 *
 * @param finish sees the section once every field by itself is right: reports what doesn't go together, and may
 *   give a changed value
 */
export function section<F extends Fields>(
  goType: string,
  fields: F,
  finish?: (value: SectionValue<F>, report: Report) => SectionValue<F> | void,
): ConfigType<SectionValue<F>> {
  const names = Object.keys(fields);
  const keys = new Map(names.map((name) => [name, fields[name]!.key ?? snakeCase(name)]));
  const keyOf = (name: string) => keys.get(name)!;
  const shape: Record<string, z.ZodType> = {};
  const keysWithoutZero = new Set<string>();
  for (const name of names) {
    const { type } = fields[name]!;
    if (type.zero === undefined) keysWithoutZero.add(keyOf(name));
    shape[keyOf(name)] = optionalSchema(type);
  }
  const schema = z
    .unknown()
    .transform((raw) => raw ?? {})
    .refine(isMap, { error: (issue) => mismatch(issue.input, goType), abort: true })
    .transform((raw) => withoutNulls(raw as Readonly<Record<string, unknown>>, keysWithoutZero))
    .pipe(
      z.strictObject(shape, {
        error: (issue) =>
          issue.code === "unrecognized_keys"
            ? `field ${issue.keys.join(", ")} not found in type ${goType}`
            : undefined,
      }),
    )
    .transform((parsed, context) => {
      const value: Record<string, unknown> = {};
      for (const name of names) {
        const { fallback } = fields[name]!;
        value[name] = parsed[keyOf(name)] ?? fallback;
      }
      const report: Report = (message, path = []) => {
        context.addIssue({ code: "custom", message, path: [...path] });
      };
      return finish?.(value as SectionValue<F>, report) ?? (value as SectionValue<F>);
    });
  return {
    schema: schema as unknown as z.ZodType<SectionValue<F>>,
    print: (value) => {
      const printed = new Map<string, YamlValue>();
      for (const name of names) {
        const { type, printsEmpty } = fields[name]!;
        const item = value[name];
        if (printsEmpty || !type.isEmpty(item)) printed.set(keyOf(name), type.print(item));
      }
      return printed;
    },
    isEmpty: (value) => names.every((name) => fields[name]!.type.isEmpty(value[name])),
    mapPaths: (value, map) => {
      const mapped: Record<string, unknown> = { ...value };
      for (const name of names) {
        const { mapPaths } = fields[name]!.type;
        if (mapPaths) mapped[name] = mapPaths(value[name], map);
      }
      return mapped as SectionValue<F>;
    },
  };
}

const optionalSchemas = new WeakMap<object, z.ZodType>();

/** One schema for all the fields of a type: thousands of them would be most of what an idle server's heap holds. */
function optionalSchema(type: ConfigType<unknown>): z.ZodType {
  let schema = optionalSchemas.get(type);
  if (schema === undefined) optionalSchemas.set(type, (schema = type.schema.optional()));
  return schema;
}

/** For these keys an explicit null is as if they were left out; scalars know themselves what it means to them. */
function withoutNulls(
  raw: Readonly<Record<string, unknown>>,
  keysWithoutZero: ReadonlySet<string>,
): Readonly<Record<string, unknown>> {
  const nulls = Object.keys(raw).filter((key) => raw[key] === null && keysWithoutZero.has(key));
  if (nulls.length === 0) return raw;
  const filled = { ...raw };
  for (const key of nulls) filled[key] = undefined;
  return filled;
}

/** `bearerTokenFile` → `bearer_token_file` */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
