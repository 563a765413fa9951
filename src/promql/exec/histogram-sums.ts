import { compactHistogram, HistogramSum } from "../../model/histogram-arithmetic.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import { quote } from "../../model/quote.ts";
import type { Annotations } from "../annotations.ts";
import { ResetHints } from "../functions/histogram-windows.ts";
import type { Position } from "../parse/ast.ts";

interface StepState {
  readonly sum: HistogramSum;
  readonly hints: ResetHints;
  /** Exponential and custom buckets have met: no output at this step, and no other warning for it. */
  failed: boolean;
  reconciled: boolean;
}

/** What sum and avg keep for the native histograms of one group, step by step. */
export class HistogramSums {
  private readonly steps: (StepState | undefined)[];

  constructor(
    private readonly op: "sum" | "avg",
    stepCount: number,
    private readonly annotations: Annotations,
    /** Of the aggregated expression. */
    private readonly position: Position,
  ) {
    this.steps = new Array<StepState | undefined>(stepCount);
  }

  /** @param metricName of the series, for the warning where it does not go with those before */
  add(step: number, histogram: FloatHistogram, metricName: () => string): void {
    const state = this.steps[step];
    if (state === undefined) {
      const hints = new ResetHints();
      hints.see(histogram);
      this.steps[step] = { sum: new HistogramSum(histogram), hints, failed: false, reconciled: false };
      return;
    }
    if (state.failed) return;
    const outcome = this.op === "sum" ? state.sum.add(histogram) : state.sum.addForAverage(histogram);
    if (outcome === "incompatible") {
      state.failed = true;
      this.annotations.warn(
        `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${quote(metricName())}`,
        this.position,
      );
      return;
    }
    state.hints.see(histogram);
    state.reconciled ||= outcome.reconciled;
  }

  has(step: number): boolean {
    return this.steps[step] !== undefined;
  }

  /** The sum or average at a step that has one; undefined, with a warning, if it has floats too. */
  result(step: number, hasFloats: boolean): FloatHistogram | undefined {
    const { sum, hints, failed, reconciled } = this.steps[step]!;
    if (failed) return undefined;
    if (hasFloats) {
      this.annotations.warn("encountered a mix of histograms and floats for aggregation", this.position);
      return undefined;
    }
    if (hints.collide)
      this.annotations.warn("conflicting counter resets during histogram aggregation", this.position);
    if (reconciled) {
      this.annotations.info("mismatched custom buckets were reconciled during aggregation", this.position);
    }
    return compactHistogram(this.op === "sum" ? sum.sum() : sum.average());
  }
}
