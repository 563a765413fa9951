import { mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FloatHistogram } from "../../src/model/histogram.ts";
import { Labels } from "../../src/model/labels.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../src/model/sample.ts";
import { exportTsdbMetrics, SyncDurations } from "../../src/runtime/tsdb-metrics.ts";
import { Tsdb, type TsdbOptions } from "../../src/tsdb/tsdb.ts";

const RANGE = 2 * 60 * 60 * 1000;
const START = 238_000 * RANGE;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "narthex-metrics-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const series = (name: string) => Labels.fromRecord({ __name__: name });

function histogram(buckets: number[]): FloatHistogram {
  const count = buckets.reduce((sum, bucket) => sum + bucket, 0);
  return {
    isInteger: true,
    counterResetHint: "unknown",
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count,
    sum: count,
    isStale: false,
    positiveSpans: [{ offset: 0, length: buckets.length }],
    negativeSpans: [],
    positiveBuckets: Float64Array.from(buckets),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  };
}

/** A database with its metrics page. */
class Rig {
  readonly tsdb: Tsdb;
  private readonly registry = new Registry();

  constructor(options: Partial<TsdbOptions> = {}) {
    const syncs = new SyncDurations(this.registry);
    this.tsdb = Tsdb.open({
      directory,
      generationBytes: 16 * 1024 * 1024,
      walCompression: "none",
      onWalSync: syncs.wal,
      onLateWalSync: syncs.lateWal,
      ...options,
    });
    exportTsdbMetrics(this.registry, this.tsdb, syncs);
  }

  append(timeMs: number, ...names: string[]): void {
    const { appender } = this.tsdb;
    appender.begin();
    for (const name of names) appender.appendFloat(series(name), timeMs, 0x3ff00000, 0);
    appender.commit();
  }

  end(timeMs: number, name: string): void {
    const { appender } = this.tsdb;
    appender.begin();
    appender.appendFloat(series(name), timeMs, STALE_HIGH_WORD, STALE_LOW_WORD);
    appender.commit();
  }

  appendHistogram(timeMs: number, name: string, buckets: number[]): void {
    const { appender } = this.tsdb;
    appender.begin();
    appender.appendHistogram(series(name), timeMs, histogram(buckets));
    appender.commit();
  }

  /** Samples of the page, by name and labels, without the prefix all of them have. */
  async page(): Promise<Map<string, number>> {
    const samples = (await this.registry.metrics()).split("\n").filter((line) => /^[a-z]/.test(line));
    return new Map(
      samples.map((line) => {
        const at = line.lastIndexOf(" ");
        return [line.slice("prometheus_tsdb_".length, at), Number(line.slice(at + 1))];
      }),
    );
  }

  async numbers(...names: string[]): Promise<(number | undefined)[]> {
    const page = await this.page();
    return names.map((name) => page.get(name));
  }
}

describe("the series of the head", () => {
  const names = ["head_series", "head_series_created_total", "head_series_removed_total"];

  test("are counted once, in however many generations they are", async () => {
    const rig = new Rig();
    rig.append(START, "a", "b", "gone");
    rig.append(START + RANGE, "a", "b", "new");
    expect(await rig.numbers(...names)).toEqual([4, 4, 0]);
    rig.append(START + 1.6 * RANGE, "a");
    const [sealed] = rig.tsdb.sealGenerations();
    await rig.tsdb.generationStored(sealed!.epoch);
    expect(await rig.numbers(...names)).toEqual([3, 4, 1]);
    expect(
      await rig.numbers("head_chunks", "head_chunks_created_total", "head_chunks_removed_total"),
    ).toEqual([3, 6, 3]);
    rig.tsdb.close();
    const again = new Rig();
    // The log is cut by the file: the first generation's is gone.
    expect(await again.numbers(...names)).toEqual([3, 3, 0]);
    again.tsdb.close();
  });

  test("that ended are counted until they go on, over generations and restarts", async () => {
    const rig = new Rig();
    const stale = async () => (await rig.page()).get("head_stale_series");
    rig.append(START, "a", "b", "c");
    expect(await stale()).toBe(0);
    rig.end(START + 1000, "a");
    rig.end(START + 1000, "b");
    expect(await stale()).toBe(2);
    rig.append(START + 2000, "a");
    expect(await stale()).toBe(1);
    rig.end(START + 3000, "a");
    expect(await stale()).toBe(2);
    rig.append(START + RANGE, "b", "d");
    expect(await stale()).toBe(1);
    rig.end(START + RANGE + 1000, "d");
    expect(await stale()).toBe(2);
    rig.tsdb.close();
    const again = new Rig();
    expect((await again.page()).get("head_stale_series")).toBe(2);
    again.tsdb.close();
  });

  test("of native histograms are counted by their newest sample", async () => {
    const rig = new Rig();
    const numbers = () => rig.numbers("head_native_histogram_series", "head_native_histogram_buckets");
    expect(await numbers()).toEqual([0, 0]);
    rig.appendHistogram(START, "h", [1, 2, 3]);
    rig.appendHistogram(START, "i", [1]);
    rig.append(START, "a");
    expect(await numbers()).toEqual([2, 4]);
    rig.appendHistogram(START + RANGE, "h", [1, 2, 3, 4, 5]);
    expect(await numbers()).toEqual([2, 6]);
    rig.append(START + RANGE, "i");
    expect(await numbers()).toEqual([1, 5]);
    rig.tsdb.close();
  });
});

