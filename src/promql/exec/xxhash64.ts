/** xxHash64 with seed 0: what limit_ratio chooses series by. Off the hot path, so plain 64-bit integers will do. */

const PRIME_1 = 11400714785074694791n;
const PRIME_2 = 14029467366897019727n;
const PRIME_3 = 1609587929392839161n;
const PRIME_4 = 9650029242287828579n;
const PRIME_5 = 2870177450012600261n;

const wrap = (x: bigint): bigint => BigInt.asUintN(64, x);
const rotate = (x: bigint, bits: bigint): bigint => wrap((x << bits) | (x >> (64n - bits)));
const round = (state: bigint, input: bigint): bigint =>
  wrap(rotate(wrap(state + input * PRIME_2), 31n) * PRIME_1);
const mergeRound = (hash: bigint, state: bigint): bigint =>
  wrap((hash ^ round(0n, state)) * PRIME_1 + PRIME_4);

export function xxhash64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length;
  let offset = 0;
  let hash: bigint;
  if (length >= 32) {
    let a = wrap(PRIME_1 + PRIME_2);
    let b = PRIME_2;
    let c = 0n;
    let d = wrap(-PRIME_1);
    for (; offset + 32 <= length; offset += 32) {
      a = round(a, view.getBigUint64(offset, true));
      b = round(b, view.getBigUint64(offset + 8, true));
      c = round(c, view.getBigUint64(offset + 16, true));
      d = round(d, view.getBigUint64(offset + 24, true));
    }
    hash = wrap(rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n));
    for (const state of [a, b, c, d]) hash = mergeRound(hash, state);
  } else hash = PRIME_5;
  hash = wrap(hash + BigInt(length));
  for (; offset + 8 <= length; offset += 8) {
    hash = wrap(rotate(hash ^ round(0n, view.getBigUint64(offset, true)), 27n) * PRIME_1 + PRIME_4);
  }
  if (offset + 4 <= length) {
    hash = wrap(rotate(hash ^ wrap(BigInt(view.getUint32(offset, true)) * PRIME_1), 23n) * PRIME_2 + PRIME_3);
    offset += 4;
  }
  for (; offset < length; offset++) {
    hash = wrap(rotate(hash ^ wrap(BigInt(bytes[offset]!) * PRIME_5), 11n) * PRIME_1);
  }
  hash = wrap((hash ^ (hash >> 33n)) * PRIME_2);
  hash = wrap((hash ^ (hash >> 29n)) * PRIME_3);
  return hash ^ (hash >> 32n);
}
