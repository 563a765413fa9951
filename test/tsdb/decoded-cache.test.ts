import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ulid } from "ulid";
import { describe, expect, test } from "vitest";
import { QueryMemory } from "../../src/kernels/index.ts";
import type { FloatHistogram } from "../../src/model/histogram.ts";
import { Labels } from "../../src/model/labels.ts";
import { addInterval, writeTombstones } from "../../src/tsdb/block/tombstones.ts";
import { OpenBlocks } from "../../src/tsdb/compaction/block-directory.ts";
import { writeHeadBlock } from "../../src/tsdb/compaction/compact.ts";
import { DecodedCache } from "../../src/tsdb/decoded-cache.ts";
import { Generation } from "../../src/tsdb/head/generation.ts";
import { sealedSeries } from "../../src/tsdb/head/sealed-series.ts";
import { Tsdb } from "../../src/tsdb/tsdb.ts";
import { TsdbReader } from "../../src/tsdb/tsdb-reader.ts";
import { readAll } from "../support/head-model.ts";
import { anyBits } from "../support/xor-samples.ts";

const RANGE = 7_200_000;
const START = 238_000 * RANGE;
const memory = new QueryMemory(64 * 1024 * 1024);
const SERIES = 4;
const labelsOf = (series: number) => Labels.fromRecord({ __name__: "m", series: `${series % SERIES}` });

/** A database read twice: by a reader that keeps what it decodes, and by one that keeps nothing. */
class Pair {
  readonly tsdb: Tsdb;
  readonly cache: DecodedCache;
  private readonly readers: [TsdbReader, TsdbReader];
  private readonly memories: [QueryMemory, QueryMemory];
  private readonly open: [OpenBlocks, OpenBlocks];
  private readonly blocks: string[] = [];
  private readonly attached = new Set<number>();

  constructor(
    private readonly directory: string,
    limitBytes: number,
  ) {
    this.tsdb = Tsdb.open({ directory, generationBytes: 8 * 1024 * 1024, outOfOrderWindowMs: RANGE });
    this.memories = [new QueryMemory(64 * 1024 * 1024, limitBytes), memory];
    this.cache = new DecodedCache(this.memories[0]);
    const { buffer } = this.tsdb.head.control;
    this.readers = [new TsdbReader(buffer, this.memories[0], this.cache), new TsdbReader(buffer, memory)];
    this.open = [new OpenBlocks(undefined, this.cache), new OpenBlocks()];
  }

  /** Writes what is over to blocks, and drops it from the head. */
  seal(): void {
    for (const generation of this.tsdb.sealGenerations()) {
      const attached = Generation.attach(generation.memory);
      const range = { minTime: generation.startTime, maxTime: generation.endTime };
      const meta = writeHeadBlock(this.directory, sealedSeries(attached), range, { newUlid: () => ulid() });
      if (meta) this.blocks.push(join(this.directory, meta.ulid));
      this.tsdb.head.drop(generation.epoch);
      for (const reader of this.readers) reader.detach(generation.epoch);
    }
    this.lookAgain();
  }

  /** Deletes a stretch of a series in the head, and in the newest block by its place there. */
  erase(series: number, minTime: number, maxTime: number): void {
    this.tsdb.deleteSeries([], minTime, maxTime);
    const newest = this.blocks.at(-1);
    if (newest === undefined) return;
    const block = this.open[0].blocks.find(({ directory }) => directory === newest)!;
    const tombstones = new Map(Array.from(block.tombstones, ([id, intervals]) => [id, [...intervals]]));
    const ids = block.index.allPostings();
    const id = ids[series % ids.length]!;
    addInterval(tombstones, id, { minTime, maxTime });
    writeTombstones(newest, tombstones);
    this.lookAgain([newest]);
  }

  private lookAgain(changed: readonly string[] = []): void {
    this.open.forEach((open, i) => {
      expect(open.update(this.blocks, changed)).toEqual([]);
      this.readers[i]!.setBlocks(open.readable(this.memories[i]!));
    });
  }

  /** Reads both ways. */
  read(minTime: number, maxTime: number): [kept: unknown, plain: unknown] {
    for (const { generation } of this.tsdb.head.generations) {
      if (this.attached.has(generation.epoch)) continue;
      this.attached.add(generation.epoch);
      for (const reader of this.readers) reader.attach(generation.memory);
    }
    const [kept, plain] = this.readers.map((reader, i) => {
      const its = this.memories[i]!;
      const mark = its.mark();
      const querier = reader.querier(minTime, maxTime);
      const all = readAll(querier, [], minTime, maxTime, its.columns(8), i === 0 ? its : null);
      querier.close();
      its.release(mark);
      return all;
    });
    return [kept, plain];
  }

