/** What Prometheus says of its storage, a running server says too, and it is so. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Labels } from "../../src/model/labels.ts";
import { Tsdb } from "../../src/tsdb/tsdb.ts";
import { ApiClient, eventually } from "../support/api-client.ts";
import { removeFolder, startNarthex, temporaryFolder } from "../support/servers.ts";
import type { SpawnedServer } from "../support/spawned-server.ts";

/** By type. */
const names = {
  counter: `head_series_created_total head_series_removed_total head_series_not_found_total
    head_chunks_created_total head_chunks_removed_total head_samples_appended_total
    head_out_of_order_samples_appended_total out_of_order_samples_total too_old_samples_total
    out_of_bound_samples_total head_appenders_created_total head_truncations_total
    head_truncations_failed_total mmap_chunks_total mmap_chunk_corruptions_total
    wal_page_flushes_total wal_completed_pages_total wal_truncations_total wal_truncations_failed_total
    wal_writes_failed_total wal_record_part_writes_total wal_record_parts_bytes_written_total
    wal_record_bytes_saved_total wal_corruptions_total wal_replay_unknown_refs_total
    wbl_replay_unknown_refs_total snapshot_replay_error_total checkpoint_creations_total
    checkpoint_deletions_total checkpoint_creations_failed_total checkpoint_deletions_failed_total
    compactions_total compactions_triggered_total compactions_failed_total compactions_skipped_total
    vertical_compactions_total stale_series_compactions_triggered_total
    stale_series_compactions_failed_total selected_series_compactions_triggered_total
    selected_series_compactions_failed_total reloads_total reloads_failures_total time_retentions_total
    size_retentions_total exemplar_exemplars_appended_total exemplar_out_of_order_exemplars_total
    out_of_order_wbl_page_flushes_total out_of_order_wbl_completed_pages_total
    out_of_order_wbl_truncations_total out_of_order_wbl_truncations_failed_total
    out_of_order_wbl_writes_failed_total out_of_order_wbl_record_part_writes_total
    out_of_order_wbl_record_parts_bytes_written_total out_of_order_wbl_record_bytes_saved_total`,
  gauge: `head_series head_stale_series head_chunks head_native_histogram_series
    head_native_histogram_buckets head_min_time head_max_time head_min_time_seconds head_max_time_seconds
    lowest_timestamp lowest_timestamp_seconds head_active_appenders isolation_low_watermark
    isolation_high_watermark head_chunks_storage_size_bytes wal_segment_current wal_storage_size_bytes
    out_of_order_wbl_segment_current out_of_order_wbl_storage_size_bytes data_replay_duration_seconds
    compaction_populating_block blocks_loaded storage_blocks_bytes symbol_table_size_bytes
    retention_limit_bytes retention_limit_percentage retention_limit_seconds clean_start
    exemplar_exemplars_in_storage exemplar_series_with_exemplars_in_storage
    exemplar_last_exemplars_timestamp_seconds exemplar_max_exemplars`,
  summary: `wal_fsync_duration_seconds wal_truncate_duration_seconds head_gc_duration_seconds
    out_of_order_wbl_fsync_duration_seconds`,
  histogram: `sample_ooo_delta compaction_duration_seconds compaction_chunk_size_bytes
    compaction_chunk_samples compaction_chunk_range_seconds stale_series_compaction_duration_seconds
    selected_series_compaction_duration_seconds tombstone_cleanup_seconds`,
} as const;

