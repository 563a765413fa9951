import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Labels } from "../../../src/model/labels.ts";
import { Matcher } from "../../../src/model/matcher.ts";
import { ExemplarStorage, readExemplars, type SeriesExemplars } from "../../../src/tsdb/head/exemplars.ts";
import { Tsdb } from "../../../src/tsdb/tsdb.ts";
import { replayLog } from "../../../src/tsdb/wal/replay.ts";
import { RecordingSink } from "../wal/recording-sink.ts";

const seriesOf = (name: string) => Labels.fromRecord({ __name__: name });
const exemplarOf = (timeMs: number, value = timeMs, traceId = `trace-${timeMs}`) => ({
  labels: Labels.fromRecord({ trace_id: traceId }),
  value,
  timeMs,
  hasTimestamp: true,
});
const everything = [[]];

function times(found: readonly SeriesExemplars[]): [string, number[]][] {
  return found.map(({ labels, exemplars }) => [labels.metricName, exemplars.map(({ timeMs }) => timeMs)]);
}

describe("exemplars", () => {
  test("are kept up to a number, the oldest going first, whatever their length", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.tuple(fc.nat(3), fc.oneof(fc.nat(900), fc.nat(150_000))), {
          maxLength: 120,
          size: "max",
        }),
        (max, steps) => {
          const storage = new ExemplarStorage(max);
          steps.forEach(([series, length], i) => {
            const labels = Labels.fromRecord({ __name__: `m${series}`, long: "ö".repeat(length) });
            storage.append(labels, exemplarOf(i));
          });
          const found = readExemplars(storage.buffer!, everything, -Infinity, Infinity);
          const all = found
            .flatMap(({ exemplars }) => exemplars.map(({ timeMs }) => timeMs))
            .sort((a, b) => a - b);
          expect(all.length).toBeLessThanOrEqual(max);
          expect(storage.statistics.stored).toBe(all.length);
          expect(storage.statistics.series).toBe(found.length);
          // The newest are all there, without a gap.
          expect(all).toEqual(steps.map((_, i) => i).slice(steps.length - all.length));
          const short = steps.slice(-max).every(([, length]) => length < 10_000);
          if (short) expect(all.length).toBe(Math.min(max, steps.length));
        },
      ),
      { numRuns: 12 },
    );
  }, 60_000);

  test("of a series are taken in order, and not twice", () => {
    const storage = new ExemplarStorage(10);
    const labels = seriesOf("m");
    expect(storage.append(labels, exemplarOf(10))).toBe(true);
    expect(storage.append(labels, exemplarOf(10))).toBe(false);
    expect(storage.statistics.outOfOrder).toBe(0);
    expect(storage.append(labels, exemplarOf(9))).toBe(false);
    expect(storage.statistics.outOfOrder).toBe(1);
    expect(storage.append(labels, exemplarOf(11, 1, "x".repeat(121)))).toBe(false);
    expect(storage.append(labels, exemplarOf(11, 1, "x".repeat(120)))).toBe(true);
    expect(storage.append(seriesOf("n"), exemplarOf(9))).toBe(true);
    expect(storage.statistics).toMatchObject({ appended: 3, stored: 3, series: 2, oldestTimeMs: 10 });
  });

  test("are found by any of several matcher sets and by time, ends included", () => {
    const storage = new ExemplarStorage(10);
    for (const name of ["c", "a", "b"]) {
      for (const timeMs of [1, 2, 3]) storage.append(seriesOf(name), exemplarOf(timeMs));
    }
    const sets = ["a", "c"].map((name) => [new Matcher("=", "__name__", name)]);
    expect(times(readExemplars(storage.buffer!, sets, 1, 2))).toEqual([
      ["a", [1, 2]],
      ["c", [1, 2]],
    ]);
  });

  test("survive a change of their number, the newest of them", () => {
    const buffers: (SharedArrayBuffer | null)[] = [];
    const storage = new ExemplarStorage(10, (buffer) => buffers.push(buffer));
    for (let i = 0; i < 8; i++) storage.append(seriesOf("m"), exemplarOf(i));
    storage.resize(3);
    expect(times(readExemplars(storage.buffer!, everything, 0, 99))).toEqual([["m", [5, 6, 7]]]);
    storage.resize(0);
    expect(storage.buffer).toBe(null);
    expect(storage.append(seriesOf("m"), exemplarOf(9))).toBe(false);
    expect(buffers).toHaveLength(3);
  });

  test("come back from the log, those of a batch that was rolled back not", () => {
    const directory = mkdtempSync(join(tmpdir(), "narthex-exemplars-"));
    const options = { directory, generationBytes: 4 * 1024 * 1024, maxExemplars: 5 };
    const start = 238_000 * 7_200_000;
    const tsdb = Tsdb.open(options);
    const { appender } = tsdb;
    for (const [i, isCommitted] of [true, false, true].entries()) {
      appender.begin();
      appender.appendFloat(seriesOf("m"), start + i, 0, 0);
      appender.appendExemplar(seriesOf("m"), exemplarOf(start + i));
      if (isCommitted) appender.commit();
      else appender.rollback();
    }
    const expected = [["m", [start, start + 2]]];
    expect(times(readExemplars(tsdb.exemplars.buffer!, everything, 0, Infinity))).toEqual(expected);
    tsdb.close();
    const again = Tsdb.open(options);
    expect(times(readExemplars(again.exemplars.buffer!, everything, 0, Infinity))).toEqual(expected);
    again.close();
    rmSync(directory, { recursive: true });
  });
});

