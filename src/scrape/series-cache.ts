import type { ScrapeMemory } from "../kernels/index.ts";
import type { FloatHistogram } from "../model/histogram.ts";
import { histogramFault } from "../model/histogram-validity.ts";
import type { Labels } from "../model/labels.ts";
import type { Metadata } from "../model/metadata.ts";
import { NORMAL_NAN_HIGH_WORD, NORMAL_NAN_LOW_WORD } from "../model/sample.ts";
import { NO_SERIES, SampleOutcome, type Appender, type SeriesRef } from "../model/storage.ts";
import { BucketLimitError, finestSchemaFor, limitBuckets } from "./bucket-limits.ts";
import type { ScrapedPage, ScrapedSeries } from "./exposition/scraped-series.ts";
import { checkPageCount, READ_BEYOND_LIMIT } from "./page-bounds.ts";
import { SampleError } from "./series-labels.ts";
import {
  appendExemplar,
  countOutcome,
  FORGOTTEN_BEYOND,
  MAX_AHEAD_MS,
  SampleLimitError,
  type AppendOptions,
  type PageCounts,
} from "./series-sequence.ts";

export interface HistogramLimits {
  /** 0 for none. */
  readonly bucketLimit: number;
  /** Buckets grow by at least this; at most 1 for no such limit. */
  readonly minBucketFactor: number;
}

/** One series as the target names it; null labels for one that relabelling drops. */
interface CachedSeries {
  readonly labels: Labels | null;
  readonly metric: string;
  ref: SeriesRef;
  /** The page that had it last. */
  page: number;
  isTracked: boolean;
  startMs: number | null;
}

/**
 * What one target said last time, by series, for pages that are read family by family: protobuf, and text whose
 * histograms are converted. The counterpart of SeriesSequence, and used like it.
 */
export class SeriesCache {
  private readonly series = new Map<string, CachedSeries>();
  private epoch = -1;
  private page = 0;
  private isLive = false;
  /** Keys of series that pages brought which failed later on: they are counted as added once. */
  private readonly addedByFailures = new Set<string>();
  private said: ReadonlyMap<string, Metadata> = new Map();

  constructor(private readonly memory: ScrapeMemory) {}

  get size(): number {
    return this.series.size;
  }

  /**
   * Appends a page between the appender's `begin` and `commit`. When it throws, the caller rolls back.
   *
   * @throws ExpositionError, SampleError
   */
  append(page: ScrapedPage, options: AppendOptions, limits: HistogramLimits, counts: PageCounts): void {
    const epoch = options.appender.epochAt(options.timeMs);
    if (epoch === null) throw new SampleError(`cannot append scrape at ${options.timeMs}: out of bounds`);
    this.carryTo(options.appender, epoch);
    const lastPage = this.page++;
    const created: string[] = [];
    const newSamples: number[] = [];
    try {
      this.appendAll(page, options, limits, counts, epoch, created, newSamples);
      this.addedByFailures.clear();
    } catch (error) {
      counts.seriesAdded += newSamples.length;
      this.forget(created);
      for (const series of this.series.values()) if (series.page === this.page) series.page = lastPage;
      throw error;
    }
    this.endVanished(options.appender, epoch, options.timeMs);
    if (options.appendsMetadata) this.appendMetadata(options.appender, page.metadata, new Set(created));
    this.isLive = true;
    this.said = page.metadata;
  }

  private forget(created: readonly string[]): void {
    const known = this.addedByFailures;
    if (known.size > 2 * this.series.size + FORGOTTEN_BEYOND) known.clear();
    for (const key of created) {
      if (this.series.get(key)!.ref !== NO_SERIES) known.add(key);
      this.series.delete(key);
    }
  }

  markStale(appender: Appender, timeMs: number): void {
    if (!this.isLive) return;
    this.isLive = false;
    const epoch = appender.epochAt(timeMs);
    if (epoch === null) return;
    this.carryTo(appender, epoch);
    const refs = [...this.series.values()].map(({ ref, isTracked }) => (isTracked ? ref : NO_SERIES));
    appender.appendStale(epoch, Uint32Array.from(refs), timeMs);
  }

  metadata(): ReadonlyMap<string, Metadata> {
    return this.said;
  }

