import type { QueryMemory } from "../../kernels/index.ts";
import type { WindowKernel } from "../../kernels/index.ts";
import type { Labels } from "../../model/labels.ts";
import type { Querier } from "../../model/storage.ts";
import type { Annotations } from "../annotations.ts";
import type { QueryLimits } from "../limits.ts";
import type { SampleCounter, StatisticsCollector } from "../statistics.ts";
import type { ColumnPool, StepColumn, StepGrid } from "./step-column.ts";

/** What switches change at run time. */
export interface ExecutionFeatures {
  /** Names go at the very end instead of in each function. */
  readonly delayedNameRemoval: boolean;
  /** rate, irate, increase and resets take start timestamps into account. */
  readonly useStartTimestamps: boolean;
  /** `__type__` and `__unit__` are written by the scraper. */
  readonly typeAndUnitLabels: boolean;
}

/** What all operators of one query share. */
export interface ExecutionContext {
  readonly memory: QueryMemory;
  readonly kernel: WindowKernel;
  readonly columns: ColumnPool;
  readonly querier: Pick<Querier, "select">;
  readonly lookbackMs: number;
  readonly limits: QueryLimits;
  readonly annotations: Annotations;
  /** Counts what is read at the steps of this part of the query. */
  readonly statistics: SampleCounter;
  /** Where all counting ends up; for work that must not count twice. */
  readonly collector: StatisticsCollector;
  readonly features: ExecutionFeatures;
  /** What operators find that keeps the query from being divided (`plan/division.ts`). */
  readonly wholeness: { mustBeWhole: boolean };
}

/**
 * Gives instant vectors, series by series: the series are known first (labels, in evaluation order), then each is
 * read as one column over all steps. An operator consumes its child one series at a time and keeps no matrix of it.
 *
 * Series may be read in any order and more than once; a reader that needs one often keeps a copy.
 */
export interface VectorOperator {
  readonly type: "vector";
  readonly grid: StepGrid;
  /** How many series it may give; some may turn out to be empty. Asking may make an operator do its work. */
  readonly count: number;
  labels(index: number): Labels;
  /** With delayed name removal: whether the series loses its name, type and unit at the end. */
  dropsName(index: number): boolean;
  /**
   * Whether two of its series may be equal but for name, type and unit, so that dropping those can make duplicates.
   * False lets readers skip looking at labels at all.
   */
  readonly namesDiffer: boolean;
  /** Replaces `out`, a column of this operator's grid, with series `index`. */
  read(index: number, out: StepColumn): void;
}

/** Gives one number per step. */
export interface ScalarOperator {
  readonly type: "scalar";
  readonly grid: StepGrid;
  /** Set where all steps have this value. */
  readonly constant: number | null;
  /** The values of all steps; computed once. Not to be written to. */
  values(): Float64Array;
}

export interface StringOperator {
  readonly type: "string";
  readonly value: string;
}
