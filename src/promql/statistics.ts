import type { StepGrid } from "./exec/step-column.ts";

/** Counts what a query reads, per step if asked to. */
export class StatisticsCollector {
  totalQueryableSamples = 0;
  samplesRead = 0;
  /** Per step of the outermost grid; null unless asked for. */
  readonly queryablePerStep: Float64Array | null;
  readonly readPerStep: Float64Array | null;

  constructor(
    readonly grid: StepGrid,
    perStep: boolean,
  ) {
    this.queryablePerStep = perStep ? new Float64Array(grid.count) : null;
    this.readPerStep = perStep ? new Float64Array(grid.count) : null;
  }

  /** Samples looked at over all steps, and those read for the first time. */
  add(queryable: number, read: number): void {
    this.totalQueryableSamples += queryable;
    this.samplesRead += read;
  }

  /** The same, when per-step figures are wanted; `step` is of the outermost grid. */
  addAtStep(step: number, queryable: number, read: number): void {
    if (this.queryablePerStep) this.queryablePerStep[step]! += queryable;
    if (this.readPerStep) this.readPerStep[step]! += read;
  }
}
