import * as fs from "node:fs";
import { join } from "node:path";
import {
  CHUNK_LIST_WORDS,
  CHUNK_PADDING_BYTES,
  ChunkDecodeError,
  decodeXorChunks,
} from "../../../src/kernels/decode-kernel.ts";
import { QueryMemory } from "../../../src/kernels/index.ts";
import { Labels } from "../../../src/model/labels.ts";
import { Matcher } from "../../../src/model/matcher.ts";
import { Block } from "../../../src/tsdb/block/block.ts";
import { writeBlock } from "../../../src/tsdb/block/block-writer.ts";
import { encodeMeta, readMeta } from "../../../src/tsdb/block/meta.ts";
import { labelValues, selectSeries } from "../../../src/tsdb/block/select-series.ts";
import { decodeTombstones, encodeTombstones } from "../../../src/tsdb/block/tombstones.ts";
import { encodeChunks } from "../../../src/tsdb/chunk/encode-chunks.ts";
import { chunkSampleCount, decodeChunk } from "../../../src/tsdb/chunk/decode-chunk.ts";
import { PlainColumns } from "../../../src/tsdb/chunk/plain-columns.ts";
import { CorruptionError } from "../../../src/tsdb/corruption-error.ts";
import { crc32c } from "../../../src/tsdb/crc32c.ts";
import type { Random } from "../random.ts";
import { refusedOr, require, requireEqual, type Subject } from "../subject.ts";
import { histogramOf, scratchFolder } from "./logs.ts";

function columnsOf(random: Random): PlainColumns {
  const count = 1 + random.below(random.chance(0.1) ? 200 : 20);
  const columns = new PlainColumns(count);
  const hasHistograms = random.chance(0.4);
  if (hasHistograms) columns.histograms = [];
  let time = 1_700_000_000_000;
  for (let i = 0; i < count; i++) {
    time += 1 + random.below(random.chance(0.1) ? 1e9 : 15_000);
    columns.times[i] = time;
    columns.values[i] = random.chance(0.5) ? random.below(50) : Number(random.number());
    if (hasHistograms) columns.histograms![i] = histogramOf(random);
    columns.count++;
  }
  return columns;
}

/** The first byte is the encoding, the rest the chunk. */
const chunks: Subject = {
  name: "chunks",
  make: (random) => {
    const encoded = encodeChunks(columnsOf(random), random.pick(["xor", "xor2"] as const));
    const { encoding, bytes } = random.pick(encoded);
    // Now and then read as another kind.
    const kind = random.chance(0.1) ? random.below(8) : encoding;
    return Buffer.concat([Buffer.from([kind]), bytes]);
  },
  run: (input) => {
    const encoding = input[0] ?? 0;
    const bytes = Uint8Array.from(input.subarray(1));
    const columns = new PlainColumns(1);
    const outcome = refusedOr(
      () => decodeChunk(encoding, bytes, -Infinity, Infinity, columns),
      CorruptionError,
    );
    const count = bytes.length < 2 ? 0 : chunkSampleCount(encoding, bytes);
    require(columns.count <= count, () => `${columns.count} samples of ${count}`);
    if (encoding === 1 && bytes.length >= 2) compareWithKernel(bytes, count, columns, "result" in outcome);
    return "result" in outcome;
  },
};

let queryMemory: QueryMemory | null = null;

function compareWithKernel(bytes: Uint8Array, count: number, plain: PlainColumns, isSound: boolean): void {
  const memory = (queryMemory ??= new QueryMemory(2 ** 26));
  memory.release(65536);
  const list = memory.allocate(4 * CHUNK_LIST_WORDS);
  const bits = bytes.subarray(2);
  const pointer = memory.allocate(bits.length + CHUNK_PADDING_BYTES);
  memory.bytes.set(bits, pointer);
  memory.words.set([pointer, bits.length, count], list / 4);
  const columns = memory.columns(4);
  const outcome = refusedOr(
    () => decodeXorChunks(memory, list, 1, columns, -Infinity, Infinity),
    ChunkDecodeError,
  );
  requireEqual("result" in outcome, isSound, "acceptance of a chunk");
  // Times beyond what a number holds exactly are damage; each way rounds them as it comes.
  const times = plain.times.subarray(0, plain.count);
  if (!isSound || times.some((time) => Math.abs(time) > Number.MAX_SAFE_INTEGER)) return;
  requireEqual(
    [...columns.times.subarray(0, columns.count)],
    [...plain.times.subarray(0, plain.count)],
    "times",
  );
  requireEqual(
    [...columns.valueWords.subarray(0, 2 * columns.count)],
    [...plain.valueWords.subarray(0, 2 * plain.count)],
    "values",
  );
}

