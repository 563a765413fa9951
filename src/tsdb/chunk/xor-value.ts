import { CorruptionError } from "../corruption-error.ts";
import type { BitReader, BitWriter } from "./bit-stream.ts";

/** More leading zeros than these do not fit the five bits they are written with. */
const MAX_LEADING = 31;

/**
 * The window of significant bits that a run of values is written with: both ends keep one per column of values.
 * A value is written as its difference (exclusive or) from the one before, without the zeros outside the window.
 */
export class XorWindow {
  private leading = -1;
  private trailing = 0;

  /** Whether a difference fits the window as it is. */
  fits(xorHigh: number, xorLow: number): boolean {
    return (
      this.leading >= 0 &&
      leadingZeros(xorHigh, xorLow) >= this.leading &&
      trailingZeros(xorHigh, xorLow) >= this.trailing
    );
  }

  /** Writes a difference that fits. */
  writeInside(writer: BitWriter, xorHigh: number, xorLow: number): void {
    const width = 64 - this.leading - this.trailing;
    shiftRight(xorHigh, xorLow, this.trailing);
    writer.wideBits(shifted.high, shifted.low, width);
  }

  /** Writes a difference that is not zero with a new window around it. */
  writeNew(writer: BitWriter, xorHigh: number, xorLow: number): void {
    this.leading = leadingZeros(xorHigh, xorLow);
    this.trailing = trailingZeros(xorHigh, xorLow);
    const width = 64 - this.leading - this.trailing;
    writer.bits(this.leading, 5);
    // Six bits cannot say 64, and 0 is never meant.
    writer.bits(width & 63, 6);
    this.writeInside(writer, xorHigh, xorLow);
  }

  /** Reads a difference written inside the window into `reader.high` and `reader.low`. */
  readInside(reader: BitReader): void {
    if (this.leading < 0) throw new CorruptionError("cannot decode chunk: a value refers to no other one");
    reader.wideBits(64 - this.leading - this.trailing);
    const { high, low } = reader;
    const by = this.trailing;
    if (by === 0) return;
    if (by >= 32) {
      reader.high = (low << (by - 32)) >>> 0;
      reader.low = 0;
    } else {
      reader.high = ((high << by) | (low >>> (32 - by))) >>> 0;
      reader.low = (low << by) >>> 0;
    }
  }

  readNew(reader: BitReader): void {
    this.leading = reader.bits(5);
    const width = reader.bits(6) || 64;
    this.trailing = 64 - this.leading - width;
    if (this.trailing < 0) throw new CorruptionError("cannot decode chunk: a value is wider than 64 bits");
    this.readInside(reader);
  }
}

const shifted = { high: 0, low: 0 };

function shiftRight(high: number, low: number, by: number): void {
  if (by === 0) {
    shifted.high = high;
    shifted.low = low;
  } else if (by >= 32) {
    shifted.high = 0;
    shifted.low = high >>> (by - 32);
  } else {
    shifted.high = high >>> by;
    shifted.low = ((low >>> by) | (high << (32 - by))) >>> 0;
  }
}

function leadingZeros(high: number, low: number): number {
  const zeros = high !== 0 ? Math.clz32(high) : 32 + Math.clz32(low);
  return Math.min(zeros, MAX_LEADING);
}

function trailingZeros(high: number, low: number): number {
  const word = low !== 0 ? low : high;
  const zeros = 31 - Math.clz32(word & -word);
  return low !== 0 ? zeros : 32 + zeros;
}

/** A column of values, written or read one by one as XOR chunks write theirs. */
export class XorColumn {
  /** The newest value. */
  high = 0;
  low = 0;
  private readonly window = new XorWindow();

  /** The first value is stored whole. */
  writeFirst(writer: BitWriter, high: number, low: number): void {
    writer.wideBits(high, low, 64);
    this.high = high;
    this.low = low;
  }

  write(writer: BitWriter, high: number, low: number): void {
    const xorHigh = (high ^ this.high) >>> 0;
    const xorLow = (low ^ this.low) >>> 0;
    this.high = high;
    this.low = low;
    if (xorHigh === 0 && xorLow === 0) {
      writer.bits(0b0, 1);
    } else if (this.window.fits(xorHigh, xorLow)) {
      writer.bits(0b10, 2);
      this.window.writeInside(writer, xorHigh, xorLow);
    } else {
      writer.bits(0b11, 2);
      this.window.writeNew(writer, xorHigh, xorLow);
    }
  }

  readFirst(reader: BitReader): void {
    reader.wideBits(64);
    this.high = reader.high;
    this.low = reader.low;
  }

  read(reader: BitReader): void {
    if (reader.bit() === 0) return;
    if (reader.bit() === 0) this.window.readInside(reader);
    else this.window.readNew(reader);
    this.high = (this.high ^ reader.high) >>> 0;
    this.low = (this.low ^ reader.low) >>> 0;
  }

  writeFirstNumber(writer: BitWriter, value: number): void {
    scratch.setFloat64(0, value);
    this.writeFirst(writer, scratch.getUint32(0), scratch.getUint32(4));
  }

  writeNumber(writer: BitWriter, value: number): void {
    scratch.setFloat64(0, value);
    this.write(writer, scratch.getUint32(0), scratch.getUint32(4));
  }

  /** The newest value as a number; not for what may be a staleness marker. */
  get number(): number {
    scratch.setUint32(0, this.high);
    scratch.setUint32(4, this.low);
    return scratch.getFloat64(0);
  }
}

const scratch = new DataView(new ArrayBuffer(8));
