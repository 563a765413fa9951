import "uplot/dist/uPlot.min.css";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { formatCompact } from "../text/number.ts";
import { formatTime, type TimeZone } from "../text/time.ts";
import { basicPlotOptions } from "./basic-plot-options.ts";
import type { HistogramCell, HistogramCells } from "./histogram-cells.ts";

export interface HistogramHeatmapProps {
  readonly heat: HistogramCells;
  readonly timeZone: TimeZone;
  readonly scheme: "light" | "dark";
  /** Pixels. */
  readonly height: number;
  /** Called with the range, in milliseconds, that was dragged over. */
  readonly onZoom: (startMs: number, endMs: number) => void;
}

/** From few to many, each step visible on its page. */
const HEAT = {
  light: [
    [226, 240, 214],
    [255, 190, 84],
    [214, 69, 16],
    [92, 20, 12],
  ],
  dark: [
    [40, 58, 48],
    [146, 58, 16],
    [240, 130, 30],
    [255, 240, 170],
  ],
} as const;

/** The colour of a share of the largest count; the root spreads the low shares, where most cells are. */
function heatColor(share: number, scheme: "light" | "dark"): string {
  const colors = HEAT[scheme];
  const place = Math.sqrt(share) * (colors.length - 1);
  const index = Math.min(Math.floor(place), colors.length - 2);
  const mix = place - index;
  const channels = colors[index]?.map((from, channel) =>
    Math.round(from + ((colors[index + 1]?.[channel] ?? from) - from) * mix),
  );
  return `rgb(${channels?.join(" ")})`;
}

/** The range of the vertical axis: powers of ten up from the smallest bound, mirrored when there are negatives. */
function verticalScale({ bounds, hasNegative }: HistogramCells): uPlot.Scale {
  const { min, max } = bounds ?? { min: 0.1, max: 1 };
  // A band below the smallest bound is left for the bucket of zero.
  if (!hasNegative) return { distr: 3, log: 10, range: () => [min / 2, max] };
  return { distr: 4, asinh: min, range: () => [-max, max] };
}

function drawCells(plot: uPlot, heat: HistogramCells, scheme: "light" | "dark"): void {
  const { ctx, bbox } = plot;
  const { min, max } = plot.scales["y"] ?? {};
  const step = (heat.times[1] ?? 1) - (heat.times[0] ?? 0);
  const clamp = (bound: number) => Math.min(Math.max(bound, min ?? bound), max ?? bound);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { at, lower, upper, count } of heat.cells) {
    const end = heat.times[at] ?? 0;
    const left = Math.floor(plot.valToPos(end - step, "x", true));
    const right = Math.ceil(plot.valToPos(end, "x", true));
    // The bucket of zero fills the band that is left for it.
    const shownUpper = !heat.hasNegative && upper < (heat.bounds?.min ?? 0) ? (heat.bounds?.min ?? 0) : upper;
    const top = Math.floor(plot.valToPos(clamp(shownUpper), "y", true));
    const bottom = Math.ceil(plot.valToPos(clamp(lower), "y", true));
    ctx.fillStyle = heatColor(count / heat.largestCount, scheme);
    ctx.fillRect(left, top, Math.max(right - left, 1), Math.max(bottom - top - 1, 1));
  }
  ctx.restore();
}

/** The cell at a place of the plot, or null. */
function cellAt(plot: uPlot, heat: HistogramCells): HistogramCell | null {
  const { left = -1, top = -1 } = plot.cursor;
  if (left < 0 || top < 0) return null;
  const step = (heat.times[1] ?? 1) - (heat.times[0] ?? 0);
  const at = Math.ceil((plot.posToVal(left, "x") - (heat.times[0] ?? 0)) / step);
  const value = plot.posToVal(top, "y");
  return heat.cells.find((cell) => cell.at === at && value > cell.lower && value <= cell.upper) ?? null;
}

/** Native histograms over time: the deeper the colour, the more observations in the bucket. */
export default function HistogramHeatmap({ heat, timeZone, scheme, height, onZoom }: HistogramHeatmapProps) {
  const { ref: sizer, width } = useElementSize();
  const host = useRef<HTMLDivElement>(null);
  const note = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const zoom = useRef(onZoom);
  zoom.current = onZoom;
  const isMeasured = width > 0;

  useEffect(() => {
    if (!host.current || !isMeasured) return;
    const describe = (made: uPlot) => {
      if (!note.current) return;
      const cell = cellAt(made, heat);
      note.current.textContent = cell
        ? `${formatTime(Math.round((heat.times[cell.at] ?? 0) * 1000), timeZone)}: ` +
          `${formatCompact(cell.count, 6)} from ${formatCompact(cell.lower)} to ${formatCompact(cell.upper)}`
        : "Point at a cell to see its bucket and count.";
    };
    const options = basicPlotOptions({
      times: heat.times,
      width: host.current.clientWidth,
      height,
      timeZone,
      scheme,
      verticalScale: verticalScale(heat),
      onZoom: (startMs, endMs) => zoom.current(startMs, endMs),
    });
    const made = new uPlot(
      {
        ...options,
        series: [{}, { show: true, paths: () => null, points: { show: false } }],
        hooks: {
          ...options.hooks,
          drawAxes: [(drawn) => drawCells(drawn, heat, scheme)],
          setCursor: [describe],
        },
      },
      // A line that isn't drawn: the plot wants a series for its vertical axis.
      [[...heat.times], heat.times.map(() => heat.bounds?.max ?? 1)],
      host.current,
    );
    describe(made);
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [heat, timeZone, scheme, height, isMeasured]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width, height]);

  return (
    <div ref={sizer} className="graph">
      <div ref={host} role="img" aria-label="Heat map of native histograms; drag to zoom." />
      <div ref={note} className="heatmap-note" role="status" />
    </div>
  );
}
