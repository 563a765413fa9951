import {
  type CounterResetHint,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  type Span,
} from "../../model/histogram.ts";
import { parseNumber } from "./number-notation.ts";

/** A native histogram as written, and whether its counter reset hint was written. */
export interface WrittenHistogram {
  readonly histogram: FloatHistogram;
  readonly hintIsWritten: boolean;
}

const HINTS: ReadonlyMap<string, CounterResetHint> = new Map([
  ["unknown", "unknown"],
  ["reset", "reset"],
  ["not_reset", "not-reset"],
  ["gauge", "gauge"],
]);

/**
 * A native histogram between its double braces: `schema:1 sum:3 count:22 buckets:[5 10 7]`. Keys may come in any order,
 * each once, and all have defaults.
 */
export function parseHistogram(text: string): WrittenHistogram {
  const fields = parseFields(text);
  const number = (key: string) => fields.numbers.get(key) ?? 0;
  const list = (key: string) => fields.lists.get(key) ?? [];
  const schema = number("schema");
  if (!Number.isInteger(schema) || (schema !== CUSTOM_BUCKETS_SCHEMA && (schema < -4 || schema > 8))) {
    throw new Error(`cannot read histogram: unknown schema ${schema}`);
  }
  const histogram: FloatHistogram = {
    isInteger: false,
    counterResetHint: fields.hint ?? "unknown",
    schema,
    zeroThreshold: number("z_bucket_w"),
    zeroCount: number("z_bucket"),
    count: number("count"),
    sum: number("sum"),
    isStale: false,
    positiveSpans: spansAt(number("offset"), list("buckets")),
    negativeSpans: spansAt(number("n_offset"), list("n_buckets")),
    positiveBuckets: Float64Array.from(list("buckets")),
    negativeBuckets: Float64Array.from(list("n_buckets")),
    customValues: Float64Array.from(list("custom_values")),
  };
  return { histogram, hintIsWritten: fields.hint !== null };
}

const NUMBER_KEYS = new Set(["schema", "sum", "count", "z_bucket", "z_bucket_w", "offset", "n_offset"]);
const LIST_KEYS = new Set(["buckets", "n_buckets", "custom_values"]);

interface Fields {
  readonly numbers: ReadonlyMap<string, number>;
  readonly lists: ReadonlyMap<string, readonly number[]>;
  readonly hint: CounterResetHint | null;
}

function parseFields(text: string): Fields {
  const numbers = new Map<string, number>();
  const lists = new Map<string, readonly number[]>();
  let hint: CounterResetHint | null = null;
  const field = /\s*([a-z_]+):(?:\[([^\]]*)\]|([^\s[\]]+))/y;
  let end = 0;
  for (let match = field.exec(text); match !== null; match = field.exec(text)) {
    end = field.lastIndex;
    const [, key, list, value] = match as unknown as [string, string, string?, string?];
    if (numbers.has(key) || lists.has(key)) throw new Error(`cannot read histogram: duplicate key ${key}`);
    if (LIST_KEYS.has(key) && list !== undefined) {
      lists.set(
        key,
        list
          .split(/\s+/)
          .filter((item) => item !== "")
          .map(parseNumber),
      );
    } else if (NUMBER_KEYS.has(key) && value !== undefined) numbers.set(key, parseNumber(value));
    else if (key === "counter_reset_hint" && value !== undefined && HINTS.has(value))
      hint = HINTS.get(value)!;
    else throw new Error(`cannot read histogram: bad field ${match[0].trim()}`);
  }
  if (text.slice(end).trim() !== "")
    throw new Error(`cannot read histogram: bad field ${text.slice(end).trim()}`);
  return { numbers, lists, hint };
}

function spansAt(offset: number, buckets: readonly number[]): Span[] {
  return buckets.length === 0 ? [] : [{ offset, length: buckets.length }];
}
