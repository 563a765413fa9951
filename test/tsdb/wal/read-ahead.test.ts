import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, describe, test } from "vitest";
import { type ReadAheadTask, readAhead, ReadAheadRecords } from "../../../src/tsdb/wal/read-ahead.ts";
import { listSegments, WalReader, WalWriter, type WalSegment } from "../../../src/tsdb/wal/segment.ts";

let directory: string;
beforeEach(() => (directory = fs.mkdtempSync(join(tmpdir(), "narthex-ahead-"))));
afterEach(() => fs.rmSync(directory, { recursive: true }));

function writeLog(segments: readonly (readonly Uint8Array[])[], compression: "none" | "snappy"): void {
  fs.rmSync(directory, { recursive: true });
  const wal = new WalWriter(directory, { compression });
  for (const [i, records] of segments.entries()) {
    if (i > 0) wal.cut();
    for (const record of records) wal.append(record);
  }
  wal.close();
}

interface Reader {
  readonly record: Uint8Array;
  readonly segment: number;
  readonly offset: number;
  next(): boolean;
  close(): void;
}

/** All that the segments give in turn: records, where each ends, and what is wrong with the first that is damaged. */
function contentOf(segments: readonly WalSegment[], open: (segment: WalSegment) => Reader) {
  const content: unknown[] = [];
  for (const segment of segments) {
    const reader = open(segment);
    try {
      while (reader.next()) {
        content.push([reader.segment, reader.offset, Buffer.from(reader.record).toString("latin1")]);
      }
    } catch (error) {
      content.push((error as Error).message);
      return content;
    } finally {
      reader.close();
    }
    content.push(`end of ${segment.index}`);
  }
  return content;
}

const plainContent = () =>
  contentOf(listSegments(directory), (segment) => new WalReader(directory, [segment]));

/** The other thread's part is done in this one, before the first record is asked for: these logs fit the ring (2 MiB). */
function contentReadAhead(start: (task: ReadAheadTask) => void = readAhead) {
  const segments = listSegments(directory);
  const ahead = new ReadAheadRecords(start, directory, segments, 0);
  return contentOf(segments, (segment) => ahead.open(segment));
}

const anyRecord = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 300 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(255), fc.nat(40_000))
      .map(([byte, length]) => new Uint8Array(length + 1).fill(byte)),
  },
);
const anyLog = fc.array(fc.array(anyRecord, { maxLength: 12 }), { minLength: 1, maxLength: 4 });

describe("a log that is read ahead", () => {
  test("gives the records of each segment in turn, as a plain reader does", () => {
    fc.assert(
      fc.property(anyLog, fc.constantFrom("none" as const, "snappy" as const), (log, compression) => {
        writeLog(log, compression);
        expect(contentReadAhead()).toEqual(plainContent());
      }),
      { numRuns: 50 },
    );
  });

  test("ends at damage with what a plain reader says of it, and with all that comes before", () => {
    fc.assert(
      fc.property(anyLog, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (log, which, where, mask) => {
        writeLog(log, "snappy");
        const segments = listSegments(directory);
        const { path } = segments[which % segments.length]!;
        const bytes = fs.readFileSync(path);
        if (bytes.length > 0) bytes[where % bytes.length]! ^= mask;
        fs.writeFileSync(path, bytes);
        expect(contentReadAhead()).toEqual(plainContent());
      }),
      { numRuns: 100 },
    );
  });

  test("is read without the other thread where a record is longer than what passes between them", () => {
    const long = new Uint8Array(9_000_000).map((_, i) => (i * i) >>> 5);
    writeLog([[Uint8Array.of(1), Uint8Array.of(2), long, Uint8Array.of(3)], [Uint8Array.of(4)]], "none");
    expect(contentReadAhead()).toEqual(plainContent());
  });

  test("is read without the other thread where that ends before its time", () => {
    writeLog(
      [[Uint8Array.of(1), Uint8Array.of(2)], [Uint8Array.of(3)], [Uint8Array.of(4), Uint8Array.of(5)]],
      "none",
    );
    const readsTwo = (task: ReadAheadTask) => {
      const missing = { index: task.segments[2]!.index, path: join(directory, "missing") };
      readAhead({ ...task, segments: [...task.segments.slice(0, 2), missing] });
    };
    expect(contentReadAhead(readsTwo)).toEqual(plainContent());
  });

  test("is not read on when nobody wants more of it", () => {
    writeLog([[Uint8Array.of(1)], [Uint8Array.of(2)]], "none");
    const segments = listSegments(directory);
    let task: ReadAheadTask | null = null;
    const ahead = new ReadAheadRecords((given) => (task = given), directory, segments, 0);
    ahead.stop();
    readAhead(task!);
    expect(new Int32Array(task!.ring, 0, 1)[0]).toBe(0);
    expect(contentOf(segments, (segment) => ahead.open(segment))).toEqual(plainContent());
  });
});
