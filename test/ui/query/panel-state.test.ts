import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DEFAULT_PANEL,
  decodePanels,
  encodePanels,
  stepOf,
  type PanelState,
} from "../../../src/ui/query/panel-state.ts";

const decode = (search: string) => decodePanels(new URLSearchParams(search));

describe("the address of the query page", () => {
  test("gives the panels back as they were", () => {
    const panel: fc.Arbitrary<PanelState> = fc.record({
      expression: fc.string({ unit: "binary" }),
      tab: fc.constantFrom("table", "graph", "explain"),
      endMs: fc.option(fc.integer({ min: 1e12, max: 2e12 })),
      rangeMs: fc.integer({ min: 1, max: 1e11 }),
      resolution: fc.oneof(
        fc.record({
          type: fc.constant("auto" as const),
          density: fc.constantFrom("low" as const, "medium" as const, "high" as const),
        }),
        fc.record({ type: fc.constant("fixed" as const), stepMs: fc.integer({ min: 1, max: 1e9 }) }),
      ),
      displayMode: fc.constantFrom("lines", "stacked"),
      yAxisFromZero: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(panel, { minLength: 1, maxLength: 4 }), (panels) => {
        expect(decodePanels(new URLSearchParams(encodePanels(panels).toString()))).toEqual(panels);
      }),
    );
  });

  test("is read in the form that Prometheus 3 writes", () => {
    expect(
      decode(
        "g0.expr=rate(x%5B5m%5D)&g0.show_tree=0&g0.tab=graph&g0.end_input=2026-01-02%2015%3A04%3A05" +
          "&g0.moment_input=2026-01-02%2015%3A04%3A05&g0.range_input=6h&g0.res_type=fixed&g0.res_step=15" +
          "&g0.display_mode=stacked&g0.y_axis_min=0&g0.show_exemplars=0&g1.expr=up&g1.tab=table",
      ),
    ).toEqual([
      {
        expression: "rate(x[5m])",
        tab: "graph",
        endMs: Date.UTC(2026, 0, 2, 15, 4, 5),
        rangeMs: 21_600_000,
        resolution: { type: "fixed", stepMs: 15_000 },
        displayMode: "stacked",
        yAxisFromZero: true,
      },
      { ...DEFAULT_PANEL, expression: "up" },
    ]);
  });

  test("is read in the form of older versions, whose links are in old runbooks", () => {
    expect(decode("g0.expr=up&g0.tab=0&g0.stacked=1&g0.range_input=2w&g0.step_input=60")).toEqual([
      {
        ...DEFAULT_PANEL,
        expression: "up",
        tab: "graph",
        displayMode: "stacked",
        rangeMs: 14 * 86_400_000,
        resolution: { type: "fixed", stepMs: 60_000 },
      },
    ]);
    expect(decode("g0.tab=1")[0]?.tab).toBe("table");
  });

  test("may be wrong anywhere: what makes no sense is left at its default", () => {
    expect(
      decode("g0.range_input=long&g0.end_input=never&g0.tab=9&g0.step_input=0&g0.colour=red&page=2"),
    ).toEqual([DEFAULT_PANEL]);
    expect(decode("")).toEqual([DEFAULT_PANEL]);
  });

  test("can't ask for panels without number", () => {
    expect(decode("g900.expr=up")).toEqual([DEFAULT_PANEL]);
    expect(decode("g49.expr=up")).toHaveLength(50);
    expect(decode("g50.expr=up")).toEqual([DEFAULT_PANEL]);
  });
});

test("the automatic step divides the range into points, but no finer than a second", () => {
  expect(stepOf({ type: "auto", density: "medium" }, 3_600_000)).toBe(12_000);
  expect(stepOf({ type: "auto", density: "high" }, 60_000)).toBe(1000);
  expect(stepOf({ type: "fixed", stepMs: 250 }, 60_000)).toBe(250);
});