describe("a server that stored, wrote blocks and was damaged", () => {
  const folder = temporaryFolder("storage-metrics");
  const data = join(folder, "data");
  const endMs = Date.now();
  let narthex: SpawnedServer;
  let api: ApiClient;

  beforeAll(async () => {
    mkdirSync(data, { recursive: true });
    const tsdb = Tsdb.open({ directory: data, blockRangeMs: 600_000, generationBytes: 2 ** 26 });
    for (let timeMs = endMs - 5_400_000; timeMs <= endMs; timeMs += 15_000) {
      tsdb.appender.begin();
      for (let i = 0; i < 10; i++) {
        const labels = Labels.fromRecord({ __name__: "steps", series: String(i) });
        tsdb.appender.appendFloat(labels, timeMs, 0x3ff00000, 0);
      }
      tsdb.appender.commit();
    }
    tsdb.close();
    // A torn end, and then the segment that a stop leaves.
    writeFileSync(join(data, "wal", `0000000${tsdb.walStatistics.segment + 1}`), Buffer.from([2, 0, 9, 1]));
    narthex = await startNarthex({
      folder,
      config:
        "storage: { tsdb: { out_of_order_time_window: 10m, retention: { size: 1GB } } }\nscrape_configs: []\n",
      flags: [
        "--storage.tsdb.min-block-duration=10m",
        "--storage.tsdb.max-block-duration=30m",
        "--storage.tsdb.block-reload-interval=1s",
        "--enable-feature=exemplar-storage",
        "--web.enable-admin-api",
      ],
    });
    api = new ApiClient(narthex.url);
  }, 60_000);
  afterAll(async () => {
    await narthex.stop();
    removeFolder(folder);
  });

  /** The page by sample, without the prefix, and the types of the metrics. */
  async function metrics() {
    const text = await (await fetch(`${narthex.url}/metrics`)).text();
    const types = new Map<string, string>();
    const samples = new Map<string, number>();
    for (const line of text.split("\n")) {
      const type = /^# TYPE prometheus_tsdb_(\S+) (\S+)/.exec(line);
      if (type) types.set(type[1]!, type[2]!);
      const sample = /^prometheus_tsdb_(.*) (\S+)$/.exec(line);
      if (sample) samples.set(sample[1]!, Number(sample[2]!.replace("Inf", "Infinity")));
    }
    return { types, samples };
  }

  test("shows every metric of Prometheus's storage, with its type", async () => {
    const { types } = await metrics();
    for (const [type, list] of Object.entries(names)) {
      for (const name of list.split(/\s+/)) expect([name, types.get(name)]).toEqual([name, type]);
    }
  });

  test("tells what became of the log and of the blocks", async () => {
    await eventually("what is due is done", async () => {
      const { samples } = await metrics();
      expect(samples.get("vertical_compactions_total")).toBe(0);
      expect(samples.get("blocks_loaded")).toBeGreaterThan(1);
      // Six generations at least took no more samples, and some of the blocks made of them were merged.
      expect(samples.get("head_truncations_total")).toBeGreaterThanOrEqual(6);
      expect(samples.get("compactions_total")).toBeGreaterThan(samples.get("head_truncations_total")!);
      expect(samples.get("compaction_duration_seconds_count")).toBe(samples.get("compactions_total"));
      expect(samples.get("compaction_chunk_samples_count")).toBeGreaterThanOrEqual(40);
      expect(samples.get("compaction_chunk_samples_sum")).toBeGreaterThan(1000);
      return true;
    });
    const { samples } = await metrics();
    expect(samples.get("head_series")).toBe(10);
    expect(samples.get("wal_corruptions_total")).toBe(1);
    expect(samples.get("lowest_timestamp")).toBeLessThanOrEqual(endMs - 5_400_000);
    expect(samples.get("head_max_time")).toBeLessThanOrEqual(endMs);
    expect(samples.get("head_max_time")).toBeGreaterThan(endMs - 15_000);
    expect(samples.get("retention_limit_bytes")).toBe(2 ** 30);
    expect(samples.get("symbol_table_size_bytes")).toBeGreaterThan(0);
    expect(samples.get("storage_blocks_bytes")).toBeGreaterThan(0);
    expect(samples.get("exemplar_max_exemplars")).toBe(100_000);
    const info = await api.get<{ corruptionCount: number }>("status/runtimeinfo");
    expect(info.corruptionCount).toBe(1);
    const replay = await api.get<{ min: number; max: number; current: number }>("status/walreplay");
    expect(replay.max).toBeGreaterThan(replay.min);
    expect(replay.current).toBe(replay.max);
    const status = await api.get<{ headStats: { numSeries: number; chunkCount: number } }>("status/tsdb");
    expect(status.headStats.numSeries).toBe(10);
    expect(status.headStats.chunkCount).toBe(samples.get("head_chunks"));
  });

  test("counts the cleaning of tombstones", async () => {
    const before = (await metrics()).samples.get("tombstone_cleanup_seconds_count")!;
    const options = { method: "POST" };
    await fetch(`${narthex.url}/api/v1/admin/tsdb/delete_series?match[]=steps{series="1"}`, options);
    await fetch(`${narthex.url}/api/v1/admin/tsdb/clean_tombstones`, options);
    expect((await metrics()).samples.get("tombstone_cleanup_seconds_count")).toBe(before + 1);
  });
});
