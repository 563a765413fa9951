/** A sample as the oracle sees it: value as bits, so that every NaN is told from every other. */
export interface OracleSample {
  readonly timeMs: bigint;
  readonly bits: bigint;
}

// Node 20's optimizing compiler crashes on BigInt.asIntN and asUintN in some of the loops below; a remainder is safe.
function unsigned(value: bigint, width: number): bigint {
  const size = 2n ** BigInt(width);
  return ((value % size) + size) % size;
}

function signed64(value: bigint): bigint {
  const bits = unsigned(value, 64);
  return bits < 2n ** 63n ? bits : bits - 2n ** 64n;
}

/** Encodes samples as an XOR chunk without its two bytes of count: the plain twin of the append kernel. */
export function encodeXorOracle(samples: readonly OracleSample[]): Uint8Array {
  let bits = "";
  const put = (value: bigint, width: number) => {
    bits += unsigned(value, width).toString(2).padStart(width, "0");
  };
  const putUvarint = (value: bigint) => {
    let rest = unsigned(value, 64);
    for (; rest > 127n; rest >>= 7n) put((rest & 127n) | 128n, 8);
    put(rest, 8);
  };
  let leading = -1;
  let trailing = 0;
  let delta = 0n;
  samples.forEach((sample, i) => {
    const previous = samples[i - 1];
    if (!previous) {
      putUvarint((sample.timeMs << 1n) ^ (sample.timeMs >> 63n));
      put(sample.bits, 64);
      return;
    }
    const newDelta = signed64(sample.timeMs - previous.timeMs);
    if (i === 1) putUvarint(newDelta);
    else {
      const deltaOfDelta = signed64(newDelta - delta);
      const row = [
        [0b10n, 2, 14],
        [0b110n, 3, 17],
        [0b1110n, 4, 20],
      ] as const;
      const fitting = row.find(
        ([, , width]) =>
          deltaOfDelta >= -(1n << BigInt(width - 1)) + 1n && deltaOfDelta <= 1n << BigInt(width - 1),
      );
      if (deltaOfDelta === 0n) put(0n, 1);
      else if (fitting) {
        put(fitting[0], fitting[1]);
        put(deltaOfDelta, fitting[2]);
      } else {
        put(0b1111n, 4);
        put(deltaOfDelta, 64);
      }
    }
    delta = newDelta;
    const xor = sample.bits ^ previous.bits;
    if (xor === 0n) {
      put(0n, 1);
      return;
    }
    const digits = xor.toString(2).padStart(64, "0");
    const newLeading = Math.min(digits.indexOf("1"), 31);
    const newTrailing = 63 - digits.lastIndexOf("1");
    if (leading >= 0 && newLeading >= leading && newTrailing >= trailing) {
      put(0b10n, 2);
    } else {
      leading = newLeading;
      trailing = newTrailing;
      put(0b11n, 2);
      put(BigInt(leading), 5);
      put(BigInt(64 - leading - trailing) & 63n, 6);
    }
    put(xor >> BigInt(trailing), 64 - leading - trailing);
  });
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, "0");
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => parseInt(byte, 2));
}

/** Reads `count` samples of an XOR chunk without its count: the plain twin of the decode kernel. */
export function decodeXorOracle(bytes: Uint8Array, count: number): OracleSample[] {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  let at = 0;
  const take = (width: number) => {
    if (at + width > bits.length) throw new Error(`cannot read ${width} bits at ${at}: only ${bits.length}`);
    at += width;
    return BigInt(`0b${bits.slice(at - width, at)}`);
  };
  const takeUvarint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = take(8);
      value |= (byte & 127n) << shift;
      if (byte < 128n) return unsigned(value, 64);
    }
  };
  const samples: OracleSample[] = [];
  let timeMs = 0n;
  let delta = 0n;
  let value = 0n;
  let leading = 0n;
  let significant = 0n;
  for (let i = 0; i < count; i++) {
    if (i === 0) {
      const raw = takeUvarint();
      timeMs = signed64((raw >> 1n) ^ -(raw & 1n));
      value = take(64);
    } else {
      if (i === 1) delta = takeUvarint();
      else {
        let width = 0;
        for (const candidate of [14, 17, 20, 64]) {
          if (take(1) === 0n) break;
          width = candidate;
        }
        // "10", "110" and "1110" end in the zero just read; "1111" has none.
        if (width > 0) {
          let deltaOfDelta = take(width);
          if (width === 64) deltaOfDelta = signed64(deltaOfDelta);
          else if (deltaOfDelta > 1n << BigInt(width - 1)) deltaOfDelta -= 1n << BigInt(width);
          delta += deltaOfDelta;
        }
      }
      timeMs = signed64(timeMs + delta);
      if (take(1) === 1n) {
        if (take(1) === 1n) {
          leading = take(5);
          significant = take(6) || 64n;
        }
        value ^= take(Number(significant)) << (64n - leading - significant);
      }
    }
    samples.push({ timeMs, bits: value });
  }
  return samples;
}
