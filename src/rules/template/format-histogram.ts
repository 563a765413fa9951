import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type Span } from "../../model/histogram.ts";
import { formatFloat } from "./format-float.ts";

/** A native histogram as Prometheus writes it in a line: `{count:5, sum:18.4, (1,2]:3, (2,4]:2}`. */
export function formatHistogram(histogram: FloatHistogram): string {
  const number = (value: number) => formatFloat(value, "g", -1);
  const parts = [`count:${number(histogram.count)}`, `sum:${number(histogram.sum)}`];
  const negative = bucketIndexes(histogram.negativeSpans).map((index, i) => ({
    text: `[${number(-upperBound(histogram, index))},${number(-upperBound(histogram, index - 1))})`,
    count: histogram.negativeBuckets[i] ?? 0,
  }));
  const positive = bucketIndexes(histogram.positiveSpans).map((index, i) => ({
    text: `${positiveOpening(histogram, index)}${number(lowerBound(histogram, index))},${number(upperBound(histogram, index))}]`,
    count: histogram.positiveBuckets[i] ?? 0,
  }));
  const threshold = number(histogram.zeroThreshold);
  const zero = {
    text: `[${number(-histogram.zeroThreshold)},${threshold}]`,
    count: histogram.zeroCount,
  };
  for (const { text, count } of [...negative.reverse(), zero, ...positive]) {
    if (count !== 0) parts.push(`${text}:${number(count)}`);
  }
  return `{${parts.join(", ")}}`;
}

/** The lowest bucket of custom bounds reaches down without end and includes that end. */
function positiveOpening({ schema }: FloatHistogram, index: number): string {
  return schema === CUSTOM_BUCKETS_SCHEMA && index === 0 ? "[" : "(";
}

function bucketIndexes(spans: readonly Span[]): number[] {
  const indexes: number[] = [];
  let index = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++) indexes.push(index++);
  }
  return indexes;
}

function lowerBound(histogram: FloatHistogram, index: number): number {
  if (histogram.schema === CUSTOM_BUCKETS_SCHEMA)
    return index === 0 ? -Infinity : histogram.customValues[index - 1]!;
  return upperBound(histogram, index - 1);
}

function upperBound({ schema, customValues }: FloatHistogram, index: number): number {
  if (schema === CUSTOM_BUCKETS_SCHEMA) return customValues[index] ?? Infinity;
  return exponentialBound(index, schema);
}

/** 2^(index / 2^schema), exact where it is a power of two. */
function exponentialBound(index: number, schema: number): number {
  if (schema <= 0) return 2 ** (index * 2 ** -schema);
  const steps = 2 ** schema;
  const fraction = ((index % steps) + steps) % steps;
  return 2 ** (fraction / steps) * 2 ** Math.floor((index - fraction) / steps);
}
