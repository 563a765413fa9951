import type { MergedNote, NotePosition } from "../annotations.ts";
import { formatGeneral, formatSignificant } from "../../model/format-float.ts";
import { bucketsUpwards, hasCustomBuckets } from "../../model/histogram-buckets.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import {
  forMetric,
  type HistogramEvaluation,
  HistogramOperator,
  type HistogramPlace,
} from "../exec/histogram-operator.ts";
import type { ExecutionContext } from "../exec/operator.ts";
import { ExecutionError } from "../limits.ts";
import { isValidLabelName } from "../../model/label-name.ts";
import { quote } from "../../model/quote.ts";
import type { Position } from "../parse/ast.ts";
import {
  classicFraction,
  classicQuantile,
  ensureMonotonic,
  type MonotonicityFix,
} from "./classic-quantile.ts";
import type { FunctionImplementation, HistogramReading } from "./contract.ts";
import { type NanEffect, nativeFraction, nativeQuantile } from "./native-quantile.ts";
import { NeumaierSum } from "./neumaier-sum.ts";

const reading = (apply: HistogramReading["apply"]): HistogramReading => ({ kind: "histogram", apply });

/** The variance of the observations, each taken to lie in the middle of its bucket. */
function variance(histogram: FloatHistogram): number {
  const { count, sum } = histogram;
  const mean = sum / count;
  const isCustom = hasCustomBuckets(histogram);
  const total = new NeumaierSum();
  for (const bucket of bucketsUpwards(histogram)) {
    if (bucket.count === 0) continue;
    const { lower, upper } = bucket;
    let middle: number;
    if (isCustom) middle = (upper + lower) / 2;
    else if (lower <= 0 && upper >= 0) middle = 0;
    else middle = upper < 0 ? -Math.sqrt(upper * lower) : Math.sqrt(upper * lower);
    const distance = middle - mean;
    total.add(bucket.count * distance * distance);
  }
  return total.compensated / count;
}

/** One or more quantiles of the same histograms, with their annotations. */
class QuantileEvaluations {
  constructor(
    private readonly context: ExecutionContext,
    private readonly vectorPosition: Position,
    private readonly quantiles: readonly {
      readonly values: Float64Array;
      readonly position: NotePosition;
    }[],
    /** The label that tells each result's quantile; null for none. */
    private readonly labelName: string | null,
  ) {}

  create(): HistogramEvaluation[] {
    for (const { values, position } of this.quantiles) {
      for (const q of values) {
        if (isQuantile(q)) continue;
        const text = `quantile value should be between 0 and 1, got ${formatGeneral(q)}`;
        this.context.annotations.warn(text, position);
      }
    }
    return this.quantiles.flatMap(({ values }, i) => this.evaluationsOf(i, values));
  }

  /** One for all steps, or where the quantile is in a label one for each value that it takes. */
  private evaluationsOf(index: number, values: Float64Array): HistogramEvaluation[] {
    const name = this.labelName;
    if (name === null) return [this.evaluation(index, values, null)];
    const texts = Array.from(values, quantileLabel);
    return [...new Set(texts)].map((value) => ({
      ...this.evaluation(index, values, { name, value }),
      isMeantFor: (step: number) => texts[step] === value,
    }));
  }

  private evaluation(
    index: number,
    values: Float64Array,
    label: HistogramEvaluation["label"],
  ): HistogramEvaluation {
    const outside = (q: number) => (q < 0 ? -Infinity : q > 1 ? Infinity : NaN);
    return {
      label,
      classic: (buckets, place) => {
        const q = values[place.step]!;
        if (!isQuantile(q)) return outside(q);
        const fix = ensureMonotonic(buckets);
        // The fix stays with the histogram, so later quantiles of the same find nothing to mend.
        if (fix !== null && place.isFirstRead && this.isFirstValid(index, place.step))
          this.noteFix(fix, place);
        return classicQuantile(q, buckets);
      },
      incomplete: ({ step }) => outside(values[step]!),
      native: (histogram, place) => {
        const { value, nanEffect } = nativeQuantile(values[place.step]!, histogram);
        if (nanEffect !== null)
          noteNan(this.context, this.vectorPosition, "histogram_quantile", nanEffect, place);
        return value;
      },
    };
  }

  private isFirstValid(index: number, step: number): boolean {
    return this.quantiles.findIndex(({ values }) => isQuantile(values[step]!)) === index;
  }

  private noteFix(fix: MonotonicityFix, { timeMs, metricName }: HistogramPlace): void {
    this.context.annotations.infoMerged(
      `fixed for monotonicity ${metricName}`,
      new MonotonicityNote(metricName, fix, 1, timeMs, timeMs),
      this.vectorPosition,
    );
  }
}

function isQuantile(q: number): boolean {
  return q >= 0 && q <= 1;
}

