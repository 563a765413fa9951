import { Histogram, type Registry } from "prom-client";
import type { PoolStatistics, ScrapeCounters, ScrapeManager, ScrapeObserver } from "../scrape/index.ts";
import {
  emptyBuckets,
  exportLabelledBuckets,
  observe,
  type BucketCounts,
} from "../telemetry/distribution.ts";
import { exportNumbers, type NumberMetric } from "../telemetry/metrics.ts";
import type { Tsdb } from "../tsdb/tsdb.ts";
import { WindowSummary } from "../telemetry/window-summary.ts";
import { exportTsdbMetrics, type SyncDurations } from "./tsdb-metrics.ts";

const QUANTILES = [0.01, 0.05, 0.5, 0.9, 0.99];
const WIDE_BUCKETS = [0.01, 0.1, 1, 10];

/** The distributions of scraping. */
export function observeScrapes(registry: Registry): ScrapeObserver {
  const both = (name: string, help: string, label: string) => {
    const summary = new WindowSummary({
      ...{ help, labelNames: [label], registers: [registry] },
      name: `${name}_seconds`,
      quantiles: QUANTILES,
    });
    const histograms = new Map<string, BucketCounts>();
    const shown = () => [...histograms].map(([value, buckets]) => [{ [label]: value }, buckets] as const);
    exportLabelledBuckets(registry, `${name}_histogram_seconds`, help, shown);
    /** Labels are looked up once: a scrape is too rare for what that takes to be in the caches. */
    return (labelValue: string): ((seconds: number) => void) => {
      const observeInWindow = summary.observer({ [label]: labelValue });
      const buckets = histograms.get(labelValue) ?? emptyBuckets(WIDE_BUCKETS);
      histograms.set(labelValue, buckets);
      return (seconds) => {
        observeInWindow(seconds);
        observe(buckets, seconds);
      };
    };
  };
  const interval = both("prometheus_target_interval_length", "Actual intervals between scrapes.", "interval");
  const intervals = new Map<number, (seconds: number) => void>();
  const sync = both(
    "prometheus_target_sync_length",
    "Actual time taken to sync the scrape pool.",
    "scrape_job",
  );
  const reload = new WindowSummary({
    name: "prometheus_target_reload_length_seconds",
    help: "Actual time taken to reload the scrape pool.",
    labelNames: ["interval"],
    quantiles: QUANTILES,
    registers: [registry],
  });
  // Native buckets are for protobuf; text shows the sum and the count. There from the first scrape that asks for it.
  let scrapes: Histogram | null = null;
  return {
    scrapeTook: (seconds) => {
      scrapes ??= new Histogram({
        name: "prometheus_target_scrape_duration_seconds",
        help: "Actual time taken to scrape a target, its commit included.",
        buckets: [],
        registers: [registry],
      });
      scrapes.observe(seconds);
    },
    intervalPassed(intervalMs, seconds) {
      let observeInterval = intervals.get(intervalMs);
      if (observeInterval === undefined)
        intervals.set(intervalMs, (observeInterval = interval(goDuration(intervalMs))));
      observeInterval(seconds);
    },
    targetsSynced: (jobName, seconds) => sync(jobName)(seconds),
    poolReloaded: (intervalMs, seconds) => reload.observe({ interval: goDuration(intervalMs) }, seconds),
  };
}

/** A duration as Go prints it: 15s, 1m0s, 500ms, 1.5s. */
function goDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = (ms % 60_000) / 1000;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

/** Everything the ingest thread counts, under Prometheus's names. */
export function exportIngestMetrics(
  registry: Registry,
  from: {
    readonly tsdb: Tsdb;
    readonly syncs: SyncDurations;
    readonly scraping: ScrapeManager;
    readonly counters: ScrapeCounters;
  },
): void {
  exportNumbers(registry, scrapeMetrics(from.scraping, from.counters));
  exportTsdbMetrics(registry, from.tsdb, from.syncs);
}

