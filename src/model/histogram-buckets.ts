/**
 * The buckets of a native histogram as intervals. An exponential histogram has buckets of growing width on both sides
 * of its zero bucket; one with custom buckets has upper bounds of its own and no other part.
 *
 *     … [-B(2), -B(1)) [-B(1), -B(0)) [-w, w] (B(0), B(1)] (B(1), B(2)] …        B(i) = 2^(i * 2^-schema)
 *
 * Buckets are found by index: the spans say which indices exist, and many of them may be empty.
 */
import { formatGeneral } from "./format-float.ts";
import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type Span } from "./histogram.ts";

export interface HistogramBucket {
  readonly lower: number;
  readonly upper: number;
  readonly lowerInclusive: boolean;
  readonly upperInclusive: boolean;
  readonly count: number;
}

export function hasCustomBuckets(histogram: { readonly schema: number }): boolean {
  return histogram.schema === CUSTOM_BUCKETS_SCHEMA;
}

/**
 * The factors by which bounds grow within one power of two, for each schema the tables are made of. They aren't the
 * nearest floats to their true values, nor are the bounds made of them: both are what Prometheus's tables hold, so
 * that bounds agree bit for bit.
 */
const GROWTH = [
  1.414213562373095, 1.189207115002721, 1.0905077326652577, 1.0442737824274138, 1.0218971486541166,
  1.0108892860517005, 1.0054299011128027, 1.0027112750502025,
];

/** For each schema from 0, the bounds in [0.5, 1). */
const FRACTIONS: readonly Float64Array[] = fractionTables();

function fractionTables(): Float64Array[] {
  const tables = [Float64Array.of(0.5)];
  for (const growth of GROWTH) {
    const coarser = tables.at(-1)!;
    const table = new Float64Array(2 * coarser.length);
    for (let j = 0; j < table.length; j++) table[j] = j % 2 === 0 ? coarser[j / 2]! : table[j - 1]! * growth;
    tables.push(table);
  }
  return tables;
}

/** The upper bound of the positive bucket `index` of an exponential schema, -4 to 8. */
export function exponentialBound(index: number, schema: number): number {
  if (schema < 0) {
    const exponent = index * 2 ** -schema;
    return exponent === 1024 ? Number.MAX_VALUE : 2 ** exponent;
  }
  const fraction = FRACTIONS[schema]![index & (2 ** schema - 1)]!;
  const exponent = (index >> schema) + 1;
  // The last power of two lies beyond the floats: the bound below infinity is the largest float.
  if (fraction === 0.5 && exponent === 1025) return Number.MAX_VALUE;
  return 2 * fraction * 2 ** (exponent - 1);
}

/** The upper bound of the custom bucket `index`: infinite behind the last bound. */
export function customBound(index: number, bounds: Float64Array): number {
  if (index < 0) return -Infinity;
  return index < bounds.length ? bounds[index]! : Infinity;
}

/** Calls `visit` for each bucket of the spans in ascending order of index, empty ones included. */
export function forEachIndex(spans: readonly Span[], visit: (index: number, position: number) => void): void {
  let index = 0;
  let position = 0;
  for (const span of spans) {
    index += span.offset;
    for (let i = 0; i < span.length; i++) visit(index++, position++);
  }
}

/** The indices of the buckets of these spans, ascending. */
export function indicesOf(spans: readonly Span[]): number[] {
  const indices: number[] = [];
  forEachIndex(spans, (index) => indices.push(index));
  return indices;
}

/** The fewest spans that cover these ascending indices. */
export function spansOf(indices: readonly number[]): Span[] {
  const spans: Span[] = [];
  let end = 0;
  for (let i = 0; i < indices.length;) {
    const start = i;
    while (i < indices.length && indices[i] === indices[start]! + (i - start)) i++;
    spans.push({ offset: indices[start]! - end, length: i - start });
    end = indices[start]! + (i - start);
  }
  return spans;
}

/**
 * Every bucket from the lowest to the highest, empty ones of the spans included, the zero bucket where it holds
 * anything. A bucket that reaches into the zero bucket is cut at its bound.
 */
export function bucketsUpwards(histogram: FloatHistogram): HistogramBucket[] {
  return hasCustomBuckets(histogram) ? customBuckets(histogram) : exponentialBuckets(histogram);
}

function customBuckets({ positiveSpans, positiveBuckets, customValues }: FloatHistogram): HistogramBucket[] {
  const buckets: HistogramBucket[] = [];
  forEachIndex(positiveSpans, (index, position) =>
    buckets.push({
      lower: customBound(index - 1, customValues),
      upper: customBound(index, customValues),
      lowerInclusive: index === 0,
      upperInclusive: true,
      count: positiveBuckets[position]!,
    }),
  );
  return buckets;
}

function exponentialBuckets(histogram: FloatHistogram): HistogramBucket[] {
  const { schema, zeroThreshold, zeroCount } = histogram;
  const buckets: HistogramBucket[] = [];
  forEachIndex(histogram.negativeSpans, (index, position) => {
    const lower = -exponentialBound(index, schema);
    let upper = -exponentialBound(index - 1, schema);
    if (lower < -zeroThreshold && upper > -zeroThreshold) upper = -zeroThreshold;
    buckets.push(exponentialBucket(lower, upper, histogram.negativeBuckets[position]!));
  });
  buckets.reverse();
  if (zeroCount > 0) {
    buckets.push({
      lower: -zeroThreshold,
      upper: zeroThreshold,
      lowerInclusive: true,
      upperInclusive: true,
      count: zeroCount,
    });
  }
  forEachIndex(histogram.positiveSpans, (index, position) => {
    let lower = exponentialBound(index - 1, schema);
    const upper = exponentialBound(index, schema);
    if (lower < zeroThreshold && upper > zeroThreshold) lower = zeroThreshold;
    buckets.push(exponentialBucket(lower, upper, histogram.positiveBuckets[position]!));
  });
  return buckets;
}

function exponentialBucket(lower: number, upper: number, count: number): HistogramBucket {
  return { lower, upper, lowerInclusive: lower < 0, upperInclusive: upper > 0, count };
}

/** A histogram as text, `{count:4, sum:5, (0.5,1]:1, (1,2]:3}`: populated buckets from the lowest up. */
export function formatHistogram(histogram: FloatHistogram): string {
  const parts = [`count:${formatGeneral(histogram.count)}`, `sum:${formatGeneral(histogram.sum)}`];
  for (const bucket of bucketsUpwards(histogram)) {
    if (bucket.count === 0) continue;
    const open = bucket.lowerInclusive ? "[" : "(";
    const close = bucket.upperInclusive ? "]" : ")";
    const interval = `${open}${formatGeneral(bucket.lower)},${formatGeneral(bucket.upper)}${close}`;
    parts.push(`${interval}:${formatGeneral(bucket.count)}`);
  }
  return `{${parts.join(", ")}}`;
}