  release(): void {
    this.series.clear();
    this.addedByFailures.clear();
    this.said = new Map();
    this.isLive = false;
  }

  private appendAll(
    page: ScrapedPage,
    options: AppendOptions,
    limits: HistogramLimits,
    counts: PageCounts,
    epoch: number,
    created: string[],
    newSamples: number[],
  ): void {
    const { appender, timeMs, zerosAtStart = true, storesStartTimes = false } = options;
    const { memory } = this;
    const startTimes: number[] | null = storesStartTimes ? [] : null;
    const finestSchema = finestSchemaFor(limits.minBucketFactor);
    const afterwards: (() => void)[] = [];
    let floats = 0;
    let limited = 0;
    let bucketError: unknown = null;

    for (const scraped of page.series) {
      counts.scraped++;
      checkPageCount(counts.scraped, "samples");
      let series = this.series.get(scraped.key);
      const isNew = series === undefined && !this.addedByFailures.has(scraped.key);
      if (series === undefined) {
        const labels = options.labels.of(scraped.pairs());
        // Beyond the limit the page is lost: no series of it should come into being any more.
        const isOverLimit = options.sampleLimit > 0 && limited >= options.sampleLimit;
        const ref = labels && !isOverLimit ? appender.resolve(epoch, labels).ref : NO_SERIES;
        series = { labels, metric: scraped.metric, ref, page: 0, isTracked: true, startMs: null };
        this.series.set(scraped.key, series);
        created.push(scraped.key);
      }
      const isRepeated = series.page === this.page;
      series.page = this.page;
      if (series.labels === null) continue;
      counts.postRelabel++;
      const ownTime = options.honorTimestamps ? scraped.timestampMs : null;
      if (!isRepeated) series.isTracked = ownTime === null || options.trackTimestampsStaleness;
      const at = ownTime ?? timeMs;
      if (ownTime === null && isRepeated) counts.duplicateTimestamp++;
      else limited++;
      if (options.sampleLimit > 0 && limited > options.sampleLimit + READ_BEYOND_LIMIT)
        throw new SampleLimitError();
      if (series.ref === NO_SERIES) continue;
      if (ownTime !== null && ownTime > timeMs + MAX_AHEAD_MS) counts.outOfBounds++;
      else if (ownTime !== null || !isRepeated) {
        const startMs = storesStartTimes ? (scraped.startMs ?? 0) : 0;
        if (zerosAtStart && scraped.startMs !== series.startMs)
          this.appendStart(appender, series, series.labels, scraped, at);
        if (typeof scraped.value !== "number") {
          try {
            const outcome = appender.appendHistogram(
              series.labels,
              at,
              limitBuckets(checked(scraped.value), finestSchema, limits.bucketLimit),
              startMs,
            );
            countOutcome(outcome, counts);
            if (isNew && outcome <= SampleOutcome.repeated) counts.seriesAdded++;
          } catch (error) {
            // A histogram over its limit fails the scrape once all samples are counted.
            if (!(error instanceof BucketLimitError)) throw error;
            bucketError = error;
          }
        } else if (ownTime === null) {
          if (floats >= memory.maxLines)
            throw new SampleError(`cannot append page: more than ${memory.maxLines} samples`);
          writeValue(memory, floats, scraped.value);
          memory.sampleRefs[floats] = series.ref;
          startTimes?.push(startMs);
          if (isNew) newSamples.push(floats);
          floats++;
        } else {
          const { labels } = series;
          const { value } = scraped;
          const append = (): void => {
            const [high, low] = wordsOf(value);
            const outcome = appender.appendFloat(labels, at, high, low, startMs);
            countOutcome(outcome, counts);
            if (isNew && outcome <= SampleOutcome.repeated) counts.seriesAdded++;
          };
          // What the page says of the series before comes first; that is appended with all others of the scrape's time.
          if (isRepeated) afterwards.push(append);
          else append();
        }
      }
      let late = 0;
      for (const exemplar of scraped.exemplars)
        if (!appendExemplar(appender, series.labels, exemplar, at)) late++;
      // Some that are late tell only that the target repeats itself.
      if (late === scraped.exemplars.length) counts.exemplarsOutOfOrder += late;
    }
    if (options.sampleLimit > 0 && limited > options.sampleLimit) throw new SampleLimitError();
    if (bucketError) throw bucketError;

    const refs = memory.sampleRefs.subarray(0, floats);
    const outcomes = memory.outcomes.subarray(0, floats);
    const refused = appender.appendFloats(
      epoch,
      refs,
      memory.sampleValues,
      floats,
      timeMs,
      outcomes,
      startTimes && Float64Array.from(startTimes),
    );
    if (refused > 0) for (let i = 0; i < floats; i++) countOutcome(outcomes[i]!, counts);
    for (const i of newSamples) if (outcomes[i]! <= SampleOutcome.repeated) counts.seriesAdded++;
    newSamples.length = 0;
    for (const append of afterwards) append();
  }

