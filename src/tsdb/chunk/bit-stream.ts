/**
 * Bit streams: each byte is filled from its top bit, the last one padded with zeros.
 *
 * 64-bit values travel as two 32-bit words, or as numbers where they are times and counts (exact up to 2^53).
 */
import { CorruptionError } from "../corruption-error.ts";

const TWO_32 = 2 ** 32;

/** The variable-width integers of chunks: a prefix of ones and a zero says how many bits follow. */
const varbitRows = [
  { prefix: 0b10, prefixBits: 2, width: 3 },
  { prefix: 0b110, prefixBits: 3, width: 6 },
  { prefix: 0b1110, prefixBits: 4, width: 9 },
  { prefix: 0b11110, prefixBits: 5, width: 12 },
  { prefix: 0b111110, prefixBits: 6, width: 18 },
  { prefix: 0b1111110, prefixBits: 7, width: 25 },
  { prefix: 0b11111110, prefixBits: 8, width: 56 },
  { prefix: 0b11111111, prefixBits: 8, width: 64 },
] as const;

export class BitWriter {
  private bytes: Uint8Array;
  private bitLength = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Bytes begun so far. */
  get byteLength(): number {
    return (this.bitLength + 7) >>> 3;
  }

  /** The stream so far, as a copy. */
  toBytes(): Uint8Array {
    return this.bytes.slice(0, this.byteLength);
  }

  /** Overwrites a byte that is already there, such as a header. */
  setByte(index: number, value: number): void {
    this.bytes[index] = value;
  }

  /** The low `width` bits of `value`; width up to 32. */
  bits(value: number, width: number): void {
    const needed = (this.bitLength + width + 7) >>> 3;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(2 * needed);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    let left = width;
    while (left > 0) {
      const free = 8 - (this.bitLength & 7);
      const take = Math.min(free, left);
      const part = (value >>> (left - take)) & ((1 << take) - 1);
      this.bytes[this.bitLength >>> 3]! |= part << (free - take);
      this.bitLength += take;
      left -= take;
    }
  }

  /** The low `width` bits of a 64-bit value; width up to 64. */
  wideBits(high: number, low: number, width: number): void {
    if (width > 32) this.bits(high, width - 32);
    this.bits(low, Math.min(width, 32));
  }

  int64(value: number): void {
    this.wideBits(highWord(value), lowWord(value), 64);
  }

  /** LEB128, in whole bytes of the stream, whatever bit they start at. */
  uvarint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.bits((rest % 0x80) | 0x80, 8);
      rest = Math.floor(rest / 0x80);
    }
    this.bits(rest, 8);
  }

  /** Zigzag LEB128. */
  varint(value: number): void {
    const sign = value < 0 ? -1 : 0;
    const high = highWord(value);
    const low = lowWord(value);
    let zigzagHigh = (((high << 1) | (low >>> 31)) ^ sign) >>> 0;
    let zigzagLow = ((low << 1) ^ sign) >>> 0;
    while (zigzagHigh !== 0 || zigzagLow >= 0x80) {
      this.bits((zigzagLow & 0x7f) | 0x80, 8);
      zigzagLow = ((zigzagLow >>> 7) | (zigzagHigh << 25)) >>> 0;
      zigzagHigh >>>= 7;
    }
    this.bits(zigzagLow, 8);
  }

  /** Ranges lean upward: three bits hold -3 … 4. */
  varbitInt(value: number): void {
    if (value === 0) return this.bits(0, 1);
    for (const { prefix, prefixBits, width } of varbitRows) {
      const half = 2 ** (width - 1);
      if (width < 64 && (value <= -half || value > half)) continue;
      this.bits(prefix, prefixBits);
      return this.wideBits(highWord(value), lowWord(value), width);
    }
  }

  varbitUint(value: number): void {
    if (value === 0) return this.bits(0, 1);
    for (const { prefix, prefixBits, width } of varbitRows) {
      if (width < 64 && value >= 2 ** width) continue;
      this.bits(prefix, prefixBits);
      return this.wideBits(Math.floor(value / TWO_32), value % TWO_32, width);
    }
  }
}

