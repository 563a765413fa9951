import { deflateSync, gunzipSync, gzipSync } from "node:zlib";
import snappyjs from "snappyjs";
import { SCRATCH_BYTES, threadInflater } from "../../../src/scrape/page-inflater.ts";
import { CorruptionError } from "../../../src/tsdb/corruption-error.ts";
import { compressSnappy, decompressSnappy } from "../../../src/tsdb/wal/compression.ts";
import type { Random } from "../random.ts";
import { refusedOr, require, requireEqual, type Subject } from "../subject.ts";

function plain(random: Random): Buffer {
  const part = random.bytes(300);
  return random.chance(0.02)
    ? Buffer.alloc(random.pick([SCRATCH_BYTES - 1, SCRATCH_BYTES, SCRATCH_BYTES + 1]), 7)
    : Buffer.concat(Array.from({ length: 1 + random.below(20) }, () => part));
}

/** Against Node's own way, which makes a new buffer for every page. */
const inflater: Subject = {
  name: "gzip",
  make: (random) => {
    if (random.chance(0.1)) return deflateSync(plain(random));
    const members = Array.from({ length: random.chance(0.9) ? 1 : 2 }, () =>
      gzipSync(plain(random), { level: 1 }),
    );
    return Buffer.concat(members);
  },
  run: (input) => {
    const ours = refusedOr(() => Buffer.from(threadInflater().inflate(input)), Error);
    let theirs: Buffer | null = null;
    try {
      theirs = gunzipSync(input, { maxOutputLength: SCRATCH_BYTES - 1 });
    } catch {
      // Refused.
    }
    requireEqual("result" in ours, theirs !== null, "acceptance of a stream");
    if ("result" in ours) require(ours.result.equals(theirs!), () => "the pages differ");
    return theirs !== null;
  },
};

/** The kernel against the library in plain JavaScript. */
const snappy: Subject = {
  name: "snappy",
  make: (random) => Buffer.from(compressSnappy(plain(random).subarray(0, 100_000))),
  run: (input) => {
    const ours = refusedOr(() => Buffer.from(decompressSnappy(input)), CorruptionError);
    if ("refusal" in ours) return false;
    const other = Buffer.from(snappyjs.uncompress(input));
    require(ours.result.equals(other), () => "the kernel and the library differ");
    const again = decompressSnappy(compressSnappy(ours.result));
    require(ours.result.equals(again), () => "compressed again it is something else");
    return true;
  },
};

export const compression: readonly Subject[] = [inflater, snappy];
