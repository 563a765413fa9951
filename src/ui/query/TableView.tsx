import { Group, Text } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useMemo, useRef } from "react";
import type { HistogramBody, QueryData, SamplePair } from "../../api/types.ts";
import { CopyButton } from "../components/CopyButton.tsx";
import { SeriesName } from "../components/LabelSet.tsx";
import { EmptyNotice, ErrorNotice, LoadingRows } from "../components/PageState.tsx";
import { useTimeText } from "../settings.tsx";
import { seriesSelector } from "../text/selector.ts";
import { AnswerNotes, AnswerSummary, RunningBar } from "./AnswerNotes.tsx";
import { HistogramValue } from "./HistogramValue.tsx";
import type { PanelState } from "./panel-state.ts";
import { TimeField } from "./TimeField.tsx";
import { useInstantQuery } from "./use-promql.ts";

type Labels = Readonly<Record<string, string>>;

interface Row {
  /** Null for scalars and strings, which have no name. */
  readonly labels: Labels | null;
  readonly values: readonly SamplePair[];
  readonly histograms: readonly HistogramBody[];
}

const SINGLE_TYPES: readonly string[] = ["scalar", "string"];

/** Of the samples of a range selector so many are written out per series. */
const MAX_SAMPLES_SHOWN = 50;

function rowsOf(data: QueryData): readonly Row[] {
  switch (data.resultType) {
    case "vector":
      return data.result.map(({ metric, value, histogram }) => ({
        labels: metric,
        values: value ? [value] : [],
        histograms: histogram ? [histogram[1]] : [],
      }));
    case "matrix":
      return data.result.map(({ metric, values = [], histograms = [] }) => ({
        labels: metric,
        values,
        histograms: histograms.map(([, histogram]) => histogram),
      }));
    case "scalar":
    case "string":
      return [{ labels: null, values: [data.result], histograms: [] }];
  }
}

function RangeSamples({ values }: { values: readonly SamplePair[] }) {
  const timeText = useTimeText();
  return (
    <div className="range-samples">
      {values.slice(-MAX_SAMPLES_SHOWN).map(([seconds, value]) => (
        <div key={seconds}>
          {value} <span className="dim">@ {timeText(seconds * 1000)}</span>
        </div>
      ))}
      {values.length > MAX_SAMPLES_SHOWN && (
        <div className="dim">and {values.length - MAX_SAMPLES_SHOWN} earlier ones</div>
      )}
    </div>
  );
}

const ResultRow = memo(function ResultRow({ row, isRange }: { row: Row; isRange: boolean }) {
  return (
    <>
      <div className="result-name" role="cell">
        {row.labels ? (
          <>
            <SeriesName labels={row.labels} />
            <span className="row-tools">
              <CopyButton text={seriesSelector(row.labels)} label="Copy the selector of this series" />
            </span>
          </>
        ) : (
          <span className="dim">a single value</span>
        )}
      </div>
      <div className="result-value" role="cell">
        {isRange ? <RangeSamples values={row.values} /> : row.values.map(([, value]) => value).join(" ")}
        {row.histograms.map((histogram, index) => (
          <HistogramValue key={index} histogram={histogram} />
        ))}
      </div>
    </>
  );
});

/** The rows in a box that scrolls; only those in sight are in the page, so ten thousand are no burden. */
function ResultRows({ rows, isRange }: { rows: readonly Row[]; isRange: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => 31,
    overscan: 20,
  });
  return (
    <div
      ref={box}
      className="result-box"
      role="table"
      aria-label="Result"
      aria-rowcount={rows.length}
      tabIndex={0}
    >
      <div role="rowgroup" style={{ height: virtualizer.getTotalSize(), position: "relative" }}>
        {virtualizer.getVirtualItems().map((item) => {
          const row = rows[item.index];
          return (
            row && (
              <div
                key={item.key}
                ref={virtualizer.measureElement}
                data-index={item.index}
                className="result-row"
                role="row"
                aria-rowindex={item.index + 1}
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <ResultRow row={row} isRange={isRange} />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}

/** The Table tab: the expression at one time. */
export function TableView({
  state,
  run,
  onChange,
}: {
  state: PanelState;
  run: number;
  onChange: (changes: Partial<PanelState>) => void;
}) {
  const answer = useInstantQuery(state.expression, state.endMs, run);
  const timeText = useTimeText();
  const rows = useMemo(() => (answer.data ? rowsOf(answer.data.data) : []), [answer.data]);
  return (
    <>
      <Group justify="space-between" className="query-controls">
        <Group gap="sm">
          <TimeField
            label="Time"
            valueMs={state.endMs}
            stepMs={Math.max(60_000, state.rangeMs / 2)}
            onChange={(endMs) => onChange({ endMs })}
          />
          {answer.data && !answer.isError && (
            <Text size="sm" c="dimmed">
              as of {timeText(Math.floor(answer.data.timeMs / 1000) * 1000)}
            </Text>
          )}
        </Group>
        {answer.data && !answer.isError && (
          <AnswerSummary
            count={rows.length}
            noun={SINGLE_TYPES.includes(answer.data.data.resultType) ? answer.data.data.resultType : "series"}
            elapsedMs={answer.data.elapsedMs}
            stats={answer.data.stats}
            loading={answer.isFetching}
          />
        )}
      </Group>
      <RunningBar running={answer.isFetching} />
      {answer.isError ? (
        <ErrorNotice error={answer.error} onRetry={() => void answer.refetch()} />
      ) : state.expression === "" ? (
        <EmptyNotice title="Nothing asked yet">
          Type an expression above and press Enter, or look through the metrics with the list button.
        </EmptyNotice>
      ) : !answer.data ? (
        <LoadingRows count={4} />
      ) : (
        <div style={{ opacity: answer.isPlaceholderData ? 0.5 : 1 }}>
          <AnswerNotes warnings={answer.data.warnings} infos={answer.data.infos} />
          {rows.length === 0 ? (
            <EmptyNotice title="No series">
              The expression is right, and nothing matches it at this time.
            </EmptyNotice>
          ) : (
            <ResultRows rows={rows} isRange={answer.data.data.resultType === "matrix"} />
          )}
        </div>
      )}
    </>
  );
}
