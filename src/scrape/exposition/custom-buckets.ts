import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram } from "../../model/histogram.ts";
import { compactHistogram } from "../../model/histogram-arithmetic.ts";
import { ExpositionError } from "./exposition-error.ts";

/** Up to so many empty buckets in a row are kept where counts are whole numbers; none where they are not. */
const MAX_EMPTY_BUCKETS = 2;

/** Gathers the lines of one classic histogram and makes a native one with custom buckets of them. */
export class CustomBuckets {
  private readonly buckets = new Map<number, number>();
  private count: number | null = null;
  private sum = 0;

  /** The first of several buckets with the same bound stands. */
  setBucket(bound: number, cumulativeCount: number): void {
    if (!this.buckets.has(bound)) this.buckets.set(bound, cumulativeCount);
  }

  setCount(count: number): void {
    this.count = count;
  }

  setSum(sum: number): void {
    this.sum = sum;
  }

  /** @throws ExpositionError for counts that no histogram can have */
  histogram(isGauge = false): FloatHistogram {
    const bounds = [...this.buckets.keys()].sort((a, b) => a - b);
    if (bounds.some(Number.isNaN))
      throw new ExpositionError("cannot convert histogram: a bucket's bound is NaN");
    const cumulative = bounds.map((bound) => this.buckets.get(bound)!);
    const last = cumulative.at(-1) ?? 0;
    const count = this.count ?? last;
    if (bounds.at(-1) !== Infinity) {
      bounds.push(Infinity);
      cumulative.push(count);
    }
    if (cumulative.at(-1) !== count) {
      throw new ExpositionError(
        `cannot convert histogram: count is ${count}, its last bucket says ${String(cumulative.at(-1))}`,
      );
    }
    const counts = new Float64Array(bounds.length);
    let before = 0;
    for (const [i, total] of cumulative.entries()) {
      if (!(total >= before)) {
        throw new ExpositionError(
          `cannot convert histogram: bucket ${i} holds ${total}, the one before ${before}`,
        );
      }
      counts[i] = total - before;
      before = total;
    }
    const isInteger = cumulative.every(Number.isInteger);
    const histogram: FloatHistogram = {
      isInteger,
      counterResetHint: isGauge ? "gauge" : "unknown",
      schema: CUSTOM_BUCKETS_SCHEMA,
      zeroThreshold: 0,
      zeroCount: 0,
      count,
      sum: this.sum,
      isStale: false,
      positiveSpans: [{ offset: 0, length: counts.length }],
      negativeSpans: [],
      positiveBuckets: counts,
      negativeBuckets: new Float64Array(0),
      customValues: Float64Array.from(bounds.slice(0, -1)),
    };
    return compactHistogram(histogram, isInteger ? MAX_EMPTY_BUCKETS : 0);
  }
}
