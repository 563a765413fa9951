import "uplot/dist/uPlot.min.css";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import type { LabelsBody } from "../../api/types.ts";
import { formatCompact } from "../text/number.ts";
import { formatTime, type TimeZone } from "../text/time.ts";
import { seriesSelector } from "../text/selector.ts";
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

const COLORS = {
  light: { text: "#4d5751", grid: "rgba(70, 90, 80, 0.13)" },
  dark: { text: "#a9b3ad", grid: "rgba(190, 215, 200, 0.10)" },
} as const;

function withAlpha(color: string, alpha: number): string {
  return (
    color +
    Math.round(alpha * 255)
      .toString(16)
      .padStart(2, "0")
  );
}

/** Times on the axis: only what changes from tick to tick, with the date where a day begins. */
function timeTicks(splits: readonly number[], zone: TimeZone): string[] {
  const texts = splits.map((seconds) => formatTime(Math.round(seconds * 1000), zone));
  const withSeconds = texts.some((text) => !text.endsWith(":00"));
  const onlyDays = texts.every((text) => text.endsWith("00:00:00"));
  return texts.map((text, index) => {
    const date = text.slice(5, 10);
    const isNewDay = index === 0 ? false : texts[index - 1]?.slice(0, 10) !== text.slice(0, 10);
    if (onlyDays) return date;
    const time = text.slice(11, withSeconds ? undefined : 16);
    return isNewDay ? `${time}\n${date}` : time;
  });
}

function axisWidth(plot: uPlot, values: readonly string[] | null): number {
  if (!values) return 40;
  plot.ctx.font = AXIS_FONT;
  const widest = Math.max(...values.map((text) => plot.ctx.measureText(text).width));
  return Math.ceil(widest / devicePixelRatio) + 18;
}

const AXIS_FONT = '12px "Inter Variable", Inter, "Segoe UI", Roboto, "Helvetica Neue", system-ui, sans-serif';

function plotOptions(
  props: GraphProps,
  width: number,
  tooltip: GraphTooltip,
  zoom: (plot: uPlot) => void,
): uPlot.Options {
  const { columns, scheme, stacked, timeZone } = props;
  const colors = COLORS[scheme];
  const axis = {
    font: AXIS_FONT,
    stroke: colors.text,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: props.height,
    // Local or UTC by our own labels; ticks fall on full hours of the zone.
    tzDate: (seconds) =>
      timeZone === "utc" ? uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") : new Date(seconds * 1000),
    legend: { show: false },
    focus: { alpha: 0.18 },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      bind: { dblclick: () => null },
    },
    scales: {
      x: { time: true, range: () => [columns.times[0] ?? 0, columns.times.at(-1) ?? 1] },
      y: {
        range: (_, low, high) => {
          if (low === null || high === null) return [0, 1];
          const [min, max] = uPlot.rangeNum(low, high, 0.08, true);
          const zero = stacked || props.yAxisFromZero;
          return [zero ? Math.min(0, min ?? 0) : min, zero ? Math.max(0, max ?? 0) : max];
        },
      },
    },
    axes: [
      { ...axis, space: 90, size: 34, values: (_, splits) => timeTicks(splits, timeZone) },
      {
        ...axis,
        gap: 6,
        size: (plot, values) => axisWidth(plot, values),
        values: (_, splits) => splits.map((value) => formatCompact(value, 6)),
      },
    ],
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
    hooks: {
      setCursor: [(plot) => tooltip.follow(plot)],
      setSelect: [zoom],
    },
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
    const zoom = (made: uPlot) => {
      const { left, width: selected } = made.select;
      if (selected <= 0) return;
      made.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      latest.current.onZoom(made.posToVal(left, "x") * 1000, made.posToVal(left + selected, "x") * 1000);
    };
    const made = new uPlot(
      plotOptions(latest.current, host.current.clientWidth, tooltip, zoom),
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
