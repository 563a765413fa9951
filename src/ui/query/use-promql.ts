import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import type { MatrixItem, QueryData, QueryStatsBody } from "../../api/types.ts";
import { apiPost, type ApiError } from "../api-client.ts";
import type { GraphGrid } from "./graph-columns.ts";
import { stepOf, type PanelState } from "./panel-state.ts";

/** More series than this the page doesn't ask for: the server cuts there and warns. */
const MAX_SERIES = 20_000;

interface Answered {
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  /** From the question to the last byte, as the reader waited. */
  readonly elapsedMs: number;
  readonly stats: QueryStatsBody | null;
}

export interface InstantAnswer extends Answered {
  readonly data: QueryData;
  readonly timeMs: number;
}

export interface RangeAnswer extends Answered {
  readonly series: readonly MatrixItem[];
  readonly grid: GraphGrid;
}

/** The value of an expression at one time (null: now). `run` counts how often it was asked for. */
export function useInstantQuery(
  expression: string,
  endMs: number | null,
  run: number,
): UseQueryResult<InstantAnswer, ApiError> {
  return useQuery<InstantAnswer, ApiError>({
    queryKey: ["query", expression, endMs, run],
    enabled: expression !== "",
    gcTime: 0,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const timeMs = endMs ?? Date.now();
      const startedAt = performance.now();
      const body = await apiPost<QueryData>(
        "query",
        { query: expression, time: timeMs / 1000, limit: MAX_SERIES, stats: "true" },
        signal,
      );
      return {
        data: body.data,
        warnings: body.warnings ?? [],
        infos: body.infos ?? [],
        elapsedMs: performance.now() - startedAt,
        stats: body.data.stats ?? null,
        timeMs,
      };
    },
  });
}

/** The values of an expression over the panel's range. `run` counts how often it was asked for. */
export function useRangeQuery(state: PanelState, run: number): UseQueryResult<RangeAnswer, ApiError> {
  const { expression, endMs, rangeMs, resolution } = state;
  return useQuery<RangeAnswer, ApiError>({
    queryKey: ["query", expression, endMs, rangeMs, resolution, run],
    enabled: expression !== "",
    gcTime: 0,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      // Now is the last full second: its points are easier to read and to compare.
      const endSeconds = endMs === null ? Math.floor(Date.now() / 1000) : endMs / 1000;
      const grid: GraphGrid = {
        startSeconds: endSeconds - rangeMs / 1000,
        endSeconds,
        stepSeconds: stepOf(resolution, rangeMs) / 1000,
      };
      const startedAt = performance.now();
      const body = await apiPost<QueryData>(
        "query_range",
        {
          query: expression,
          start: grid.startSeconds.toFixed(3),
          end: grid.endSeconds.toFixed(3),
          step: grid.stepSeconds,
          limit: MAX_SERIES,
          stats: "true",
        },
        signal,
      );
      return {
        series: body.data.resultType === "matrix" ? body.data.result : [],
        grid,
        warnings: body.warnings ?? [],
        infos: body.infos ?? [],
        elapsedMs: performance.now() - startedAt,
        stats: body.data.stats ?? null,
      };
    },
  });
}
