import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QueryMemory } from "../../../src/kernels/index.ts";
import { Labels } from "../../../src/model/labels.ts";
import { SampleOutcome } from "../../../src/model/storage.ts";
import { DecodedCache } from "../../../src/tsdb/decoded-cache.ts";
import { minValidTime, OpenBlocks, takeInventory } from "../../../src/tsdb/compaction/block-directory.ts";
import { writeGeneration } from "../../../src/tsdb/compaction/write-generation.ts";
import { Tsdb, type TsdbOptions } from "../../../src/tsdb/tsdb.ts";
import { TsdbReader } from "../../../src/tsdb/tsdb-reader.ts";

const RANGE = 7_200_000;
const START = 238_000 * RANGE;
/** Room for 4096 series, or for some 20,000 pages. */
const GENERATION_BYTES = 2 * 1024 * 1024;
const memory = new QueryMemory(256 * 1024 * 1024, 64 * 1024 * 1024);
let directory: string;
let ulids = 0;

beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "narthex-full-"))));
afterEach(() => rmSync(directory, { recursive: true }));

const newUlid = () => `01BX5ZZKBKACTAV9WEVG${String(++ulids).padStart(6, "0")}`;
const labelsOf = (series: number) => Labels.fromRecord({ __name__: "m", series: String(series) });

class Rig {
  readonly tsdb: Tsdb;
  readonly reader: TsdbReader;
  private refs = new Uint32Array(0);
  private epoch = -1;

  constructor(options: Partial<TsdbOptions> = {}) {
    const announced: WebAssembly.Memory[] = [];
    let reader: TsdbReader | null = null;
    this.tsdb = Tsdb.open({
      directory,
      generationBytes: GENERATION_BYTES,
      walCompression: "none",
      onGeneration: ({ memory: shared }) => (reader ? reader.attach(shared) : announced.push(shared)),
      ...options,
    });
    const decoded = new DecodedCache(memory);
    this.reader = reader = new TsdbReader(this.tsdb.head.control.buffer, memory, decoded);
    for (const shared of announced) reader.attach(shared);
  }

  /** A scrape of series 0 to `count`, which carries references over as scrapes do. @returns how many were refused */
  scrape(timeMs: number, count: number, value: (series: number) => number): number {
    const { appender } = this.tsdb;
    appender.begin();
    const epoch = appender.epochAt(timeMs)!;
    if (epoch !== this.epoch) appender.carryOver(this.refs, this.refs.length, this.epoch, epoch);
    this.epoch = epoch;
    const known = this.refs.length;
    if (count > known) {
      this.refs = Uint32Array.from({ length: count }, (_, i) =>
        i < known ? this.refs[i]! : appender.resolve(epoch, labelsOf(i)).ref,
      );
    }
    for (let i = 0; i < count; i++) {
      if (this.refs[i] === 0) this.refs[i] = appender.resolve(epoch, labelsOf(i)).ref;
    }
    const values = Float64Array.from({ length: count }, (_, i) => value(i));
    const outcomes = new Uint8Array(count);
    const refused = appender.appendFloats(epoch, this.refs, values, count, timeMs, outcomes);
    appender.commit();
    return refused;
  }

  append(series: number, timeMs: number): SampleOutcome {
    const { appender } = this.tsdb;
    appender.begin();
    const outcome = appender.appendFloat(labelsOf(series), timeMs, 0x3ff00000, 0);
    appender.commit();
    return outcome;
  }

  /** Times and values by series, from the head and from all blocks. */
  read(): Map<number, string> {
    memory.release(65536);
    const blocks = new OpenBlocks();
    expect(blocks.update(takeInventory(directory).blocks.map((block) => block.directory))).toEqual([]);
    this.reader.setBlocks(blocks.readable(memory));
    const querier = this.reader.querier(-Infinity, Infinity);
    const series = querier.select([], -Infinity, Infinity);
    const columns = memory.columns(8);
    const found = new Map<number, string>();
    for (let i = 0; i < series.count; i++) {
      series.read(i, -Infinity, Infinity, columns);
      const samples = Array.from(
        { length: columns.count },
        (_, at) => `${columns.times[at]! - START}:${columns.values[at]}`,
      );
      found.set(Number(series.labels(i).get("series")), samples.join(" "));
    }
    querier.close();
    this.reader.setBlocks([]);
    blocks.close();
    return found;
  }

  get generationsOfFirstRange(): number {
    return this.tsdb.head.generations.filter(({ generation }) => generation.startTime === START).length;
  }
}

/** Values that take all their bits, so that a small generation is full soon. */
const noisy = (step: number, series: number) => Math.sin(step * 1000 + series) * Math.PI;
const STEPS = 300;
const SERIES = 700;

function expected(steps: number, from = 0): Map<number, string> {
  const samples = (series: number) =>
    Array.from({ length: steps }, (_, i) => `${(from + i) * 15_000}:${noisy(from + i, series)}`).join(" ");
  return new Map(Array.from({ length: SERIES }, (_, series) => [series, samples(series)]));
}

