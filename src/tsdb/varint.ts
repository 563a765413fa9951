/**
 * Reading and writing the integers of the file formats: fixed width big-endian, LEB128, and zigzag LEB128.
 *
 * 64-bit integers travel as JavaScript numbers: exact up to 2^53, which times and references never pass; beyond it
 * they round, and 2^63 is written as the greatest int64. Values of samples travel as words, never as numbers.
 */
import { CorruptionError } from "./corruption-error.ts";
import { decodeUtf8, type StringCache } from "./string-cache.ts";

const TWO_32 = 2 ** 32;
const TWO_63 = 2 ** 63;

/** The least and greatest int64 as JavaScript numbers; the second is rounded up to 2^63. */
export const MIN_INT64 = -TWO_63;
export const MAX_INT64 = TWO_63;

/** Reads from bytes it does not own. Reading past the end throws CorruptionError. */
export class ByteReader {
  bytes!: Uint8Array;
  offset = 0;
  end = 0;
  private view!: DataView;
  // The two halves of the number `readLongVarint` read; fields, so that nothing is allocated.
  private low = 0;
  private high = 0;

  constructor(bytes: Uint8Array = new Uint8Array(0), offset = 0, end = bytes.length) {
    this.reset(bytes, offset, end);
  }

  /** Points the reader elsewhere, so that one reader serves many records. */
  reset(bytes: Uint8Array, offset = 0, end = bytes.length): this {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.offset = offset;
    this.end = end;
    return this;
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  u8(): number {
    if (this.offset >= this.end) this.failShort(1);
    return this.bytes[this.offset++]!;
  }

  u16(): number {
    const at = this.take(2);
    return this.view.getUint16(at);
  }

  u32(): number {
    const at = this.take(4);
    return this.view.getUint32(at);
  }

  u64(): number {
    const at = this.take(8);
    return this.view.getUint32(at) * TWO_32 + this.view.getUint32(at + 4);
  }

  i64(): number {
    const at = this.take(8);
    return this.view.getInt32(at) * TWO_32 + this.view.getUint32(at + 4);
  }

  f64(): number {
    const at = this.take(8);
    return this.view.getFloat64(at);
  }

  /** Copies a float's bits into sample `index` of a column of little-endian word pairs. */
  f64Words(words: Uint32Array, index: number): void {
    const at = this.take(8);
    words[2 * index + 1] = this.view.getUint32(at);
    words[2 * index] = this.view.getUint32(at + 4);
  }

  uvarint(): number {
    const bytes = this.bytes;
    const end = this.end;
    let at = this.offset;
    // Fast path: up to four bytes, 28 bits.
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= end) this.failShort(1);
      const byte = bytes[at++]!;
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.offset = at;
        return low;
      }
    }
    this.readLongVarint(at, low);
    return this.high * TWO_32 + this.low;
  }

  varint(): number {
    const bytes = this.bytes;
    const end = this.end;
    let at = this.offset;
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= end) this.failShort(1);
      const byte = bytes[at++]!;
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.offset = at;
        return (low >>> 1) ^ -(low & 1);
      }
    }
    this.readLongVarint(at, low);
    const sign = -(this.low & 1);
    const zigzagLow = (((this.low >>> 1) | (this.high << 31)) ^ sign) >>> 0;
    const zigzagHigh = (this.high >>> 1) ^ sign;
    return zigzagHigh * TWO_32 + zigzagLow;
  }

  private readLongVarint(at: number, first28Bits: number): void {
    let low = first28Bits;
    let high = 0;
    for (let shift = 28; ; shift += 7) {
      if (at >= this.end) this.failShort(1);
      if (shift > 63) {
        throw new CorruptionError(`cannot read number at byte ${this.offset}: longer than 64 bits`);
      }
      const byte = this.bytes[at++]!;
      const bits = byte & 0x7f;
      if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else {
        high |= bits << (shift - 32);
      }
      if (byte < 0x80) {
        if (shift === 63 && bits > 1) {
          throw new CorruptionError(`cannot read number at byte ${this.offset}: longer than 64 bits`);
        }
        break;
      }
    }
    this.low = low >>> 0;
    this.high = high >>> 0;
    this.offset = at;
  }

  /** A string with its length before it. */
  string(cache?: StringCache): string {
    const length = this.uvarint();
    const start = this.take(length);
    return cache
      ? cache.decode(this.bytes, start, start + length)
      : decodeUtf8(this.bytes, start, start + length);
  }

  /** The next `length` bytes, as a view. */
  view8(length: number): Uint8Array {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Moves past `length` bytes. @returns where they began */
  take(length: number): number {
    const at = this.offset;
    if (length > this.end - at) this.failShort(length);
    this.offset = at + length;
    return at;
  }

  private failShort(wanted: number): never {
    throw new CorruptionError(
      `cannot read ${wanted} bytes at byte ${this.offset}: only ${this.end - this.offset} left`,
    );
  }
}

