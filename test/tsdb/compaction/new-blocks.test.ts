import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Labels } from "../../../src/model/labels.ts";
import { Block } from "../../../src/tsdb/block/block.ts";
import type { EncodedChunk } from "../../../src/tsdb/block/chunk-series.ts";
import { readMeta } from "../../../src/tsdb/block/meta.ts";
import { chunkSampleCount, decodeChunk } from "../../../src/tsdb/chunk/decode-chunk.ts";
import { encodeChunks } from "../../../src/tsdb/chunk/encode-chunks.ts";
import { ChunkEncoding } from "../../../src/tsdb/chunk/encoding.ts";
import { PlainColumns } from "../../../src/tsdb/chunk/plain-columns.ts";
import { takeInventory } from "../../../src/tsdb/compaction/block-directory.ts";
import {
  compactBlocks,
  type CompactionOptions,
  writeHeadBlock,
} from "../../../src/tsdb/compaction/compact.ts";
import { compactNext } from "../../../src/tsdb/compaction/compactor.ts";
import { repairOldBlocks } from "../../../src/tsdb/compaction/repair-old-blocks.ts";
import { DirectFile } from "../../../src/tsdb/block/direct-file.ts";
import { untilUploaded } from "../../../src/tsdb/compaction/uploaded-blocks.ts";

let directory: string;
let ulids: number;
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "narthex-new-blocks-"));
  ulids = 0;
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const newUlid = () => `01BX5ZZKBKACTAV9WEVG${String(++ulids).padStart(6, "0")}`;
const labels = Labels.fromRecord({ __name__: "m" });

/** Samples of every second from one to another, as the head has them. */
function headChunks(fromMs: number, toMs: number): EncodedChunk[] {
  const columns = new PlainColumns();
  for (let time = fromMs; time < toMs; time += 1000) {
    columns.reserve(columns.count + 1);
    columns.times[columns.count] = time;
    // The last of each ten is a staleness marker, whose bits are to be kept.
    if ((time / 1000) % 10 === 9) columns.valueWords.set([2, 0x7ff00000], 2 * columns.count);
    else columns.values[columns.count] = Math.sqrt(time);
    columns.count++;
  }
  return encodeChunks(columns);
}

function write(fromMs: number, toMs: number, options: Partial<CompactionOptions> = {}): string {
  const series = [{ labels, chunks: headChunks(fromMs, toMs) }];
  const meta = writeHeadBlock(directory, series, { minTime: fromMs, maxTime: toMs }, { newUlid, ...options });
  return join(directory, meta!.ulid);
}

function chunksOf(block: string): EncodedChunk[] {
  const opened = Block.open(block);
  const [series] = [...opened.chunkSeries()];
  opened.close();
  return [...series!.chunks];
}

function bitsOf(chunks: readonly EncodedChunk[]): string[] {
  const columns = new PlainColumns();
  for (const { encoding, bytes } of chunks) decodeChunk(encoding, bytes, -Infinity, Infinity, columns);
  return Array.from(
    { length: columns.count },
    (_, i) => `${columns.times[i]} ${columns.valueWords[2 * i + 1]} ${columns.valueWords[2 * i]}`,
  );
}

