import type { Registry } from "prom-client";
import { exportBuckets } from "../telemetry/distribution.ts";
import { exportNumbers, type NumberMetric } from "../telemetry/metrics.ts";
import { WindowSummary } from "../telemetry/window-summary.ts";
import type { UnknownRefs } from "../tsdb/head/head-replay.ts";
import type { LogStatistics, Tsdb } from "../tsdb/tsdb.ts";

const PREFIX = "prometheus_tsdb_";
/** The ends of an int64, the wrong way round: what Prometheus shows of an empty head. */
const EMPTY_MIN_TIME = 9223372036854775807;
const EMPTY_MAX_TIME = -9223372036854775808;

type Read = NumberMetric["read"];

function counter(name: string, help: string, read: Read, labelNames: readonly string[] = []): NumberMetric {
  return { name: PREFIX + name, help, type: "counter", read, labelNames };
}

function gauge(name: string, help: string, read: Read): NumberMetric {
  return { name: PREFIX + name, help, type: "gauge", read };
}

function byType(floats: () => number, histograms: () => number): Read {
  return () => [
    { labels: { type: "float" }, value: floats() },
    { labels: { type: "histogram" }, value: histograms() },
  ];
}

/** How long the syncs of the two logs took. The second summary is shown once there is such a log. */
export class SyncDurations {
  private readonly ofWal: WindowSummary;
  private ofLateWal: WindowSummary | null = null;

  constructor(private readonly registry: Registry) {
    this.ofWal = this.summary("wal");
  }

  private summary(log: string): WindowSummary {
    return new WindowSummary({
      name: `${PREFIX}${log}_fsync_duration_seconds`,
      help: "How long it took to sync the log to the disk.",
      quantiles: [0.5, 0.9, 0.99],
      registers: [this.registry],
    });
  }

  showLateWal(): void {
    this.ofLateWal ??= this.summary("out_of_order_wbl");
  }

  readonly wal = (seconds: number) => this.ofWal.observe(seconds);
  readonly lateWal = (seconds: number) => this.ofLateWal?.observe(seconds);
}

/** What the storage counts on the thread that writes, under Prometheus's names. */
export function exportTsdbMetrics(registry: Registry, tsdb: Tsdb, syncs: SyncDurations): void {
  exportNumbers(registry, [
    ...headMetrics(tsdb),
    ...sampleMetrics(tsdb),
    ...timeMetrics(tsdb),
    ...walMetrics(tsdb),
    ...exemplarMetrics(tsdb),
  ]);
  exportBuckets(
    registry,
    `${PREFIX}sample_ooo_delta`,
    "How far behind the newest sample out-of-order samples came, in seconds, whether they were taken or not.",
    tsdb.statistics.outOfOrderDelaySeconds,
  );
  exportDuration(registry, "wal_truncate_duration_seconds", "Duration of shortening the log.", () => ({
    count: tsdb.truncation.truncations - tsdb.truncation.truncationsFailed,
    seconds: tsdb.truncation.truncateSeconds,
  }));
  exportDuration(registry, "head_gc_duration_seconds", "Duration of letting go a part of the head.", () => ({
    count: tsdb.truncation.collections,
    seconds: tsdb.truncation.collectionSeconds,
  }));
  // The log of out-of-order samples may come with the first of them.
  let isLateExported = false;
  const exportLate = () => {
    if (isLateExported || tsdb.lateWalStatistics === null) return;
    isLateExported = true;
    syncs.showLateWal();
    const { truncation } = tsdb;
    exportNumbers(
      registry,
      logMetrics("out_of_order_wbl", {
        statistics: () => tsdb.lateWalStatistics!,
        sizeBytes: () => tsdb.lateWalBytes,
        truncations: () => truncation.lateTruncations,
        truncationsFailed: () => truncation.lateTruncationsFailed,
        compression: tsdb.walCompression,
      }),
    );
  };
  exportLate();
  tsdb.onLateLog = exportLate;
}

/** A summary without quantiles, from numbers. */
function exportDuration(
  registry: Registry,
  name: string,
  help: string,
  read: () => { readonly count: number; readonly seconds: number },
): void {
  const full = PREFIX + name;
  const get = () => {
    const { count, seconds } = read();
    const values = [
      { metricName: `${full}_sum`, labels: {}, value: seconds },
      { metricName: `${full}_count`, labels: {}, value: count },
    ];
    return Promise.resolve({ name: full, help, type: "summary", values, aggregator: "sum" });
  };
  registry.registerMetric({ name: full, help, get } as never);
}

