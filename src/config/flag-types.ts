import { formatDuration, formatSize, parseDuration, parseSize } from "../model/duration.ts";
import { quote } from "../model/quote.ts";

/** One command-line flag: what it takes, and what it is when not given. */
export interface Flag<T> {
  readonly fallback: T;
  /** @throws Error saying why the text won't do */
  readonly read: (text: string) => T;
  readonly print: (value: T) => string;
  readonly help: string;
  readonly isBoolean: boolean;
  /** Takes a list: given again, it adds. */
  readonly isRepeatable: boolean;
  /** Left out of the help. */
  readonly isHidden: boolean;
  /** Which of the two modes of the program it belongs to, if only to one. */
  readonly mode: "server" | "agent" | null;
  /** Why it has no effect, if it has none: told once when it is given. */
  readonly idle: string | null;
}

export interface FlagOptions {
  readonly isHidden?: boolean;
  readonly mode?: "server" | "agent";
  readonly idle?: string;
}

function flag<T>(
  fallback: T,
  read: (text: string) => T,
  print: (value: T) => string,
  help: string,
  options: FlagOptions,
  kind: { readonly isBoolean?: boolean; readonly isRepeatable?: boolean } = {},
): Flag<T> {
  return {
    fallback,
    read,
    print,
    help,
    isBoolean: kind.isBoolean ?? false,
    isRepeatable: kind.isRepeatable ?? false,
    isHidden: options.isHidden ?? false,
    mode: options.mode ?? null,
    idle: options.idle ?? null,
  };
}

export function textFlag(fallback: string, help: string, options: FlagOptions = {}): Flag<string> {
  return flag(fallback, (text) => text, String, help, options);
}

export function booleanFlag(fallback: boolean, help: string, options: FlagOptions = {}): Flag<boolean> {
  const read = (text: string) => {
    if (!/^(?:1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(text)) {
      throw new Error(`strconv.ParseBool: parsing ${quote(text)}: invalid syntax`);
    }
    return /^[1tT]/.test(text);
  };
  return flag(fallback, read, String, help, options, { isBoolean: true });
}

/** Milliseconds. */
export function durationFlag(fallback: string, help: string, options: FlagOptions = {}): Flag<number> {
  return flag(parseDuration(fallback), parseDuration, formatDuration, help, options);
}

/** Bytes. */
export function sizeFlag(fallback: string, help: string, options: FlagOptions = {}): Flag<number> {
  return flag(parseSize(fallback), parseSize, formatSize, help, options);
}

export function numberFlag(
  fallback: number,
  help: string,
  options: FlagOptions & { readonly isWhole?: boolean } = {},
): Flag<number> {
  const read = (text: string) => {
    const value = text.trim() === "" ? NaN : Number(text);
    if (Number.isNaN(value)) throw new Error(`strconv.ParseFloat: parsing ${quote(text)}: invalid syntax`);
    return options.isWhole === false ? value : Math.trunc(value);
  };
  return flag(fallback, read, String, help, options);
}

export function choiceFlag<const T extends string>(
  words: readonly T[],
  fallback: NoInfer<T>,
  help: string,
  options: FlagOptions = {},
): Flag<T> {
  const read = (text: string) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw new Error(`enum value must be one of ${words.join(",")}, got '${text}'`);
    return word;
  };
  return flag<T>(fallback, read, String, `${help} One of: [${words.join(", ")}]`, options);
}

/** A flag that may be given more than once. */
export function textsFlag(
  fallback: readonly string[],
  help: string,
  options: FlagOptions = {},
): Flag<readonly string[]> {
  return flag<readonly string[]>(
    fallback,
    (text) => [text],
    (values) => values.join(","),
    help,
    options,
    {
      isRepeatable: true,
    },
  );
}