function fill(rig: Rig): void {
  for (let step = 0; step < STEPS; step++) {
    expect(rig.scrape(START + step * 15_000, SERIES, (series) => noisy(step, series))).toBe(0);
  }
}

describe("a generation that is full before its range is over", () => {
  test("is followed by another of the same range, and no sample is refused or lost, also over restarts", () => {
    let rig = new Rig();
    fill(rig);
    expect(rig.generationsOfFirstRange).toBeGreaterThan(1);
    expect(rig.tsdb.head.seriesCount).toBe(SERIES);
    // More than once: what was decoded for the first may be kept.
    for (let read = 0; read < 3; read++) expect(rig.read()).toEqual(expected(STEPS));
    rig.tsdb.close();
    rig = new Rig();
    expect(rig.generationsOfFirstRange).toBeGreaterThan(1);
    expect(rig.read()).toEqual(expected(STEPS));
    rig.tsdb.close();
  }, 60_000);

  test("with as many series as it can have is followed by one that takes more", () => {
    let rig = new Rig();
    for (let from = 0; from < 15_000; from += 100) {
      rig.tsdb.appender.begin();
      for (let series = from; series < from + 100; series++) {
        const outcome = rig.tsdb.appender.appendFloat(labelsOf(series), START + from, 0x3ff00000, 0);
        expect(outcome).toBe(SampleOutcome.appended);
      }
      rig.tsdb.appender.commit();
    }
    for (let start = 0; start < 2; start++) {
      expect(rig.generationsOfFirstRange).toBeGreaterThan(3);
      expect(rig.tsdb.head.seriesCount).toBe(15_000);
      const found = rig.read();
      expect(found.size).toBe(15_000);
      for (const [series, samples] of found) expect(samples).toBe(`${series - (series % 100)}:1`);
      rig.tsdb.close();
      if (start === 0) rig = new Rig();
    }
  }, 60_000);

  test("keeps the order of each series: what is older than its newest sample there is out of order", () => {
    const rig = new Rig();
    fill(rig);
    const last = START + (STEPS - 1) * 15_000;
    const full = rig.tsdb.head.generations[0]!.generation;
    const between = full.maxTime - 1;
    expect(rig.append(3, between)).toBe(SampleOutcome.outOfOrder);
    expect(rig.append(100_000, between)).toBe(SampleOutcome.appended);
    expect(rig.append(3, last + 1)).toBe(SampleOutcome.appended);
    rig.tsdb.close();
  }, 60_000);

  test("and its follower become blocks, of which only the last tells that the head has nothing older", async () => {
    const rig = new Rig();
    fill(rig);
    // Into the next range, far enough for the first to be sealed.
    const later = START + 1.6 * RANGE;
    rig.scrape(later, SERIES, () => 1);
    const announced = rig.tsdb.announceSealed();
    expect(announced.length).toBeGreaterThan(1);
    expect(announced.map(({ isPartial }) => isPartial)).toEqual(
      announced.map((_, i) => i < announced.length - 1),
    );
    const all = expected(STEPS);
    for (const series of all.keys()) all.set(series, `${all.get(series)!} ${later - START}:1`);

    for (const [i, announcement] of announced.entries()) {
      const meta = writeGeneration(directory, announcement, { newUlid })!;
      const isLast = i === announced.length - 1;
      expect(meta.compaction.hints ?? []).toEqual(isLast ? [] : ["from-out-of-order"]);
      expect(minValidTime(takeInventory(directory).blocks)).toBe(isLast ? START + RANGE : -Infinity);
      expect(rig.read()).toEqual(all);
      rig.reader.detach(announcement.epoch);
      await rig.tsdb.generationStored(announcement.epoch);
      expect(rig.tsdb.head.minValidTime).toBe(isLast ? START + RANGE : -Infinity);
      expect(rig.read()).toEqual(all);
    }
    rig.tsdb.close();
    const again = new Rig({ minValidTime: minValidTime(takeInventory(directory).blocks) });
    expect(again.read()).toEqual(all);
    again.tsdb.close();
  }, 60_000);

  test("and is in a block loses nothing when the server ends before its follower is", async () => {
    const rig = new Rig();
    fill(rig);
    rig.scrape(START + 1.6 * RANGE, SERIES, () => 1);
    const [first] = rig.tsdb.announceSealed();
    writeGeneration(directory, first!, { newUlid });
    await rig.tsdb.generationStored(first!.epoch);
    rig.tsdb.close();
    const again = new Rig({ minValidTime: minValidTime(takeInventory(directory).blocks) });
    const all = expected(STEPS);
    for (const series of all.keys()) all.set(series, `${all.get(series)!} ${1.6 * RANGE}:1`);
    expect(again.read()).toEqual(all);
    again.tsdb.close();
  }, 60_000);
});
