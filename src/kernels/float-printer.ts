import {
  instantiateKernels,
  type KernelExports,
  RESERVED_BYTES,
  reserveSharedMemory,
} from "./instantiate.ts";

const LEAST_POWER = -292;
const GREATEST_POWER = 324;
const TEXT_POINTER = RESERVED_BYTES;
const POWERS_POINTER = RESERVED_BYTES + 128;
/** Points are printed so many at a time, each in so many bytes at most. */
export const POINTS_PER_CALL = 512;
const POINT_BYTES = 72;
const VALUES_POINTER = RESERVED_BYTES + 16 * 1024;
const POINTS_POINTER = VALUES_POINTER + 8 * POINTS_PER_CALL;
const ENDS_POINTER = POINTS_POINTER + POINT_BYTES * POINTS_PER_CALL + 128;
/** Prometheus gives 11,000 points a series at most. */
const MAX_TEXTS = 16 * 1024;
const MAX_TEXT_BYTES = 32;
const TEXTS_POINTER = ENDS_POINTER + 4 * MAX_TEXTS;
const MEMORY_BYTES = TEXTS_POINTER + MAX_TEXT_BYTES * MAX_TEXTS + 64;

/** Prints doubles with the fewest digits that read back as the same number, several times faster than `String`. */
export class FloatPrinter {
  private readonly exports: KernelExports;
  /** Where `print` leaves its text, from index 0 on, as ASCII. */
  readonly text: Uint8Array;
  private readonly memory: WebAssembly.Memory;
  private readonly values: Float64Array;
  private readonly points: Uint8Array;
  /** Whose texts lie in the memory. */
  private textsOf: object | null = null;

  constructor() {
    // Touched as far as it is used: with few points that is little.
    const memory = (this.memory = reserveSharedMemory(MEMORY_BYTES));
    this.values = new Float64Array(memory.buffer, VALUES_POINTER, POINTS_PER_CALL);
    this.points = new Uint8Array(memory.buffer, POINTS_POINTER, POINT_BYTES * POINTS_PER_CALL);
    this.exports = instantiateKernels(memory);
    this.text = new Uint8Array(memory.buffer, TEXT_POINTER, 64);
    const count = GREATEST_POWER - LEAST_POWER + 1;
    const words = new BigUint64Array(memory.buffer, POWERS_POINTER, 2 * count);
    for (let i = 0; i < count; i++) {
      const power = scaledPower(LEAST_POWER + i);
      words[2 * i] = power >> 64n;
      words[2 * i + 1] = power & 0xffffffffffffffffn;
    }
  }

  /**
   * Prints as `String` does, except that an exponent has two digits at least, as in Go.
   * @param value finite and not 0
   * @returns how many characters
   */
  print(value: number): number {
    return this.exports["printFloat"]!(value, POWERS_POINTER, TEXT_POINTER);
  }

  /**
   * Takes in what stands before the values of points, text k ending before `ends[k]`.
   * @param owner by which they are known again: the same owner has the same texts
   * @returns whether there was room for them
   */
  takeTexts(owner: object, texts: Uint8Array, ends: Uint32Array): boolean {
    if (this.textsOf === owner) return true;
    if (ends.length > MAX_TEXTS || texts.length > MAX_TEXT_BYTES * ends.length) return false;
    new Uint8Array(this.memory.buffer, TEXTS_POINTER, texts.length).set(texts);
    new Uint32Array(this.memory.buffer, ENDS_POINTER, ends.length).set(ends);
    this.textsOf = owner;
    return true;
  }

  /**
   * Prints points behind each other: text `from + i`, then `values[i]` and `"]`. At most `POINTS_PER_CALL`, all with texts.
   * @param isFirst whether the first text goes without its first character, a comma
   * @returns the bytes, until the next call
   */
  printPoints(values: Float64Array, from: number, isFirst: boolean): Uint8Array {
    this.values.set(values);
    const length = this.exports["printPoints"]!(
      TEXTS_POINTER,
      ENDS_POINTER,
      from,
      values.length,
      VALUES_POINTER,
      POWERS_POINTER,
      Number(isFirst),
      POINTS_POINTER,
    );
    return this.points.subarray(0, length);
  }
}

/** 10^k · 2^s, rounded up, with s such that it has 128 bits. */
function scaledPower(k: number): bigint {
  const magnitude = 10n ** BigInt(Math.abs(k));
  if (k >= 0) {
    const excess = magnitude.toString(2).length - 128;
    if (excess <= 0) return magnitude << BigInt(-excess);
    const shift = BigInt(excess);
    return (magnitude + (1n << shift) - 1n) >> shift;
  }
  // 2^(127 + bits) / 10^|k| has 128 bits, as 10^|k| is no power of two.
  const bits = BigInt(magnitude.toString(2).length);
  return ((1n << (127n + bits)) + magnitude - 1n) / magnitude;
}