  /** A series that tells when it began has a sample of zero there, if that is before all others. */
  private appendStart(
    appender: Appender,
    series: CachedSeries,
    labels: Labels,
    { startMs, value }: ScrapedSeries,
    timeMs: number,
  ): void {
    series.startMs = startMs;
    if (startMs === null || startMs <= 0 || startMs >= timeMs) return;
    // Being late is no fault here: the series had begun before it told us.
    if (typeof value === "number") appender.appendFloat(labels, startMs, 0, 0);
    else appender.appendHistogram(labels, startMs, emptyLike(value));
  }

  /** Of series that are new, or whose metric is described in other words than on the last page. */
  private appendMetadata(
    appender: Appender,
    said: ReadonlyMap<string, Metadata>,
    created: ReadonlySet<string>,
  ): void {
    for (const [key, { labels, metric }] of this.series) {
      const metadata = said.get(metric);
      if (!labels || !metadata) continue;
      const before = created.has(key) ? undefined : this.said.get(metric);
      const isSame =
        before?.type === metadata.type && before.unit === metadata.unit && before.help === metadata.help;
      if (!isSame) appender.updateMetadata(labels, metadata);
    }
  }

  private carryTo(appender: Appender, epoch: number): void {
    if (this.epoch === epoch) return;
    const all = [...this.series.values()];
    const refs = Uint32Array.from(all, ({ ref }) => ref);
    if (this.epoch >= 0) appender.carryOver(refs, refs.length, this.epoch, epoch);
    else refs.fill(NO_SERIES);
    for (const [i, series] of all.entries()) {
      series.ref = refs[i]!;
      if (series.ref === NO_SERIES && series.labels) series.ref = appender.resolve(epoch, series.labels).ref;
    }
    this.epoch = epoch;
  }

  private endVanished(appender: Appender, epoch: number, timeMs: number): void {
    const vanished = new Set<SeriesRef>();
    for (const [key, series] of this.series) {
      if (series.page === this.page) continue;
      if (this.isLive && series.isTracked && series.ref !== NO_SERIES) vanished.add(series.ref);
      this.series.delete(key);
    }
    if (vanished.size === 0) return;
    for (const { ref, isTracked } of this.series.values()) if (isTracked) vanished.delete(ref);
    appender.appendStale(epoch, Uint32Array.from(vanished), timeMs);
  }
}

function emptyLike(histogram: FloatHistogram): FloatHistogram {
  const nothing = new Float64Array(0);
  return {
    ...histogram,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: nothing,
    negativeBuckets: nothing,
  };
}

/** @throws SampleError for a histogram that storage may not take */
function checked(histogram: FloatHistogram): FloatHistogram {
  const fault = histogramFault(histogram);
  if (fault !== null) throw new SampleError(fault);
  return histogram;
}

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/** The bits of a scraped value, of which no NaN is a staleness marker. */
function wordsOf(value: number): readonly [high: number, low: number] {
  if (Number.isNaN(value)) return [NORMAL_NAN_HIGH_WORD, NORMAL_NAN_LOW_WORD];
  scratch[0] = value;
  return [scratchWords[1]!, scratchWords[0]!];
}

function writeValue(memory: ScrapeMemory, index: number, value: number): void {
  if (Number.isNaN(value)) {
    memory.sampleValueWords[2 * index] = NORMAL_NAN_LOW_WORD;
    memory.sampleValueWords[2 * index + 1] = NORMAL_NAN_HIGH_WORD;
  } else memory.sampleValues[index] = value;
}
