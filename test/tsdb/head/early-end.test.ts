import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ulid } from "ulid";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QueryMemory } from "../../../src/kernels/index.ts";
import { Labels } from "../../../src/model/labels.ts";
import { SampleOutcome } from "../../../src/model/storage.ts";
import { minValidTime, OpenBlocks, takeInventory } from "../../../src/tsdb/compaction/block-directory.ts";
import { compactBlocks } from "../../../src/tsdb/compaction/compact.ts";
import { writeGeneration } from "../../../src/tsdb/compaction/write-generation.ts";
import { Tsdb } from "../../../src/tsdb/tsdb.ts";
import { TsdbReader } from "../../../src/tsdb/tsdb-reader.ts";
import { readAll } from "../../support/head-model.ts";

const RANGE = 7_200_000;
const START = 238_000 * RANGE;
const STEP = 15_000;
const memory = new QueryMemory(64 * 1024 * 1024);
const newUlid = () => ulid();
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "narthex-early-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const blocks = () => takeInventory(directory).blocks;

function open(staleThreshold: number): Tsdb {
  const known = minValidTime(blocks());
  return Tsdb.open({ directory, generationBytes: 8 * 1024 * 1024, staleThreshold, minValidTime: known });
}

/** Writes out what the head gives. @returns how many generations that were, and whether each ended early */
async function writeOut(tsdb: Tsdb): Promise<(boolean | undefined)[]> {
  const sealed = tsdb.announceSealed();
  for (const announcement of sealed) {
    writeGeneration(directory, announcement, { newUlid });
    await tsdb.generationStored(announcement.epoch);
  }
  return sealed.map(({ isEarly }) => isEarly);
}

/** Steps of each series, of blocks and head together. */
function read(tsdb: Tsdb): Record<string, number[]> {
  memory.release(65536);
  const reader = new TsdbReader(tsdb.head.control.buffer, memory);
  for (const { generation } of tsdb.head.generations) reader.attach(generation.memory);
  const open = new OpenBlocks();
  open.update(blocks().map((block) => block.directory));
  reader.setBlocks(open.readable(memory));
  const querier = reader.querier(-Infinity, Infinity);
  const all = readAll(querier, [], -Infinity, Infinity, memory.columns(8));
  querier.close();
  open.close();
  return Object.fromEntries(
    all.map(([labels, samples]) => [labels["series"]!, samples.map(([timeMs]) => (timeMs - START) / STEP)]),
  );
}

/** One scrape: a sample of each, and an end for others. */
function scrape(tsdb: Tsdb, step: number, present: readonly number[], ended: readonly number[] = []): void {
  const { appender } = tsdb;
  const timeMs = START + STEP * step;
  const labelsOf = (series: number) => Labels.fromRecord({ __name__: "m", series: String(series) });
  const epoch = appender.epochAt(timeMs)!;
  appender.begin();
  for (const series of present) {
    expect(appender.appendFloat(labelsOf(series), timeMs, step, 0)).toBe(SampleOutcome.appended);
  }
  const refs = ended.map((series) => appender.resolve(epoch, labelsOf(series)).ref);
  appender.appendStale(epoch, Uint32Array.from(refs), timeMs);
  appender.commit();
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe("a head with many series that ended", () => {
  test("is written out early, and what goes on is all that is left in it", async () => {
    const tsdb = open(0.5);
    scrape(tsdb, 0, numbers(0, 10));
    expect(await writeOut(tsdb)).toEqual([]);
    scrape(tsdb, 1, numbers(0, 6), numbers(6, 10));
    expect(await writeOut(tsdb)).toEqual([]);
    scrape(tsdb, 2, numbers(0, 5), [5]);
    expect(tsdb.head.staleSeriesCount).toBe(5);
    expect(await writeOut(tsdb)).toEqual([true]);
    expect([tsdb.head.staleSeriesCount, tsdb.head.seriesCount]).toEqual([0, 0]);

    // The range goes on, and ends in its time.
    for (let step = 3; step < 8; step++) scrape(tsdb, step, numbers(0, 5));
    expect(tsdb.head.seriesCount).toBe(5);
    expect(await writeOut(tsdb)).toEqual([]);
    scrape(tsdb, 480, [0]);
    scrape(tsdb, 730, [0]);
    expect(await writeOut(tsdb)).toEqual([false]);
    const wanted = {
      ...Object.fromEntries(numbers(1, 5).map((series) => [series, numbers(0, 8)])),
      0: [...numbers(0, 8), 480, 730],
      5: [0, 1, 2],
      ...Object.fromEntries(numbers(6, 10).map((series) => [series, [0, 1]])),
    };
    expect(read(tsdb)).toEqual(wanted);
    const parts = blocks().map((block) => block.directory);
    expect(parts).toHaveLength(2);
    compactBlocks(directory, parts, { newUlid });
    expect(blocks()).toHaveLength(1);
    expect(read(tsdb)).toEqual(wanted);
    tsdb.close();
  });

  test("loses nothing over restarts, whenever they come", async () => {
    let tsdb = open(0.3);
    const restart = () => {
      tsdb.close();
      tsdb = open(0.3);
    };
    const wanted: Record<string, number[]> = {};
    // Every few scrapes a series is replaced by another.
    for (let step = 0; step < 40; step++) {
      const gone = Math.floor(step / 4);
      const present = [100, 101, gone + 1];
      scrape(tsdb, step, present, step % 4 === 0 && gone > 0 ? [gone] : []);
      for (const series of present) (wanted[series] ??= []).push(step);
      if (step % 4 === 0 && gone > 0) wanted[gone]!.push(step);
      if (step % 5 === 0) await writeOut(tsdb);
      if (step % 7 === 0) restart();
      expect(read(tsdb)).toEqual(wanted);
    }
    expect(blocks().length).toBeGreaterThan(2);
    expect(minValidTime(blocks())).toBe(-Infinity);
    tsdb.close();
  });

  test("stays where no share of them is too much, and where the disk has not taken the last of it yet", () => {
    const patient = open(0);
    scrape(patient, 0, [1, 2]);
    scrape(patient, 1, [], [1, 2]);
    expect(patient.announceSealed()).toEqual([]);
    patient.close();
    const eager = open(0.5);
    expect(eager.announceSealed()).toHaveLength(1);
    scrape(eager, 2, [3]);
    expect(eager.announceSealed()).toEqual([]);
    eager.close();
  });
});
