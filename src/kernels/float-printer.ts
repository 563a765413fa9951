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

/** Prints doubles with the fewest digits that read back as the same number, several times faster than `String`. */
export class FloatPrinter {
  private readonly exports: KernelExports;
  /** Where `print` leaves its text, from index 0 on, as ASCII. */
  readonly text: Uint8Array;

  constructor() {
    const memory = reserveSharedMemory(2 * RESERVED_BYTES);
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
