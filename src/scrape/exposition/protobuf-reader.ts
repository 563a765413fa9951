import { ExpositionError } from "./exposition-error.ts";

/** Walks over the fields of one protobuf message in `bytes[start..end)`. */
export class ProtobufReader {
  field = 0;
  /** Where the field at hand begins, its tag included. */
  fieldStart = 0;
  private wireType = 0;

  constructor(
    private readonly bytes: Buffer,
    public position = 0,
    public end = bytes.length,
  ) {}

  /** Moves to the next field; what is in it must be read or skipped. */
  next(): boolean {
    if (this.position >= this.end) return false;
    this.fieldStart = this.position;
    const key = this.varint();
    this.field = Math.floor(key / 8);
    this.wireType = key % 8;
    if (this.field === 0) throw new ExpositionError("proto: illegal tag 0");
    return true;
  }

  skip(): void {
    switch (this.wireType) {
      case 0:
        this.varint();
        return;
      case 1:
        this.take(8);
        return;
      case 2:
        this.take(this.varint());
        return;
      case 5:
        this.take(4);
        return;
      default:
        throw new ExpositionError(`proto: illegal wireType ${this.wireType}`);
    }
  }

  /** Unsigned; exact below 2^53, nearest above. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.position >= this.end) throw truncated();
      const byte = this.bytes[this.position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new ExpositionError("proto: integer overflow");
  }

  /** Two's complement of 64 bits, as int64 fields are written. */
  int64(): number {
    return Number(BigInt.asIntN(64, this.varint64()));
  }

  /** Zigzag of 64 bits, as sint fields are written. */
  sint64(): number {
    const value = this.varint64();
    return Number((value >> 1n) ^ -(value & 1n));
  }

  private varint64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.position >= this.end) throw truncated();
      const byte = this.bytes[this.position++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ExpositionError("proto: integer overflow");
  }

  double(): number {
    return this.bytes.readDoubleLE(this.take(8));
  }

  /** Where a length-delimited field begins; `position` moves behind it. */
  message(): ProtobufReader {
    const size = this.varint();
    const start = this.take(size);
    return new ProtobufReader(this.bytes, start, start + size);
  }

  /** The field as it lies there, one character a byte. */
  latin1(): string {
    const size = this.varint();
    const start = this.take(size);
    return this.bytes.toString("latin1", start, start + size);
  }

  /** Numbers of a repeated scalar field, packed or one by one. */
  repeated(into: number[], read: (reader: ProtobufReader) => number): void {
    if (this.wireType !== 2) {
      into.push(read(this));
      return;
    }
    const packed = this.message();
    while (packed.position < packed.end) into.push(read(packed));
  }

  /** Bytes as they lie there, one character each. */
  slice(start: number, end: number): string {
    return this.bytes.toString("latin1", start, end);
  }

  /** The same message from its beginning, which is at `start`. */
  again(start: number): ProtobufReader {
    return new ProtobufReader(this.bytes, start, this.end);
  }

  private take(size: number): number {
    const start = this.position;
    if (size > this.end - start) throw truncated();
    this.position = start + size;
    return start;
  }
}

function truncated(): ExpositionError {
  return new ExpositionError("unexpected EOF");
}
