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

/** 2^e for every exponent at which it is a float above zero, from `LOWEST_EXPONENT` on. */
const LOWEST_EXPONENT = -1074;
const POWERS_OF_TWO = Float64Array.from(
  { length: 1024 - LOWEST_EXPONENT },
  (_, i) => 2 ** (i + LOWEST_EXPONENT),
);

function powerOfTwo(exponent: number): number {
  if (exponent < LOWEST_EXPONENT) return 0;
  return exponent < 1024 ? POWERS_OF_TWO[exponent - LOWEST_EXPONENT]! : Infinity;
}

/** The upper bound of the positive bucket `index` of an exponential schema, -4 to 8. */
export function exponentialBound(index: number, schema: number): number {
  if (schema < 0) {
    const exponent = index * (1 << -schema);
    return exponent === 1024 ? Number.MAX_VALUE : powerOfTwo(exponent);
  }
  const fraction = FRACTIONS[schema]![index & ((1 << schema) - 1)]!;
  const exponent = (index >> schema) + 1;
  // The last power of two lies beyond the floats: the bound below infinity is the largest float.
  if (fraction === 0.5 && exponent === 1025) return Number.MAX_VALUE;
  return 2 * fraction * powerOfTwo(exponent - 1);
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
 * The buckets from the lowest to the highest: empty ones of the spans included, the zero bucket where it holds
 * anything. Bounds are worked out only for buckets that are asked for.
 */
export class BucketsUpwards {
  readonly size: number;
  private readonly negativeCount: number;
  private readonly hasZero: boolean;

  constructor(private readonly histogram: FloatHistogram) {
    this.negativeCount = histogram.negativeBuckets.length;
    this.hasZero = histogram.zeroCount > 0 && !hasCustomBuckets(histogram);
    this.size = this.negativeCount + Number(this.hasZero) + histogram.positiveBuckets.length;
  }

  /** What the bucket at `position` (0 for the lowest) holds. */
  countAt(position: number): number {
    const { negativeCount, histogram } = this;
    if (position < negativeCount) return histogram.negativeBuckets[negativeCount - 1 - position]!;
    if (this.hasZero && position === negativeCount) return histogram.zeroCount;
    return histogram.positiveBuckets[position - negativeCount - Number(this.hasZero)]!;
  }

  /** The bucket at `position`; one that reaches into the zero bucket is cut at its bound. */
  at(position: number): HistogramBucket {
    const { negativeCount, histogram } = this;
    if (position < negativeCount) {
      return negativeBucket(
        histogram,
        indexAt(histogram.negativeSpans, negativeCount - 1 - position),
        this.countAt(position),
      );
    }
    if (this.hasZero && position === negativeCount) return zeroBucket(histogram);
    const index = indexAt(histogram.positiveSpans, position - negativeCount - Number(this.hasZero));
    return positiveBucket(histogram, index, this.countAt(position));
  }
}

/** The index of the bucket at a position of its side. */
function indexAt(spans: readonly Span[], position: number): number {
  let index = 0;
  for (const span of spans) {
    index += span.offset;
    if (position < span.length) return index + position;
    index += span.length;
    position -= span.length;
  }
  throw new RangeError("cannot find a histogram's bucket: its spans cover fewer");
}

/** Every bucket from the lowest to the highest. */
export function bucketsUpwards(histogram: FloatHistogram): HistogramBucket[] {
  const buckets: HistogramBucket[] = [];
  forEachIndex(histogram.negativeSpans, (index, position) =>
    buckets.push(negativeBucket(histogram, index, histogram.negativeBuckets[position]!)),
  );
  buckets.reverse();
  if (histogram.zeroCount > 0 && !hasCustomBuckets(histogram)) buckets.push(zeroBucket(histogram));
  forEachIndex(histogram.positiveSpans, (index, position) =>
    buckets.push(positiveBucket(histogram, index, histogram.positiveBuckets[position]!)),
  );
  return buckets;
}

function negativeBucket(
  { schema, zeroThreshold }: FloatHistogram,
  index: number,
  count: number,
): HistogramBucket {
  const lower = -exponentialBound(index, schema);
  let upper = -exponentialBound(index - 1, schema);
  if (lower < -zeroThreshold && upper > -zeroThreshold) upper = -zeroThreshold;
  return { lower, upper, lowerInclusive: true, upperInclusive: false, count };
}

function zeroBucket({ zeroThreshold, zeroCount }: FloatHistogram): HistogramBucket {
  return {
    lower: -zeroThreshold,
    upper: zeroThreshold,
    lowerInclusive: true,
    upperInclusive: true,
    count: zeroCount,
  };
}

function positiveBucket(histogram: FloatHistogram, index: number, count: number): HistogramBucket {
  const { schema, zeroThreshold, customValues } = histogram;
  if (hasCustomBuckets(histogram)) {
    const lower = customBound(index - 1, customValues);
    const upper = customBound(index, customValues);
    return { lower, upper, lowerInclusive: index === 0, upperInclusive: true, count };
  }
  let lower = exponentialBound(index - 1, schema);
  const upper = exponentialBound(index, schema);
  if (lower < zeroThreshold && upper > zeroThreshold) lower = zeroThreshold;
  return { lower, upper, lowerInclusive: false, upperInclusive: true, count };
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