describe("what stands beside samples in segments of the log that are deleted", () => {
  const RANGE = 7_200_000;
  const START = 238_000 * RANGE;

  test("is in the checkpoint: exemplars, and the newest metadata of the series that stay", async () => {
    const directory = mkdtempSync(join(tmpdir(), "narthex-checkpoint-"));
    const options = { directory, generationBytes: 2 ** 24, maxExemplars: 100, logsMetadata: true };
    let tsdb = Tsdb.open(options);
    const metadataOf = (help: string) => ({ type: "counter" as const, unit: "", help });
    const scrape = (timeMs: number, ...names: string[]) => {
      tsdb.appender.begin();
      for (const name of names) {
        tsdb.appender.appendFloat(seriesOf(name), timeMs, 0x3ff00000, 0);
        tsdb.appender.appendExemplar(seriesOf(name), exemplarOf(timeMs - 1));
      }
      tsdb.appender.commit();
    };
    const describeSeries = (name: string, help: string) => {
      tsdb.appender.begin();
      tsdb.appender.updateMetadata(seriesOf(name), metadataOf(help));
      tsdb.appender.commit();
    };
    const shown = () =>
      times(readExemplars(tsdb.exemplars.buffer!, everything, -Infinity, Infinity)).map(([name, its]) => [
        name,
        its.map((time) => time - START),
      ]);
    try {
      scrape(START, "stays", "goes");
      describeSeries("stays", "first words");
      describeSeries("stays", "better words");
      describeSeries("goes", "gone words");
      scrape(START + 60_000, "stays", "goes");
      scrape(START + RANGE, "stays");
      scrape(START + 1.6 * RANGE, "stays");
      const before = shown();
      for (const { epoch } of tsdb.sealGenerations()) await tsdb.generationStored(epoch);
      tsdb.close();

      const sink = new RecordingSink();
      replayLog(join(directory, "wal"), sink);
      expect(sink.segments[0]).toBe("checkpoint 0");
      expect([...sink.metadata]).toEqual([[1, metadataOf("better words")]]);

      tsdb = Tsdb.open(options);
      expect(before.map(([name]) => name)).toEqual(["goes", "stays"]);
      expect(shown()).toEqual([["stays", [-1, 59_999, RANGE - 1, 1.6 * RANGE - 1]]]);
      expect(tsdb.exemplars.statistics.outOfOrder).toBe(0);

      // Once more, from what the checkpoint gave.
      scrape(START + 2.7 * RANGE, "stays");
      for (const { epoch } of tsdb.sealGenerations()) await tsdb.generationStored(epoch);
      tsdb.close();
      const again = new RecordingSink();
      replayLog(join(directory, "wal"), again);
      expect(again.segments[0]).toMatch(/^checkpoint [1-9]/);
      expect([...again.metadata]).toEqual([[1, metadataOf("better words")]]);
      tsdb = Tsdb.open(options);
      expect(shown()[0]![1]).toHaveLength(5);
    } finally {
      tsdb.close();
      rmSync(directory, { recursive: true });
    }
  });
});
