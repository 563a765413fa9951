import { SeriesField } from "../../kernels/append-kernel.ts";
import { ByteWriter } from "../varint.ts";
import {
  beginSeriesRecord,
  encodeExemplarsRecord,
  encodeHistogramRecords,
  encodeMetadataRecord,
  type ExemplarEntry,
  type MetadataEntry,
  encodeTombstonesRecord,
  encodeSamplesRecord,
  encodeTimedSamplesRecord,
} from "../wal/record.ts";
import { encodeHistogramsWithStartRecords, encodeSamplesWithStartRecord } from "../wal/start-time-records.ts";
import type { WalWriter } from "../wal/segment.ts";
import type { HeadLog } from "./head-appender.ts";
import type { Generation } from "./generation.ts";
import type { GenerationWriter, LateFloat, PendingHistogram } from "./generation-writer.ts";
import type { DeletedRange } from "./head.ts";

/**
 * A record of series ends when it is longer than this. What records are put together in stays as large as the longest,
 * and once the allocator has given a large block back it keeps more of what else is free.
 */
const MAX_SERIES_RECORD_BYTES = 100 * 1024;

/** The head's commits as records of the write-ahead log. */
export class WalLog implements HeadLog {
  private readonly record = new ByteWriter();
  private times = new Float64Array(256);
  private usedLateWal: WalWriter | null = null;

  /**
   * @param lateWal opens the log of out-of-order samples, or gives it if it is open
   * @param withStarts whether start times are logged, in the records that have room for them
   */
  constructor(
    private readonly wal: WalWriter,
    private readonly lateWal: () => WalWriter,
    private readonly withStarts = false,
  ) {}

  series(writer: GenerationWriter): void {
    beginSeriesRecord(this.record);
    for (const series of writer.unlogged.all) {
      encodeSeries(this.record, writer.logRef(series), writer.generation, series);
      if (this.record.length < MAX_SERIES_RECORD_BYTES) continue;
      this.wal.append(this.record.written());
      beginSeriesRecord(this.record);
    }
    if (this.record.length > 1) this.wal.append(this.record.written());
  }

  samples(
    refs: Float64Array,
    timeMs: number,
    valueWords: Uint32Array,
    count: number,
    startTimes: Float64Array | null,
  ): void {
    const { record } = this;
    if (this.withStarts) encodeSamplesWithStartRecord(record, refs, timeMs, startTimes, valueWords, count);
    else encodeSamplesRecord(record, 0, refs, timeMs, valueWords, count);
    if (this.record.length > 0) this.wal.append(this.record.written());
  }

  timedSamples(
    refs: Float64Array,
    startTime: number,
    times: Uint32Array,
    valueWords: Uint32Array,
    count: number,
    startTimes: Float64Array | null,
  ): void {
    if (this.times.length < count) this.times = new Float64Array(2 * count);
    for (let i = 0; i < count; i++) this.times[i] = startTime + times[i]!;
    this.encodeTimed(refs, this.times, startTimes, valueWords, count);
    if (this.record.length > 0) this.wal.append(this.record.written());
  }

  private encodeTimed(
    refs: Float64Array,
    times: Float64Array,
    startTimes: Float64Array | null,
    valueWords: Uint32Array,
    count: number,
  ): void {
    const { record } = this;
    if (this.withStarts) encodeSamplesWithStartRecord(record, refs, times, startTimes, valueWords, count);
    else encodeTimedSamplesRecord(record, refs, times, valueWords, count);
  }

  histograms(entries: readonly PendingHistogram[]): void {
    this.appendHistograms(this.wal, entries);
  }

  private appendHistograms(wal: WalWriter, entries: readonly PendingHistogram[]): void {
    const encode = this.withStarts ? encodeHistogramsWithStartRecords : encodeHistogramRecords;
    encode(this.record, entries, (record) => wal.append(record));
  }

  late(floats: readonly LateFloat[], histograms: readonly PendingHistogram[]): void {
    const wal = (this.usedLateWal = this.lateWal());
    if (floats.length > 0) {
      const refs = Float64Array.from(floats, ({ ref }) => ref);
      const times = Float64Array.from(floats, ({ timeMs }) => timeMs);
      const words = Uint32Array.from(floats.flatMap(({ valueLow, valueHigh }) => [valueLow, valueHigh]));
      const starts = Float64Array.from(floats, ({ startMs }) => startMs);
      this.encodeTimed(refs, times, starts, words, floats.length);
      wal.append(this.record.written());
    }
    this.appendHistograms(wal, histograms);
  }

  metadata(entries: readonly MetadataEntry[]): void {
    encodeMetadataRecord(this.record, entries);
    this.wal.append(this.record.written());
  }

  exemplars(entries: readonly ExemplarEntry[]): void {
    encodeExemplarsRecord(this.record, entries);
    this.wal.append(this.record.written());
  }

  tombstones(entries: readonly DeletedRange[]): void {
    encodeTombstonesRecord(this.record, entries);
    this.wal.append(this.record.written());
    this.wal.flush();
  }

  flush(): void {
    // Series stand in the first log: should only one of the two be written, let it not be the one without them.
    this.wal.flush();
    this.usedLateWal?.flush();
    this.usedLateWal = null;
  }

  discard(): void {
    this.wal.discard();
    this.usedLateWal?.discard();
    this.usedLateWal = null;
  }
}

/** An entry of a series record (see `encodeSeriesEntry`), from the symbols of a generation to the record without strings. */
export function encodeSeries(
  record: ByteWriter,
  logRef: number,
  { arena: { words, bytes }, series, postings, symbols }: Generation,
  ref: number,
): void {
  record.u64(logRef);
  const run = series.field(ref, SeriesField.labels);
  record.uvarint(words[run]!);
  const putSymbol = (symbol: number): void => {
    const { pointer, length } = symbols.place(symbol);
    record.stringOfBytes(bytes, pointer, pointer + length);
  };
  series.forEachList(ref, (list) => {
    putSymbol(postings.nameOf(list));
    putSymbol(postings.valueOf(list));
  });
}
