import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QueryMemory } from "../../../src/kernels/index.ts";
import { Labels } from "../../../src/model/labels.ts";
import { Matcher } from "../../../src/model/matcher.ts";
import { SampleOutcome } from "../../../src/model/storage.ts";
import { decodeChunk } from "../../../src/tsdb/chunk/decode-chunk.ts";
import { PlainColumns } from "../../../src/tsdb/chunk/plain-columns.ts";
import type { Generation } from "../../../src/tsdb/head/generation.ts";
import { sealedSeries } from "../../../src/tsdb/head/sealed-series.ts";
import { Tsdb } from "../../../src/tsdb/tsdb.ts";
import { TsdbReader } from "../../../src/tsdb/tsdb-reader.ts";
import { bitsAt, readAll, type PlainSample, type PlainSeries } from "../../support/head-model.ts";

const RANGE = 7_200_000;
const START = 238_000 * RANGE;
const memory = new QueryMemory(64 * 1024 * 1024);
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "narthex-late-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const open = (outOfOrderWindowMs: number) =>
  Tsdb.open({ directory, generationBytes: 8 * 1024 * 1024, outOfOrderWindowMs });

function append(tsdb: Tsdb, labels: Labels, timeMs: number, value: number): SampleOutcome {
  const words = new Uint32Array(new Float64Array([value]).buffer);
  tsdb.appender.begin();
  const outcome = tsdb.appender.appendFloat(labels, timeMs, words[1]!, words[0]!);
  tsdb.appender.commit();
  return outcome;
}

function read(tsdb: Tsdb, minTime = -Infinity, maxTime = Infinity): PlainSeries[] {
  memory.release(65536);
  const reader = new TsdbReader(tsdb.head.control.buffer, memory);
  for (const { generation } of tsdb.head.generations) reader.attach(generation.memory);
  const querier = reader.querier(minTime, maxTime);
  const all = readAll(querier, [], minTime, maxTime, memory.columns(8));
  querier.close();
  return all;
}

function decodeSealed(generation: Generation): PlainSeries[] {
  return Array.from(sealedSeries(generation), ({ labels, chunks }): PlainSeries => {
    const columns = new PlainColumns();
    for (const { encoding, bytes, minTime, maxTime } of chunks) {
      const from = columns.count;
      decodeChunk(encoding, bytes, -Infinity, Infinity, columns);
      expect([columns.times[from], columns.times[columns.count - 1]]).toEqual([minTime, maxTime]);
    }
    return [
      labels.toRecord(),
      Array.from({ length: columns.count }, (_, i): PlainSample => [
        columns.times[i]!,
        bitsAt(columns.valueWords, i),
      ]),
    ];
  });
}

const bits = (value: number) => {
  const words = new Uint32Array(new Float64Array([value]).buffer);
  return bitsAt(words, 0);
};