function scrapeMetrics(scraping: ScrapeManager, counters: ScrapeCounters): NumberMetric[] {
  const total = (name: string, help: string, read: () => number): NumberMetric => ({
    name: `prometheus_target_${name}`,
    help,
    type: "counter",
    read,
  });
  const byJob = (
    name: string,
    help: string,
    type: "counter" | "gauge",
    read: (pool: PoolStatistics) => number,
  ): NumberMetric => ({
    name: `prometheus_target_${name}`,
    help,
    type,
    labelNames: ["scrape_job"],
    read: () =>
      scraping.statistics().map((pool) => ({ labels: { scrape_job: pool.jobName }, value: read(pool) })),
  });
  return [
    total(
      "scrape_pools_total",
      "Total number of scrape pool creation attempts.",
      () => counters.poolsCreated,
    ),
    total(
      "scrape_pools_failed_total",
      "Total number of scrape pool creations that failed.",
      () => counters.poolsFailed,
    ),
    total("scrape_pool_reloads_total", "Total number of scrape pool reloads.", () => counters.poolReloads),
    total(
      "scrape_pool_reloads_failed_total",
      "Total number of failed scrape pool reloads.",
      () => counters.poolReloadsFailed,
    ),
    total(
      "scrape_pool_exceeded_target_limit_total",
      "Total number of times scrape pools hit the target limit.",
      () => counters.exceededTargetLimit,
    ),
    total(
      "scrape_pool_exceeded_label_limits_total",
      "Total number of times scrape pools hit the label limits.",
      () => counters.exceededLabelLimits,
    ),
    total(
      "scrapes_exceeded_sample_limit_total",
      "Total number of scrapes that hit the sample limit and were rejected.",
      () => counters.exceededSampleLimit,
    ),
    total(
      "scrapes_exceeded_body_size_limit_total",
      "Total number of scrapes that hit the body size limit.",
      () => counters.exceededBodySizeLimit,
    ),
    total(
      "scrapes_exceeded_native_histogram_bucket_limit_total",
      "Total number of scrapes that hit the native histogram bucket limit.",
      () => counters.exceededBucketLimit,
    ),
    total(
      "scrapes_sample_duplicate_timestamp_total",
      "Total number of samples rejected due to duplicate timestamps but different values.",
      () => counters.sampleDuplicateTimestamp,
    ),
    total(
      "scrapes_sample_out_of_order_total",
      "Total number of samples rejected due to not being in order.",
      () => counters.sampleOutOfOrder,
    ),
    total(
      "scrapes_sample_out_of_bounds_total",
      "Total number of samples rejected due to their timestamp being out of bounds.",
      () => counters.sampleOutOfBounds,
    ),
    total(
      "scrapes_exemplar_out_of_order_total",
      "Total number of exemplars rejected due to not being in order.",
      () => counters.exemplarOutOfOrder,
    ),
    total(
      "scrapes_cache_flush_forced_total",
      "How many times a scrape cache was flushed while scrapes failed.",
      () => counters.cacheFlushesForced,
    ),
    byJob(
      "scrape_pool_sync_total",
      "Total number of syncs executed on a scrape pool.",
      "counter",
      (pool) => pool.syncs,
    ),
    byJob(
      "sync_failed_total",
      "Total number of target sync failures.",
      "counter",
      (pool) => pool.syncsFailed,
    ),
    byJob(
      "scrape_pool_targets",
      "Current number of targets in this scrape pool.",
      "gauge",
      (pool) => pool.targets,
    ),
    byJob(
      "scrape_pool_target_limit",
      "Maximum number of targets allowed in this scrape pool.",
      "gauge",
      (pool) => pool.targetLimit,
    ),
    byJob(
      "scrape_pool_symboltable_items",
      "Current number of different texts in the labels of this scrape pool's targets.",
      "gauge",
      (pool) => pool.symbols,
    ),
    byJob(
      "metadata_cache_entries",
      "Total number of metric metadata entries in the cache.",
      "gauge",
      (pool) => pool.metadataEntries,
    ),
    byJob(
      "metadata_cache_bytes",
      "The number of bytes of metric metadata in the cache.",
      "gauge",
      (pool) => pool.metadataBytes,
    ),
  ];
}
