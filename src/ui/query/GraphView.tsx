import {
  Button,
  Checkbox,
  Group,
  SegmentedControl,
  Skeleton,
  Text,
  useComputedColorScheme,
} from "@mantine/core";
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { EmptyNotice, ErrorNotice } from "../components/PageState.tsx";
import { useSettings } from "../settings.tsx";
import { AnswerNotes, AnswerSummary, RunningBar } from "./AnswerNotes.tsx";
import { graphColumns } from "./graph-columns.ts";
import { histogramCells } from "./histogram-cells.ts";
import { GraphLegend } from "./GraphLegend.tsx";
import type { DisplayMode, PanelState } from "./panel-state.ts";
import { RangeField } from "./RangeField.tsx";
import { ResolutionField } from "./ResolutionField.tsx";
import { TimeField } from "./TimeField.tsx";
import { useRangeQuery, type RangeAnswer } from "./use-promql.ts";

const Graph = lazy(() => import("./Graph.tsx"));
const HistogramHeatmap = lazy(() => import("./HistogramHeatmap.tsx"));

/** So many series are drawn unasked: more can't be told apart and would cost seconds. */
const DRAWN_UNASKED = 200;
const GRAPH_HEIGHT = 360;

/** The state that shows what was dragged over: in full seconds, where that is fine enough. */
function zoomedTo(startMs: number, endMs: number): Partial<PanelState> {
  const grainMs = endMs - startMs > 10_000 ? 1000 : 1;
  const zoomedEndMs = Math.ceil(endMs / grainMs) * grainMs;
  return { endMs: zoomedEndMs, rangeMs: zoomedEndMs - Math.floor(startMs / grainMs) * grainMs };
}

function AnswerGraph({
  answer,
  state,
  onChange,
}: {
  answer: RangeAnswer;
  state: PanelState;
  onChange: (changes: Partial<PanelState>) => void;
}) {
  const { timeZone } = useSettings().settings;
  const scheme = useComputedColorScheme("light");
  const [hidden, setHidden] = useState<ReadonlySet<number>>(new Set());
  const [highlighted, setHighlighted] = useState<number | null>(null);
  const [drawAll, setDrawAll] = useState(false);
  // Hidden series are known by their place, which means nothing in another answer with other series.
  const names = useMemo(
    () => answer.series.map(({ metric }) => JSON.stringify(metric)).join("\n"),
    [answer.series],
  );
  useEffect(() => setHidden(new Set()), [names]);

  const series = useMemo(
    () => (drawAll ? answer.series : answer.series.slice(0, DRAWN_UNASKED)),
    [answer.series, drawAll],
  );
  const stacked = state.displayMode === "stacked";
  const columns = useMemo(
    () =>
      graphColumns(
        stacked ? series.map((item, index) => (hidden.has(index) ? { metric: item.metric } : item)) : series,
        answer.grid,
        stacked,
      ),
    // Hiding changes the sums of a stack, and nothing in lines.
    [series, answer.grid, stacked, stacked ? hidden : null],
  );
  // Native histograms have their own plot; series that aren't hidden are added up in it.
  const heat = useMemo(() => {
    const shown = series.filter(
      ({ histograms }, index) => histograms !== undefined && histograms.length > 0 && !hidden.has(index),
    );
    return shown.length > 0 ? histogramCells(shown, answer.grid) : null;
  }, [series, hidden, answer.grid]);
  const isBlank = useMemo(
    () =>
      series.some(({ values = [] }) => values.length > 0) &&
      columns.values.every((column) => column.every((value) => value === null)) &&
      hidden.size === 0,
    [series, columns, hidden],
  );
  const hasFloats = series.some(({ values }) => values !== undefined && values.length > 0);

  if (answer.series.length === 0) {
    return <EmptyNotice title="No series">Nothing matches the expression in this range.</EmptyNotice>;
  }
  return (
    <>
      {heat && (
        <Suspense fallback={<Skeleton height={GRAPH_HEIGHT} />}>
          <HistogramHeatmap
            heat={heat}
            timeZone={timeZone}
            scheme={scheme}
            height={GRAPH_HEIGHT}
            onZoom={(startMs, endMs) => onChange(zoomedTo(startMs, endMs))}
          />
        </Suspense>
      )}
      {isBlank && (
        <Text size="sm" c="dimmed" ta="center" mt="xs">
          All values are NaN or infinite: there is nothing to draw. The table shows them.
        </Text>
      )}
      {hasFloats && (
        <Suspense fallback={<Skeleton height={GRAPH_HEIGHT} />}>
          <Graph
            labels={series}
            columns={columns}
            hidden={hidden}
            highlighted={highlighted}
            stacked={stacked}
            yAxisFromZero={state.yAxisFromZero}
            timeZone={timeZone}
            scheme={scheme}
            height={GRAPH_HEIGHT}
            onZoom={(startMs, endMs) => onChange(zoomedTo(startMs, endMs))}
          />
        </Suspense>
      )}
      {answer.series.length > DRAWN_UNASKED && (
        <Group gap="xs" my="xs">
          <Text size="sm" c="dimmed">
            {drawAll ? "All" : `The first ${DRAWN_UNASKED} of`} {answer.series.length} series are drawn.
          </Text>
          <Button size="compact-xs" variant="default" onClick={() => setDrawAll(!drawAll)}>
            {drawAll ? `Draw the first ${DRAWN_UNASKED}` : "Draw all"}
          </Button>
        </Group>
      )}
      <GraphLegend
        series={series}
        scheme={scheme}
        hidden={hidden}
        onHide={setHidden}
        onHighlight={setHighlighted}
      />
    </>
  );
}

/** The Graph tab: the expression over a range. */
export function GraphView({
  state,
  run,
  onChange,
}: {
  state: PanelState;
  run: number;
  onChange: (changes: Partial<PanelState>) => void;
}) {
  const answer = useRangeQuery(state, run);
  return (
    <>
      <Group justify="space-between" className="query-controls">
        <Group gap="sm">
          <RangeField valueMs={state.rangeMs} onChange={(rangeMs) => onChange({ rangeMs })} />
          <TimeField
            label="End"
            valueMs={state.endMs}
            stepMs={state.rangeMs / 2}
            onChange={(endMs) => onChange({ endMs })}
          />
          <ResolutionField
            value={state.resolution}
            rangeMs={state.rangeMs}
            onChange={(resolution) => onChange({ resolution })}
          />
          <SegmentedControl
            size="xs"
            aria-label="Kind of graph"
            value={state.displayMode}
            onChange={(mode) => onChange({ displayMode: mode as DisplayMode })}
            data={[
              { value: "lines", label: "Lines" },
              { value: "stacked", label: "Stacked" },
            ]}
          />
          <Checkbox
            size="xs"
            label="From zero"
            checked={state.yAxisFromZero}
            onChange={(event) => onChange({ yAxisFromZero: event.currentTarget.checked })}
          />
        </Group>
        {answer.data && !answer.isError && (
          <AnswerSummary
            count={answer.data.series.length}
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
        <EmptyNotice title="Nothing asked yet">Type an expression above and press Enter.</EmptyNotice>
      ) : !answer.data ? (
        <Skeleton height={GRAPH_HEIGHT} />
      ) : (
        <>
          <AnswerNotes warnings={answer.data.warnings} infos={answer.data.infos} />
          <AnswerGraph answer={answer.data} state={state} onChange={onChange} />
        </>
      )}
    </>
  );
}
