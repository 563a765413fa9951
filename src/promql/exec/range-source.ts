import type { SampleSlice, WindowGrid } from "../../kernels/index.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { Labels } from "../../model/labels.ts";
import type { RangeExtension } from "../parse/ast.ts";

/** The samples of one series, ascending in time, staleness markers dropped. Valid until the next read of its source. */
export interface RangeSamples {
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly count: number;
  /** By sample index; null when all samples are floats. */
  readonly histograms: readonly (FloatHistogram | undefined)[] | null;
  /** Start timestamps, 0 where unknown; null where none is known or they are not to be used. */
  readonly startTimes: Float64Array | null;
}

/** Gives range vectors, series by series: a range selector or a subquery. */
export interface RangeSource {
  readonly type: "matrix";
  /** The window at each step of the outer grid; its step is 0 where `@` holds it still. */
  readonly windows: WindowGrid;
  readonly extension: RangeExtension | null;
  readonly count: number;
  /** As VectorOperator's. */
  labels(index: number): Labels;
  dropsName(index: number): boolean;
  readonly namesDiffer: boolean;
  /** The name all series share, where that is known without looking; else null. */
  readonly commonName: string | null;
  read(index: number): RangeSamples;
  /**
   * As `read`, or where the samples are kept in memory: floats only, markers dropped, and beside them samples that no
   * window holds.
   */
  readInPlace?(index: number): SampleSlice | RangeSamples;
  /** Whether what it reads is counted below it already; a selector leaves that to those who look at its windows. */
  readonly countsOwnReads: boolean;
  /** What has been looked at below it so far, where that is not what its windows hold: at the inner steps of a subquery. */
  readonly innerQueryableSamples?: number;
}