const tombstones: Subject = {
  name: "tombstones",
  make: (random) => {
    const map = new Map(
      random.list(5, (i) => [
        i * 7,
        random.list(5, (k) => ({ minTime: k * 1000, maxTime: k * 1000 + random.below(900) })),
      ]),
    );
    return Buffer.from(encodeTombstones(map));
  },
  mend: (input, random) => {
    const bytes = Buffer.from(input);
    if (bytes.length >= 9 && random.chance(0.8)) {
      bytes.writeUInt32BE(crc32c(bytes, 5, bytes.length - 4), bytes.length - 4);
    }
    return bytes;
  },
  run: (input) => {
    const outcome = refusedOr(() => decodeTombstones(input), CorruptionError);
    if ("refusal" in outcome) return false;
    for (const intervals of outcome.result.values()) {
      for (let i = 1; i < intervals.length; i++) {
        const apart = intervals[i]!.minTime > intervals[i - 1]!.maxTime;
        require(apart, () => `intervals that touch: ${JSON.stringify(intervals)}`);
      }
    }
    return true;
  },
};

let metaFolder: string | null = null;

const meta: Subject = {
  name: "block-meta",
  words: [
    "null",
    "[]",
    "{}",
    "1",
    "-1",
    "1e999",
    '"x"',
    "true",
    '"minTime"',
    '"compaction"',
    ":",
    ",",
    '"__proto__"',
  ],
  make: (random) => {
    const text = JSON.stringify({
      ulid: "01BX5ZZKBKACTAV9WEVGEMMVRZ",
      minTime: random.below(1000),
      maxTime: 1000 + random.below(1000),
      stats: { numSamples: random.below(9), numSeries: 1 },
      compaction: {
        level: 1 + random.below(3),
        sources: ["01BX5ZZKBKACTAV9WEVGEMMVRZ"],
        parents: random.list(2, () => ({ ulid: "x", minTime: 0, maxTime: 1 })),
        hints: ["from-out-of-order"],
      },
      version: 1,
    });
    const wrong = () => random.pick(["null", "[]", "{}", "1", '"x"', "true", "[1]", "[null]"]);
    return Buffer.from(
      random.chance(0.5)
        ? text.replace(/(?<=:)(\[.*?\]|\d+)/g, (v) => (random.chance(0.3) ? wrong() : v))
        : text,
    );
  },
  run: (input) => {
    metaFolder ??= scratchFolder("meta");
    fs.writeFileSync(join(metaFolder, "meta.json"), input);
    const outcome = refusedOr(() => readMeta(metaFolder!), CorruptionError);
    if ("refusal" in outcome) return false;
    encodeMeta(outcome.result);
    return true;
  },
};

const ULID = "01BX5ZZKBKACTAV9WEVGEMMVRZ";
let blockFolder: string | null = null;
let blockFiles: { readonly index: Buffer; readonly chunks: Buffer } | null = null;

/** A block whose files stand in memory; subjects damage one of them. */
function soundBlock(): { readonly index: Buffer; readonly chunks: Buffer } {
  if (blockFiles) return blockFiles;
  blockFolder ??= scratchFolder("block");
  const series = ["a", "b", "c", "d"].flatMap((name) =>
    Array.from({ length: 6 }, (_, i) => {
      const columns = new PlainColumns(30);
      for (let k = 0; k < 30; k++) {
        columns.times[k] = k * 15_000;
        columns.values[k] = k * i;
        columns.count++;
      }
      return {
        labels: Labels.fromRecord({
          __name__: name,
          instance: `i${i}`,
          [`l${i % 3}`]: "x".repeat(i * 20) || "y",
        }),
        chunks: encodeChunks(columns),
      };
    }),
  );
  series.sort((a, b) => (a.labels.pairs.join("\0") < b.labels.pairs.join("\0") ? -1 : 1));
  writeBlock(blockFolder, series, { ulid: ULID, minTime: 0, maxTime: 7_200_000, compaction: { level: 1 } });
  blockFiles = {
    index: fs.readFileSync(join(blockFolder, ULID, "index")),
    chunks: fs.readFileSync(join(blockFolder, ULID, "chunks", "000001")),
  };
  return blockFiles;
}