test("samples that are refused are counted by kind and by how late they were", async () => {
  const rig = new Rig();
  rig.append(START + RANGE, "a");
  rig.appendHistogram(START + RANGE, "h", [1, 2]);
  rig.append(START + RANGE - 1_200_000, "a");
  rig.append(START, "a");
  rig.appendHistogram(START + RANGE - 60_000, "h", [1]);
  rig.appendHistogram(START, "h", [1]);
  const page = await rig.page();
  expect([...page].filter(([name]) => /^(out_of|too_old|sample_ooo_delta)/.test(name))).toEqual([
    ['out_of_order_samples_total{type="float"}', 1],
    ['out_of_order_samples_total{type="histogram"}', 1],
    ['too_old_samples_total{type="float"}', 0],
    ['too_old_samples_total{type="histogram"}', 0],
    ['out_of_bound_samples_total{type="float"}', 1],
    ['out_of_bound_samples_total{type="histogram"}', 1],
    ['sample_ooo_delta_bucket{le="600"}', 1],
    ['sample_ooo_delta_bucket{le="1800"}', 2],
    ['sample_ooo_delta_bucket{le="3600"}', 2],
    ['sample_ooo_delta_bucket{le="7200"}', 4],
    ['sample_ooo_delta_bucket{le="10800"}', 4],
    ['sample_ooo_delta_bucket{le="21600"}', 4],
    ['sample_ooo_delta_bucket{le="43200"}', 4],
    ['sample_ooo_delta_bucket{le="+Inf"}', 4],
    ["sample_ooo_delta_sum", 60 + 1200 + 7200 + 7200],
    ["sample_ooo_delta_count", 4],
  ]);
  rig.tsdb.close();
});

describe("the log", () => {
  test("tells of its writes, syncs, checkpoints and truncations", async () => {
    const rig = new Rig();
    rig.append(START, "a");
    rig.append(START + RANGE, "a");
    rig.append(START + 1.6 * RANGE, "a");
    const [sealed] = rig.tsdb.sealGenerations();
    await rig.tsdb.generationStored(sealed!.epoch);
    const page = await rig.page();
    const of = (name: string) => page.get(name);
    expect(of("wal_truncations_total")).toBe(1);
    expect(of("wal_truncate_duration_seconds_count")).toBe(1);
    expect(of("checkpoint_creations_total")).toBe(1);
    expect(of("checkpoint_deletions_total")).toBe(1);
    expect(of("head_gc_duration_seconds_count")).toBe(1);
    expect(of("wal_page_flushes_total")).toBe(4);
    expect(of("wal_record_part_writes_total")).toBe(4);
    expect(of("wal_record_parts_bytes_written_total")).toBeGreaterThan(4 * 7);
    expect(of("wal_segment_current")).toBe(1);
    expect(of("head_appenders_created_total")).toBe(3);
    expect(of("isolation_high_watermark")).toBe(rig.tsdb.head.control.commit);
    for (const name of ["wal_truncations", "checkpoint_creations", "checkpoint_deletions", "wal_writes"]) {
      expect(of(`${name}_failed_total`)).toBe(0);
    }
    rig.tsdb.close();
    expect((await rig.page()).get("wal_fsync_duration_seconds_count")).toBeGreaterThanOrEqual(1);
  });

  test("that is damaged is counted, and so are entries whose series it lost", async () => {
    const rig = new Rig();
    rig.append(START, "a");
    rig.append(START + 1000, "a", "b");
    rig.tsdb.close();
    const segment = join(directory, "wal", readdirSync(join(directory, "wal"))[0]!);
    // In the middle of the last record, the samples of the second commit.
    truncateSync(segment, 100);
    const again = new Rig();
    expect(await again.numbers("wal_corruptions_total", "head_series")).toEqual([1, 1]);
    again.tsdb.close();
    const sound = new Rig();
    expect(await sound.numbers("wal_corruptions_total")).toEqual([0]);
    sound.tsdb.close();
  });

  test("of out-of-order samples is told of once there is one", async () => {
    const rig = new Rig({ outOfOrderWindowMs: 0 });
    expect((await rig.page()).has("out_of_order_wbl_segment_current")).toBe(false);
    rig.tsdb.head.outOfOrderWindowMs = RANGE;
    rig.append(START + 5000, "a");
    rig.append(START, "a");
    const page = await rig.page();
    expect(page.get("out_of_order_wbl_segment_current")).toBe(0);
    expect(page.get("out_of_order_wbl_page_flushes_total")).toBe(1);
    expect(page.get("out_of_order_wbl_storage_size_bytes")).toBeGreaterThan(0);
    expect(page.get('head_out_of_order_samples_appended_total{type="float"}')).toBe(1);
    rig.tsdb.close();
    expect((await rig.page()).get("out_of_order_wbl_fsync_duration_seconds_count")).toBe(1);
  });
});
