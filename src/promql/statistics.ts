import type { StepColumn, StepGrid } from "./exec/step-column.ts";

/** Counts the samples a query looks at. */
export interface SampleCounter {
  /** Samples looked at over all steps, and how many of them for the first time. */
  add(queryable: number, read: number): void;
  /** Samples of an instant selector's column, which count for `samples`. */
  addColumn(column: StepColumn, samples: number): void;
}

/** The counter of the outermost grid; keeps figures per step if asked to. */
export class StatisticsCollector implements SampleCounter {
  totalQueryableSamples = 0;
  samplesRead = 0;
  readonly queryablePerStep: Float64Array | null;
  readonly readPerStep: Float64Array | null;

  constructor(
    readonly grid: StepGrid,
    perStep: boolean,
  ) {
    this.queryablePerStep = perStep ? new Float64Array(grid.count) : null;
    this.readPerStep = perStep ? new Float64Array(grid.count) : null;
  }

  add(queryable: number, read: number): void {
    this.totalQueryableSamples += queryable;
    this.samplesRead += read;
  }

  addColumn(column: StepColumn, samples: number): void {
    this.totalQueryableSamples += samples;
    this.samplesRead += samples;
    if (this.queryablePerStep === null || column.count !== this.queryablePerStep.length) return;
    for (let step = 0; step < column.count; step++) {
      if (column.kinds[step] === 0) continue;
      this.queryablePerStep[step]!++;
      this.readPerStep![step]!++;
    }
  }
}
