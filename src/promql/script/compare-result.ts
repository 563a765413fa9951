import { formatDecimal } from "../../model/format-float.ts";
import { formatHistogram } from "../../model/histogram-buckets.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import { compareLabels, type Labels } from "../../model/labels.ts";
import { quote } from "../../model/quote.ts";
import type { MatrixSeries, QueryValue, VectorSample } from "../value.ts";
import { almostEqual, almostEqualHistograms } from "./almost-equal.ts";
import type { ExpectedResult, ExpectedSeries, TimeGrid } from "./parse-script.ts";
import type { SeriesItem } from "./series-notation.ts";

/** What is wrong with a result, or null where it is as expected. */
export function compareResult(expected: ExpectedResult, actual: QueryValue, ordered: boolean): string | null {
  switch (expected.kind) {
    case "scalar":
      if (actual.type !== "scalar") return `expected a scalar, got ${describeValue(actual)}`;
      return almostEqual(expected.value, actual.value)
        ? null
        : `expected scalar ${formatDecimal(expected.value)}, got ${formatDecimal(actual.value)}`;
    case "string":
      if (actual.type !== "string") return `expected a string, got ${describeValue(actual)}`;
      return expected.value === actual.value
        ? null
        : `expected ${quote(expected.value)}, got ${quote(actual.value)}`;
    case "vector":
      if (actual.type !== "vector") return `expected an instant vector, got ${describeValue(actual)}`;
      return compareVector(expected.series, actual.samples, ordered);
    case "matrix":
      if (actual.type !== "matrix") return `expected a range vector, got ${describeValue(actual)}`;
      return compareMatrix(expected.series, expected.grid, actual.series);
  }
}

function compareVector(
  expected: readonly ExpectedSeries[],
  actual: readonly VectorSample[],
  ordered: boolean,
): string | null {
  const problems: string[] = [];
  const positions = new Map(expected.map(({ labels }, i) => [labels.key, i]));
  if (positions.size < expected.length) return "the same series is expected twice";
  const seen = new Set<string>();
  actual.forEach((sample, i) => {
    const { key } = sample.labels;
    const position = positions.get(key);
    if (seen.has(key)) problems.push(`got ${formatLabels(sample.labels)} twice`);
    seen.add(key);
    if (position === undefined) {
      problems.push(
        `unexpected ${formatLabels(sample.labels)} ${formatSample(sample.value, sample.histogram)}`,
      );
      return;
    }
    if (ordered && position !== i) {
      problems.push(`expected ${formatLabels(sample.labels)} at place ${position + 1}, got it at ${i + 1}`);
    }
    const item = expected[position]!.items[0] ?? null;
    if (!itemEquals(item, sample.value, sample.histogram)) {
      problems.push(
        `expected ${formatItem(item)} for ${formatLabels(sample.labels)}, got ${formatSample(sample.value, sample.histogram)}`,
      );
    }
  });
  for (const { labels, items } of expected) {
    if (!seen.has(labels.key))
      problems.push(`missing ${formatLabels(labels)} ${formatItem(items[0] ?? null)}`);
  }
  return problems.length === 0 ? null : problems.join("\n");
}

function compareMatrix(
  expected: readonly ExpectedSeries[],
  grid: TimeGrid,
  actual: readonly MatrixSeries[],
): string | null {
  const problems: string[] = [];
  const byLabels = new Map(actual.map((series) => [series.labels.key, series]));
  if (byLabels.size < actual.length) problems.push("the same series comes twice");
  for (let i = 1; i < actual.length; i++) {
    if (compareLabels(actual[i - 1]!.labels, actual[i]!.labels) >= 0) {
      problems.push(`${formatLabels(actual[i]!.labels)} is out of order`);
    }
  }
  const wanted = new Set<string>();
  for (const { labels, items } of expected) {
    wanted.add(labels.key);
    const series = byLabels.get(labels.key);
    if (series === undefined) {
      if (items.some((item) => item !== null)) problems.push(`missing ${formatLabels(labels)}`);
      continue;
    }
    const problem = comparePoints(items, grid, series);
    if (problem !== null) problems.push(`${formatLabels(labels)}: ${problem}`);
  }
  for (const series of actual) {
    if (!wanted.has(series.labels.key)) {
      problems.push(`unexpected ${formatLabels(series.labels)} ${formatPoints(series)}`);
    }
  }
  return problems.length === 0 ? null : problems.join("\n");
}

