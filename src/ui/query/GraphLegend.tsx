import { Button, Group, Text } from "@mantine/core";
import { memo, useMemo } from "react";
import type { MatrixItem } from "../../api/types.ts";
import { commonLabelNames, SeriesName } from "../components/LabelSet.tsx";
import { seriesStyle } from "./series-palette.ts";

interface GraphLegendProps {
  readonly series: readonly MatrixItem[];
  readonly scheme: "light" | "dark";
  readonly hidden: ReadonlySet<number>;
  readonly onHide: (hidden: ReadonlySet<number>) => void;
  readonly onHighlight: (index: number | null) => void;
}

/** The names beside their lines. A click hides or shows one; with Ctrl, Command or Shift it leaves only that one. */
export const GraphLegend = memo(function GraphLegend({
  series,
  scheme,
  hidden,
  onHide,
  onHighlight,
}: GraphLegendProps) {
  const common = useMemo(() => commonLabelNames(series.map(({ metric }) => metric)), [series]);

  function toggle(index: number, onlyThis: boolean) {
    if (onlyThis) {
      onHide(new Set(series.map((_, other) => other).filter((other) => other !== index)));
      return;
    }
    const changed = new Set(hidden);
    if (!changed.delete(index)) changed.add(index);
    onHide(changed);
  }

  return (
    <div className="graph-legend">
      {series.length > 1 && (
        <Group gap="xs" mb={4}>
          <Text size="xs" c="dimmed">
            Click hides a series, Ctrl+click shows only that one.
          </Text>
          {hidden.size > 0 && (
            <Button size="compact-xs" variant="default" onClick={() => onHide(new Set())}>
              Show all
            </Button>
          )}
        </Group>
      )}
      <div className="legend-entries" role="group" aria-label="Series">
        {series.map(({ metric }, index) => {
          const { color, dash } = seriesStyle(index, scheme);
          return (
            <button
              key={index}
              type="button"
              className="legend-entry"
              aria-pressed={!hidden.has(index)}
              onClick={(event) => toggle(index, event.ctrlKey || event.metaKey || event.shiftKey)}
              onMouseEnter={() => onHighlight(index)}
              onMouseLeave={() => onHighlight(null)}
              onFocus={() => onHighlight(index)}
              onBlur={() => onHighlight(null)}
            >
              <svg width="22" height="10" aria-hidden="true">
                <line
                  x1="1"
                  x2="21"
                  y1="5"
                  y2="5"
                  stroke={color}
                  strokeWidth="3"
                  strokeDasharray={dash.join(" ")}
                />
              </svg>
              <SeriesName labels={metric} common={common} />
            </button>
          );
        })}
      </div>
    </div>
  );
});