describe("a block of the head", () => {
  test("has the float encoding that is asked for, the same bits in it, and keeps it when it is compacted", () => {
    const asked = [write(0, 300_000), write(300_000, 600_000, { floats: "xor2" })];
    expect(asked.map((block) => chunksOf(block).map(({ encoding }) => encoding))).toEqual([
      [ChunkEncoding.xor, ChunkEncoding.xor, ChunkEncoding.xor],
      [ChunkEncoding.xor2, ChunkEncoding.xor2, ChunkEncoding.xor2],
    ]);
    expect(bitsOf(chunksOf(asked[1]!))).toEqual(bitsOf(headChunks(300_000, 600_000)));
    const merged = compactBlocks(directory, asked, { newUlid });
    expect(chunksOf(join(directory, merged!.ulid)).map(({ encoding }) => encoding)).toEqual([
      1, 1, 1, 4, 4, 4,
    ]);
  });

  test("has chunks of as many samples as are asked for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.constantFrom("xor", "xor2"), (samples, floats) => {
        const block = write(0, 500_000, { samplesPerChunk: samples, floats: floats as "xor" });
        const chunks = chunksOf(block);
        const counts = chunks.map(({ encoding, bytes }) => chunkSampleCount(encoding, bytes));
        expect(counts.slice(0, -1).every((count) => count === samples)).toBe(true);
        expect(bitsOf(chunks)).toEqual(bitsOf(headChunks(0, 500_000)));
        fs.rmSync(block, { recursive: true });
      }),
      { numRuns: 20 },
    );
  });

  test("has files of chunks no longer than asked for", () => {
    const block = write(0, 5_000_000, { maxChunkFileBytes: 4096 });
    const sizes = fs
      .readdirSync(join(block, "chunks"))
      .map((name) => fs.statSync(join(block, "chunks", name)).size);
    expect(sizes.length).toBeGreaterThan(5);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4096);
    expect(bitsOf(chunksOf(block))).toEqual(bitsOf(headChunks(0, 5_000_000)));
  });
});

describe("a block of the head", () => {
  test.each([true, false])("has its chunks written past the page cache if asked for: %s", (pastPageCache) => {
    const create = vi.spyOn(DirectFile, "create");
    const block = write(0, 500_000, { pastPageCache });
    expect(create.mock.calls.length > 0).toBe(pastPageCache);
    expect(bitsOf(chunksOf(block))).toEqual(bitsOf(headChunks(0, 500_000)));
    create.mockRestore();
  });
});

test("blocks of the first level wait until they are uploaded, and so do those behind them", () => {
  const blocks = [0, 1, 2, 3, 4].map((i) => write(i * 100_000, (i + 1) * 100_000));
  const file = join(directory, "shipper.json");
  const next = () => compactNext(directory, [100_000, 300_000], { newUlid, isHeldBack: untilUploaded(file) });
  const upload = (...which: number[]) =>
    fs.writeFileSync(
      file,
      JSON.stringify({ version: 1, uploaded: which.map((i) => readMeta(blocks[i]!).ulid) }),
    );
  expect(next()).toBeNull();
  fs.writeFileSync(file, "not JSON");
  expect(next()).toBeNull();
  upload(0, 2, 3, 4);
  expect(next()).toBeNull();
  upload(0, 1, 2, 3);
  expect(next()!.inputs.map(({ ulid }) => ulid)).toEqual(
    blocks.slice(0, 3).map((block) => readMeta(block).ulid),
  );
});

test("a block whose meta.json has the version of its index is mended at the start, and no other", () => {
  const old = write(0, 100_000);
  const sound = write(100_000, 200_000);
  const broken = write(200_000, 300_000);
  const before = readMeta(old);
  const path = join(old, "meta.json");
  fs.writeFileSync(path, fs.readFileSync(path, "utf8").replace('"version": 1', '"version": 2'));
  const index = fs.openSync(join(old, "index"), "r+");
  fs.writeSync(index, Uint8Array.of(1), 0, 1, 4);
  fs.closeSync(index);
  fs.writeFileSync(join(broken, "meta.json"), '{"version": 7}');

  const problems = takeInventory(directory).problems.map((problem) => problem.directory);
  expect(problems.sort()).toEqual([old, broken].sort());
  expect(repairOldBlocks(problems)).toEqual([old]);
  expect(readMeta(old)).toEqual(before);
  expect(bitsOf(chunksOf(old))).toEqual(bitsOf(headChunks(0, 100_000)));
  expect(takeInventory(directory).blocks.map((block) => block.directory)).toEqual([old, sound]);
});
