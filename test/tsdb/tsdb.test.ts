import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QueryMemory } from "../../src/kernels/index.ts";
import { Labels } from "../../src/model/labels.ts";
import { Matcher } from "../../src/model/matcher.ts";
import { SampleOutcome } from "../../src/model/storage.ts";
import { Tsdb, type TsdbOptions } from "../../src/tsdb/tsdb.ts";
import { TsdbReader } from "../../src/tsdb/tsdb-reader.ts";
import { replayLog } from "../../src/tsdb/wal/replay.ts";
import { RecordingSink } from "./wal/recording-sink.ts";
import { HeadModel, readAll, type Bits, type PlainSeries } from "../support/head-model.ts";
import { anyBits, bitsOf } from "../support/xor-samples.ts";

const RANGE = 2 * 60 * 60 * 1000;
const START = 238_000 * RANGE;
const memory = new QueryMemory(256 * 1024 * 1024);
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "narthex-tsdb-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** A database and a reader of it, on one thread. */
class Rig {
  readonly tsdb: Tsdb;
  readonly reader: TsdbReader;

  constructor(options: Partial<TsdbOptions> = {}) {
    const announced: WebAssembly.Memory[] = [];
    let reader: TsdbReader | null = null;
    this.tsdb = Tsdb.open({
      directory,
      generationBytes: 16 * 1024 * 1024,
      onGeneration: ({ memory: shared }) => (reader ? reader.attach(shared) : announced.push(shared)),
      ...options,
    });
    this.reader = reader = new TsdbReader(this.tsdb.head.control.buffer, memory);
    for (const shared of announced) reader.attach(shared);
  }

  scrape(timeMs: number, values: ReadonlyMap<Labels, bigint>): number[] {
    const { appender } = this.tsdb;
    appender.begin();
    const outcomes = new Uint8Array(values.size);
    const epoch = appender.epochAt(timeMs);
    if (epoch === null) return Array<number>(values.size).fill(SampleOutcome.outOfBounds);
    const refs = Uint32Array.from(values.keys(), (labels) => appender.resolve(epoch, labels).ref);
    const words = new BigUint64Array(values.values());
    appender.appendFloats(epoch, refs, new Float64Array(words.buffer), values.size, timeMs, outcomes);
    appender.commit();
    return [...outcomes];
  }

  read(matchers: Matcher[] = [], minTime = -Infinity, maxTime = Infinity): PlainSeries[] {
    memory.release(65536);
    const querier = this.reader.querier(minTime, maxTime);
    const all = readAll(querier, matchers, minTime, maxTime, memory.columns(8));
    querier.close();
    return all;
  }
}

const hexOf = (bits: bigint): Bits => bits.toString(16).padStart(16, "0");
const seriesOf = (record: Record<string, string>) => Labels.fromRecord(record);

const names = ["__name__", "a", "b", "Z"];
const values = ["", "x", "y", "xy", "\u{10000}", "\uffff"];
const anyLabels = fc
  .tuple(...names.map(() => fc.constantFrom(...values)))
  .map((chosen) => Labels.fromRecord(Object.fromEntries(chosen.map((value, i) => [names[i]!, value]))))
  .filter((labels) => labels.size > 0);
const anyMatcher = fc
  .oneof(
    fc.tuple(fc.constantFrom("=", "!="), fc.constantFrom(...names, "none"), fc.constantFrom(...values)),
    fc.tuple(
      fc.constantFrom("=~", "!~"),
      fc.constantFrom(...names, "none"),
      fc.constantFrom("", "x", "x|y", "x.*", ".*", ".+", "[xy]+", "x|", "(?i)X", ".*y"),
    ),
  )
  .map(([type, name, value]) => new Matcher(type as "=", name, value));

