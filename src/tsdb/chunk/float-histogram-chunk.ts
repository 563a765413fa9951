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

function columns(count: number): XorColumn[] {
  return Array.from({ length: count }, () => new XorColumn());
}

/** Writes encodings 3 and 6: histograms with float counts, all of one layout; each bucket is a column of its own. */
export class FloatHistogramChunkWriter {
  count = 0;
  private readonly writer = new BitWriter(512);
  private readonly startTimes: StartTimeWriter | null;
  private readonly counts = new XorColumn();
  private readonly zeroCounts = new XorColumn();
  private readonly sums = new XorColumn();
  private positive: XorColumn[] = [];
  private negative: XorColumn[] = [];
  private time = 0;
  private delta = 0;

  /** @param withStart whether to store start times: encoding 6 */
  constructor(
    readonly flags: CounterReset,
    readonly withStart = false,
  ) {
    this.writer.bits(0, 24);
    this.startTimes = withStart ? new StartTimeWriter(ST_HEADER_BYTE) : null;
  }

  get encoding(): ChunkEncoding {
    return this.withStart ? ChunkEncoding.floatHistogramWithStart : ChunkEncoding.floatHistogram;
  }

  get byteLength(): number {
    return this.writer.byteLength;
  }

  /** @param histogram in the layout of the first one; or a stale one, which only a stale one may follow */
  append(timeMs: number, histogram: FloatHistogram, startMs = 0): void {
    const { writer } = this;
    const { isStale } = histogram;
    const sum = sumWords(histogram);
    const count = isStale ? 0 : histogram.count;
    const zeroCount = isStale ? 0 : histogram.zeroCount;
    if (this.count === 0) {
      writeLayout(writer, isStale ? EMPTY_LAYOUT : histogram);
      writer.varbitInt(timeMs);
      this.counts.writeFirstNumber(writer, count);
      this.zeroCounts.writeFirstNumber(writer, zeroCount);
      this.sums.writeFirst(writer, sum.high, sum.low);
      if (!isStale) {
        this.positive = columns(histogram.positiveBuckets.length);
        this.negative = columns(histogram.negativeBuckets.length);
        for (const [i, bucket] of this.positive.entries()) {
          bucket.writeFirstNumber(writer, histogram.positiveBuckets[i]!);
        }
        for (const [i, bucket] of this.negative.entries()) {
          bucket.writeFirstNumber(writer, histogram.negativeBuckets[i]!);
        }
      }
    } else {
      const delta = timeMs - this.time;
      writer.varbitInt(delta - this.delta);
      this.delta = delta;
      this.counts.writeNumber(writer, count);
      this.zeroCounts.writeNumber(writer, zeroCount);
      this.sums.write(writer, sum.high, sum.low);
      if (!isStale) {
        for (const [i, bucket] of this.positive.entries()) {
          bucket.writeNumber(writer, histogram.positiveBuckets[i]!);
        }
        for (const [i, bucket] of this.negative.entries()) {
          bucket.writeNumber(writer, histogram.negativeBuckets[i]!);
        }
      }
    }
    this.startTimes?.write(writer, timeMs, startMs);
    this.time = timeMs;
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

/** Appends the samples between two times, both included. @throws CorruptionError where the bits end too early */
export function decodeFloatHistogramChunk(
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
  const counts = new XorColumn();
  const zeroCounts = new XorColumn();
  const sums = new XorColumn();
  const positive = columns(bucketCount(layout.positiveSpans));
  const negative = columns(bucketCount(layout.negativeSpans));
  let time = 0;
  let delta = 0;
  for (let index = 0; index < count; index++) {
    if (index === 0) {
      time = reader.varbitInt();
      counts.readFirst(reader);
      zeroCounts.readFirst(reader);
      sums.readFirst(reader);
    } else {
      delta += reader.varbitInt();
      time += delta;
      counts.read(reader);
      zeroCounts.read(reader);
      sums.read(reader);
    }
    const isStale = sums.high === STALE_HIGH_WORD && sums.low === STALE_LOW_WORD;
    if (!isStale) {
      for (const bucket of positive) readBucket(reader, bucket, index);
      for (const bucket of negative) readBucket(reader, bucket, index);
    }
    const start = startTimes?.read(reader, time) ?? 0;
    if (time > maxTime) return;
    if (time < minTime) continue;
    const histogram = histogramOf({
      layout,
      flags,
      isInteger: false,
      index,
      count: counts.number,
      zeroCount: zeroCounts.number,
      sum: sums.number,
      isStale,
      positiveBuckets: Float64Array.from(positive, (bucket) => bucket.number),
      negativeBuckets: Float64Array.from(negative, (bucket) => bucket.number),
    });
    appendSample(target, time, sums.high, sums.low, start, histogram);
  }
}

function readBucket(reader: BitReader, bucket: XorColumn, index: number): void {
  if (index === 0) bucket.readFirst(reader);
  else bucket.read(reader);
}
