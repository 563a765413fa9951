import type { FloatHistogram, Span } from "../../model/histogram.ts";

/**
 * The histogram at a coarser schema: each step down joins neighbouring buckets in pairs, since the bounds of the
 * coarser schema are every other bound of the finer one.
 */
export function reduceResolution(histogram: FloatHistogram, schema: number): FloatHistogram {
  const steps = histogram.schema - schema;
  const positive = joinBuckets(histogram.positiveSpans, histogram.positiveBuckets, steps);
  const negative = joinBuckets(histogram.negativeSpans, histogram.negativeBuckets, steps);
  return {
    ...histogram,
    schema,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
  };
}

function joinBuckets(
  spans: readonly Span[],
  buckets: Float64Array,
  steps: number,
): { spans: Span[]; buckets: Float64Array } {
  const joined: Span[] = [];
  const counts: number[] = [];
  let index = 0;
  let from = 0;
  // One behind the last joined bucket, in joined indices.
  let joinedEnd = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++, index++) {
      // Bucket i reaches up to bound i and begins above bound i - 1.
      const target = Math.floor((index - 1) / 2 ** steps) + 1;
      const count = buckets[from++]!;
      if (counts.length > 0 && target === joinedEnd - 1) {
        counts[counts.length - 1]! += count;
        continue;
      }
      const last = joined[joined.length - 1];
      if (last && target === joinedEnd) joined[joined.length - 1] = { ...last, length: last.length + 1 };
      else joined.push({ offset: last ? target - joinedEnd : target, length: 1 });
      counts.push(count);
      joinedEnd = target + 1;
    }
  }
  return { spans: joined, buckets: Float64Array.from(counts) };
}
