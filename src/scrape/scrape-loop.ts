import { Cancellation, type PageClient, type PageRequest } from "../http-client/index.ts";
import type { CompiledRelabelRules } from "../model/relabel.ts";
import { BucketLimitError } from "./bucket-limits.ts";
import { chooseFormat, type ExpositionFormat } from "./exposition/negotiate.ts";
import {
  bodyLimitOf,
  BodySizeLimitError,
  fetchPage,
  pageHeaders,
  pageOf,
  type FetchedPage,
} from "./fetch-page.ts";
import { LARGE_PAGE_BYTES } from "./large-pages.ts";
import { ScratchOverflowError } from "./page-inflater.ts";
import type { ScrapePoolOptions } from "./options.ts";
import { PageBuffers } from "./page-buffers.ts";
import { refuseOversizedPage } from "./page-bounds.ts";
import { ReportSeries } from "./report-series.ts";
import { LabelLimitError, SeriesLabels } from "./series-labels.ts";
import { emptyCounts, readThrough, SampleLimitError, type PageCounts } from "./series-sequence.ts";
import type { ScrapeSurroundings } from "./surroundings.ts";
import type { TargetPage, TargetSeries } from "./target-series.ts";
import { dialledUrl, offsetOf, type Target } from "./target.ts";

/** What all loops of a job share. */
export interface ScrapeJob {
  readonly options: ScrapePoolOptions;
  readonly client: PageClient;
  readonly metricRelabelRules: CompiledRelabelRules;
}

/** How a target fares; plain data. */
export interface TargetStatus {
  readonly jobName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly url: string;
  readonly health: "unknown" | "up" | "down";
  readonly lastError: string;
  /** 0 before the first scrape. */
  readonly lastScrapeMs: number;
  readonly lastDurationSeconds: number;
  /** As they are written. */
  readonly interval: string;
  readonly timeout: string;
}

/** A scrape under way, and what is found out about it. */
interface Scrape {
  readonly timeMs: number;
  readonly startedMs: number;
  readonly counts: PageCounts;
  bodySizeBytes: number;
}

/**
 * Scrapes one target on its beat: fetch, parse, append, report, and end what is gone. A scrape is stored whole or not
 * at all.
 */
export class ScrapeLoop {
  /** Every scrape fails with this while it is set. */
  forcedError: Error | null = null;
  /** Called once the markers that `stopAndEnd` owes are written. */
  onEnded: (() => void) | null = null;
  private readonly labels: SeriesLabels;
  private readonly reports: ReportSeries;
  private readonly buffers: PageBuffers;
  private readonly stopping = new Cancellation();
  private request: PageRequest | null = null;
  private readonly headers: Readonly<Record<string, string>>;
  private cancelTimer = (): void => {};
  private nextMs = 0;
  isScraping = false;
  private isStopped = false;
  private startedAtMs = -1;
  private pageBytes = 0;
  /** The target's pages turned out larger than their gzip trailers say. */
  private inflateApart = false;
  private format: ExpositionFormat = "text";
  /** What the format was chosen by. */
  private contentType: string | undefined;
  private health: TargetStatus["health"] = "unknown";
  private lastError = "";
  private lastScrapeMs = 0;
  private lastDurationSeconds = 0;

  constructor(
    readonly target: Target,
    private readonly job: ScrapeJob,
    private readonly shared: ScrapeSurroundings,
    readonly series: TargetSeries,
    accept: string,
  ) {
    const { options } = job;
    this.buffers = new PageBuffers(shared.memory);
    this.headers = pageHeaders(accept, options.enableCompression, target.timeoutMs);
    this.labels = new SeriesLabels({
      targetLabels: target.labels,
      honorLabels: options.honorLabels,
      metricRelabelRules: job.metricRelabelRules,
      nameValidation: options.nameValidation,
      labelLimit: options.labelLimit,
      labelNameLengthLimit: options.labelNameLengthLimit,
      labelValueLengthLimit: options.labelValueLengthLimit,
    });
    this.reports = new ReportSeries(target, options.sampleLimit, options.extraScrapeMetrics);
  }

