import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Labels } from "../../../src/model/labels.ts";
import { checkpointName, segmentName } from "../../../src/tsdb/file-names.ts";
import { ByteWriter } from "../../../src/tsdb/varint.ts";
import {
  beginSeriesRecord,
  encodeMmapMarkersRecord,
  encodeSamplesRecord,
  encodeSeriesEntry,
} from "../../../src/tsdb/wal/record.ts";
import { replayLog } from "../../../src/tsdb/wal/replay.ts";
import { listSegments, WalWriter } from "../../../src/tsdb/wal/segment.ts";
import { bitsOf, RecordingSink } from "./recording-sink.ts";

let directory: string;
beforeEach(() => (directory = fs.mkdtempSync(join(tmpdir(), "narthex-replay-"))));
afterEach(() => fs.rmSync(directory, { recursive: true }));

function seriesRecord(ref: number, name: string): Uint8Array {
  const writer = new ByteWriter();
  beginSeriesRecord(writer);
  encodeSeriesEntry(writer, ref, Labels.fromRecord({ __name__: name }));
  return writer.written();
}

function sampleRecord(ref: number, timeMs: number, value: number): Uint8Array {
  const writer = new ByteWriter();
  encodeSamplesRecord(
    writer,
    0,
    Uint32Array.of(ref),
    timeMs,
    new Uint32Array(Float64Array.of(value).buffer),
    1,
  );
  return writer.written();
}

/** Writes each list of records to a segment of its own. */
function writeSegments(path: string, ...segments: readonly (readonly Uint8Array[])[]): void {
  const wal = new WalWriter(path);
  for (const [i, records] of segments.entries()) {
    if (i > 0) wal.cut();
    for (const record of records) wal.append(record);
  }
  wal.close();
}

function replayed(): { sink: RecordingSink; result: ReturnType<typeof replayLog> } {
  const sink = new RecordingSink();
  return { sink, result: replayLog(directory, sink) };
}

const values = (sink: RecordingSink) => sink.samples.map(({ timeMs }) => timeMs);

describe("replaying a log", () => {
  test("gives every record in order, segment by segment", () => {
    writeSegments(directory, [seriesRecord(1, "a"), sampleRecord(1, 10, 1.5)], [], [sampleRecord(1, 20, 2)]);
    const { sink, result } = replayed();
    expect(result).toEqual({ records: 3, segments: 3, fault: null });
    expect(sink.segments).toEqual(["0", "1", "2"]);
    expect(sink.series.get(1)).toEqual({ __name__: "a" });
    expect(sink.samples).toEqual([
      { ref: 1, timeMs: 10, bits: bitsOf(1.5) },
      { ref: 1, timeMs: 20, bits: bitsOf(2) },
    ]);
  });

  test("of which there is nothing yet gives nothing", () => {
    expect(replayed().result).toEqual({ records: 0, segments: 0, fault: null });
    expect(replayLog(join(directory, "missing"), new RecordingSink()).records).toBe(0);
  });

  test("begins with the newest checkpoint and leaves out the segments it stands for", () => {
    writeSegments(
      directory,
      [seriesRecord(1, "a"), sampleRecord(1, 10, 1)],
      [sampleRecord(1, 20, 1)],
      [sampleRecord(1, 30, 1)],
    );
    writeSegments(join(directory, checkpointName(0)), [seriesRecord(9, "old")]);
    writeSegments(join(directory, checkpointName(1)), [seriesRecord(1, "a")], [sampleRecord(1, 19, 1)]);
    fs.mkdirSync(join(directory, checkpointName(2) + ".tmp"));
    const { sink, result } = replayed();
    expect(sink.segments).toEqual(["checkpoint 1", "2"]);
    expect([...sink.series.keys()]).toEqual([1]);
    expect(values(sink)).toEqual([19, 30]);
    expect(result.fault).toBeNull();
  });

  test("ends at damage, repairs it, and the next start finds a sound log and goes on behind it", () => {
    writeSegments(
      directory,
      [seriesRecord(1, "a"), sampleRecord(1, 10, 1)],
      [sampleRecord(1, 20, 1), sampleRecord(1, 30, 1)],
      [sampleRecord(1, 40, 1)],
    );
    const path = join(directory, segmentName(1));
    const bytes = fs.readFileSync(path);
    bytes[7 + bytes.readUInt16BE(1) + 9]! ^= 1;
    fs.writeFileSync(path, bytes);
    const first = replayed();
    expect(values(first.sink)).toEqual([10, 20]);
    expect(first.result.fault).toMatchObject({ segment: 1 });
    expect(listSegments(directory).map(({ index }) => index)).toEqual([0, 1]);
    writeSegments(directory, [sampleRecord(1, 50, 1)]);
    const second = replayed();
    expect(values(second.sink)).toEqual([10, 20, 50]);
    expect(second.result.fault).toBeNull();
    expect(second.sink.segments).toEqual(["0", "1", "2"]);
  });

  test("takes a record that does not decode for damage too, at the record's beginning", () => {
    const torn = sampleRecord(1, 20, 1).slice(0, -1);
    writeSegments(directory, [seriesRecord(1, "a"), sampleRecord(1, 10, 1), torn, sampleRecord(1, 30, 1)]);
    const first = replayed();
    expect(values(first.sink)).toEqual([10]);
    expect(first.result.fault?.message).toContain("cannot read");
    const second = replayed();
    expect(values(second.sink)).toEqual([10]);
    expect(second.result.fault).toBeNull();
  });

  test("refuses a damaged checkpoint and touches nothing", () => {
    const checkpoint = join(directory, checkpointName(0));
    writeSegments(checkpoint, [seriesRecord(1, "a")]);
    writeSegments(directory, [sampleRecord(1, 10, 1)]);
    const path = join(checkpoint, segmentName(0));
    const bytes = fs.readFileSync(path);
    bytes[9]! ^= 1;
    fs.writeFileSync(path, bytes);
    expect(() => replayed()).toThrow(`cannot read checkpoint ${checkpoint}`);
    expect(fs.readFileSync(path)).toEqual(bytes);
    expect(listSegments(directory).length).toBe(1);
  });

  test("reads the out-of-order log, its markers included", () => {
    const writer = new ByteWriter();
    encodeMmapMarkersRecord(writer, [{ ref: 1, file: 3, offset: 8 }]);
    writeSegments(directory, [writer.written().slice(), sampleRecord(1, 5, 1)]);
    const { sink } = replayed();
    expect(sink.markers).toEqual([[1, 3, 8]]);
    expect(values(sink)).toEqual([5]);
  });

  test("never fails to start, whatever the bytes of the last segments are", () => {
    const records = Array.from({ length: 6 }, (_, i) => sampleRecord(1, i, i));
    writeSegments(directory, [seriesRecord(1, "a"), ...records], records);
    const path = join(directory, segmentName(1));
    const whole = fs.readFileSync(path);
    for (let offset = 0; offset < 260; offset++) {
      const damaged = Buffer.from(whole);
      damaged[offset] = (damaged[offset]! + 1 + offset) & 0xff;
      fs.writeFileSync(path, damaged);
      const { sink } = replayed();
      expect(values(sink).slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5]);
      const again = replayed();
      expect(again.result.fault).toBeNull();
      expect(again.sink.samples).toEqual(sink.samples);
    }
  });
});
