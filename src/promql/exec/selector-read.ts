import type { Matcher } from "../../model/matcher.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import type { Querier, SeriesSet } from "../../model/storage.ts";

/** Which series a selector reads, and which stretch of time: offset, `@`, range and lookback taken into account. */
export interface SelectorRead {
  /** Where the selector looks at the first step, and how far that moves with each step (0 under `@`). */
  readonly firstMs: number;
  readonly stepMs: number;
  readonly lookbackMs: number;
  /** Both included. */
  readonly minTime: number;
  readonly maxTime: number;
  /** Whether only count and sum of histograms are wanted. */
  readonly statisticsOnly: boolean;
  /** The metric name all series share, where a matcher fixes it. */
  readonly commonName: string | null;
  select(querier: Pick<Querier, "select">): SeriesSet;
}

export function selectorRead(options: {
  readonly matchers: readonly Matcher[];
  readonly firstMs: number;
  readonly stepMs: number;
  readonly lookbackMs: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly statisticsOnly: boolean;
}): SelectorRead {
  const { matchers, firstMs, stepMs, lookbackMs, minTime, maxTime, statisticsOnly } = options;
  const fixed = matchers.find((m) => m.name === METRIC_NAME && m.type === "=" && m.value !== "");
  return {
    firstMs,
    stepMs,
    lookbackMs,
    minTime,
    maxTime,
    statisticsOnly,
    commonName: fixed?.value ?? null,
    select: (querier) => querier.select(matchers, minTime, maxTime),
  };
}
