import type { Registry } from "prom-client";
import {
  addBuckets,
  type BucketCounts,
  emptyBuckets,
  exponentialBounds,
  exportBuckets,
  observe,
} from "../telemetry/distribution.ts";
import { exportNumbers, type NumberMetric } from "../telemetry/metrics.ts";
import type { BlockInfo } from "../tsdb/compaction/block-directory.ts";
import type { RetentionLimits } from "../tsdb/compaction/retention.ts";
import { type ChunkDistributions, emptyChunkDistributions } from "./chunk-distributions.ts";

const PREFIX = "prometheus_tsdb_";

/** What there is to be read when the page is asked for. */
export interface BlockMetricsSource {
  readonly blocks: () => readonly BlockInfo[];
  readonly limits: () => RetentionLimits;
  readonly headMinTime: () => Promise<number>;
}

/** What the keeper of the data directory counts, under Prometheus's names. */
export class BlockMetrics {
  readonly counters = {
    compactions: 0,
    compactionsTriggered: 0,
    compactionsFailed: 0,
    compactionsSkipped: 0,
    verticalCompactions: 0,
    reloads: 0,
    reloadFailures: 0,
    timeRetentions: 0,
    sizeRetentions: 0,
    truncations: 0,
    truncationsFailed: 0,
    staleCompactions: 0,
    staleCompactionsFailed: 0,
  };
  isWritingBlock = false;
  private readonly compactionSeconds = emptyBuckets(exponentialBounds(1, 2, 14));
  private readonly staleCompactionSeconds = emptyBuckets(exponentialBounds(1, 2, 14));
  private readonly tombstoneCleanupSeconds = emptyBuckets([]);
  private readonly chunks = emptyChunkDistributions();

  constructor(registry: Registry, source: BlockMetricsSource) {
    exportNumbers(registry, [...this.numbers(), ...gauges(this, source)]);
    const histogram = (name: string, help: string, buckets: BucketCounts) =>
      exportBuckets(registry, PREFIX + name, help, buckets);
    histogram("compaction_duration_seconds", "Duration of compactions.", this.compactionSeconds);
    histogram(
      "stale_series_compaction_duration_seconds",
      "Duration of early compactions of series that ended.",
      this.staleCompactionSeconds,
    );
    histogram(
      "selected_series_compaction_duration_seconds",
      "Duration of compactions of selected series, of which there are none.",
      emptyBuckets(exponentialBounds(1, 2, 14)),
    );
    histogram(
      "tombstone_cleanup_seconds",
      "Duration of writing blocks anew without what is deleted.",
      this.tombstoneCleanupSeconds,
    );
    histogram(
      "compaction_chunk_size_bytes",
      "Final size of chunks at their first compaction.",
      this.chunks.sizeBytes,
    );
    histogram(
      "compaction_chunk_samples",
      "Final number of samples of chunks at their first compaction.",
      this.chunks.samples,
    );
    // In milliseconds, whatever the name says: so it is in Prometheus, and in the rules of its users.
    histogram(
      "compaction_chunk_range_seconds",
      "Final time range of chunks at their first compaction, in milliseconds.",
      this.chunks.rangeMs,
    );
  }

  observeCompaction(seconds: number): void {
    observe(this.compactionSeconds, seconds);
  }

  observeStaleCompaction(seconds: number): void {
    observe(this.staleCompactionSeconds, seconds);
  }

  observeCleanup(seconds: number): void {
    observe(this.tombstoneCleanupSeconds, seconds);
  }

  addChunks({ sizeBytes, samples, rangeMs }: ChunkDistributions): void {
    addBuckets(this.chunks.sizeBytes, sizeBytes);
    addBuckets(this.chunks.samples, samples);
    addBuckets(this.chunks.rangeMs, rangeMs);
  }