describe("samples out of order", () => {
  test("are taken within the window, read in order, kept over restarts and written to blocks", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -11_000, max: 2_000 }), fc.nat(2)), {
          minLength: 1,
          maxLength: 250,
          size: "max",
        }),
        fc.integer({ min: 0, max: 250 }),
        (steps, restartAt) => {
          const window = 3 * RANGE;
          rmSync(directory, { recursive: true });
          let tsdb = open(window);
          const model = new Map<string, Map<number, number>>();
          let newest = -Infinity;
          steps.forEach(([seconds, series], i) => {
            if (i === restartAt) {
              tsdb.close();
              tsdb = open(window);
            }
            // No time occurs twice.
            const timeMs =
              (newest === -Infinity ? START : Math.floor(newest / 1000) * 1000) + seconds * 1000 + i;
            const expected = timeMs >= newest - window ? SampleOutcome.appended : SampleOutcome.tooOld;
            expect(append(tsdb, Labels.fromRecord({ s: `${series}` }), timeMs, i)).toBe(expected);
            if (expected === SampleOutcome.appended) {
              const samples = model.get(`${series}`) ?? new Map<number, number>();
              model.set(`${series}`, samples.set(timeMs, i));
            }
            newest = Math.max(newest, timeMs);
          });
          const plain = (from: number, to: number): PlainSeries[] =>
            [...model]
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([s, samples]): PlainSeries => [
                { s },
                [...samples]
                  .filter(([time]) => time >= from && time <= to)
                  .sort(([a], [b]) => a - b)
                  .map(([time, value]): PlainSample => [time, bits(value)]),
              ])
              .filter(([, samples]) => samples.length > 0);
          expect(read(tsdb)).toEqual(plain(-Infinity, Infinity));
          expect(read(tsdb, newest - RANGE, newest - 1)).toEqual(plain(newest - RANGE, newest - 1));
          for (const { generation } of tsdb.head.generations) {
            expect(decodeSealed(generation)).toEqual(plain(generation.startTime, generation.endTime - 1));
          }
          tsdb.close();
        },
      ),
      { numRuns: 12 },
    );
  }, 60_000);

  test("open a generation anew where theirs was sealed", () => {
    const tsdb = open(3 * RANGE);
    const labels = Labels.fromRecord({ a: "b" });
    append(tsdb, labels, START + 1000, 1);
    append(tsdb, labels, START + 2 * RANGE, 2);
    const [sealed] = tsdb.sealGenerations();
    expect(sealed!.startTime).toBe(START);
    append(tsdb, labels, START, 3);
    expect(tsdb.head.generations.map(({ generation }) => generation.startTime)).toEqual([
      START,
      START,
      START + 2 * RANGE,
    ]);
    expect(read(tsdb)).toEqual([
      [
        { a: "b" },
        [
          [START, bits(3)],
          [START + 1000, bits(1)],
          [START + 2 * RANGE, bits(2)],
        ],
      ],
    ]);
    append(tsdb, labels, START + 3 * RANGE, 4);
    const late = tsdb.sealGenerations();
    expect(late.map(({ startTime }) => startTime)).toEqual([START]);
    tsdb.close();
  });

  test("are refused without a window, as out of bounds if they are older than half a range", () => {
    const tsdb = open(0);
    const labels = Labels.fromRecord({ a: "b" });
    append(tsdb, labels, START + RANGE, 1);
    expect(append(tsdb, labels, START + RANGE - 1, 1)).toBe(SampleOutcome.outOfOrder);
    expect(append(tsdb, labels, START + RANGE / 2, 1)).toBe(SampleOutcome.outOfOrder);
    expect(append(tsdb, labels, START + RANGE / 2 - 1, 1)).toBe(SampleOutcome.outOfBounds);
    expect(tsdb.statistics).toMatchObject({ outOfOrderRejected: 2, outOfBoundsRejected: 1 });
    tsdb.close();
  });
});

describe("deleting series", () => {
  test("hides what they have in that range, not what comes later, and is remembered", () => {
    let tsdb = open(0);
    const kept = Labels.fromRecord({ __name__: "kept" });
    const gone = Labels.fromRecord({ __name__: "gone" });
    for (let i = 0; i < 5; i++) {
      append(tsdb, kept, START + i, i);
      append(tsdb, gone, START + i, i);
    }
    tsdb.deleteSeries([new Matcher("=", "__name__", "gone")], START + 1, START + 1000);
    append(tsdb, gone, START + 5, 5);
    const expected: PlainSeries[] = [
      [
        { __name__: "gone" },
        [
          [START, bits(0)],
          [START + 5, bits(5)],
        ],
      ],
      [{ __name__: "kept" }, [0, 1, 2, 3, 4].map((i): PlainSample => [START + i, bits(i)])],
    ];
    expect(read(tsdb)).toEqual(expected);
    expect(decodeSealed(tsdb.head.generations[0]!.generation)).toEqual(expected);
    tsdb.close();
    tsdb = open(0);
    expect(read(tsdb)).toEqual(expected);
    tsdb.close();
  });
});
