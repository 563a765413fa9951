import { formatDuration, parseDuration } from "../text/duration.ts";
import { formatTime, parseTime } from "../text/time.ts";

export type PanelTab = "table" | "graph" | "explain";
export type ResolutionDensity = "low" | "medium" | "high";
export type DisplayMode = "lines" | "stacked";

/** How far apart the points of a graph lie: so many over the range, or a step of its own. */
export type Resolution =
  | { readonly type: "auto"; readonly density: ResolutionDensity }
  | { readonly type: "fixed"; readonly stepMs: number };

/** All that one panel of the query page shows, as its address holds it. */
export interface PanelState {
  readonly expression: string;
  readonly tab: PanelTab;
  /** The time of the table and the right edge of the graph; null is now. */
  readonly endMs: number | null;
  readonly rangeMs: number;
  readonly resolution: Resolution;
  readonly displayMode: DisplayMode;
  readonly yAxisFromZero: boolean;
}

export const DEFAULT_PANEL: PanelState = {
  expression: "",
  tab: "table",
  endMs: null,
  rangeMs: 3_600_000,
  resolution: { type: "auto", density: "medium" },
  displayMode: "lines",
  yAxisFromZero: false,
};

/** More panels than this are not read from an address. */
const MAX_PANELS = 50;

const POINTS: Readonly<Record<ResolutionDensity, number>> = { low: 100, medium: 300, high: 1000 };

/** The step of a range query in milliseconds: at least a second when automatic, as scrapes are no denser. */
export function stepOf(resolution: Resolution, rangeMs: number): number {
  if (resolution.type === "fixed") return resolution.stepMs;
  return Math.max(1000, Math.floor(rangeMs / POINTS[resolution.density] / 1000) * 1000);
}

function applyParameter(state: PanelState, name: string, value: string): PanelState {
  switch (name) {
    case "expr":
      return { ...state, expression: value };
    case "tab":
      if (value === "0" || value === "graph") return { ...state, tab: "graph" };
      if (value === "explain") return { ...state, tab: "explain" };
      return { ...state, tab: "table" };
    case "end_input":
    case "moment_input":
      return { ...state, endMs: parseTime(value, "utc") };
    case "range_input": {
      const rangeMs = parseDuration(value);
      return rangeMs === null || rangeMs === 0 ? state : { ...state, rangeMs };
    }
    case "step_input":
    case "res_step": {
      const stepMs = parseDuration(value);
      return stepMs === null || stepMs === 0 ? state : { ...state, resolution: { type: "fixed", stepMs } };
    }
    case "res_density":
      return value === "low" || value === "medium" || value === "high"
        ? { ...state, resolution: { type: "auto", density: value } }
        : state;
    case "stacked":
      return { ...state, displayMode: value === "1" ? "stacked" : "lines" };
    case "display_mode":
      return { ...state, displayMode: value === "stacked" ? "stacked" : "lines" };
    case "y_axis_min":
      return { ...state, yAxisFromZero: value === "0" };
    default:
      return state;
  }
}

/**
 * The panels of an address's query string, in the parameters that Prometheus's links use (`g0.expr`,
 * `g0.range_input`, …), those of older versions too. What it doesn't know it leaves; always one panel at least.
 */
export function decodePanels(search: URLSearchParams): PanelState[] {
  const panels: PanelState[] = [];
  for (const [key, value] of search) {
    const match = /^g(\d{1,3})\.(.+)$/.exec(key);
    if (!match) continue;
    const index = Number(match[1]);
    if (index >= MAX_PANELS) continue;
    while (panels.length <= index) panels.push(DEFAULT_PANEL);
    panels[index] = applyParameter(panels[index] ?? DEFAULT_PANEL, match[2] ?? "", value);
  }
  return panels.length > 0 ? panels : [DEFAULT_PANEL];
}

/** The query string of the panels; `decodePanels` gives them back. */
export function encodePanels(panels: readonly PanelState[]): URLSearchParams {
  const search = new URLSearchParams();
  panels.forEach((panel, index) => {
    const set = (name: string, value: string) => search.set(`g${index}.${name}`, value);
    set("expr", panel.expression);
    set("tab", panel.tab);
    if (panel.endMs !== null) {
      set("end_input", formatTime(panel.endMs, "utc"));
      set("moment_input", formatTime(panel.endMs, "utc"));
    }
    set("range_input", formatDuration(panel.rangeMs));
    if (panel.resolution.type === "fixed") {
      set("res_type", "fixed");
      set("res_step", String(panel.resolution.stepMs / 1000));
      set("step_input", String(panel.resolution.stepMs / 1000));
    } else {
      set("res_type", "auto");
      set("res_density", panel.resolution.density);
    }
    set("display_mode", panel.displayMode);
    if (panel.yAxisFromZero) set("y_axis_min", "0");
  });
  return search;
}

/** The address, relative to the query page, that shows one expression: for links from rules and alerts. */
export function queryLink(expression: string, tab: PanelTab = "table"): string {
  return `/query?${encodePanels([{ ...DEFAULT_PANEL, expression, tab }])}`;
}
