import type { FloatHistogram } from "../../model/histogram.ts";
import type { Metadata, MetricType } from "../../model/metadata.ts";
import type { ParsedExemplar } from "./line-syntax.ts";

/** One sample of a page that is read family by family: protobuf, or text whose histograms are converted. */
export interface ScrapedSeries {
  /** The same on every page for the same series, another for any other. */
  readonly key: string;
  /** Names and values in turn, the metric's name among them; asked for when the key is new. */
  pairs(): string[];
  /** The metric it belongs to, as HELP and TYPE name it. */
  readonly metric: string;
  readonly value: number | FloatHistogram;
  readonly timestampMs: number | null;
  readonly exemplars: readonly ParsedExemplar[];
  /** When its counting began; null where the target does not say, or nobody asks. */
  readonly startMs: number | null;
}

/** Whether a series of this name belongs to the metric that HELP and TYPE name. */
export function isOfFamily(name: string, metric: string): boolean {
  return name.startsWith(metric) && FAMILY_SUFFIXES.has(name.slice(metric.length));
}

const FAMILY_SUFFIXES = new Set([
  "",
  "_total",
  "_count",
  "_sum",
  "_bucket",
  "_created",
  "_info",
  "_gcount",
  "_gsum",
]);

/** A page read that way: samples as they come, then what it says of its metrics. */
export interface ScrapedPage {
  readonly series: Iterable<ScrapedSeries>;
  /** Complete once `series` is through. */
  readonly metadata: ReadonlyMap<string, Metadata>;
}

/** What a page is to be made into. */
export interface FamilyOptions {
  readonly scrapeNative: boolean;
  readonly alwaysClassic: boolean;
  /** Classic histograms become native ones with custom buckets. */
  readonly convertClassic: boolean;
  /** Take start times, from `_created` lines too, which then are no series of their own. */
  readonly takesStartTimes: boolean;
  /** Add `__type__` and `__unit__` to the labels. */
  readonly addsTypeAndUnit: boolean;
}

/** Labels with the type and unit of their metric, in place of what was exposed under these names. */
export function withTypeAndUnit(pairs: readonly string[], type: MetricType, unit: string): string[] {
  const labels: string[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] !== "__type__" && pairs[i] !== "__unit__") labels.push(pairs[i]!, pairs[i + 1]!);
  }
  if (type !== "unknown") labels.push("__type__", type);
  if (unit !== "") labels.push("__unit__", unit);
  return labels;
}
