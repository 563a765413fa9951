import { customBound, exponentialBound, hasCustomBuckets, indicesOf, spansOf } from "./histogram-buckets.ts";
import { type CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type Span } from "./histogram.ts";

/** One side of a histogram: bucket indices, ascending, with their counts and what rounding lost of each. */
export class BucketSide {
  private constructor(
    readonly indices: number[],
    readonly counts: number[],
    readonly compensations: number[],
  ) {}

  static empty(): BucketSide {
    return new BucketSide([], [], []);
  }

  static of(spans: FloatHistogram["positiveSpans"], counts: Float64Array): BucketSide {
    return new BucketSide(indicesOf(spans), [...counts], new Array<number>(counts.length).fill(0));
  }

  copy(): BucketSide {
    return new BucketSide([...this.indices], [...this.counts], [...this.compensations]);
  }

  get size(): number {
    return this.indices.length;
  }

  push(index: number, count: number, compensation: number): void {
    this.indices.push(index);
    this.counts.push(count);
    this.compensations.push(compensation);
  }

  /** Without the buckets that hold nothing. */
  compacted(): BucketSide {
    return this.filter((i) => this.counts[i] !== 0 || this.compensations[i] !== 0);
  }

  filter(keep: (position: number) => boolean): BucketSide {
    const kept = BucketSide.empty();
    for (let i = 0; i < this.size; i++) {
      if (keep(i)) kept.push(this.indices[i]!, this.counts[i]!, this.compensations[i]!);
    }
    return kept;
  }

  /** Each bucket goes to the one `2^levels` times as wide that covers it. */
  reduced(levels: number, adding: Adding): BucketSide {
    const wide = BucketSide.empty();
    for (let i = 0; i < this.size; i++) {
      const index = ((this.indices[i]! - 1) >> levels) + 1;
      const last = wide.size - 1;
      if (wide.indices[last] !== index) wide.push(index, this.counts[i]!, this.compensations[i]!);
      else {
        const [count, lost] = adding(this.counts[i]!, wide.counts[last]!, wide.compensations[last]!);
        wide.counts[last] = count;
        wide.compensations[last] = lost + this.compensations[i]!;
      }
    }
    return wide;
  }

  /** Adds counts whose buckets are all here already, in place and with compensation. */
  addWithin(spans: readonly Span[], counts: Float64Array, sign: 1 | -1): void {
    const { indices } = this;
    let index = 0;
    let position = 0;
    let i = 0;
    for (const span of spans) {
      index += span.offset;
      for (let k = 0; k < span.length; k++, index++, i++) {
        while (indices[i] !== index) i++;
        const x = sign * counts[position++]!;
        const sum = this.counts[i]!;
        const total = sum + x;
        this.counts[i] = total;
        if (total === Infinity || total === -Infinity) this.compensations[i] = 0;
        else {
          const lost = Math.abs(sum) >= Math.abs(x) ? sum - total + x : x - total + sum;
          if (lost !== 0) this.compensations[i]! += lost;
        }
      }
    }
  }

  /** Whether every bucket of these spans is here. */
  hasAll(spans: readonly Span[]): boolean {
    const { indices } = this;
    let index = 0;
    let i = 0;
    for (const span of spans) {
      index += span.offset;
      for (let k = 0; k < span.length; k++, index++) {
        while (i < indices.length && indices[i]! < index) i++;
        if (indices[i] !== index) return false;
      }
    }
    return true;
  }

  scale(scale: (value: number) => number): void {
    for (let i = 0; i < this.size; i++) {
      this.counts[i] = scale(this.counts[i]!);
      this.compensations[i] = scaleLost(this.compensations[i]!, scale);
    }
  }
}

/** Nothing lost stays nothing, even where counts are divided by zero. */
function scaleLost(compensation: number, scale: (value: number) => number): number {
  return compensation === 0 ? 0 : scale(compensation);
}

/** Adds `x` to a sum with its compensation; gives both anew. */
export type Adding = (x: number, sum: number, compensation: number) => readonly [number, number];

/** Keeps what rounding loses, as Neumaier did. */
export const addCompensated: Adding = (x, sum, compensation) => {
  const total = sum + x;
  if (total === Infinity || total === -Infinity) return [total, 0];
  if (Math.abs(sum) >= Math.abs(x)) return [total, compensation + (sum - total + x)];
  return [total, compensation + (x - total + sum)];
};

/** Lets it go. */
export const addPlainly: Adding = (x, sum) => [sum + x, 0];

