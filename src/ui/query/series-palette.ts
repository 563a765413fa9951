/**
 * Ten colours for each scheme. All have a contrast of 3:1 and more with the page, and any two are told apart
 * by people with any of the common colour blindnesses, as they differ in lightness as well as in hue; the
 * test calculates both.
 */
export const SERIES_COLORS = {
  light: [
    "#006daa", // blue
    "#9e3800", // rust
    "#32664b", // fir
    "#7f28ce", // violet
    "#929928", // olive
    "#183e53", // petrol
    "#c6317b", // magenta
    "#2c8a37", // green
    "#68270f", // brown
    "#6a85d4", // periwinkle
  ],
  dark: [
    "#229ec2", // blue
    "#fb6d00", // orange
    "#0edba5", // mint
    "#c4a1ff", // lilac
    "#c3e400", // lime
    "#9ddfff", // ice
    "#d66899", // pink
    "#ddb861", // sand
    "#a17858", // brown
    "#7a7aee", // indigo
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
