import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../model/sample.ts";
import type { SampleColumns } from "../../model/storage.ts";
import { appendSample } from "./append-sample.ts";
import { BitReader, BitWriter } from "./bit-stream.ts";
import { StartTimeReader, StartTimeWriter } from "./start-time.ts";
import { XorWindow } from "./xor-value.ts";

const ST_HEADER_BYTE = 2;

function isStale(high: number, low: number): boolean {
  return high === STALE_HIGH_WORD && low === STALE_LOW_WORD;
}

/**
 * Writes encoding 4: as encoding 1, with start times, one prefix for time and value together, and staleness markers
 * of a few bits. Values are differences from the *base value*, the last one that was not a marker.
 */
export class Xor2ChunkWriter {
  count = 0;
  private readonly writer = new BitWriter();
  private readonly window = new XorWindow();
  private readonly startTimes = new StartTimeWriter(ST_HEADER_BYTE);
  private time = 0;
  private delta = 0;
  private baseHigh = 0;
  private baseLow = 0;

  constructor() {
    this.writer.bits(0, 24);
  }

  get byteLength(): number {
    return this.writer.byteLength;
  }

  /** @param timeMs later than that of the sample before  @param startMs 0 where unknown */
  append(timeMs: number, high: number, low: number, startMs = 0): void {
    const { writer } = this;
    if (this.count === 0) {
      writer.varint(timeMs);
      writer.wideBits(high, low, 64);
    } else {
      const delta = timeMs - this.time;
      if (this.count === 1) {
        writer.uvarint(delta);
        this.writeValue(high, low);
      } else {
        this.writeJoint(delta - this.delta, high, low);
      }
      this.delta = delta;
    }
    if (!isStale(high, low)) {
      this.baseHigh = high;
      this.baseLow = low;
    }
    this.startTimes.write(writer, timeMs, startMs);
    this.time = timeMs;
    this.count++;
  }

  private writeJoint(deltaOfDelta: number, high: number, low: number): void {
    const { writer } = this;
    if (deltaOfDelta === 0) {
      if (isStale(high, low)) return writer.bits(0b11111, 5);
      const xorHigh = (high ^ this.baseHigh) >>> 0;
      const xorLow = (low ^ this.baseLow) >>> 0;
      if (xorHigh === 0 && xorLow === 0) return writer.bits(0b0, 1);
      if (this.window.fits(xorHigh, xorLow)) {
        writer.bits(0b100, 3);
        return this.window.writeInside(writer, xorHigh, xorLow);
      }
      writer.bits(0b101, 3);
      return this.window.writeNew(writer, xorHigh, xorLow);
    }
    if (deltaOfDelta >= -4096 && deltaOfDelta < 4096) {
      writer.bits(0b110, 3);
      writer.bits(deltaOfDelta, 13);
    } else if (deltaOfDelta >= -524288 && deltaOfDelta < 524288) {
      writer.bits(0b1110, 4);
      writer.bits(deltaOfDelta, 20);
    } else {
      writer.bits(0b11110, 5);
      writer.int64(deltaOfDelta);
    }
    this.writeValue(high, low);
  }

  private writeValue(high: number, low: number): void {
    const { writer } = this;
    if (isStale(high, low)) return writer.bits(0b111, 3);
    const xorHigh = (high ^ this.baseHigh) >>> 0;
    const xorLow = (low ^ this.baseLow) >>> 0;
    if (xorHigh === 0 && xorLow === 0) return writer.bits(0b0, 1);
    if (this.window.fits(xorHigh, xorLow)) {
      writer.bits(0b10, 2);
      return this.window.writeInside(writer, xorHigh, xorLow);
    }
    writer.bits(0b110, 3);
    this.window.writeNew(writer, xorHigh, xorLow);
  }

  toBytes(): Uint8Array {
    const bytes = this.writer.toBytes();
    bytes[0] = this.count >>> 8;
    bytes[1] = this.count & 0xff;
    return bytes;
  }
}

/** Appends the samples between two times, both included. @throws CorruptionError where the bits end too early */
export function decodeXor2Chunk(
  bytes: Uint8Array,
  minTime: number,
  maxTime: number,
  columns: SampleColumns,
): void {
  const reader = new BitReader(bytes);
  const count = reader.bits(16);
  const startTimes = new StartTimeReader(reader.bits(8));
  const value = new Xor2Value();
  let time = 0;
  let delta = 0;
  for (let i = 0; i < count; i++) {
    if (i === 0) {
      time = reader.varint();
      reader.wideBits(64);
      value.set(reader.high, reader.low);
    } else if (i === 1) {
      delta = reader.uvarint();
      time += delta;
      value.read(reader);
    } else {
      delta += readJoint(reader, value);
      time += delta;
    }
    const start = startTimes.read(reader, time);
    if (time > maxTime) return;
    if (time >= minTime) appendSample(columns, time, value.high, value.low, start);
  }
}

/** Reads the prefix that time and value share, and the value. @returns the delta of deltas */
function readJoint(reader: BitReader, value: Xor2Value): number {
  if (reader.bit() === 0) {
    value.keepBase();
    return 0;
  }
  if (reader.bit() === 0) {
    if (reader.bit() === 0) value.readInside(reader);
    else value.readNew(reader);
    return 0;
  }
  let deltaOfDelta: number;
  if (reader.bit() === 0) deltaOfDelta = (reader.bits(13) << 19) >> 19;
  else if (reader.bit() === 0) deltaOfDelta = (reader.bits(20) << 12) >> 12;
  else if (reader.bit() === 0) deltaOfDelta = reader.int64();
  else {
    value.setStale();
    return 0;
  }
  value.read(reader);
  return deltaOfDelta;
}

/** The newest value, and the base it is told from. */
class Xor2Value {
  high = 0;
  low = 0;
  private baseHigh = 0;
  private baseLow = 0;
  private readonly window = new XorWindow();

  set(high: number, low: number): void {
    this.high = high;
    this.low = low;
    if (isStale(high, low)) return;
    this.baseHigh = high;
    this.baseLow = low;
  }

  keepBase(): void {
    this.high = this.baseHigh;
    this.low = this.baseLow;
  }

  setStale(): void {
    this.high = STALE_HIGH_WORD;
    this.low = STALE_LOW_WORD;
  }

  readInside(reader: BitReader): void {
    this.window.readInside(reader);
    this.set((this.baseHigh ^ reader.high) >>> 0, (this.baseLow ^ reader.low) >>> 0);
  }

  readNew(reader: BitReader): void {
    this.window.readNew(reader);
    this.set((this.baseHigh ^ reader.high) >>> 0, (this.baseLow ^ reader.low) >>> 0);
  }

  read(reader: BitReader): void {
    if (reader.bit() === 0) this.keepBase();
    else if (reader.bit() === 0) this.readInside(reader);
    else if (reader.bit() === 0) this.readNew(reader);
    else this.setStale();
  }
}
