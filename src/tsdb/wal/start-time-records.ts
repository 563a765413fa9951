/**
 * Records of samples with start times: types 11 to 13, written in the place of types 2 and 7 to 10 where start times are
 * stored. Each entry's reference is told as its distance from the one before, times as distances from the first.
 */
import type { ByteWriter } from "../varint.ts";
import { encodeFloatHistogram, encodeIntegerHistogram, RecordType, type HistogramEntry } from "./record.ts";

/** How an entry's start time is told. */
const START_UNKNOWN = 0;
const START_AS_BEFORE = 1;
const START_TOLD = 2;

/** Writes what the entries of a record have in common. */
class EntryHead {
  private ref = 0;
  private firstTime = 0;
  private firstStart = 0;
  private start = 0;
  private isFirst = true;

  write(writer: ByteWriter, ref: number, timeMs: number, startMs: number): void {
    writer.varint(ref - this.ref);
    writer.varint(timeMs - this.firstTime);
    if (this.isFirst) {
      this.isFirst = false;
      this.firstTime = timeMs;
      this.firstStart = startMs;
      writer.varint(startMs);
    } else if (startMs === 0) writer.u8(START_UNKNOWN);
    else if (startMs === this.start) writer.u8(START_AS_BEFORE);
    else {
      writer.u8(START_TOLD);
      writer.varint(startMs - this.firstStart);
    }
    this.ref = ref;
    this.start = startMs;
  }
}

/**
 * Encodes samples of one time, or each with a time of its own. `count` 0 leaves the writer empty.
 * @param startTimes 0 where unknown, null where all are
 */
export function encodeSamplesWithStartRecord(
  writer: ByteWriter,
  refs: Uint32Array | Float64Array,
  times: number | Float64Array,
  startTimes: Float64Array | null,
  valueWords: Uint32Array,
  count: number,
): void {
  writer.clear();
  if (count === 0) return;
  writer.u8(RecordType.samplesWithStart);
  const head = new EntryHead();
  for (let i = 0; i < count; i++) {
    const timeMs = typeof times === "number" ? times : times[i]!;
    head.write(writer, refs[i]!, timeMs, startTimes?.[i] ?? 0);
    writer.f64Words(valueWords[2 * i + 1]!, valueWords[2 * i]!);
  }
}

/**
 * Encodes histograms as up to two records, integer ones first; each is handed to `append` before the writer is used
 * again.
 */
export function encodeHistogramsWithStartRecords(
  writer: ByteWriter,
  entries: readonly (HistogramEntry & { readonly startMs: number })[],
  append: (record: Uint8Array) => void,
): void {
  for (const isInteger of [true, false]) {
    const chosen = entries.filter(({ histogram }) => histogram.isInteger === isInteger);
    if (chosen.length === 0) continue;
    writer.clear();
    writer.u8(isInteger ? RecordType.histogramsWithStart : RecordType.floatHistogramsWithStart);
    const head = new EntryHead();
    for (const { ref, timeMs, startMs, histogram } of chosen) {
      head.write(writer, ref, timeMs, startMs);
      if (isInteger) encodeIntegerHistogram(writer, histogram);
      else encodeFloatHistogram(writer, histogram);
    }
    append(writer.written());
  }
}