function headMetrics(tsdb: Tsdb): NumberMetric[] {
  const { head } = tsdb;
  const { statistics } = head;
  return [
    gauge("head_series", "Series in the head.", () => head.seriesCount),
    gauge("head_stale_series", "Series in the head that ended.", () => head.staleSeriesCount),
    gauge("head_chunks", "Chunks in the head.", () => head.chunkCount),
    gauge(
      "head_native_histogram_series",
      "Series in the head whose newest sample is a native histogram.",
      () => head.nativeHistograms.series,
    ),
    gauge(
      "head_native_histogram_buckets",
      "Buckets of the newest native histograms in the head.",
      () => head.nativeHistograms.buckets,
    ),
    counter("head_series_created_total", "Series created in the head.", () => statistics.seriesCreated),
    counter("head_series_removed_total", "Series removed from the head.", () => statistics.seriesRemoved),
    counter(
      "head_series_not_found_total",
      "Requests for series that were not found.",
      () => statistics.seriesNotFound,
    ),
    counter(
      "head_chunks_created_total",
      "Chunks created in the head.",
      () => statistics.chunksRemoved + head.chunkCount,
    ),
    counter("head_chunks_removed_total", "Chunks removed from the head.", () => statistics.chunksRemoved),
    // Narthex keeps the head's chunks in memory and logs their samples: none are mapped from files.
    gauge("head_chunks_storage_size_bytes", "Size of the head's chunk files.", () => 0),
    counter("mmap_chunks_total", "Chunks that were moved to files.", () => 0),
    counter(
      "mmap_chunk_corruptions_total",
      "Damaged files of head chunks that were found.",
      () => tsdb.replay.headChunkCorruptions,
    ),
    gauge("head_active_appenders", "Batches being appended.", () => Number(head.isAppending)),
    counter("head_appenders_created_total", "Batches begun.", () => statistics.batches),
    gauge("isolation_low_watermark", "The commit that every query sees.", () => head.control.commit >>> 0),
    gauge("isolation_high_watermark", "The newest commit.", () => head.control.commit >>> 0),
  ];
}

function sampleMetrics({ head: { statistics } }: Tsdb): NumberMetric[] {
  const typed = (name: string, help: string, floats: () => number, histograms: () => number) =>
    counter(name, help, byType(floats, histograms), ["type"]);
  return [
    typed(
      "head_samples_appended_total",
      "Samples appended.",
      () => statistics.floatsAppended,
      () => statistics.histogramsAppended,
    ),
    typed(
      "head_out_of_order_samples_appended_total",
      "Out-of-order samples appended.",
      () => statistics.outOfOrderFloatsAppended,
      () => statistics.outOfOrderHistogramsAppended,
    ),
    typed(
      "out_of_order_samples_total",
      "Samples refused for not being in order.",
      () => statistics.outOfOrderRejected,
      () => statistics.outOfOrderHistogramsRejected,
    ),
    typed(
      "too_old_samples_total",
      "Out-of-order samples refused for being beyond the window.",
      () => statistics.tooOldRejected,
      () => statistics.tooOldHistogramsRejected,
    ),
    typed(
      "out_of_bound_samples_total",
      "Samples refused for being older than what the head takes.",
      () => statistics.outOfBoundsRejected,
      () => statistics.outOfBoundsHistogramsRejected,
    ),
  ];
}

function timeMetrics({ head, replay, cleanStart }: Tsdb): NumberMetric[] {
  const minTime = () => (Number.isFinite(head.minTime) ? head.minTime : EMPTY_MIN_TIME);
  const maxTime = () => (Number.isFinite(head.maxTime) ? head.maxTime : EMPTY_MAX_TIME);
  return [
    gauge("head_min_time", "Least sample time in the head, in milliseconds.", minTime),
    gauge("head_max_time", "Greatest sample time in the head, in milliseconds.", maxTime),
    gauge("head_min_time_seconds", "Least sample time in the head.", () => minTime() / 1000),
    gauge("head_max_time_seconds", "Greatest sample time in the head.", () => maxTime() / 1000),
    gauge("data_replay_duration_seconds", "Time it took to read the logs.", () => replay.durationSeconds),
    counter("snapshot_replay_error_total", "Snapshots of the head that could not be read.", () =>
      Number(replay.snapshotFault !== null),
    ),
    gauge(
      "clean_start",
      "-1: the lock file is disabled. 0: one of an earlier run was replaced. 1: a clean start.",
      () => cleanStart,
    ),
  ];
}

