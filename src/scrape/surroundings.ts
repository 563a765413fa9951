import type { ScrapeMemory } from "../kernels/index.ts";
import type { Appender } from "../model/storage.ts";
import type { LargePages } from "./large-pages.ts";

/** Time as the scrape room sees it; tests hold it in their hands. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from some beginning, never going back, with fractions. */
  elapsedMs(): number;
  /** Calls back once. @returns a way to call it off */
  setTimer(run: () => void, delayMs: number): () => void;
}

export const systemClock: Clock = {
  now: Date.now,
  elapsedMs: () => performance.now(),
  setTimer: (run, delayMs) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Running totals behind the prometheus_target_… metrics of all jobs. */
export interface ScrapeCounters {
  poolsCreated: number;
  poolsFailed: number;
  poolReloads: number;
  poolReloadsFailed: number;
  exceededTargetLimit: number;
  exceededLabelLimits: number;
  exceededSampleLimit: number;
  exceededBodySizeLimit: number;
  exceededBucketLimit: number;
  sampleDuplicateTimestamp: number;
  sampleOutOfOrder: number;
  sampleOutOfBounds: number;
  exemplarOutOfOrder: number;
  cacheFlushesForced: number;
}

export function zeroCounters(): ScrapeCounters {
  return {
    poolsCreated: 0,
    poolsFailed: 0,
    poolReloads: 0,
    poolReloadsFailed: 0,
    exceededTargetLimit: 0,
    exceededLabelLimits: 0,
    exceededSampleLimit: 0,
    exceededBodySizeLimit: 0,
    exceededBucketLimit: 0,
    sampleDuplicateTimestamp: 0,
    sampleOutOfOrder: 0,
    sampleOutOfBounds: 0,
    exemplarOutOfOrder: 0,
    cacheFlushesForced: 0,
  };
}

/** Told of durations, for the metrics that are distributions. */
export interface ScrapeObserver {
  /** Between the starts of two scrapes of a target. */
  intervalPassed(intervalMs: number, seconds: number): void;
  /** A scrape ended, its commit included. */
  scrapeTook?(seconds: number): void;
  targetsSynced(jobName: string, seconds: number): void;
  poolReloaded(intervalMs: number, seconds: number): void;
}

/** Takes fields first, as pino does. */
export interface ScrapeLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A scrape that failed, for the job's failure log. */
export interface ScrapeFailure {
  readonly file: string;
  readonly jobName: string;
  readonly url: string;
  readonly error: string;
}

/** What every loop of one thread shares. */
export interface ScrapeSurroundings {
  readonly appender: Appender;
  readonly memory: ScrapeMemory;
  readonly largePages: LargePages;
  readonly clock: Clock;
  readonly log: ScrapeLog;
  readonly counters: ScrapeCounters;
  readonly observer?: ScrapeObserver | undefined;
  readonly logFailure?: ((failure: ScrapeFailure) => void) | undefined;
  /** Spreads targets over their interval differently on every server: host name and external labels. */
  readonly offsetSeed: string;
  readonly userAgent: string;
  /** Pools take up what discovery found at most this often; every five seconds by default. */
  readonly syncIntervalMs?: number | undefined;
  /** How far from its schedule a scrape may start and still be stamped with it. */
  readonly timestampToleranceMs: number;
  /** Feature `created-timestamp-zero-ingestion`: a zero where a series says it began. */
  readonly zerosAtStart?: boolean | undefined;
  /** Feature `st-storage`: samples are stored with their start times. */
  readonly storesStartTimes?: boolean | undefined;
  /** Feature `metadata-wal-records`: tell storage the metadata of series. */
  readonly appendsMetadata?: boolean | undefined;
  /** Feature `type-and-unit-labels`. */
  readonly addsTypeAndUnit?: boolean | undefined;
}
