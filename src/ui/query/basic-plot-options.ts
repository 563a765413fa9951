import uPlot from "uplot";
import { formatCompact } from "../text/number.ts";
import { formatTime, type TimeZone } from "../text/time.ts";

const COLORS = {
  light: { text: "#4d5751", grid: "rgba(70, 90, 80, 0.13)" },
  dark: { text: "#a9b3ad", grid: "rgba(190, 215, 200, 0.10)" },
} as const;

const AXIS_FONT = '12px "Inter Variable", Inter, "Segoe UI", Roboto, "Helvetica Neue", system-ui, sans-serif';

/** Times on the axis: only what changes from tick to tick, with the date where a day begins. */
function timeTicks(splits: readonly number[], zone: TimeZone): string[] {
  const texts = splits.map((seconds) => formatTime(Math.round(seconds * 1000), zone));
  const withSeconds = texts.some((text) => !text.endsWith(":00"));
  const onlyDays = texts.every((text) => text.endsWith("00:00:00"));
  return texts.map((text, index) => {
    const date = text.slice(5, 10);
    if (onlyDays) return date;
    const isNewDay = index > 0 && texts[index - 1]?.slice(0, 10) !== text.slice(0, 10);
    const time = text.slice(11, withSeconds ? undefined : 16);
    return isNewDay ? `${time}\n${date}` : time;
  });
}

function axisWidth(plot: uPlot, values: readonly string[] | null): number {
  if (!values) return 40;
  plot.ctx.font = AXIS_FONT;
  const widest = Math.max(...values.map((text) => plot.ctx.measureText(text ?? "").width));
  return Math.ceil(widest / devicePixelRatio) + 18;
}

/** What every plot of ours has alike: axes, fonts, a time axis in the reader's zone, and zoom by drag. */
export function basicPlotOptions({
  times,
  width,
  height,
  timeZone,
  scheme,
  verticalScale,
  onZoom,
}: {
  readonly times: readonly number[];
  readonly width: number;
  readonly height: number;
  readonly timeZone: TimeZone;
  readonly scheme: "light" | "dark";
  readonly verticalScale: uPlot.Scale;
  readonly onZoom: (startMs: number, endMs: number) => void;
}): Omit<uPlot.Options, "series"> {
  const colors = COLORS[scheme];
  const axis = {
    font: AXIS_FONT,
    stroke: colors.text,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height,
    // Local or UTC by our own labels; ticks fall on full hours of the zone.
    tzDate: (seconds) =>
      timeZone === "utc" ? uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") : new Date(seconds * 1000),
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: 4 },
      bind: { dblclick: () => null },
    },
    scales: {
      x: { time: true, range: () => [times[0] ?? 0, times.at(-1) ?? 1] },
      y: verticalScale,
    },
    axes: [
      { ...axis, space: 72, size: 34, values: (_, splits) => timeTicks(splits, timeZone) },
      {
        ...axis,
        gap: 6,
        size: (plot, values) => axisWidth(plot, values),
        // A logarithmic axis leaves some of its ticks without a number.
        values: (_, splits) => splits.map((value) => (value === null ? "" : formatCompact(value, 6))),
      },
    ],
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width: selected } = plot.select;
          if (selected <= 0) return;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          onZoom(plot.posToVal(left, "x") * 1000, plot.posToVal(left + selected, "x") * 1000);
        },
      ],
    },
  };
}
