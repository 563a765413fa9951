import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FloatHistogram } from "../../../src/model/histogram.ts";
import { Labels } from "../../../src/model/labels.ts";
import { CorruptionError } from "../../../src/tsdb/corruption-error.ts";
import { crc32c } from "../../../src/tsdb/crc32c.ts";
import { segmentName } from "../../../src/tsdb/file-names.ts";
import { ByteWriter } from "../../../src/tsdb/varint.ts";
import {
  beginSeriesRecord,
  encodeExemplarsRecord,
  encodeHistogramRecords,
  encodeMetadataRecord,
  encodeMmapMarkersRecord,
  encodeSeriesEntry,
  encodeTimedSamplesRecord,
  encodeTombstonesRecord,
  RecordDecoder,
} from "../../../src/tsdb/wal/record.ts";
import { replayLog, type ReplaySink } from "../../../src/tsdb/wal/replay.ts";
import { PAGE_BYTES, WalWriter } from "../../../src/tsdb/wal/segment.ts";
import type { Random } from "../random.ts";
import { refusedOr, require, requireEqual, type Subject } from "../subject.ts";

export function scratchRoot(): string {
  return fs.existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
}

/** A place on disk for one subject's files; in memory where the system has such a place. */
export function scratchFolder(name: string): string {
  const root = process.env["FUZZ_SCRATCH"] ?? scratchRoot();
  const folder = fs.mkdtempSync(join(root, `narthex-fuzz-${name}-`));
  process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function histogramOf(random: Random): FloatHistogram {
  const isCustom = random.chance(0.2);
  const counts = Float64Array.from(random.list(6, () => random.below(9)));
  const total = counts.reduce((sum, count) => sum + count, 0);
  return {
    isInteger: random.chance(0.7),
    counterResetHint: "unknown",
    schema: isCustom ? -53 : random.below(13) - 4,
    zeroThreshold: isCustom ? 0 : 0.001,
    zeroCount: 0,
    count: total,
    sum: random.next(),
    isStale: false,
    positiveSpans:
      counts.length > 0 ? [{ offset: isCustom ? 0 : random.below(5), length: counts.length }] : [],
    negativeSpans: [],
    positiveBuckets: counts,
    negativeBuckets: new Float64Array(0),
    customValues: isCustom ? Float64Array.from(counts, (_, i) => i) : new Float64Array(0),
  };
}

function recordOf(random: Random): Buffer {
  const writer = new ByteWriter(64);
  const count = random.below(8);
  const list = <T>(make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
  const timeMs = (): number => 1_700_000_000_000 + random.below(100_000);
  const labels = (): Labels =>
    Labels.fromRecord({ __name__: random.pick(["a", "é"]), l: random.text("abc", 9) });
  switch (random.below(8)) {
    case 0:
      beginSeriesRecord(writer);
      for (let i = 0; i < count; i++) encodeSeriesEntry(writer, i + 1, labels());
      break;
    case 1: {
      const words = Uint32Array.from({ length: 2 * count }, () => random.below(2 ** 32));
      const times = Float64Array.from(list(timeMs));
      encodeTimedSamplesRecord(writer, Float64Array.from(list((i) => i + 1)), times, words, count);
      break;
    }
    case 2:
      encodeTombstonesRecord(
        writer,
        list((i) => ({ ref: i, minTime: timeMs(), maxTime: timeMs() })),
      );
      break;
    case 3:
      encodeExemplarsRecord(
        writer,
        list((i) => ({
          ref: i + 1,
          exemplar: { labels: labels(), value: random.next(), timeMs: timeMs(), hasTimestamp: true },
        })),
      );
      break;
    case 4:
      encodeMmapMarkersRecord(
        writer,
        list((i) => ({ ref: i, file: random.below(5), offset: random.below(999) })),
      );
      break;
    case 5:
      encodeMetadataRecord(
        writer,
        list((i) => ({ ref: i, metadata: { type: "counter", unit: "s", help: random.text("abc é", 20) } })),
      );
      break;
    case 6: {
      const records: Buffer[] = [];
      encodeHistogramRecords(
        writer,
        list((i) => ({ ref: i + 1, timeMs: timeMs(), histogram: histogramOf(random) })),
        (record) => void records.push(Buffer.from(record)),
      );
      return records[0] ?? Buffer.alloc(0);
    }
    default:
      // Types that are read and never written here: samples and histograms with start times.
      return Buffer.concat([Buffer.from([11 + random.below(3)]), random.bytes(80)]);
  }
  return Buffer.from(writer.written());
}

/** Counts what it is told, and looks at every entry. */
class CountingSink implements ReplaySink {
  entries = 0;
  onSeries(ref: number, labels: Labels): void {
    this.entries++;
    require(ref >= 0 && labels.pairs.every((word) => typeof word === "string"), () =>
      "a series that is none");
  }
  onSamples(
    refs: Float64Array,
    times: Float64Array,
    words: Uint32Array,
    starts: Float64Array | null,
    n: number,
  ): void {
    this.entries += n;
    const isWide =
      refs.length >= n && times.length >= n && words.length >= 2 * n && (!starts || starts.length >= n);
    require(isWide, () => `columns shorter than ${n}`);
  }
  onHistogram(_ref: number, _timeMs: number, histogram: FloatHistogram): void {
    this.entries++;
    require(histogram.positiveBuckets.length <= 2 ** 24, () => "a histogram beyond its record");
  }
  onTombstone(): void {
    this.entries++;
  }
  onExemplar(): void {
    this.entries++;
  }
  onMetadata(): void {
    this.entries++;
  }
  onMmapMarker(): void {
    this.entries++;
  }
}

const record: Subject = {
  name: "wal-record",
  make: recordOf,
  run: (input) => {
    const sink = new CountingSink();
    const outcome = refusedOr(() => new RecordDecoder().decode(input, sink), CorruptionError);
    require(sink.entries <= input.length, () => `${sink.entries} entries in ${input.length} bytes`);
    return "result" in outcome;
  },
};

let folder: string | null = null;

/** The bytes of a segment: replayed, repaired, and then sound up to where it was. */
const segment: Subject = {
  name: "wal-segment",
  make: (random) => {
    const directory = (folder ??= scratchFolder("wal"));
    fs.rmSync(directory, { recursive: true, force: true });
    const writer = new WalWriter(directory, { compression: random.pick(["none", "snappy"]) });
    for (let count = random.below(12); count > 0; count--) writer.append(recordOf(random));
    if (random.chance(0.1)) writer.append(Buffer.alloc(PAGE_BYTES + random.below(PAGE_BYTES), 99));
    writer.close();
    const bytes = fs.readFileSync(join(directory, segmentName(0)));
    // What follows the last record is zeros up to the page's end: seldom of interest.
    return random.chance(0.1) ? bytes : bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
  },
  // Every fragment gets the checksum of what is in it, so that damage reaches the decoder.
  mend: (input, random) => {
    const bytes = Buffer.from(input);
    if (random.chance(0.3)) return bytes;
    for (let at = 0; at + 7 <= bytes.length && bytes[at] !== 0;) {
      const length = bytes.readUInt16BE(at + 1);
      if (at + 7 + length > bytes.length) break;
      bytes.writeUInt32BE(crc32c(bytes, at + 7, at + 7 + length), at + 3);
      at += 7 + length;
    }
    return bytes;
  },
  run: (input) => {
    const directory = (folder ??= scratchFolder("wal"));
    fs.rmSync(directory, { recursive: true, force: true });
    fs.mkdirSync(directory, { recursive: true });
    fs.writeFileSync(join(directory, segmentName(0)), input);
    let first;
    try {
      first = replayLog(directory, new CountingSink());
    } catch (error) {
      // A log of another kind is nothing to repair.
      if ((error as Error).message.includes("does not have zstd")) return false;
      throw error;
    }
    const second = replayLog(directory, new CountingSink());
    requireEqual(second.fault?.message ?? null, null, "faults after a repair");
    requireEqual(second.records, first.records, "records after a repair");
    return first.fault === null;
  },
};

export const logs: readonly Subject[] = [record, segment];