function comparePoints(items: readonly SeriesItem[], grid: TimeGrid, series: MatrixSeries): string | null {
  let float = 0;
  let histogram = 0;
  const differs = (reason: string) =>
    `${reason}; expected ${items.map(formatItem).join(" ")}, got ${formatPoints(series)}`;
  for (let i = 0; i < items.length; i++) {
    const item = items[i]!;
    if (item === null) continue;
    const timeMs = grid.startMs + i * grid.stepMs;
    if (timeMs > grid.endMs) return `${items.length} values are expected, more than steps`;
    const atTime = `at ${timeMs / 1000}s`;
    if (item.kind === "histogram") {
      if (series.histogramTimes[histogram] !== timeMs) return differs(`no histogram ${atTime}`);
      const value = series.histograms[histogram++]!;
      if (!itemEquals(item, 0, value)) {
        return `expected ${formatItem(item)} ${atTime}, got ${formatSample(0, value)}`;
      }
    } else {
      if (series.floatTimes[float] !== timeMs) return differs(`no float ${atTime}`);
      if (!itemEquals(item, series.floats[float++]!, null)) return differs(`another value ${atTime}`);
    }
  }
  if (float < series.floats.length || histogram < series.histograms.length) return differs("too many values");
  return null;
}

function itemEquals(item: SeriesItem, value: number, histogram: FloatHistogram | null): boolean {
  if (item === null || item.kind === "stale") return false;
  if (item.kind === "float") return histogram === null && almostEqual(item.value, value);
  return histogram !== null && almostEqualHistograms(item.histogram, histogram, item.hintIsWritten);
}

function formatItem(item: SeriesItem): string {
  if (item === null) return "_";
  if (item.kind === "stale") return "stale";
  return item.kind === "float"
    ? formatDecimal(item.value)
    : formatSample(0, item.histogram) + (item.hintIsWritten ? ` (${item.histogram.counterResetHint})` : "");
}

function formatSample(value: number, histogram: FloatHistogram | null): string {
  if (histogram === null) return formatDecimal(value);
  const bounds = histogram.customValues.length > 0 ? ` bounds [${histogram.customValues.join(" ")}]` : "";
  return `${formatHistogram(histogram)} schema ${histogram.schema}${bounds} hint ${histogram.counterResetHint}`;
}

function formatPoints(series: MatrixSeries): string {
  const points = [
    ...Array.from(series.floats, (value, i) => [series.floatTimes[i]!, formatDecimal(value)] as const),
    ...series.histograms.map((h, i) => [series.histogramTimes[i]!, formatSample(0, h)] as const),
  ];
  return points
    .sort((a, b) => a[0] - b[0])
    .map(([timeMs, text]) => `${text}@${timeMs / 1000}s`)
    .join(" ");
}

function formatLabels(labels: Labels): string {
  const parts = Object.entries(labels.toRecord()).map(([name, value]) => `${name}=${quote(value)}`);
  return `{${parts.join(", ")}}`;
}

function describeValue(value: QueryValue): string {
  switch (value.type) {
    case "scalar":
      return `scalar ${formatDecimal(value.value)}`;
    case "string":
      return `string ${quote(value.value)}`;
    case "vector":
      return `a vector of ${value.samples.length}`;
    case "matrix":
      return `a matrix of ${value.series.length}`;
  }
}
