import { detectReset } from "../../model/histogram-arithmetic.ts";
import { hasCustomBuckets } from "../../model/histogram-buckets.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import { compareLabels, compareUtf8, type Labels } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import { setStaleMarker } from "../../model/sample.ts";
import type { Querier, Queryable, SampleColumns, SeriesSet } from "../../model/storage.ts";

/** A sample as scripts and tests put them in. */
export type MemorySample = {
  readonly timeMs: number;
  /** When the counter started, 0 where unknown. */
  readonly startMs: number;
} & (
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "stale" }
  | { readonly kind: "histogram"; readonly histogram: FloatHistogram }
);

interface MemorySeries {
  readonly labels: Labels;
  samples: MemorySample[];
  /** As samples, with the counter reset hints a real storage would give; made when first read. */
  stored: MemorySample[] | null;
}

/** Histograms of one chunk never span more than this. */
const CHUNK_RANGE_MS = 24 * 3_600_000;

/**
 * A storage that is a map of arrays: what scripts, unit tests of rules and tests of the engine ask. It gives back what
 * was put in, but for the hints of histograms, which any storage works out itself.
 */
export class MemoryStorage implements Queryable {
  private readonly series = new Map<string, MemorySeries>();
  private sorted: MemorySeries[] | null = null;

  /** Adds samples, ascending in time; one at a time already there replaces it. */
  append(labels: Labels, samples: readonly MemorySample[]): void {
    const { key } = labels;
    let series = this.series.get(key);
    if (series === undefined) {
      series = { labels, samples: [], stored: null };
      this.series.set(key, series);
      this.sorted = null;
    }
    const newest = series.samples.at(-1)?.timeMs ?? -Infinity;
    if (samples.length > 0 && samples[0]!.timeMs <= newest) {
      const byTime = new Map([...series.samples, ...samples].map((sample) => [sample.timeMs, sample]));
      series.samples = [...byTime.values()].sort((a, b) => a.timeMs - b.timeMs);
    } else for (const sample of samples) series.samples.push(sample);
    series.stored = null;
  }

  querier(): Querier {
    this.sorted ??= [...this.series.values()].sort((a, b) => compareLabels(a.labels, b.labels));
    return new MemoryQuerier(this.sorted);
  }
}

class MemoryQuerier implements Querier {
  constructor(private readonly series: readonly MemorySeries[]) {}

  select(matchers: readonly Matcher[], minTime: number, maxTime: number): SeriesSet {
    return new MemorySeriesSet(this.matching(matchers, minTime, maxTime));
  }

  private matching(matchers: readonly Matcher[], minTime: number, maxTime: number): MemorySeries[] {
    return this.series.filter(
      ({ labels, samples }) =>
        matchers.every((matcher) => matcher.matches(labels.get(matcher.name))) &&
        samples.some(({ timeMs }) => timeMs >= minTime && timeMs <= maxTime),
    );
  }

  labelNames(matchers: readonly Matcher[], minTime: number, maxTime: number, limit: number): string[] {
    const names = this.matching(matchers, minTime, maxTime).flatMap(({ labels }) =>
      Object.keys(labels.toRecord()),
    );
    return distinct(names, limit);
  }

  labelValues(
    name: string,
    matchers: readonly Matcher[],
    minTime: number,
    maxTime: number,
    limit: number,
  ): string[] {
    const values = this.matching(matchers, minTime, maxTime).map(({ labels }) => labels.get(name));
    return distinct(
      values.filter((value) => value !== ""),
      limit,
    );
  }

  exemplars(): [] {
    return [];
  }

  close(): void {}
}

function distinct(texts: readonly string[], limit: number): string[] {
  const sorted = [...new Set(texts)].sort(compareUtf8);
  return limit > 0 ? sorted.slice(0, limit) : sorted;
}

class MemorySeriesSet implements SeriesSet {
  constructor(private readonly series: readonly MemorySeries[]) {}

  get count(): number {
    return this.series.length;
  }

  labels(index: number): Labels {
    return this.series[index]!.labels;
  }

  read(index: number, minTime: number, maxTime: number, columns: SampleColumns): void {
    const series = this.series[index]!;
    series.stored ??= withStoredHints(series.samples);
    const samples = series.stored.filter(({ timeMs }) => timeMs >= minTime && timeMs <= maxTime);
    columns.count = 0;
    columns.reserve(samples.length);
    columns.histograms = samples.some(({ kind }) => kind === "histogram")
      ? new Array<FloatHistogram | undefined>(samples.length).fill(undefined)
      : null;
    columns.startTimes = samples.some(({ startMs }) => startMs !== 0)
      ? Float64Array.from(samples, ({ startMs }) => startMs)
      : null;
    samples.forEach((sample, i) => {
      columns.times[i] = sample.timeMs;
      if (sample.kind === "stale") setStaleMarker(columns.valueWords, i);
      else if (sample.kind === "float") columns.values[i] = sample.value;
      else {
        columns.values[i] = sample.histogram.sum;
        columns.histograms![i] = sample.histogram;
      }
    });
    columns.count = samples.length;
  }

  estimateSamples(minTime: number, maxTime: number): number {
    const within = ({ timeMs }: MemorySample) => timeMs >= minTime && timeMs <= maxTime;
    return this.series.reduce((sum, { samples }) => sum + samples.filter(within).length, 0);
  }
}

/**
 * The samples with the hints a storage of chunks gives: a gauge stays one; otherwise the first histogram of a chunk
 * has an unknown hint and the others, by the rules that cut chunks, were not reset.
 */
function withStoredHints(samples: readonly MemorySample[]): MemorySample[] {
  let previous: FloatHistogram | null = null;
  let chunkStartMs = 0;
  return samples.map((sample) => {
    if (sample.kind !== "histogram") {
      previous = null;
      return sample;
    }
    const { histogram } = sample;
    const isGauge = histogram.counterResetHint === "gauge";
    const startsChunk =
      previous === null ||
      Math.floor(sample.timeMs / CHUNK_RANGE_MS) !== Math.floor(chunkStartMs / CHUNK_RANGE_MS) ||
      isGauge !== (previous.counterResetHint === "gauge") ||
      (!isGauge && cutsChunk(histogram, previous)) ||
      differsInLayout(histogram, previous);
    if (startsChunk) chunkStartMs = sample.timeMs;
    previous = histogram;
    const counterResetHint = isGauge ? "gauge" : startsChunk ? "unknown" : "not-reset";
    return { ...sample, histogram: { ...histogram, counterResetHint } };
  });
}

function cutsChunk(histogram: FloatHistogram, previous: FloatHistogram): boolean {
  if (histogram.counterResetHint === "reset") return true;
  return detectReset({ ...histogram, counterResetHint: "unknown" }, previous);
}

function differsInLayout(a: FloatHistogram, b: FloatHistogram): boolean {
  return (
    a.schema !== b.schema ||
    a.zeroThreshold !== b.zeroThreshold ||
    (hasCustomBuckets(a) &&
      (a.customValues.length !== b.customValues.length ||
        a.customValues.some((bound, i) => bound !== b.customValues[i])))
  );
}