  /** Begins at the next moment that is the target's in its interval. */
  start(): void {
    const { intervalMs } = this.target;
    const nowMs = this.shared.clock.now();
    const offsetMs = offsetOf(this.target, this.shared.offsetSeed);
    this.nextMs = Math.floor(nowMs / intervalMs) * intervalMs + offsetMs;
    if (this.nextMs < nowMs) this.nextMs += intervalMs;
    this.schedule();
  }

  /** Ends scraping and keeps the series as they are, for a loop that takes them over or a server that ends. */
  stop(): void {
    this.isStopped = true;
    this.stopping.cancel();
    this.cancelTimer();
  }

  /**
   * Ends scraping, and the series too: two beats later, should nobody have written to them by then, they get markers
   * at the time of the first missed beat.
   */
  stopAndEnd(): void {
    this.stop();
    const { clock } = this.shared;
    const { intervalMs } = this.target;
    const staleMs = Math.max(this.nextMs, Math.ceil(clock.now()));
    const delayMs = staleMs - clock.now() + intervalMs + intervalMs / 10;
    this.cancelTimer = clock.setTimer(() => this.endSeries(staleMs), delayMs);
  }

  /** Forgets markers that `stopAndEnd` still owes. */
  cancelEnd(): void {
    this.cancelTimer();
    this.series.release();
  }

  /** Goes on from what a loop for the same target found out. */
  inherit(old: ScrapeLoop): void {
    this.health = old.health;
    this.lastError = old.lastError;
    this.lastScrapeMs = old.lastScrapeMs;
    this.lastDurationSeconds = old.lastDurationSeconds;
    this.pageBytes = old.pageBytes;
    this.format = old.format;
  }

  get status(): TargetStatus {
    const { target } = this;
    return {
      jobName: this.job.options.jobName,
      labels: target.labels.toRecord(),
      discoveredLabels: target.discoveredLabels.toRecord(),
      url: target.url,
      health: this.health,
      lastError: this.lastError,
      lastScrapeMs: this.lastScrapeMs,
      lastDurationSeconds: this.lastDurationSeconds,
      interval: target.intervalText,
      timeout: target.timeoutText,
    };
  }

  private schedule(): void {
    const { clock } = this.shared;
    this.cancelTimer = clock.setTimer(() => this.beat(), Math.max(0, this.nextMs - clock.now()));
  }

  /** A beat that finds the last scrape still under way is left out. */
  private beat(): void {
    const { clock, timestampToleranceMs } = this.shared;
    const { intervalMs } = this.target;
    const nowMs = clock.now();
    while (nowMs - this.nextMs >= intervalMs) this.nextMs += intervalMs;
    const scheduledMs = this.nextMs;
    this.nextMs += intervalMs;
    this.schedule();
    if (this.isScraping) return;
    const toleranceMs = Math.min(timestampToleranceMs, intervalMs / 100);
    const isOnTime = Math.abs(nowMs - scheduledMs) <= toleranceMs;
    void this.scrape(isOnTime ? scheduledMs : Math.trunc(nowMs));
  }

  /** One scrape, stored at `timeMs`; never throws. */
  async scrape(timeMs: number): Promise<void> {
    const { clock, observer, largePages } = this.shared;
    const startedMs = clock.elapsedMs();
    if (this.startedAtMs >= 0) {
      observer?.intervalPassed(this.target.intervalMs, (startedMs - this.startedAtMs) / 1000);
    }
    this.startedAtMs = startedMs;
    this.isScraping = true;
    const fetched = await this.fetch();
    try {
      if (!this.isStopped) {
        const scrape: Scrape = { timeMs, startedMs, counts: emptyCounts(), bodySizeBytes: 0 };
        const page = this.open(fetched, scrape);
        if (this.isLarge(page)) await largePages.inTurn(() => this.storeInSlices(page, scrape));
        else this.store(page instanceof Error ? page : this.inOneStep(page, scrape), scrape);
      }
    } catch (error) {
      // Whatever goes wrong in storage, the next beat comes.
      this.shared.log.error({ target: this.target.url, err: error }, "scrape commit failed");
      this.lastError = (error as Error).message;
      this.health = "down";
    } finally {
      if (!(fetched instanceof Error)) fetched.release();
      this.isScraping = false;
    }
  }