const MATCHERS = [
  [new Matcher("=", "__name__", "a")],
  [new Matcher("=~", "instance", "i[1-3]")],
  [new Matcher("!=", "l1", ""), new Matcher("!~", "__name__", "b|c")],
];

/** Reads all there is in a block with these files. */
function readAll(index: Buffer, chunkFile: Buffer): boolean {
  soundBlock();
  const directory = join(blockFolder!, ULID);
  fs.writeFileSync(join(directory, "index"), index);
  fs.writeFileSync(join(directory, "chunks", "000001"), chunkFile);
  const opened = refusedOr(() => Block.open(directory), CorruptionError);
  if ("refusal" in opened) return false;
  const block = opened.result;
  const reads: (() => unknown)[] = [
    () => block.index.labelNames().map((name) => block.index.labelValues(name)),
    () => [...block.chunkSeries()].map(({ labels }) => labels.key),
    ...MATCHERS.map((matchers) => () => {
      selectSeries(block.index, matchers);
      labelValues(block.index, "instance", matchers);
    }),
    () => {
      const memory = (queryMemory ??= new QueryMemory(2 ** 26));
      memory.release(65536);
      const source = block.source(memory);
      try {
        for (const id of source.select(MATCHERS[0]!)) source.read(id, 0, 7_200_000, memory.columns(16));
      } finally {
        source.close();
      }
    },
  ];
  let isSound = true;
  try {
    for (const read of reads) if ("refusal" in refusedOr(read, CorruptionError)) isSound = false;
  } finally {
    block.close();
  }
  return isSound;
}

const index: Subject = {
  name: "block-index",
  make: () => soundBlock().index,
  mend: mendIndex,
  run: (input) => readAll(input, soundBlock().chunks),
};

/** Gives each part of an index the checksum of what is in it. */
function mendIndex(input: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(input);
  if (bytes.length < 57 || random.chance(0.2)) return bytes;
  const toc = bytes.length - 52;
  bytes.writeUInt32BE(crc32c(bytes, toc, toc + 48), toc + 48);
  const offset = (i: number): number => Number(bytes.readBigUInt64BE(toc + 8 * i));
  const mendSection = (at: number): void => {
    if (at + 8 > toc) return;
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end + 4 <= toc) bytes.writeUInt32BE(crc32c(bytes, at + 4, end), end);
  };
  mendSection(offset(0));
  mendSection(offset(5));
  const [series, postings] = [offset(1), offset(4)];
  for (let at = series; at + 16 < Math.min(postings, toc);) {
    // Lengths here are of one byte or two.
    const first = bytes[at]!;
    const length = first < 0x80 ? first : (first & 0x7f) | (bytes[at + 1]! << 7);
    const start = at + (first < 0x80 ? 1 : 2);
    if (start + length + 4 > toc) break;
    bytes.writeUInt32BE(crc32c(bytes, start, start + length), start + length);
    at = Math.ceil((start + length + 4) / 16) * 16;
  }
  for (let at = Math.ceil(postings / 4) * 4; at + 8 <= Math.min(offset(5), toc);) {
    const length = bytes.readUInt32BE(at);
    mendSection(at);
    at = Math.ceil((at + 8 + length) / 4) * 4;
  }
  return bytes;
}

const chunkFile: Subject = {
  name: "chunk-file",
  make: () => soundBlock().chunks,
  mend: (input, random) => {
    const bytes = Buffer.from(input);
    if (random.chance(0.3)) return bytes;
    for (let at = 8; at + 6 <= bytes.length;) {
      const first = bytes[at]!;
      const length = first < 0x80 ? first : (first & 0x7f) | (bytes[at + 1]! << 7);
      const start = at + (first < 0x80 ? 1 : 2);
      const end = start + 1 + length;
      if (end + 4 > bytes.length) break;
      bytes.writeUInt32BE(crc32c(bytes, start, end), end);
      at = end + 4;
    }
    return bytes;
  },
  run: (input) => readAll(soundBlock().index, input),
};

export const blocks: readonly Subject[] = [chunks, tombstones, meta, index, chunkFile];