/** Writes into a buffer that grows and is used again: `bytes[0..length)` is what was written. */
export class ByteWriter {
  bytes: Uint8Array;
  length = 0;
  /** The same bytes; for those who write many at once, after `reserve`. */
  view: DataView;

  constructor(capacity = 1024) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  clear(): this {
    this.length = 0;
    return this;
  }

  /** What was written, as a view that the next write may overwrite. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.written());
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.view.setUint16(this.length, value);
    this.length += 2;
  }

  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, value);
    this.length += 4;
  }

  u64(value: number): void {
    this.reserve(8);
    this.view.setUint32(this.length, Math.floor(value / TWO_32));
    this.view.setUint32(this.length + 4, value % TWO_32);
    this.length += 8;
  }

  i64(value: number): void {
    this.reserve(8);
    this.view.setInt32(this.length, highWord(value));
    this.view.setUint32(this.length + 4, lowWord(value));
    this.length += 8;
  }

  /** Not for values that may be staleness markers: see `f64Words`. */
  f64(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.length, value);
    this.length += 8;
  }

  f64Words(high: number, low: number): void {
    this.reserve(8);
    this.view.setUint32(this.length, high);
    this.view.setUint32(this.length + 4, low);
    this.length += 8;
  }

  uvarint(value: number): void {
    this.reserve(10);
    let at = this.length;
    const bytes = this.bytes;
    let rest = value;
    while (rest >= 0x10000000) {
      bytes[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  varint(value: number): void {
    // Fast path: fits in 30 bits.
    if (value < 0x20000000 && value >= -0x20000000) {
      this.uvarint(((value << 1) ^ (value >> 31)) >>> 0);
      return;
    }
    const sign = value < 0 ? -1 : 0;
    const high = highWord(value);
    const low = lowWord(value);
    this.uvarintWords((((high << 1) | (low >>> 31)) ^ sign) >>> 0, ((low << 1) ^ sign) >>> 0);
  }

  private uvarintWords(high: number, low: number): void {
    this.reserve(10);
    while (high !== 0 || low >= 0x80) {
      this.bytes[this.length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.bytes[this.length++] = low;
  }

  string(text: string): void {
    const most = 3 * text.length;
    this.reserve(5 + most);
    if (most < 0x80) {
      // The length fits one byte whatever the text: write behind it, then fill it in.
      const size = this.writeText(text, this.length + 1);
      this.bytes[this.length] = size;
      this.length += 1 + size;
      return;
    }
    const size = Buffer.byteLength(text);
    this.uvarint(size);
    this.reserve(size);
    this.writeText(text, this.length);
    this.length += size;
  }

  /** As `string`, for the UTF-8 in `bytes` from `start` to `end`, which is excluded. */
  stringOfBytes(bytes: Uint8Array, start: number, end: number): void {
    this.uvarint(end - start);
    this.reserve(end - start);
    const to = this.bytes;
    let at = this.length;
    for (let i = start; i < end; i++) to[at++] = bytes[i]!;
    this.length = at;
  }

  private writeText(text: string, at: number): number {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) return encoder.encodeInto(text, this.bytes.subarray(at)).written;
      this.bytes[at + i] = unit;
    }
    return text.length;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Zeroes up to the next multiple of `alignment`, counted from `origin`. */
  pad(alignment: number, origin = 0): void {
    const count = (alignment - ((this.length - origin) % alignment)) % alignment;
    this.reserve(count);
    this.bytes.fill(0, this.length, this.length + count);
    this.length += count;
  }
}

const encoder = new TextEncoder();

function highWord(value: number): number {
  if (value >= TWO_63) return 0x7fffffff;
  return Math.floor(value / TWO_32) | 0;
}

function lowWord(value: number): number {
  if (value >= TWO_63) return 0xffffffff;
  const low = value % TWO_32;
  return (low < 0 ? low + TWO_32 : low) >>> 0;
}
