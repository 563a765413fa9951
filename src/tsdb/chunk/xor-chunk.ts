import type { SampleColumns } from "../../model/storage.ts";
import { appendSample } from "./append-sample.ts";
import { BitReader, BitWriter } from "./bit-stream.ts";
import { XorColumn } from "./xor-value.ts";

/** Bits of a delta of deltas, by how many ones stand before the zero of its prefix. */
const DELTA_ROWS = [
  { prefix: 0b10, prefixBits: 2, width: 14 },
  { prefix: 0b110, prefixBits: 3, width: 17 },
  { prefix: 0b1110, prefixBits: 4, width: 20 },
] as const;

/** Writes encoding 1: float samples, times as deltas of deltas, values as differences from the one before. */
export class XorChunkWriter {
  count = 0;
  private readonly writer = new BitWriter();
  private readonly values = new XorColumn();
  private time = 0;
  private delta = 0;

  constructor() {
    this.writer.bits(0, 16);
  }

  get byteLength(): number {
    return this.writer.byteLength;
  }

  /** @param timeMs later than that of the sample before */
  append(timeMs: number, high: number, low: number): void {
    const { writer, values } = this;
    if (this.count === 0) {
      writer.varint(timeMs);
      values.writeFirst(writer, high, low);
    } else {
      const delta = timeMs - this.time;
      if (this.count === 1) writer.uvarint(delta);
      else this.writeDeltaOfDelta(delta - this.delta);
      this.delta = delta;
      values.write(writer, high, low);
    }
    this.time = timeMs;
    this.count++;
  }

  private writeDeltaOfDelta(value: number): void {
    if (value === 0) return this.writer.bits(0, 1);
    for (const { prefix, prefixBits, width } of DELTA_ROWS) {
      const half = 2 ** (width - 1);
      if (value <= -half || value > half) continue;
      this.writer.bits(prefix, prefixBits);
      return this.writer.bits(value, width);
    }
    this.writer.bits(0b1111, 4);
    this.writer.int64(value);
  }

  toBytes(): Uint8Array {
    const bytes = this.writer.toBytes();
    bytes[0] = this.count >>> 8;
    bytes[1] = this.count & 0xff;
    return bytes;
  }
}

/** Appends the samples between two times, both included. @throws CorruptionError where the bits end too early */
export function decodeXorChunk(
  bytes: Uint8Array,
  minTime: number,
  maxTime: number,
  columns: SampleColumns,
): void {
  const reader = new BitReader(bytes);
  const count = reader.bits(16);
  const values = new XorColumn();
  let time = 0;
  let delta = 0;
  for (let i = 0; i < count; i++) {
    if (i === 0) {
      time = reader.varint();
      values.readFirst(reader);
    } else {
      delta = i === 1 ? reader.uvarint() : delta + readDeltaOfDelta(reader);
      time += delta;
      values.read(reader);
    }
    if (time > maxTime) return;
    if (time >= minTime) appendSample(columns, time, values.high, values.low, 0);
  }
}

function readDeltaOfDelta(reader: BitReader): number {
  if (reader.bit() === 0) return 0;
  for (const { width } of DELTA_ROWS) {
    if (reader.bit() === 1) continue;
    const raw = reader.bits(width);
    return raw > 2 ** (width - 1) ? raw - 2 ** width : raw;
  }
  return reader.int64();
}