  close(): void {
    for (const open of this.open) open.close();
    this.tsdb.close();
  }
}

const anyStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("append" as const),
      count: fc.integer({ min: 1, max: 400 }),
      stepMs: fc.constantFrom(1000, 15_000, 15_001, 60_000),
      bits: fc.array(anyBits, { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("late" as const), agoMs: fc.nat(RANGE) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("histogram" as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("seal" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("erase" as const), from: fc.nat(99), share: fc.nat(20) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("read" as const),
      from: fc.nat(100),
      to: fc.nat(110),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
);

describe("what is kept of decoded samples", () => {
  test("reads as what is decoded anew, to the bit, whatever is appended, sealed and deleted between", () => {
    let kept = 0;
    fc.assert(
      fc.property(
        fc.array(anyStep, { minLength: 5, maxLength: 40, size: "max" }),
        fc.constantFrom(8192, 100_000, 2 ** 24),
        (steps, limitBytes) => {
          const directory = mkdtempSync(join(tmpdir(), "narthex-decoded-"));
          const pair = new Pair(directory, limitBytes);
          const { appender } = pair.tsdb;
          let timeMs = START;
          const at = (share: number) => START + Math.floor(((timeMs - START) * share) / 100);
          steps.forEach((step, i) => {
            switch (step.type) {
              case "append":
                appender.begin();
                for (let k = 0; k < step.count; k++) {
                  timeMs += step.stepMs;
                  const bits = step.bits[k % step.bits.length]!;
                  for (let series = i % 2; series < SERIES; series += 1 + (i % 2)) {
                    const high = Number(bits >> 32n);
                    appender.appendFloat(labelsOf(series), timeMs, high, Number(bits & 0xffffffffn));
                  }
                }
                appender.commit();
                break;
              case "late":
                appender.begin();
                appender.appendFloat(labelsOf(i), timeMs - step.agoMs, 0x40000000, i);
                appender.commit();
                break;
              case "histogram":
                appender.begin();
                timeMs += 1000;
                appender.appendHistogram(labelsOf(i), timeMs, someHistogram());
                appender.commit();
                break;
              case "seal":
                pair.seal();
                break;
              case "erase":
                pair.erase(i, at(step.from), at(step.from + step.share));
                break;
              case "read":
                for (let k = 0; k < step.times; k++) {
                  const [first, second] = pair.read(at(step.from), at(step.to));
                  expect(first).toEqual(second);
                }
            }
            expect(pair.cache.usedBytes).toBeLessThanOrEqual(limitBytes);
          });
          kept += pair.cache.usedBytes;
          pair.close();
          rmSync(directory, { recursive: true });
        },
      ),
      { numRuns: 60 },
    );
    // Or else two plain readers were compared.
    expect(kept).toBeGreaterThan(0);
  }, 60_000);

  test("takes no more room where series are kept anew again and again, each time with more", () => {
    const own = new QueryMemory(16 * 1024 * 1024, 32 * 1024 * 1024);
    const cache = new DecodedCache(own);
    const samples = 1000;
    const ids = Array.from({ length: 300 }, (_, id) => id);
    const parts = (id: number) => ({ sources: [1], ids: [id], samples: [0] });
    let most = 0;
    for (let round = 1; round <= 12; round++) {
      cache.beginQuery();
      for (const id of ids) {
        const mark = own.mark();
        const columns = own.columns(samples);
        for (let i = 0; i < samples; i++) {
          columns.times[i] = i * 1000 - round;
          columns.values[i] = id * round + i;
        }
        columns.count = samples;
        expect(cache.keep(parts(id), columns, -round, samples * 1000)).not.toBeNull();
        own.release(mark);
      }
      for (const id of ids) {
        const found = cache.find(parts(id), -round, samples * 1000, () => null)!;
        expect(found.isAlive).toBe(true);
        const times = new Float64Array(own.buffer, found.timesPointer, found.count);
        const values = new Float64Array(own.buffer, found.valuesPointer, found.count);
        expect([times.length, times[0], times[999]]).toEqual([samples, -round, 999_000 - round]);
        expect([values[0], values[999]]).toEqual([id * round, id * round + 999]);
      }
      most = Math.max(most, cache.usedBytes);
    }
    // Once what the series have, once what the query before left, and some for the ends of segments.
    expect(most).toBeLessThan(2 * ids.length * (8 * samples + 1024) + 3 * 1024 * 1024);
  });
});

function someHistogram(): FloatHistogram {
  return {
    isInteger: true,
    counterResetHint: "unknown",
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count: 3,
    sum: 4.5,
    isStale: false,
    positiveSpans: [{ offset: 0, length: 1 }],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(3),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  };
}