interface LogSource {
  readonly statistics: () => LogStatistics;
  readonly sizeBytes: () => number;
  readonly truncations: () => number;
  readonly truncationsFailed: () => number;
  readonly compression: string;
}

/** @param log `wal` or `out_of_order_wbl` */
function logMetrics(log: string, source: LogSource): NumberMetric[] {
  const { statistics } = source;
  return [
    counter(`${log}_page_flushes_total`, "Page flushes.", () => statistics().pageFlushes),
    counter(`${log}_completed_pages_total`, "Completed pages.", () => statistics().completedPages),
    counter(`${log}_truncations_total`, "Times the log was to be shortened.", source.truncations),
    counter(
      `${log}_truncations_failed_total`,
      "Times the log could not be shortened.",
      source.truncationsFailed,
    ),
    counter(`${log}_writes_failed_total`, "Writes to the log that failed.", () => statistics().writesFailed),
    counter(
      `${log}_record_part_writes_total`,
      "Parts of records that were written.",
      () => statistics().recordPartWrites,
    ),
    counter(
      `${log}_record_parts_bytes_written_total`,
      "Bytes of the parts of records that were written.",
      () => statistics().recordPartBytes,
    ),
    counter(
      `${log}_record_bytes_saved_total`,
      "Bytes of records that compression saved.",
      () => [{ labels: { compression: source.compression }, value: statistics().recordBytesSaved }],
      ["compression"],
    ),
    gauge(`${log}_segment_current`, "The segment being written to.", () => statistics().segment),
    gauge(`${log}_storage_size_bytes`, "Size of the log on disk.", source.sizeBytes),
  ];
}

function walMetrics(tsdb: Tsdb): NumberMetric[] {
  const { replay, truncation } = tsdb;
  const unknown = (refs: UnknownRefs): Read => {
    const counts = Object.entries({
      samples: refs.samples,
      histograms: refs.histograms,
      tombstones: refs.tombstones,
      exemplars: refs.exemplars,
      metadata: refs.metadata,
    });
    return () => counts.map(([type, value]) => ({ labels: { type }, value }));
  };
  return [
    ...logMetrics("wal", {
      statistics: () => tsdb.walStatistics,
      sizeBytes: () => tsdb.walBytes,
      truncations: () => truncation.truncations,
      truncationsFailed: () => truncation.truncationsFailed,
      compression: tsdb.walCompression,
    }),
    counter("wal_corruptions_total", "Damaged logs that were found.", () => replay.corruptions),
    counter(
      "wal_replay_unknown_refs_total",
      "Entries of the log whose series it does not know.",
      unknown(replay.unknownRefs),
      ["type"],
    ),
    counter(
      "wbl_replay_unknown_refs_total",
      "Entries of the log of out-of-order samples whose series the log does not know.",
      unknown(replay.unknownLateRefs),
      ["type"],
    ),
    counter("checkpoint_creations_total", "Checkpoints to be written.", () => truncation.checkpoints),
    counter(
      "checkpoint_creations_failed_total",
      "Checkpoints that could not be written.",
      () => truncation.checkpointsFailed,
    ),
    counter(
      "checkpoint_deletions_total",
      "Deletions of old checkpoints.",
      () => truncation.checkpointDeletions,
    ),
    counter(
      "checkpoint_deletions_failed_total",
      "Deletions of old checkpoints that failed.",
      () => truncation.checkpointDeletionsFailed,
    ),
  ];
}

function exemplarMetrics({ exemplars }: Tsdb): NumberMetric[] {
  return [
    counter("exemplar_exemplars_appended_total", "Exemplars appended.", () => exemplars.statistics.appended),
    gauge("exemplar_exemplars_in_storage", "Exemplars kept.", () => exemplars.statistics.stored),
    gauge(
      "exemplar_series_with_exemplars_in_storage",
      "Series of which exemplars are kept.",
      () => exemplars.statistics.series,
    ),
    gauge(
      "exemplar_last_exemplars_timestamp_seconds",
      "Time of the oldest exemplar that is kept.",
      () => exemplars.statistics.oldestTimeMs / 1000,
    ),
    counter(
      "exemplar_out_of_order_exemplars_total",
      "Exemplars refused for not being in order.",
      () => exemplars.statistics.outOfOrder,
    ),
    gauge(
      "exemplar_max_exemplars",
      "How many exemplars are kept at most.",
      () => exemplars.statistics.maxExemplars,
    ),
  ];
}