/** What became of an addition. `collision`: one histogram said "reset" and the other "not reset". */
export type AdditionOutcome = "incompatible" | { readonly collision: boolean; readonly reconciled: boolean };

/**
 * A histogram being added to. Made of one histogram, takes others plainly or with compensation, and gives the result
 * as a histogram again.
 */
export class WorkingHistogram {
  private hint: CounterResetHint;
  private schema: number;
  private zeroThreshold: number;
  private zeroCount: number;
  private zeroCompensation = 0;
  private count: number;
  private countCompensation = 0;
  private sum: number;
  private sumCompensation = 0;
  private positive: BucketSide;
  private negative: BucketSide;
  private customValues: Float64Array;

  constructor(histogram: FloatHistogram) {
    this.hint = histogram.counterResetHint;
    this.schema = histogram.schema;
    this.zeroThreshold = histogram.zeroThreshold;
    this.zeroCount = histogram.zeroCount;
    this.count = histogram.count;
    this.sum = histogram.sum;
    this.positive = BucketSide.of(histogram.positiveSpans, histogram.positiveBuckets);
    this.negative = BucketSide.of(histogram.negativeSpans, histogram.negativeBuckets);
    this.customValues = histogram.customValues;
  }

  copy(): WorkingHistogram {
    const copy = Object.assign(Object.create(WorkingHistogram.prototype) as WorkingHistogram, this);
    copy.positive = this.positive.copy();
    copy.negative = this.negative.copy();
    return copy;
  }

  private get isCustom(): boolean {
    return this.schema === CUSTOM_BUCKETS_SCHEMA;
  }

  /** The histogram now, what rounding lost added back. */
  histogram(): FloatHistogram {
    return {
      isInteger: false,
      counterResetHint: this.hint,
      schema: this.schema,
      zeroThreshold: this.zeroThreshold,
      zeroCount: this.zeroCount + this.zeroCompensation,
      count: this.count + this.countCompensation,
      sum: this.sum + this.sumCompensation,
      isStale: false,
      positiveSpans: spansOf(this.positive.indices),
      negativeSpans: spansOf(this.negative.indices),
      positiveBuckets: totals(this.positive),
      negativeBuckets: totals(this.negative),
      customValues: this.customValues,
    };
  }

  setHint(hint: CounterResetHint): this {
    this.hint = hint;
    return this;
  }

  /** Drops buckets that hold nothing. */
  compact(): this {
    this.positive = this.positive.compacted();
    this.negative = this.negative.compacted();
    return this;
  }

  /** Applies a multiplication or division to everything that counts. */
  scale(scale: (value: number) => number): this {
    this.zeroCount = scale(this.zeroCount);
    this.zeroCompensation = scaleLost(this.zeroCompensation, scale);
    this.count = scale(this.count);
    this.countCompensation = scaleLost(this.countCompensation, scale);
    this.sum = scale(this.sum);
    this.sumCompensation = scaleLost(this.sumCompensation, scale);
    this.positive.scale(scale);
    this.negative.scale(scale);
    return this;
  }

  /** Whether a field has left the range of floats. */
  get hasOverflow(): boolean {
    const isInfinite = (value: number) => value === Infinity || value === -Infinity;
    return (
      [this.zeroCount, this.count, this.sum].some(isInfinite) ||
      this.positive.counts.some(isInfinite) ||
      this.negative.counts.some(isInfinite) ||
      this.customValues.some(isInfinite)
    );
  }

  /** To wider buckets, `schema` not above the present one. */
  reduceTo(schema: number, adding: Adding = addPlainly): this {
    if (schema < this.schema) {
      this.positive = this.positive.reduced(this.schema - schema, adding);
      this.negative = this.negative.reduced(this.schema - schema, adding);
      this.schema = schema;
    }
    return this;
  }

