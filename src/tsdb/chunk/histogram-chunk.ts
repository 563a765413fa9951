import type { FloatHistogram } from "../../model/histogram.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../model/sample.ts";
import type { SampleColumns } from "../../model/storage.ts";
import { appendSample } from "./append-sample.ts";
import { BitReader, BitWriter } from "./bit-stream.ts";
import { ChunkEncoding } from "./encoding.ts";
import {
  bucketCount,
  type CounterReset,
  EMPTY_LAYOUT,
  histogramOf,
  readLayout,
  sumWords,
  writeLayout,
} from "./histogram-layout.ts";
import { StartTimeReader, StartTimeWriter } from "./start-time.ts";
import { XorColumn } from "./xor-value.ts";

const ST_HEADER_BYTE = 2;
const COUNT_MASK_WITH_START = 0x3fff;

/** A column of whole numbers, written as deltas of deltas. */
class CountColumn {
  value = 0;
  private delta = 0;

  nextDeltaOfDelta(value: number): number {
    const delta = value - this.value;
    const deltaOfDelta = delta - this.delta;
    this.value = value;
    this.delta = delta;
    return deltaOfDelta;
  }

  setFirst(value: number): void {
    this.value = value;
  }

  add(deltaOfDelta: number): void {
    this.delta += deltaOfDelta;
    this.value += this.delta;
  }
}

function columns(count: number): CountColumn[] {
  return Array.from({ length: count }, () => new CountColumn());
}

/**
 * Writes encodings 2 and 5: histograms with whole counts, all of one layout. Buckets are stored as differences from
 * their neighbour, and those as deltas of deltas in time.
 */
export class HistogramChunkWriter {
  count = 0;
  private readonly writer = new BitWriter(512);
  private readonly startTimes: StartTimeWriter | null;
  private readonly times = new CountColumn();
  private readonly counts = new CountColumn();
  private readonly zeroCounts = new CountColumn();
  private readonly sums = new XorColumn();
  private positive: CountColumn[] = [];
  private negative: CountColumn[] = [];

  /** @param withStart whether to store start times: encoding 5 */
  constructor(
    readonly flags: CounterReset,
    readonly withStart = false,
  ) {
    this.writer.bits(0, 24);
    this.startTimes = withStart ? new StartTimeWriter(ST_HEADER_BYTE) : null;
  }

  get encoding(): ChunkEncoding {
    return this.withStart ? ChunkEncoding.histogramWithStart : ChunkEncoding.histogram;
  }

  get byteLength(): number {
    return this.writer.byteLength;
  }

  /** @param histogram whole counts, in the layout of the first one; or a stale one, which only a stale one may follow */
  append(timeMs: number, histogram: FloatHistogram, startMs = 0): void {
    const { writer } = this;
    const { isStale } = histogram;
    const sum = sumWords(histogram);
    if (this.count === 0) {
      writeLayout(writer, isStale ? EMPTY_LAYOUT : histogram);
      writer.varbitInt(timeMs);
      writer.varbitUint(isStale ? 0 : histogram.count);
      writer.varbitUint(isStale ? 0 : histogram.zeroCount);
      this.sums.writeFirst(writer, sum.high, sum.low);
      this.times.setFirst(timeMs);
      this.counts.setFirst(histogram.count);
      this.zeroCounts.setFirst(histogram.zeroCount);
      this.positive = columns(isStale ? 0 : histogram.positiveBuckets.length);
      this.negative = columns(isStale ? 0 : histogram.negativeBuckets.length);
      if (!isStale) {
        writeFirstBuckets(writer, this.positive, histogram.positiveBuckets);
        writeFirstBuckets(writer, this.negative, histogram.negativeBuckets);
      }
    } else {
      writer.varbitInt(this.times.nextDeltaOfDelta(timeMs));
      writer.varbitInt(isStale ? 0 : this.counts.nextDeltaOfDelta(histogram.count));
      writer.varbitInt(isStale ? 0 : this.zeroCounts.nextDeltaOfDelta(histogram.zeroCount));
      this.sums.write(writer, sum.high, sum.low);
      if (!isStale) {
        writeBuckets(writer, this.positive, histogram.positiveBuckets);
        writeBuckets(writer, this.negative, histogram.negativeBuckets);
      }
    }
    this.startTimes?.write(writer, timeMs, startMs);
    this.count++;
  }