/** Reads a bit stream it does not own. Reading past the end throws CorruptionError. */
export class BitReader {
  /** The two halves of what `word64` read. */
  high = 0;
  low = 0;
  private at = 0;
  private readonly end: number;

  constructor(
    private readonly bytes: Uint8Array,
    startByte = 0,
  ) {
    this.at = 8 * startByte;
    this.end = 8 * bytes.length;
  }

  bit(): number {
    if (this.at >= this.end) this.failShort(1);
    const bit = (this.bytes[this.at >>> 3]! >>> (7 - (this.at & 7))) & 1;
    this.at++;
    return bit;
  }

  /** @returns `width` bits, up to 32, as an unsigned number */
  bits(width: number): number {
    if (this.at + width > this.end) this.failShort(width);
    let value = 0;
    let left = width;
    while (left > 0) {
      const available = 8 - (this.at & 7);
      const take = Math.min(available, left);
      const part = (this.bytes[this.at >>> 3]! >>> (available - take)) & ((1 << take) - 1);
      value = ((value << take) | part) >>> 0;
      this.at += take;
      left -= take;
    }
    return value;
  }

  /** Reads `width` bits, up to 64, into `high` and `low`. */
  wideBits(width: number): void {
    this.high = width > 32 ? this.bits(width - 32) : 0;
    this.low = this.bits(Math.min(width, 32));
  }

  int64(): number {
    this.wideBits(64);
    return (this.high | 0) * TWO_32 + this.low;
  }

  float64(): number {
    this.wideBits(64);
    floatView.setUint32(0, this.high);
    floatView.setUint32(4, this.low);
    return floatView.getFloat64(0);
  }

  uvarint(): number {
    this.leb128();
    return this.high * TWO_32 + this.low;
  }

  varint(): number {
    this.leb128();
    const sign = -(this.low & 1);
    const low = (((this.low >>> 1) | (this.high << 31)) ^ sign) >>> 0;
    return ((this.high >>> 1) ^ sign) * TWO_32 + low;
  }

  private leb128(): void {
    let high = 0;
    let low = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift > 63) throw new CorruptionError("cannot read number in chunk: longer than 64 bits");
      const byte = this.bits(8);
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) break;
    }
    this.high = high >>> 0;
    this.low = low >>> 0;
  }

  varbitInt(): number {
    const width = this.varbitWidth();
    if (width === 0) return 0;
    if (width === 64) return this.int64();
    this.wideBits(width);
    const { high, low } = this;
    if (width <= 32) return low > 2 ** (width - 1) ? low - 2 ** width : low;
    const isNegative = high > 2 ** (width - 33) || (high === 2 ** (width - 33) && low > 0);
    return (isNegative ? high - 2 ** (width - 32) : high) * TWO_32 + low;
  }

  varbitUint(): number {
    const width = this.varbitWidth();
    if (width === 0) return 0;
    this.wideBits(width);
    return this.high * TWO_32 + this.low;
  }

  private varbitWidth(): number {
    let ones = 0;
    while (ones < 8 && this.bit() === 1) ones++;
    return ones === 0 ? 0 : varbitRows[ones - 1]!.width;
  }

  private failShort(width: number): never {
    throw new CorruptionError(
      `cannot read ${width} bits of chunk at bit ${this.at}: it has ${this.bytes.length} bytes`,
    );
  }
}

const floatView = new DataView(new ArrayBuffer(8));

function highWord(value: number): number {
  return Math.floor(value / TWO_32) | 0;
}

function lowWord(value: number): number {
  const low = value % TWO_32;
  return (low < 0 ? low + TWO_32 : low) >>> 0;
}