  private async fetch(): Promise<FetchedPage | Error> {
    if (this.forcedError) return this.forcedError;
    try {
      this.request ??= this.pageRequest();
      return await fetchPage(this.request, {
        limitBytes: bodyLimitOf(this.job.options.bodySizeLimitBytes),
        expectedBytes: this.pageBytes,
        inflateApart: this.inflateApart,
      });
    } catch (error) {
      return error as Error;
    }
  }

  private pageRequest(): PageRequest {
    const { target, job } = this;
    return job.client.pageRequest(dialledUrl(target), {
      headers: this.headers,
      limitBytes: bodyLimitOf(job.options.bodySizeLimitBytes),
      timeoutMs: target.timeoutMs,
      cancellation: this.stopping,
      unixSocketPath: target.unixSocketPath,
      buffers: this.buffers,
    });
  }

  /** The page in the clear, or what is wrong with it. */
  private open(fetched: FetchedPage | Error, scrape: Scrape): TargetPage | Error {
    if (fetched instanceof Error) return fetched;
    const { options } = this.job;
    const { target } = this;
    try {
      const page = pageOf(fetched, options.bodySizeLimitBytes);
      scrape.bodySizeBytes = page.sizeBytes;
      if (page.sizeBytes > 0) {
        if (fetched.contentType === undefined || fetched.contentType !== this.contentType) {
          this.format = chooseFormat(fetched.contentType, options.fallbackScrapeProtocol);
          this.contentType = fetched.contentType;
        }
        this.pageBytes = page.sizeBytes;
      }
      if (this.format !== "protobuf") {
        const { metricRelabelRules } = this.job;
        const linesTell = metricRelabelRules.length === 0 && !target.convertClassicHistogramsToNhcb;
        refuseOversizedPage(page.chunks, page.sizeBytes, linesTell ? options.sampleLimit : 0, scrape.counts);
      }
      return { chunks: page.chunks, sizeBytes: page.sizeBytes, format: this.format };
    } catch (error) {
      this.inflateApart ||= error instanceof ScratchOverflowError;
      return error as Error;
    }
  }

  private isLarge(page: TargetPage | Error): page is TargetPage {
    if (page instanceof Error) return false;
    return page.sizeBytes >= LARGE_PAGE_BYTES || this.shared.largePages.owns(this.series.memory);
  }

  /** As `store`, with other scrapes between the slices of the page: it reads all before it appends anything. */
  private async storeInSlices(page: TargetPage, scrape: Scrape): Promise<void> {
    const { largePages } = this.shared;
    if (this.isStopped) return;
    let append: (() => void) | Error;
    try {
      this.series.moveTo(largePages.memory);
      const reading = this.readPage(page, scrape, true);
      let step = reading.next();
      while (!step.done) {
        await largePages.pause();
        // The series may be another loop's by now.
        if (this.isStopped) {
          reading.return(() => {});
          return;
        }
        step = reading.next();
      }
      append = step.value;
    } catch (error) {
      append = error as Error;
    }
    this.store(append, scrape);
  }

  /** Stores what `append` appends, and the report. Where it throws, or an error comes in its place, the series end. */
  private store(append: (() => void) | Error, scrape: Scrape): void {
    const { appender, clock, observer } = this.shared;
    const { timeMs, startedMs, counts, bodySizeBytes } = scrape;
    let error = append instanceof Error ? append : null;
    appender.begin();
    try {
      if (!(append instanceof Error)) {
        try {
          append();
        } catch (cause) {
          error = cause as Error;
          appender.rollback();
          appender.begin();
        }
      }
      if (error) this.series.markStale(appender, timeMs);
      const durationSeconds = Math.max(0, clock.elapsedMs() - startedMs) / 1000;
      this.reports.append(appender, timeMs, {
        isUp: error === null,
        durationSeconds,
        scraped: counts.scraped,
        postRelabel: counts.postRelabel,
        seriesAdded: counts.seriesAdded,
        bodySizeBytes: error instanceof BodySizeLimitError ? -1 : bodySizeBytes,
      });
      appender.commit();
      this.lastDurationSeconds = durationSeconds;
    } catch (cause) {
      appender.rollback();
      throw cause;
    }
    this.note(counts, error);
    this.lastScrapeMs = timeMs;
    this.lastError = error?.message ?? "";
    this.health = error ? "down" : "up";
    if (this.job.options.extraScrapeMetrics) observer?.scrapeTook?.((clock.elapsedMs() - startedMs) / 1000);
  }

