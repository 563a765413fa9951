import "uplot/dist/uPlot.min.css";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import type { LabelsBody } from "../../api/types.ts";
import { formatTime, type TimeZone } from "../text/time.ts";
import { seriesSelector } from "../text/selector.ts";
import { basicPlotOptions } from "./basic-plot-options.ts";
import type { GraphColumns } from "./graph-columns.ts";
import { GraphTooltip } from "./graph-tooltip.ts";
import { seriesStyle } from "./series-palette.ts";

export interface GraphProps {
  readonly labels: readonly { readonly metric: LabelsBody }[];
  readonly columns: GraphColumns;
  readonly hidden: ReadonlySet<number>;
  /** The series to bring forward, the others fade; null for none. */
  readonly highlighted: number | null;
  readonly stacked: boolean;
  readonly yAxisFromZero: boolean;
  readonly timeZone: TimeZone;
  readonly scheme: "light" | "dark";
  /** Pixels. */
  readonly height: number;
  /** Called with the range, in milliseconds, that was dragged over. */
  readonly onZoom: (startMs: number, endMs: number) => void;
}

/** Fading all but one draws everything anew; beyond so many points that is no longer smooth. */
const MAX_POINTS_TO_FADE = 300_000;

function withAlpha(color: string, alpha: number): string {
  return (
    color +
    Math.round(alpha * 255)
      .toString(16)
      .padStart(2, "0")
  );
}

function verticalRange(fromZero: boolean): uPlot.Range.Function {
  return (_, low, high) => {
    if (low === null || high === null) return [0, 1];
    const [min, max] = uPlot.rangeNum(low, high, 0.08, true);
    return [fromZero ? Math.min(0, min ?? 0) : min, fromZero ? Math.max(0, max ?? 0) : max];
  };
}

function plotOptions(props: GraphProps, width: number, tooltip: GraphTooltip): uPlot.Options {
  const { columns, scheme, stacked } = props;
  const basic = basicPlotOptions({
    times: columns.times,
    width,
    height: props.height,
    timeZone: props.timeZone,
    scheme,
    verticalScale: { range: verticalRange(stacked || props.yAxisFromZero) },
    onZoom: props.onZoom,
  });
  return {
    ...basic,
    focus: { alpha: 0.18 },
    series: [
      {},
      ...props.labels.map(({ metric }, index): uPlot.Series => {
        const { color, dash } = seriesStyle(index, scheme);
        return {
          label: seriesSelector(metric),
          show: !props.hidden.has(index),
          stroke: color,
          width: 1.5,
          dash: [...dash],
          spanGaps: false,
          points: {
            show: false,
            size: 5,
            fill: color,
            filter: () => {
              const isolated = columns.isolated[index];
              return isolated && isolated.length > 0 ? [...isolated] : null;
            },
          },
          ...(stacked && { fill: withAlpha(color, 0.3) }),
        };
      }),
    ],
    ...(stacked && {
      bands: props.labels.slice(1).map((_, index): uPlot.Band => ({
        series: [index + 2, index + 1],
        fill: withAlpha(seriesStyle(index + 1, scheme).color, 0.3),
      })),
    }),
    hooks: { ...basic.hooks, setCursor: [(plot) => tooltip.follow(plot)] },
  };
}

/**
 * The graph itself. A new answer, scheme or mode makes a new plot, which takes a few milliseconds; hiding a
 * series and resizing change the one that is there.
 */
export default function Graph(props: GraphProps) {
  const { ref: sizer, width } = useElementSize();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const { columns, labels, scheme, stacked, yAxisFromZero, timeZone, height, hidden, highlighted } = props;
  const isMeasured = width > 0;

  useEffect(() => {
    if (!host.current || !isMeasured) return;
    const tooltip = new GraphTooltip({
      name: (index) => labels[index]?.metric ?? {},
      color: (index) => seriesStyle(index, scheme).color,
      value: (index, at) => columns.values[index]?.[at] ?? null,
      timeText: (seconds) => formatTime(Math.round(seconds * 1000), timeZone),
    });
    const made = new uPlot(
      plotOptions(
        { ...latest.current, onZoom: (startMs, endMs) => latest.current.onZoom(startMs, endMs) },
        host.current.clientWidth,
        tooltip,
      ),
      [columns.times, ...columns.drawn] as uPlot.AlignedData,
      host.current,
    );
    tooltip.attach(made);
    plot.current = made;
    return () => {
      plot.current = null;
      tooltip.remove();
      made.destroy();
    };
  }, [columns, labels, scheme, stacked, yAxisFromZero, timeZone, height, isMeasured]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width, height]);

  useEffect(() => {
    const made = plot.current;
    made?.batch(() => {
      labels.forEach((_, index) => {
        const show = !hidden.has(index);
        if (made.series[index + 1]?.show !== show) made.setSeries(index + 1, { show });
      });
    });
  }, [hidden, labels]);

  useEffect(() => {
    if (columns.times.length * labels.length > MAX_POINTS_TO_FADE) return;
    plot.current?.setSeries(highlighted === null ? null : highlighted + 1, { focus: true });
  }, [highlighted, columns, labels]);

  function moveCursor(event: React.KeyboardEvent) {
    const made = plot.current;
    const direction = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (!made || direction === 0) return;
    event.preventDefault();
    const from = made.cursor.idx ?? (direction > 0 ? -1 : columns.times.length);
    const to = Math.min(Math.max(from + direction, 0), columns.times.length - 1);
    const top = made.cursor.top !== undefined && made.cursor.top >= 0 ? made.cursor.top : height / 3;
    made.setCursor({ left: made.valToPos(columns.times[to] ?? 0, "x"), top });
  }

  return (
    <div ref={sizer} className="graph">
      <div
        ref={host}
        role="application"
        tabIndex={0}
        aria-label={`Graph of ${labels.length} series. Left and right arrow keys move through the values; drag to zoom.`}
        onKeyDown={moveCursor}
      />
    </div>
  );
}