  private numbers(): NumberMetric[] {
    const { counters } = this;
    const total = (name: string, help: string, read: () => number): NumberMetric => ({
      name: PREFIX + name,
      help,
      type: "counter",
      read,
    });
    return [
      total("compactions_total", "Compactions that were done.", () => counters.compactions),
      total(
        "compactions_triggered_total",
        "Times the data directory was looked through.",
        () => counters.compactionsTriggered,
      ),
      total("compactions_failed_total", "Compactions that failed.", () => counters.compactionsFailed),
      total(
        "compactions_skipped_total",
        "Compactions that were due and put off.",
        () => counters.compactionsSkipped,
      ),
      total(
        "vertical_compactions_total",
        "Compactions of blocks that overlapped.",
        () => counters.verticalCompactions,
      ),
      total("head_truncations_total", "Times the head was shortened.", () => counters.truncations),
      total(
        "head_truncations_failed_total",
        "Times the head could not be shortened.",
        () => counters.truncationsFailed,
      ),
      total("reloads_total", "Times the list of blocks was read again.", () => counters.reloads),
      total("reloads_failures_total", "Blocks that could not be read.", () => counters.reloadFailures),
      total(
        "time_retentions_total",
        "Times blocks were deleted for their age.",
        () => counters.timeRetentions,
      ),
      total(
        "size_retentions_total",
        "Times blocks were deleted for their size.",
        () => counters.sizeRetentions,
      ),
      total(
        "stale_series_compactions_triggered_total",
        "Early compactions of series that ended.",
        () => counters.staleCompactions,
      ),
      total(
        "stale_series_compactions_failed_total",
        "Early compactions of series that ended that failed.",
        () => counters.staleCompactionsFailed,
      ),
      // Nothing asks for these compactions here: the series are there for those who add them up.
      total("selected_series_compactions_triggered_total", "Compactions of selected series.", () => 0),
      total(
        "selected_series_compactions_failed_total",
        "Compactions of selected series that failed.",
        () => 0,
      ),
    ];
  }
}

function gauges(metrics: BlockMetrics, { blocks, limits, headMinTime }: BlockMetricsSource): NumberMetric[] {
  const gauge = (name: string, help: string, read: NumberMetric["read"]): NumberMetric => ({
    name: PREFIX + name,
    help,
    type: "gauge",
    read,
  });
  const sum = (of: (block: BlockInfo) => number) => blocks().reduce((total, block) => total + of(block), 0);
  const lowestTime = async () => {
    const oldest = blocks()[0]?.meta.minTime ?? (await headMinTime().catch(() => Infinity));
    return Number.isFinite(oldest) ? oldest : NO_TIME;
  };
  return [
    gauge("blocks_loaded", "Blocks in use.", () => blocks().length),
    gauge("storage_blocks_bytes", "Size of the blocks in use.", () => sum(({ sizeBytes }) => sizeBytes)),
    gauge("symbol_table_size_bytes", "What a reader of the blocks keeps of their symbols.", () =>
      sum(({ symbolTableBytes }) => symbolTableBytes),
    ),
    gauge("lowest_timestamp", "The least time there are samples of, in milliseconds.", lowestTime),
    gauge(
      "lowest_timestamp_seconds",
      "The least time there are samples of.",
      async () => (await lowestTime()) / 1000,
    ),
    gauge("compaction_populating_block", "1 while a block is written.", () => Number(metrics.isWritingBlock)),
    gauge("retention_limit_seconds", "How long samples are kept, 0 for ever.", () => limits().timeMs / 1000),
    gauge(
      "retention_limit_bytes",
      "How many bytes are kept, 0 without such a limit.",
      () => limits().sizeBytes,
    ),
    gauge(
      "retention_limit_percentage",
      "The share of the disk that may be filled, 0 without such a limit.",
      () => limits().percentage,
    ),
  ];
}

/** The end of an int64: what Prometheus shows when there is nothing. */
const NO_TIME = 9223372036854775807;
