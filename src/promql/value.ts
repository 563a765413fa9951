/** What a query gives: the result of the engine, and what `api/result-json` turns into bytes. */
import type { FloatHistogram } from "../model/histogram.ts";
import type { Labels } from "../model/labels.ts";

export type QueryValue =
  | { readonly type: "scalar"; readonly timeMs: number; readonly value: number }
  | { readonly type: "string"; readonly timeMs: number; readonly value: string }
  | { readonly type: "vector"; readonly timeMs: number; readonly samples: readonly VectorSample[] }
  | { readonly type: "matrix"; readonly series: readonly MatrixSeries[] };

export interface VectorSample {
  readonly labels: Labels;
  readonly value: number;
  /** Set for a native histogram; `value` then means nothing. */
  readonly histogram: FloatHistogram | null;
}

/** One series of a range result: points ascending in time, floats and histograms apart as the API prints them. */
export interface MatrixSeries {
  readonly labels: Labels;
  readonly floatTimes: Float64Array;
  readonly floats: Float64Array;
  readonly histogramTimes: Float64Array;
  readonly histograms: readonly FloatHistogram[];
}

export interface QueryStatistics {
  /** In seconds, under the names they have in answers. */
  readonly timings: {
    readonly evalTotalTime: number;
    readonly resultSortTime: number;
    readonly queryPreparationTime: number;
    readonly innerEvalTime: number;
    readonly execQueueTime: number;
    readonly execTotalTime: number;
  };
  readonly samples: {
    readonly totalQueryableSamples: number;
    readonly samplesRead: number;
    readonly peakSamples: number;
    readonly totalQueryableSamplesPerStep: readonly (readonly [timeMs: number, samples: number])[] | null;
    readonly samplesReadPerStep: readonly (readonly [timeMs: number, samples: number])[] | null;
  };
}

/** Those of a query that failed, after so much time. */
export function statisticsOfFailure(queuedSeconds: number, evaluatedSeconds: number): QueryStatistics {
  return {
    timings: {
      evalTotalTime: evaluatedSeconds,
      resultSortTime: 0,
      queryPreparationTime: 0,
      innerEvalTime: evaluatedSeconds,
      execQueueTime: queuedSeconds,
      execTotalTime: queuedSeconds + evaluatedSeconds,
    },
    samples: {
      totalQueryableSamples: 0,
      samplesRead: 0,
      peakSamples: 0,
      totalQueryableSamplesPerStep: null,
      samplesReadPerStep: null,
    },
  };
}

export interface QueryResult {
  readonly value: QueryValue;
  /** Annotation texts, positions included as Prometheus prints them. */
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly statistics: QueryStatistics;
  /** Whether the result of a part of the query may not be a part of its result; the whole has to be run then. */
  readonly mustBeWhole: boolean;
}
