import { QueryMemoryError } from "../kernels/index.ts";
import type { FloatHistogram } from "../model/histogram.ts";
import { FLOAT, HISTOGRAM, type StepColumn } from "./exec/step-column.ts";

/**
 * What one query may use: samples held at once, time, and the patience of whoever asked. Every operator reports here
 * as it works; a limit that is passed ends the query with one of these errors.
 */

type Phase = "expression evaluation" | "query execution";

/** The deadline passed. */
export class QueryTimeoutError extends Error {
  override readonly name = "QueryTimeoutError";
  constructor(phase: Phase) {
    super(`query timed out in ${phase}`);
  }
}

/** Whoever asked went away. */
export class QueryCancelledError extends Error {
  override readonly name = "QueryCancelledError";
  constructor(phase: Phase) {
    super(`query was canceled in ${phase}`);
  }
}

/** More samples would be held at once than the server allows. */
export class TooManySamplesError extends Error {
  override readonly name = "TooManySamplesError";
  constructor() {
    super("query processing would load too many samples into memory in query execution");
  }
}

/** The query is well formed and cannot be answered: duplicate series, a parameter out of range, … */
export class ExecutionError extends Error {
  override readonly name = "ExecutionError";
}

export interface QueryLimitOptions {
  readonly maxSamples: number;
  /** On the clock of `now`; Infinity for none. */
  readonly deadlineMs: number;
  readonly now: () => number;
  /** Reads a flag that another thread may set. */
  readonly isCancelled: () => boolean;
  /** Working memory now in use, and how much of it this query may have. */
  readonly usedBytes: () => number;
  readonly memoryLimitBytes: number;
}

/** So many steps may be evaluated whatever the limit on samples: most may turn out to hold none. */
const MOST_STEPS = 10_000_000;

export class QueryLimits {
  private current = 0;
  private peak = 0;
  private stepsSinceCheck = 0;

  constructor(private readonly options: QueryLimitOptions) {}

  /** Samples now counted as held. */
  get heldSamples(): number {
    return this.current;
  }

  get peakSamples(): number {
    return this.peak;
  }

  /** Counts `samples` more as held. @throws TooManySamplesError */
  hold(samples: number): void {
    this.current += samples;
    if (this.current > this.peak) this.peak = this.current;
    if (this.current > this.options.maxSamples) throw new TooManySamplesError();
  }

  /** Counts `samples` as held for a moment on top of what is held. @throws TooManySamplesError */
  touch(samples: number): void {
    const { current } = this;
    this.hold(samples);
    this.current = current;
  }

  /**
   * Refuses to evaluate at more steps than could ever be answered, before anything is laid out for them.
   * @throws TooManySamplesError
   */
  checkSteps(count: number): void {
    if (count > Math.max(this.options.maxSamples, MOST_STEPS)) throw new TooManySamplesError();
  }

  /** Makes an account for an operator that reads series by series but is to count as if it held its inputs whole. */
  account(): InputAccount {
    return new InputAccount(this);
  }

  /** Goes back to what was held earlier, when everything held since has been consumed. */
  releaseTo(heldSamples: number): void {
    this.current = heldSamples;
  }

  /** Called per series. @throws QueryTimeoutError, QueryCancelledError, QueryMemoryError */
  check(phase: Phase = "expression evaluation"): void {
    this.stepsSinceCheck = 0;
    if (this.options.isCancelled()) throw new QueryCancelledError(phase);
    if (this.options.now() >= this.options.deadlineMs) throw new QueryTimeoutError(phase);
    if (this.options.usedBytes() > this.options.memoryLimitBytes) {
      throw new QueryMemoryError(
        `query needs more than ${this.options.memoryLimitBytes} bytes of working memory`,
      );
    }
  }

  /** Called for work inside one series that may be long: checks every some thousand `steps`. */
  worked(steps: number): void {
    this.stepsSinceCheck += steps;
    if (this.stepsSinceCheck > 4096) this.check();
  }
}

/**
 * Counts an operator's inputs. They stream through it one at a time, yet the limit on samples is meant for what a query
 * works on: so while an operator produces its output, all input it has read counts with it, and after that the output
 * alone.
 */
export class InputAccount {
  private inputs = 0;

  constructor(private readonly limits: QueryLimits) {}

  /** Runs `read`, which holds what it reads, then holds `output()` in its place. @throws TooManySamplesError */
  exchange(read: () => void, output: () => number): void {
    const before = this.limits.heldSamples;
    read();
    this.inputs += this.limits.heldSamples - before;
    this.limits.releaseTo(before);
    this.limits.hold(output());
    this.limits.touch(this.inputs);
  }
}

/** What a native histogram counts for when samples are counted: its size and that of its time, in units of 16 bytes. */
export function histogramPointCount(histogram: FloatHistogram): number {
  return Math.floor((histogramSizeBytes(histogram) + 8) / 16);
}

/** What a column of results counts for. */
export function columnSampleCount(column: StepColumn): number {
  if (column.histograms === null) return column.presentCount;
  let samples = 0;
  for (let step = 0; step < column.count; step++) {
    if (column.kinds[step] === FLOAT) samples++;
    else if (column.kinds[step] === HISTOGRAM) samples += histogramPointCount(column.histogramAt(step));
  }
  return samples;
}

function histogramSizeBytes(h: FloatHistogram): number {
  return (
    168 +
    8 *
      (h.positiveSpans.length +
        h.negativeSpans.length +
        h.positiveBuckets.length +
        h.negativeBuckets.length +
        h.customValues.length)
  );
}
