import { describe, expect, test } from "vitest";
import { SERIES_COLORS, seriesStyle } from "../../../src/ui/query/series-palette.ts";

type Color = readonly [number, number, number];

/** The background of the graph in each scheme. */
const GROUND = { light: "#ffffff", dark: "#1a1f1d" } as const;

function linear(hex: string): Color {
  const channel = (at: number) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

function times(matrix: readonly Color[], [a, b, c]: Color): Color {
  const [x = 0, y = 0, z = 0] = matrix.map((row) => row[0] * a + row[1] * b + row[2] * c);
  return [x, y, z];
}

/** Contrast as WCAG 2 defines it. */
function contrast(first: string, second: string): number {
  const luminance = (hex: string) => {
    const [red, green, blue] = linear(hex);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dim = 0, bright = 0] = [luminance(first), luminance(second)].sort((a, b) => a - b);
  return (bright + 0.05) / (dim + 0.05);
}

/** Linear RGB as people without one kind of cone see it (Machado, Oliveira, Fernandes 2009, severity 1). */
const VISIONS: Readonly<Record<string, readonly Color[]>> = {
  "all cones": [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/** Linear RGB to OKLab, where distances are about as they look. */
function oklab(rgb: Color): Color {
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    rgb,
  ).map(Math.cbrt) as unknown as Color;
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones,
  );
}

function distance(first: Color, second: Color): number {
  return Math.hypot(first[0] - second[0], first[1] - second[1], first[2] - second[2]);
}

describe.each(["light", "dark"] as const)("the colours of series on the %s page", (scheme) => {
  test("stand out from it, three to one", () => {
    for (const color of SERIES_COLORS[scheme]) {
      expect(contrast(color, GROUND[scheme]), color).toBeGreaterThanOrEqual(3);
    }
  });

  test.each(Object.keys(VISIONS))("are ten different ones with %s", (vision) => {
    const seen = SERIES_COLORS[scheme].map((color) => oklab(times(VISIONS[vision] ?? [], linear(color))));
    for (const [index, color] of seen.entries()) {
      for (const other of seen.slice(0, index)) {
        const names = `${SERIES_COLORS[scheme][index]} and ${SERIES_COLORS[scheme][seen.indexOf(other)]}`;
        expect(distance(color, other), names).toBeGreaterThan(0.07);
      }
    }
  });
});

test("series after the tenth have a colour again, and other strokes", () => {
  const styles = Array.from({ length: 40 }, (_, index) => JSON.stringify(seriesStyle(index, "light")));
  expect(new Set(styles).size).toBe(40);
  expect(seriesStyle(0, "light").dash).toEqual([]);
});
