import type uPlot from "uplot";
import type { LabelsBody } from "../../api/types.ts";

interface TooltipContent {
  readonly name: (seriesIndex: number) => LabelsBody;
  readonly color: (seriesIndex: number) => string;
  readonly value: (seriesIndex: number, timeIndex: number) => number | null;
  readonly timeText: (seconds: number) => string;
}

function element(className: string, text = "", tag = "div"): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/**
 * What is under the cursor: the nearest series, its value and labels, and a dot on its line. Plain elements
 * rather than components, as it moves with every movement of the mouse.
 */
export class GraphTooltip {
  readonly #content: TooltipContent;
  readonly #box = element("graph-tooltip");
  readonly #dot = element("graph-dot");
  #shownSeries = -1;
  #shownTime = -1;

  constructor(content: TooltipContent) {
    this.#content = content;
    this.#box.setAttribute("role", "status");
    this.#hide();
  }

  /** Puts the elements into the plot; `remove` takes them out again. */
  attach(plot: uPlot): void {
    plot.over.append(this.#dot, this.#box);
  }

  remove(): void {
    this.#dot.remove();
    this.#box.remove();
  }

  /** Follows the plot's cursor. */
  follow(plot: uPlot): void {
    const { idx, left = -1, top = -1 } = plot.cursor;
    if (idx === null || idx === undefined || left < 0) return this.#hide();
    const nearest = this.#nearestSeries(plot, idx, top);
    if (nearest < 0) return this.#hide();
    if (nearest !== this.#shownSeries || idx !== this.#shownTime) this.#fill(plot, nearest, idx);

    const x = plot.valToPos(plot.data[0][idx] ?? 0, "x");
    const y = plot.valToPos(plot.data[nearest + 1]?.[idx] ?? 0, "y");
    this.#dot.style.transform = `translate(${x - 5}px, ${y - 5}px)`;
    // On the side of the cursor where there is room.
    const { offsetWidth: width, offsetHeight: height } = this.#box;
    const room = plot.over.clientWidth;
    const boxLeft = x + 18 + width > room ? Math.max(x - 18 - width, 0) : x + 18;
    const boxTop = Math.max(-8, Math.min(y - height / 2, plot.over.clientHeight - height + 20));
    this.#box.style.transform = `translate(${boxLeft}px, ${boxTop}px)`;
  }

  #nearestSeries(plot: uPlot, timeIndex: number, top: number): number {
    let nearest = -1;
    let smallest = Infinity;
    for (let index = 0; index < plot.series.length - 1; index++) {
      const value = plot.data[index + 1]?.[timeIndex];
      if (!plot.series[index + 1]?.show || value === null || value === undefined) continue;
      const distance = Math.abs(plot.valToPos(value, "y") - top);
      if (distance < smallest) {
        smallest = distance;
        nearest = index;
      }
    }
    return nearest;
  }

  #fill(plot: uPlot, seriesIndex: number, timeIndex: number): void {
    this.#shownSeries = seriesIndex;
    this.#shownTime = timeIndex;
    const color = this.#content.color(seriesIndex);
    const { __name__: metricName = "", ...labels } = this.#content.name(seriesIndex);
    this.#dot.style.background = color;

    const head = element("tooltip-head");
    const swatch = element("tooltip-swatch", "", "span");
    swatch.style.background = color;
    const value = this.#content.value(seriesIndex, timeIndex);
    head.append(
      swatch,
      element("tooltip-value", value === null ? "" : String(Number(value.toPrecision(12))), "strong"),
    );
    const pairs = element("tooltip-labels");
    for (const [name, text] of Object.entries(labels)) {
      pairs.append(element("tooltip-name", name, "span"), element("tooltip-text", text, "span"));
    }
    this.#box.replaceChildren(
      element("tooltip-time", this.#content.timeText(plot.data[0][timeIndex] ?? 0)),
      head,
      ...(metricName ? [element("tooltip-metric", metricName)] : []),
      pairs,
    );
    this.#box.hidden = false;
    this.#dot.hidden = false;
  }

  #hide(): void {
    this.#shownSeries = -1;
    this.#shownTime = -1;
    this.#box.hidden = true;
    this.#dot.hidden = true;
  }
}