  toBytes(): Uint8Array {
    const bytes = this.writer.toBytes();
    if (this.withStart) {
      bytes[0] = (this.flags << 6) | (this.count >>> 8);
    } else {
      bytes[0] = this.count >>> 8;
      bytes[2] = this.flags << 6;
    }
    bytes[1] = this.count & 0xff;
    return bytes;
  }
}

function writeFirstBuckets(writer: BitWriter, target: readonly CountColumn[], buckets: Float64Array): void {
  let previous = 0;
  for (let i = 0; i < buckets.length; i++) {
    const difference = buckets[i]! - previous;
    previous = buckets[i]!;
    target[i]!.setFirst(difference);
    writer.varbitInt(difference);
  }
}

function writeBuckets(writer: BitWriter, target: readonly CountColumn[], buckets: Float64Array): void {
  let previous = 0;
  for (let i = 0; i < target.length; i++) {
    const difference = buckets[i]! - previous;
    previous = buckets[i]!;
    writer.varbitInt(target[i]!.nextDeltaOfDelta(difference));
  }
}

/** Appends the samples between two times, both included. @throws CorruptionError where the bits end too early */
export function decodeHistogramChunk(
  bytes: Uint8Array,
  withStart: boolean,
  minTime: number,
  maxTime: number,
  target: SampleColumns,
): void {
  const reader = new BitReader(bytes);
  const header = reader.bits(16);
  const third = reader.bits(8);
  const count = withStart ? header & COUNT_MASK_WITH_START : header;
  const flags = (withStart ? header >>> 14 : third >>> 6) as CounterReset;
  if (count === 0) return;
  const startTimes = withStart ? new StartTimeReader(third) : null;
  const layout = readLayout(reader);
  const times = new CountColumn();
  const counts = new CountColumn();
  const zeroCounts = new CountColumn();
  const sums = new XorColumn();
  const positive = columns(bucketCount(layout.positiveSpans));
  const negative = columns(bucketCount(layout.negativeSpans));
  for (let index = 0; index < count; index++) {
    if (index === 0) {
      times.setFirst(reader.varbitInt());
      counts.setFirst(reader.varbitUint());
      zeroCounts.setFirst(reader.varbitUint());
      sums.readFirst(reader);
    } else {
      times.add(reader.varbitInt());
      counts.add(reader.varbitInt());
      zeroCounts.add(reader.varbitInt());
      sums.read(reader);
    }
    const isStale = sums.high === STALE_HIGH_WORD && sums.low === STALE_LOW_WORD;
    if (!isStale) {
      for (const bucket of positive) readBucket(reader, bucket, index);
      for (const bucket of negative) readBucket(reader, bucket, index);
    }
    const time = times.value;
    const start = startTimes?.read(reader, time) ?? 0;
    if (time > maxTime) return;
    if (time < minTime) continue;
    const histogram = histogramOf({
      layout,
      flags,
      isInteger: true,
      index,
      count: counts.value,
      zeroCount: zeroCounts.value,
      sum: sums.number,
      isStale,
      positiveBuckets: summed(positive),
      negativeBuckets: summed(negative),
    });
    appendSample(target, time, sums.high, sums.low, start, histogram);
  }
}

function readBucket(reader: BitReader, bucket: CountColumn, index: number): void {
  const value = reader.varbitInt();
  if (index === 0) bucket.setFirst(value);
  else bucket.add(value);
}

/** Absolute counts out of differences between neighbours. */
function summed(differences: readonly CountColumn[]): Float64Array {
  const buckets = new Float64Array(differences.length);
  let bucket = 0;
  for (let i = 0; i < buckets.length; i++) buckets[i] = bucket += differences[i]!.value;
  return buckets;
}
