/**
 * Ten colours for each scheme, told apart by people with any of the common colour blindnesses: neighbours
 * in the list differ in lightness as well as in hue. All have a contrast of 3:1 and more with the page.
 */
export const SERIES_COLORS = {
  light: [
    "#0b6fb5", // blue
    "#c8500a", // vermilion
    "#0a8754", // green
    "#8a3fa0", // purple
    "#a67c00", // ochre
    "#12404f", // petrol
    "#d6457f", // pink
    "#5c8a00", // moss
    "#7a2e12", // brown
    "#4f63d2", // indigo
  ],
  dark: [
    "#5fb4f0", // blue
    "#ff8f4a", // vermilion
    "#35c48d", // green
    "#c794e8", // purple
    "#ead24c", // yellow
    "#9fd8e6", // pale petrol
    "#f57fae", // pink
    "#a5cc4b", // moss
    "#c98a6b", // brown
    "#8f9dff", // indigo
  ],
} as const;

const DASHES: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

export interface SeriesStyle {
  readonly color: string;
  /** Lengths of strokes and gaps in pixels; empty for a solid line. */
  readonly dash: readonly number[];
}

/** The style of the series at `index`: after ten colours the lines are dashed, so forty look different. */
export function seriesStyle(index: number, scheme: "light" | "dark"): SeriesStyle {
  const colors = SERIES_COLORS[scheme];
  return {
    color: colors[index % colors.length] ?? colors[0],
    dash: DASHES[Math.floor(index / colors.length) % DASHES.length] ?? [],
  };
}