  /**
   * Adds `sign` times another histogram.
   *
   * Resolutions are brought to the coarser one and zero buckets to the wider one; different custom buckets to the
   * bounds they have in common ("reconciled"). Exponential and custom buckets can't be added: then nothing changes.
   */
  add(other: FloatHistogram, sign: 1 | -1, adding: Adding): AdditionOutcome {
    const isCustom = this.isCustom;
    if (isCustom !== hasCustomBuckets(other)) return "incompatible";
    const collision = this.mergeHint(other.counterResetHint);
    if (!isCustom) this.addZeroBucket(other, sign, adding);
    [this.count, this.countCompensation] = adding(sign * other.count, this.count, this.countCompensation);
    [this.sum, this.sumCompensation] = adding(sign * other.sum, this.sum, this.sumCompensation);
    if (adding === addCompensated && this.addInPlace(other, sign)) return { collision, reconciled: false };
    const positive = BucketSide.of(other.positiveSpans, other.positiveBuckets);
    if (isCustom && !haveEqualBounds(this.customValues, other.customValues)) {
      this.addReconciled(positive, other.customValues, sign, adding);
      return { collision, reconciled: true };
    }
    const negative = BucketSide.of(other.negativeSpans, other.negativeBuckets);
    if (isCustom) this.positive = this.addSide(this.positive, positive, sign, adding);
    else {
      const levels = other.schema - this.schema;
      if (levels < 0) this.reduceTo(other.schema, adding);
      const fitted = (side: BucketSide) => (levels > 0 ? side.reduced(levels, addPlainly) : side);
      this.positive = this.addSide(this.positive, fitted(positive), sign, adding);
      this.negative = this.addSide(this.negative, fitted(negative), sign, adding);
    }
    return { collision, reconciled: false };
  }

  /**
   * Adds buckets where every one of them is here already: so it is with most histograms of one metric.
   * @returns false, with nothing done, where that isn't so
   */
  private addInPlace(other: FloatHistogram, sign: 1 | -1): boolean {
    if (other.schema !== this.schema) return false;
    if (this.isCustom) {
      if (!haveEqualBounds(this.customValues, other.customValues)) return false;
    } else if (
      reachesInto(this.zeroThreshold, other.positiveSpans, this.schema) ||
      reachesInto(this.zeroThreshold, other.negativeSpans, this.schema)
    ) {
      return false;
    }
    if (!this.positive.hasAll(other.positiveSpans) || !this.negative.hasAll(other.negativeSpans))
      return false;
    this.positive.addWithin(other.positiveSpans, other.positiveBuckets, sign);
    this.negative.addWithin(other.negativeSpans, other.negativeBuckets, sign);
    return true;
  }

  /** @returns whether the hints contradict each other */
  private mergeHint(other: CounterResetHint): boolean {
    const { hint, collision } = mergeHints(this.hint, other);
    this.hint = hint;
    return collision;
  }

  private addZeroBucket(other: FloatHistogram, sign: 1 | -1, adding: Adding): void {
    let theirs: ZeroBucket = { threshold: other.zeroThreshold, count: other.zeroCount, compensation: 0 };
    if (theirs.threshold !== this.zeroThreshold) {
      const positive = BucketSide.of(other.positiveSpans, other.positiveBuckets);
      const negative = BucketSide.of(other.negativeSpans, other.negativeBuckets);
      // Either may overshoot the other's threshold when it takes in a bucket whole, so this goes to and fro.
      while (theirs.threshold !== this.zeroThreshold) {
        if (theirs.threshold < this.zeroThreshold) {
          const start = { threshold: other.zeroThreshold, count: other.zeroCount, compensation: 0 };
          theirs = widenZeroBucket(start, this.zeroThreshold, positive, negative, other.schema);
        }
        if (theirs.threshold > this.zeroThreshold) this.widenTo(theirs.threshold, adding);
      }
    }
    const [count, compensation] = adding(sign * theirs.count, this.zeroCount, this.zeroCompensation);
    this.zeroCount = count;
    this.zeroCompensation = adding === addPlainly ? 0 : compensation + sign * theirs.compensation;
  }

  private widenTo(threshold: number, adding: Adding): void {
    const start = {
      threshold: this.zeroThreshold,
      count: this.zeroCount,
      compensation: this.zeroCompensation,
    };
    const widened = widenZeroBucket(start, threshold, this.positive, this.negative, this.schema);
    this.zeroThreshold = widened.threshold;
    this.zeroCount = widened.count;
    this.zeroCompensation = adding === addPlainly ? 0 : widened.compensation;
    const isOutside = (side: BucketSide) => (i: number) =>
      exponentialBound(side.indices[i]! - 1, this.schema) >= this.zeroThreshold;
    this.positive = this.positive.filter(isOutside(this.positive)).compacted();
    this.negative = this.negative.filter(isOutside(this.negative)).compacted();
  }