  private inOneStep(page: TargetPage, scrape: Scrape): () => void {
    return () => readThrough(this.readPage(page, scrape, false))();
  }

  private readPage(page: TargetPage, { timeMs, counts }: Scrape, readsAhead: boolean) {
    const { options } = this.job;
    const { target } = this;
    const { zerosAtStart = false, storesStartTimes = false } = this.shared;
    return this.series.read(
      page,
      {
        appender: this.shared.appender,
        labels: this.labels,
        timeMs,
        honorTimestamps: options.honorTimestamps,
        trackTimestampsStaleness: options.trackTimestampsStaleness,
        sampleLimit: options.sampleLimit,
        appendsMetadata: this.shared.appendsMetadata,
        zerosAtStart,
        storesStartTimes,
        readsAhead,
      },
      {
        scrapeNative: target.scrapeNativeHistograms,
        alwaysClassic: target.alwaysScrapeClassicHistograms,
        convertClassic: target.convertClassicHistogramsToNhcb,
        takesStartTimes: zerosAtStart || storesStartTimes,
        addsTypeAndUnit: this.shared.addsTypeAndUnit ?? false,
      },
      {
        bucketLimit: options.nativeHistogramBucketLimit,
        minBucketFactor: options.nativeHistogramMinBucketFactor,
      },
      counts,
    );
  }

  private note(counts: PageCounts, error: Error | null): void {
    const { counters, log, logFailure } = this.shared;
    const { options } = this.job;
    counters.sampleDuplicateTimestamp += counts.duplicateTimestamp;
    counters.sampleOutOfOrder += counts.outOfOrder;
    counters.sampleOutOfBounds += counts.outOfBounds;
    counters.exemplarOutOfOrder += counts.exemplarsOutOfOrder;
    const { duplicateTimestamp, outOfOrder, outOfBounds, exemplarsOutOfOrder } = counts;
    if (duplicateTimestamp + outOfOrder + outOfBounds > 0) {
      log.warn(
        { job: options.jobName, target: this.target.url, duplicateTimestamp, outOfOrder, outOfBounds },
        "samples of a scrape were dropped",
      );
    }
    if (exemplarsOutOfOrder > 0) {
      log.warn(
        { job: options.jobName, target: this.target.url, exemplarsOutOfOrder },
        "exemplars of a scrape were dropped",
      );
    }
    if (error === null) return;
    if (error instanceof SampleLimitError) counters.exceededSampleLimit++;
    else if (error instanceof BodySizeLimitError) counters.exceededBodySizeLimit++;
    else if (error instanceof LabelLimitError) counters.exceededLabelLimits++;
    else if (error instanceof BucketLimitError) counters.exceededBucketLimit++;
    log.debug({ job: options.jobName, target: this.target.url, err: error.message }, "scrape failed");
    if (options.scrapeFailureLogFile) {
      logFailure?.({
        file: options.scrapeFailureLogFile,
        jobName: options.jobName,
        url: this.target.url,
        error: error.message,
      });
    }
  }

  private endSeries(timeMs: number): void {
    const { appender, log } = this.shared;
    appender.begin();
    try {
      this.series.markStale(appender, timeMs);
      this.reports.markStale(appender, timeMs);
      appender.commit();
    } catch (error) {
      appender.rollback();
      log.error({ target: this.target.url, err: error }, "cannot end series of a target that is gone");
    }
    this.series.release();
    this.onEnded?.();
  }
}
