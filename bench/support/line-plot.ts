/** One line of a panel: its points from left to right. */
export interface PlotLine {
  readonly name: string;
  readonly color: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface PlotPanel {
  readonly title: string;
  readonly lines: readonly PlotLine[];
}

const WIDTH = 260;
const HEIGHT = 200;
const MARGIN = { left: 52, right: 14, top: 30, bottom: 40 };

/**
 * Panels side by side as an SVG image, both axes logarithmic and the vertical one common to all, so that a line that
 * rises by 45° is one that grows in proportion.
 */
export function linePlots(options: {
  readonly panels: readonly PlotPanel[];
  readonly xLabel: string;
  readonly yLabel: string;
}): string {
  const { panels, xLabel, yLabel } = options;
  const points = panels.flatMap(({ lines }) => lines.flatMap((line) => line.points));
  const y = logScale(
    points.map(([, value]) => value),
    HEIGHT - MARGIN.bottom,
    MARGIN.top,
  );
  const drawn = panels.map((panel, index) => {
    const x = logScale(
      panel.lines.flatMap((line) => line.points.map(([value]) => value)),
      MARGIN.left,
      WIDTH - MARGIN.right,
    );
    return `<g transform="translate(${index * WIDTH} 0)">${drawPanel(panel, x, y, xLabel)}</g>`;
  });
  const names = panels[0]!.lines.map(
    ({ name, color }, i) =>
      `<g transform="translate(${MARGIN.left + 130 * i} ${HEIGHT + 14})"><line x2="18" y1="-4" y2="-4" stroke="${color}" stroke-width="2.5"/><text x="24">${name}</text></g>`,
  );
  const width = WIDTH * panels.length;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT + 26}" width="${width}" font-family="sans-serif" font-size="11" fill="#222">
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join("\n")}
<text transform="translate(12 ${(HEIGHT - MARGIN.bottom + MARGIN.top) / 2}) rotate(-90)" text-anchor="middle">${yLabel}</text>
${names.join("\n")}
</svg>
`;
}

interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
}

function logScale(values: readonly number[], from: number, to: number): Scale {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const [least, most] = [Math.log(low / 1.15), Math.log(high * 1.15)];
  const place = (value: number) => from + ((Math.log(value) - least) / (most - least)) * (to - from);
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const factor of [1, 2, 5]) {
      const tick = factor * 10 ** power;
      if (tick >= low / 1.15 && tick <= high * 1.15) ticks.push(tick);
    }
  }
  return Object.assign(place, { ticks });
}

function drawPanel({ title, lines }: PlotPanel, x: Scale, y: Scale, xLabel: string): string {
  const bottom = HEIGHT - MARGIN.bottom;
  const right = WIDTH - MARGIN.right;
  const grid = [
    ...y.ticks.map(
      (tick) =>
        `<path d="M${MARGIN.left} ${y(tick).toFixed(1)}H${right}" stroke="#ddd"/><text x="${MARGIN.left - 5}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${tickText(tick)}</text>`,
    ),
    ...x.ticks.map(
      (tick) =>
        `<path d="M${x(tick).toFixed(1)} ${MARGIN.top}V${bottom}" stroke="#eee"/><text x="${x(tick).toFixed(1)}" y="${bottom + 14}" text-anchor="middle">${tickText(tick)}</text>`,
    ),
  ];
  const curves = lines.map(({ color, points }) => {
    const places = points.map(([a, b]) => `${x(a).toFixed(1)} ${y(b).toFixed(1)}`);
    const dots = places.map((place) => {
      const [cx, cy] = place.split(" ") as [string, string];
      return `<circle cx="${cx}" cy="${cy}" r="2.5" fill="${color}"/>`;
    });
    return `<path d="M${places.join("L")}" fill="none" stroke="${color}" stroke-width="2"/>${dots.join("")}`;
  });
  return [
    `<text x="${MARGIN.left}" y="18" font-weight="bold">${escapeText(title)}</text>`,
    ...grid,
    ...curves,
    `<text x="${(MARGIN.left + right) / 2}" y="${bottom + 29}" text-anchor="middle">${xLabel}</text>`,
  ].join("");
}

function tickText(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1000 ? `${value / 1000}k` : String(Number(value.toPrecision(3)));
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