describe("a database", () => {
  test("answers as a map of arrays does, whatever is scraped, asked for, and however often it is restarted", () => {
    const anyScrape = fc.tuple(
      fc.constantFrom(15_000, 15_001, 60_000, 600_000, 3_000_000),
      fc.uniqueArray(fc.tuple(anyLabels, anyBits), {
        minLength: 1,
        maxLength: 12,
        selector: ([labels]) => labels.key,
      }),
      fc.nat(9),
    );
    const anyQuery = fc.tuple(fc.array(anyMatcher, { maxLength: 3 }), fc.nat(99), fc.nat(99));
    fc.assert(
      fc.property(
        fc.array(anyScrape, { minLength: 1, maxLength: 60, size: "max" }),
        fc.array(anyQuery, { minLength: 1, maxLength: 6, size: "max" }),
        (scrapes, queries) => {
          rmSync(directory, { recursive: true });
          let rig = new Rig();
          const model = new HeadModel();
          let timeMs = START;
          for (const [step, samples, restart] of scrapes) {
            timeMs += step;
            rig.scrape(timeMs, new Map(samples));
            for (const [labels, bits] of samples) model.append(labels, timeMs, hexOf(bits));
            if (restart === 0) {
              rig.tsdb.close();
              rig = new Rig();
            }
          }
          for (const [matchers, from, to] of queries) {
            const minTime = START + ((timeMs - START) * from) / 99;
            const maxTime = START + ((timeMs - START) * to) / 99;
            expect(rig.read(matchers, minTime, maxTime)).toEqual(model.select(matchers, minTime, maxTime));
          }
          const everything = model.select([], START, timeMs);
          const querier = rig.reader.querier(START, timeMs);
          const found = new Set(everything.flatMap(([labels]) => Object.keys(labels)));
          expect(new Set(querier.labelNames([], START, timeMs, 0))).toEqual(found);
          for (const name of found) {
            const expected = new Set(everything.flatMap(([labels]) => labels[name] ?? []));
            expect(new Set(querier.labelValues(name, [], START, timeMs, 0))).toEqual(expected);
            const matcher = new Matcher("!=", "a", "x");
            expect(new Set(querier.labelValues(name, [matcher], START, timeMs, 0))).toEqual(
              new Set(model.select([matcher], START, timeMs).flatMap(([labels]) => labels[name] ?? [])),
            );
          }
          querier.close();
          rig.tsdb.close();
        },
      ),
      { numRuns: 20 },
    );
  }, 60_000);

  test("shows nothing of a batch before it is committed, nor of one that is rolled back", () => {
    const rig = new Rig();
    const labels = seriesOf({ __name__: "up" });
    const { appender } = rig.tsdb;
    appender.begin();
    expect(appender.appendFloat(labels, START, 0x3ff00000, 0)).toBe(SampleOutcome.appended);
    expect(rig.read()).toEqual([]);
    appender.rollback();
    appender.begin();
    expect(appender.appendFloat(labels, START + 1, 0x3ff00000, 0)).toBe(SampleOutcome.appended);
    appender.commit();
    expect(rig.read()).toEqual([[{ __name__: "up" }, [[START + 1, hexOf(bitsOf(1))]]]]);
    rig.tsdb.close();
  });

  test("keeps what a query sees as it was when the query began", () => {
    const rig = new Rig();
    const labels = seriesOf({ __name__: "up" });
    rig.scrape(START, new Map([[labels, bitsOf(1)]]));
    const querier = rig.reader.querier(-Infinity, Infinity);
    rig.scrape(START + 1000, new Map([[labels, bitsOf(2)]]));
    memory.release(65536);
    const columns = memory.columns(8);
    expect(readAll(querier, [], -Infinity, Infinity, columns)).toEqual([
      [{ __name__: "up" }, [[START, hexOf(bitsOf(1))]]],
    ]);
    rig.scrape(START + 2000, new Map([[labels, bitsOf(3)]]));
    expect(readAll(querier, [], -Infinity, Infinity, columns)[0]![1]).toHaveLength(1);
    querier.close();
    expect(rig.read()[0]![1]).toHaveLength(3);
    rig.tsdb.close();
  });

  test("says of each sample what became of it", () => {
    const rig = new Rig();
    const labels = seriesOf({ __name__: "up" });
    const one = (timeMs: number, value: number) => rig.scrape(timeMs, new Map([[labels, bitsOf(value)]]))[0];
    const now = START + RANGE - 1;
    expect(one(now, 1)).toBe(SampleOutcome.appended);
    expect(one(now, 1)).toBe(SampleOutcome.repeated);
    expect(one(now, 2)).toBe(SampleOutcome.duplicateTimestamp);
    expect(one(now - 1, 2)).toBe(SampleOutcome.outOfOrder);
    expect(one(now - RANGE / 2 - 1, 2)).toBe(SampleOutcome.outOfBounds);
    expect(one(now + 1, 2)).toBe(SampleOutcome.appended);
    expect(rig.tsdb.statistics).toMatchObject({
      floatsAppended: 2,
      duplicatesRejected: 1,
      outOfOrderRejected: 1,
    });
    rig.tsdb.close();
  });

  test("carries references over to the next generation, and forgets those of generations that are gone", () => {
    const rig = new Rig();
    const { appender } = rig.tsdb;
    const all = ["x", "y", "z"].map((a) => seriesOf({ __name__: "m", a }));
    rig.scrape(START, new Map(all.map((labels) => [labels, bitsOf(1)])));
    const first = appender.epochAt(START)!;
    const refs = Uint32Array.from(all, (labels) => appender.resolve(first, labels).ref);
    refs[1] = 0;
    const second = appender.epochAt(START + RANGE)!;
    expect(second).not.toBe(first);
    const carried = refs.slice();
    appender.carryOver(carried, 3, first, second);
    expect(carried[1]).toBe(0);
    expect(appender.labelsOf(second, carried[0]!).equals(all[0]!)).toBe(true);
    expect(appender.labelsOf(second, carried[2]!).equals(all[2]!)).toBe(true);
    appender.carryOver(carried, 3, 4711, second);
    expect([...carried]).toEqual([0, 0, 0]);
    rig.tsdb.close();
  });

  test("seals a generation once the next range is half over, and drops its log with it", async () => {
    const rig = new Rig();
    const labels = seriesOf({ __name__: "up" });
    rig.scrape(START, new Map([[labels, bitsOf(1)]]));
    rig.scrape(START + RANGE, new Map([[labels, bitsOf(2)]]));
    const half = START + RANGE + RANGE / 2;
    rig.scrape(half - 1, new Map([[labels, bitsOf(3)]]));
    expect(rig.tsdb.sealGenerations()).toEqual([]);
    rig.scrape(half, new Map([[labels, bitsOf(4)]]));
    const [sealed] = rig.tsdb.sealGenerations();
    expect(sealed).toMatchObject({ startTime: START, endTime: START + RANGE });
    expect(rig.tsdb.sealGenerations()).toEqual([]);
    expect(rig.read()[0]![1]).toHaveLength(4);

    expect(readdirSync(join(directory, "wal"))).toEqual(["00000000", "00000001"]);
    rig.reader.detach(sealed!.epoch);
    await rig.tsdb.generationStored(sealed!.epoch);
    expect(readdirSync(join(directory, "wal")).sort()).toEqual(["00000001", "checkpoint.00000000"]);
    expect(rig.read()[0]![1]).toHaveLength(3);
    rig.tsdb.close();

    const again = new Rig({ minValidTime: START + RANGE });
    expect(again.read()[0]![1]).toHaveLength(3);
    again.tsdb.close();
  });

  test("logs a series once, over generations and starts, for Prometheus forgets what came before a second time", () => {
    const labels = seriesOf({ __name__: "up" });
    for (let start = 0; start < 3; start++) {
      const rig = new Rig();
      for (let i = 0; i < 4; i++) {
        rig.scrape(START + start * RANGE + (i * RANGE) / 4, new Map([[labels, bitsOf(i)]]));
      }
      rig.tsdb.close();
    }
    const sink = new RecordingSink();
    let logged = 0;
    sink.onSeries = () => void logged++;
    replayLog(join(directory, "wal"), sink);
    expect(logged).toBe(1);
    expect(new Set(sink.samples.map(({ ref }) => ref)).size).toBe(1);
    const again = new Rig();
    expect(again.read()[0]![1]).toHaveLength(12);
    again.tsdb.close();
  });

  test("keeps out-of-order samples deleted when their range is in a block", () => {
    const options = { outOfOrderWindowMs: 4 * RANGE };
    const rig = new Rig(options);
    const labels = seriesOf({ __name__: "late" });
    rig.scrape(START + 2 * RANGE, new Map([[labels, bitsOf(1)]]));
    for (const offset of [10, 20, 30]) rig.scrape(START + offset, new Map([[labels, bitsOf(offset)]]));
    rig.tsdb.deleteSeries([], START + 20, START + 25);
    expect(rig.read()[0]![1]).toHaveLength(3);
    rig.tsdb.close();

    // The log that tells of the deletion may be gone sooner than the one with what was deleted.
    const sink = new RecordingSink();
    replayLog(join(directory, "wbl"), sink);
    expect(sink.samples.map(({ timeMs }) => timeMs - START)).toEqual([10, 30]);
    const again = new Rig({ ...options, minValidTime: START + RANGE });
    expect(again.read()[0]![1].map(([time]) => time - START)).toEqual([10, 30, 2 * RANGE]);
    again.tsdb.close();
  });

  test("is open for one process only, and takes over the lock of one that died", () => {
    const rig = new Rig();
    expect(rig.tsdb.cleanStart).toBe(1);
    expect(() => new Rig()).toThrow(/cannot lock/);
    rig.tsdb.close();
    const again = new Rig();
    expect(again.tsdb.cleanStart).toBe(1);
    again.tsdb.close();
    // Prometheus leaves an empty file; process numbers end before this one.
    for (const left of ["", "4194305 123"]) {
      writeFileSync(join(directory, "lock"), left);
      const taken = new Rig();
      expect(taken.tsdb.cleanStart).toBe(0);
      taken.tsdb.close();
    }
  });
});