/** All fixes of one metric in one text. */
class MonotonicityNote implements MergedNote {
  constructor(
    private readonly metricName: string,
    private readonly fix: MonotonicityFix,
    private readonly count: number,
    private readonly firstMs: number,
    private readonly lastMs: number,
  ) {}

  merge(other: MergedNote): MergedNote {
    if (!(other instanceof MonotonicityNote)) return other;
    const fix = {
      lowestBound: Math.min(this.fix.lowestBound, other.fix.lowestBound),
      highestBound: Math.max(this.fix.highestBound, other.fix.highestBound),
      largestDifference: Math.max(this.fix.largestDifference, other.fix.largestDifference),
    };
    return new MonotonicityNote(
      this.metricName,
      fix,
      this.count + other.count,
      Math.min(this.firstMs, other.firstMs),
      Math.max(this.lastMs, other.lastMs),
    );
  }

  text(): string {
    const { lowestBound, highestBound, largestDifference } = this.fix;
    return (
      "input to histogram_quantile needed to be fixed for monotonicity " +
      "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)" +
      `${forMetric(this.metricName)}, from buckets ${formatGeneral(lowestBound)} to ${formatGeneral(highestBound)}, ` +
      `with a max diff of ${formatSignificant(largestDifference, 2)}, over ${this.count} samples ` +
      `from ${wholeSeconds(this.firstMs)} to ${wholeSeconds(this.lastMs)}`
    );
  }
}

/** RFC 3339 in UTC, cut to the second. */
function wholeSeconds(timeMs: number): string {
  return new Date(Math.floor(timeMs / 1000) * 1000).toISOString().replace(".000Z", "Z");
}

function noteNan(
  context: ExecutionContext,
  position: Position,
  name: string,
  effect: NanEffect,
  { metricName }: HistogramPlace,
): void {
  const what = effect === "excluded" ? "which are excluded from all fractions" : effect;
  context.annotations.info(
    `input to ${name} has NaN observations, ${what}${forMetric(metricName)}`,
    position,
  );
}

/** A quantile as a label's value: always with a point or an exponent. */
function quantileLabel(q: number): string {
  const text = formatGeneral(q);
  return Number.isFinite(q) && !/[.e]/.test(text) ? `${text}.0` : text;
}

export const histogramFunctions: Readonly<Record<string, FunctionImplementation>> = {
  histogram_count: reading(({ count }) => count),
  histogram_sum: reading(({ sum }) => sum),
  histogram_avg: reading(({ sum, count }) => sum / count),
  histogram_stdvar: reading(variance),
  histogram_stddev: reading((histogram) => Math.sqrt(variance(histogram))),
  histogram_quantile: {
    kind: "operator",
    build: (call, grid, builder) => {
      const quantile = call.args[0]!;
      const vector = call.args[1]!;
      const { context } = builder;
      const q = builder.scalar(quantile, grid);
      const child = builder.vector(vector, grid);
      return new HistogramOperator(context, grid, child, vector.position, () =>
        new QuantileEvaluations(
          context,
          vector.position,
          [{ values: q.values(), position: { ...call.position, shownAt: quantile.position.start } }],
          null,
        ).create(),
      );
    },
  },
  histogram_quantiles: {
    kind: "operator",
    build: (call, grid, builder) => {
      const [vector, labelArg, ...quantiles] = call.args;
      const { context } = builder;
      const label = builder.string(labelArg!).value;
      if (!isValidLabelName(label)) throw new ExecutionError(`invalid label name ${quote(label)}`);
      const child = builder.vector(vector!, grid);
      const scalars = quantiles.map((arg) => ({ arg, q: builder.scalar(arg, grid) }));
      return new HistogramOperator(context, grid, child, vector!.position, () =>
        new QuantileEvaluations(
          context,
          vector!.position,
          scalars.map(({ arg, q }) => ({
            values: q.values(),
            position: { ...call.position, shownAt: arg.position.start },
          })),
          label,
        ).create(),
      );
    },
  },
  histogram_fraction: {
    kind: "operator",
    build: (call, grid, builder) => {
      const [lowArg, highArg, vector] = call.args;
      const { context } = builder;
      const low = builder.scalar(lowArg!, grid);
      const high = builder.scalar(highArg!, grid);
      const child = builder.vector(vector!, grid);
      return new HistogramOperator(context, grid, child, vector!.position, () => [
        {
          label: null,
          classic: (buckets, { step }) => classicFraction(low.values()[step]!, high.values()[step]!, buckets),
          incomplete: () => NaN,
          native: (histogram, place) => {
            const { step } = place;
            const { value, nanEffect } = nativeFraction(low.values()[step]!, high.values()[step]!, histogram);
            if (nanEffect !== null) {
              noteNan(context, vector!.position, "histogram_fraction", nanEffect, place);
            }
            return value;
          },
        },
      ]);
    },
  },
};