  /** Both sides have the same schema; what lies within the zero bucket at the start of `theirs` is in it already. */
  private addSide(ours: BucketSide, theirs: BucketSide, sign: 1 | -1, adding: Adding): BucketSide {
    const merged = BucketSide.empty();
    let i = 0;
    let j = 0;
    if (!this.isCustom) {
      while (j < theirs.size && exponentialBound(theirs.indices[j]!, this.schema) <= this.zeroThreshold) j++;
    }
    while (i < ours.size || j < theirs.size) {
      const ourIndex = i < ours.size ? ours.indices[i]! : Infinity;
      const theirIndex = j < theirs.size ? theirs.indices[j]! : Infinity;
      if (ourIndex < theirIndex) {
        merged.push(ourIndex, ours.counts[i]!, ours.compensations[i]!);
        i++;
      } else if (theirIndex < ourIndex) {
        merged.push(theirIndex, sign * theirs.counts[j]!, 0);
        j++;
      } else {
        merged.push(ourIndex, ...adding(sign * theirs.counts[j]!, ours.counts[i]!, ours.compensations[i]!));
        i++;
        j++;
      }
    }
    return merged;
  }

  /** Adds custom buckets with other bounds: both go to the bounds they share. */
  private addReconciled(theirs: BucketSide, theirBounds: Float64Array, sign: 1 | -1, adding: Adding): void {
    const shared = commonBounds(this.customValues, theirBounds);
    const targets = shared.length + 1;
    const sums = new Array<number>(targets).fill(0);
    const lost = new Array<number>(targets).fill(0);
    const gather = (side: BucketSide, bounds: Float64Array, factor: number) => {
      let target = 0;
      for (let i = 0; i < side.size; i++) {
        const upper = customBound(side.indices[i]!, bounds);
        while (target < shared.length && shared[target]! < upper) target++;
        [sums[target], lost[target]] = addCompensated(factor * side.counts[i]!, sums[target]!, lost[target]!);
        lost[target]! += factor * side.compensations[i]!;
      }
    };
    gather(this.positive, this.customValues, 1);
    gather(theirs, theirBounds, sign);
    const merged = BucketSide.empty();
    for (let i = 0; i < targets; i++) {
      if (sums[i] !== 0) merged.push(i, sums[i]!, adding === addPlainly ? 0 : lost[i]!);
    }
    this.positive = merged;
    this.customValues = shared;
  }
}

/** The hint of a sum; a reset and no reset contradict each other, and then nothing is known. */
export function mergeHints(
  a: CounterResetHint,
  b: CounterResetHint,
): { readonly hint: CounterResetHint; readonly collision: boolean } {
  if (a === b) return { hint: a, collision: false };
  if (a === "gauge" || b === "gauge") return { hint: "gauge", collision: false };
  return { hint: "unknown", collision: a !== "unknown" && b !== "unknown" };
}

/** Whether buckets of these spans lie within a zero bucket that ends at `threshold`, or might. */
export function reachesInto(threshold: number, spans: readonly Span[], schema: number): boolean {
  const first = spans[0];
  if (threshold === 0 || first === undefined) return false;
  return first.length === 0 || exponentialBound(first.offset, schema) <= threshold;
}

function totals(side: BucketSide): Float64Array {
  const counts = new Float64Array(side.size);
  for (let i = 0; i < side.size; i++) counts[i] = side.counts[i]! + side.compensations[i]!;
  return counts;
}

export interface ZeroBucket {
  readonly threshold: number;
  readonly count: number;
  readonly compensation: number;
}

/**
 * The zero bucket once it reaches to `threshold`: it takes in all buckets that lie within. One that holds something
 * and lies only partly within is taken whole, and the threshold moves to its outer bound.
 */
export function widenZeroBucket(
  start: ZeroBucket,
  threshold: number,
  positive: BucketSide,
  negative: BucketSide,
  schema: number,
): ZeroBucket {
  if (threshold === start.threshold) return start;
  for (;;) {
    let count = start.count;
    let compensation = start.compensation;
    const takeIn = (side: BucketSide) => {
      for (let i = 0; i < side.size; i++) {
        const index = side.indices[i]!;
        if (exponentialBound(index - 1, schema) >= threshold) return;
        [count, compensation] = addCompensated(side.counts[i]!, count, compensation);
        compensation += side.compensations[i]!;
        const outer = exponentialBound(index, schema);
        if (outer > threshold) {
          if (side.counts[i] !== 0) threshold = outer;
          return;
        }
      }
    };
    takeIn(positive);
    const beforeNegative = threshold;
    takeIn(negative);
    // The positive side must be looked at again where the negative one moved the threshold.
    if (threshold === beforeNegative) return { threshold, count, compensation };
  }
}

export function haveEqualBounds(a: Float64Array, b: Float64Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The bounds found in both, ascending. */
export function commonBounds(a: Float64Array, b: Float64Array): Float64Array {
  const inB = new Set(b);
  return a.filter((bound) => inB.has(bound));
}
