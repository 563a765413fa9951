import type { FloatHistogram } from "../../model/histogram.ts";
import type { Metadata } from "../../model/metadata.ts";
import type { ParsedExemplar } from "./line-syntax.ts";

/** One sample of a page that is read family by family: protobuf, or text whose histograms are converted. */
export interface ScrapedSeries {
  /** The same on every page for the same series, another for any other. */
  readonly key: string;
  /** Names and values in turn, the metric's name among them; asked for when the key is new. */
  pairs(): string[];
  readonly value: number | FloatHistogram;
  readonly timestampMs: number | null;
  readonly exemplars: readonly ParsedExemplar[];
}

/** A page read that way: samples as they come, then what it says of its metrics. */
export interface ScrapedPage {
  readonly series: Iterable<ScrapedSeries>;
  /** Complete once `series` is through. */
  readonly metadata: ReadonlyMap<string, Metadata>;
}

/** Which kinds of histogram a target is to give. */
export interface HistogramOptions {
  readonly scrapeNative: boolean;
  readonly alwaysClassic: boolean;
  /** Classic histograms become native ones with custom buckets. */
  readonly convertClassic: boolean;
}
