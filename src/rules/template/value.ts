/**
 * The values templates work on, in the types Go has for them: an int is a bigint, a float64 a number. `undefined` is
 * no value at all (a missing key), `null` is nil.
 */
import { compareUtf8 } from "../../model/labels.ts";
import type { VectorSample } from "../../promql/value.ts";
import type { Labels } from "../../model/labels.ts";
import { formatHistogram } from "../../model/histogram-buckets.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { GoDuration, GoTime } from "./time.ts";

export type Value = undefined | null | boolean | bigint | number | string | ObjectValue;

export type ObjectValue =
  MapValue | ListValue | StructValue | GoTime | GoDuration | HistogramValue | HtmlValue;

/** A map from strings; its keys ascend. */
export class MapValue {
  readonly kind = "map";

  private constructor(
    readonly entries: ReadonlyMap<string, Value>,
    readonly typeName: "map[string]string" | "map[string]interface {}" | "url.Values",
  ) {}

  static of(entries: readonly (readonly [string, Value])[], typeName: MapValue["typeName"]): MapValue {
    return new MapValue(new Map(entries.toSorted(([a], [b]) => compareUtf8(a, b))), typeName);
  }

  static ofLabels({ pairs }: Labels): MapValue {
    const entries = new Map<string, string>();
    for (let i = 0; i < pairs.length; i += 2) entries.set(pairs[i]!, pairs[i + 1]!);
    return new MapValue(entries, "map[string]string");
  }

  /** What a missing key gives. */
  get zero(): Value {
    switch (this.typeName) {
      case "map[string]string":
        return "";
      case "map[string]interface {}":
        return undefined;
      case "url.Values":
        return new ListValue([], "[]string");
    }
  }

  get(key: string): Value {
    return this.entries.has(key) ? this.entries.get(key) : this.zero;
  }
}

export class ListValue {
  readonly kind = "list";

  constructor(
    readonly items: readonly Value[],
    readonly typeName: string,
  ) {}
}

/** A struct, or with `isPointer` a pointer to one. */
export class StructValue {
  readonly kind = "struct";

  constructor(
    readonly fields: ReadonlyMap<string, Value>,
    readonly structName: string,
    readonly isPointer: boolean,
  ) {}

  get typeName(): string {
    return (this.isPointer ? "*" : "") + this.structName;
  }
}

export class HistogramValue {
  readonly kind = "histogram";
  readonly typeName = "*histogram.FloatHistogram";
  /** Its fields can't be reached; templates print it. */
  readonly text: string;

  constructor(histogram: FloatHistogram) {
    this.text = formatHistogram(histogram);
  }
}

/** Text that needs no escaping on an HTML page. */
export class HtmlValue {
  readonly kind = "html";
  readonly typeName = "template.HTML";

  constructor(readonly text: string) {}
}

/** Nil or no value at all. */
export function isNil(value: Value): value is null | undefined {
  return value === null || value === undefined;
}

export function isObject(value: Value): value is ObjectValue {
  return typeof value === "object" && value !== null;
}

/** The name Go gives the value's type. */
export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case "undefined":
      return "<nil>";
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return "float64";
    case "string":
      return "string";
    case "object":
      return value === null ? "<nil>" : value.typeName;
  }
}

/** Whether `if` and the like take it as true: neither nothing, nor zero, nor empty. */
export function isTrue(value: Value): boolean {
  if (!isObject(value)) return Boolean(value) || Number.isNaN(value);
  switch (value.kind) {
    case "map":
      return value.entries.size > 0;
    case "list":
      return value.items.length > 0;
    case "html":
      return value.text !== "";
    case "struct":
    case "time":
    case "duration":
    case "histogram":
      return true;
  }
}

export const SAMPLE_LIST_TYPE = "template.queryResult";

/** The result of a query, as templates see it. */
export function queryResultValue(samples: readonly VectorSample[]): ListValue {
  return new ListValue(samples.map(sampleValue), SAMPLE_LIST_TYPE);
}

function sampleValue({ labels, value }: VectorSample): StructValue {
  const fields = new Map<string, Value>([
    ["Labels", MapValue.ofLabels(labels)],
    ["Value", value],
  ]);
  return new StructValue(fields, "template.sample", true);
}
