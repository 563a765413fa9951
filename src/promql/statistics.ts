import type { WindowGrid } from "../kernels/index.ts";
import { ABSENT, HISTOGRAM, type StepColumn, type StepGrid } from "./exec/step-column.ts";
import { histogramPointCount } from "./limits.ts";

/**
 * Counts the samples a query looks at: at each step those it looks at there ("queryable"), and those it looks at for
 * the first time ("read"). Parts with steps of their own count through a counter that knows how theirs relate.
 */
export interface SampleCounter {
  /** Whether figures are wanted step by step; where not, `addTotals` will do. */
  readonly isPerStep: boolean;
  addTotals(queryable: number, read: number): void;
  addAt(step: number, queryable: number, read: number): void;
}

/** Counts what an instant selector's column holds; `samples` is what it weighs in all. */
export function countColumn(counter: SampleCounter, column: StepColumn, samples: number): void {
  if (!counter.isPerStep) return counter.addTotals(samples, samples);
  for (let step = 0; step < column.count; step++) {
    if (column.kinds[step] === ABSENT) continue;
    const weight = column.kinds[step] === HISTOGRAM ? histogramPointCount(column.histogramAt(step)) : 1;
    counter.addAt(step, weight, weight);
  }
}

/** A query does more than whoever runs it was ready to wait for; nothing is wrong with it. */
export class ReadBudgetError extends Error {
  override readonly name = "ReadBudgetError";

  constructor(readonly budget: number) {
    super(`query reads more than ${budget} samples, or has as many steps of subqueries`);
  }
}

/** The counter of the outermost steps. */
export class StatisticsCollector implements SampleCounter {
  totalQueryableSamples = 0;
  samplesRead = 0;
  readonly queryablePerStep: Float64Array | null;
  readonly readPerStep: Float64Array | null;
  private isMuted = false;
  private subquerySteps = 0;

  constructor(
    readonly grid: StepGrid,
    readonly isPerStep: boolean,
    /** Reading more samples than this, or evaluating at more steps of subqueries, ends the query. */
    private readonly readBudget = Infinity,
  ) {
    this.queryablePerStep = isPerStep ? new Float64Array(grid.count) : null;
    this.readPerStep = isPerStep ? new Float64Array(grid.count) : null;
  }

  addTotals(queryable: number, read: number): void {
    if (this.isMuted) return;
    this.totalQueryableSamples += queryable;
    this.samplesRead += read;
    if (this.samplesRead > this.readBudget) throw new ReadBudgetError(this.readBudget);
  }

  addAt(step: number, queryable: number, read: number): void {
    if (this.isMuted) return;
    this.addTotals(queryable, read);
    if (this.queryablePerStep) this.queryablePerStep[step]! += queryable;
    if (this.readPerStep) this.readPerStep[step]! += read;
  }

  /** Before a subquery is evaluated at so many steps. @throws ReadBudgetError */
  expectSteps(count: number): void {
    this.subquerySteps += count;
    if (this.subquerySteps > this.readBudget) throw new ReadBudgetError(this.readBudget);
  }

  /** Runs work that looks again at samples that have been counted. */
  withoutCounting<T>(work: () => T): T {
    const before = this.isMuted;
    this.isMuted = true;
    try {
      return work();
    } finally {
      this.isMuted = before;
    }
  }
}

/** Counts for a part that is evaluated at one step and stands for all: looked at at each of them, read once. */
export class StepInvariantCounter implements SampleCounter {
  readonly isPerStep = false;

  constructor(
    private readonly parent: SampleCounter,
    private readonly outerSteps: number,
  ) {}

  addTotals(queryable: number, read: number): void {
    if (!this.parent.isPerStep) return this.parent.addTotals(queryable * this.outerSteps, read);
    for (let step = 0; step < this.outerSteps; step++)
      this.parent.addAt(step, queryable, step === 0 ? read : 0);
  }

  addAt(_step: number, queryable: number, read: number): void {
    this.addTotals(queryable, read);
  }
}

/**
 * Counts for the expression of a subquery: what it reads counts for the first outer step whose window holds the inner
 * step, or not at all if none does; what it looks at is counted by whoever uses the window, or asks for the total.
 */
export class SubqueryCounter implements SampleCounter {
  readonly isPerStep = true;
  /** What the inner steps have looked at. */
  totalQueryableSamples = 0;

  constructor(
    private readonly parent: SampleCounter,
    private readonly inner: StepGrid,
    private readonly windows: WindowGrid,
  ) {}

  addTotals(queryable: number, read: number): void {
    this.totalQueryableSamples += queryable;
    this.parent.addTotals(0, read);
  }

  addAt(step: number, queryable: number, read: number): void {
    this.totalQueryableSamples += queryable;
    if (read === 0) return;
    const { firstMs, stepMs, count, rangeMs } = this.windows;
    const timeMs = this.inner.startMs + step * this.inner.stepMs;
    const outer = stepMs > 0 ? Math.max(0, Math.ceil((timeMs - firstMs) / stepMs)) : 0;
    if (outer >= count || timeMs <= firstMs + outer * stepMs - rangeMs) return;
    this.parent.addAt(outer, 0, read);
  }
}
