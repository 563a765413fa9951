import fc from "fast-check";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { compareLabels, Labels } from "../../../src/model/labels.ts";
import { Block } from "../../../src/tsdb/block/block.ts";
import { writeBlock } from "../../../src/tsdb/block/block-writer.ts";
import type { ChunkSeries, EncodedChunk } from "../../../src/tsdb/block/chunk-series.ts";
import { compactBlocks } from "../../../src/tsdb/compaction/compact.ts";

let directory: string;
let ulids: number;
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "narthex-merge-"));
  ulids = 0;
});
afterEach(() => fs.rmSync(directory, { recursive: true }));
const newUlid = () => `01BX5ZZKBKACTAV9WEVG${String(++ulids).padStart(6, "0")}`;

const BLOCK_MS = 1000;

interface AnyChunk {
  readonly gap: number;
  readonly length: number;
  readonly encoding: number;
  readonly size: number;
  readonly seed: number;
}
/** Nothing looks into chunks that are apart from each other: any bytes will do. */
const anyChunk: fc.Arbitrary<AnyChunk> = fc.record({
  gap: fc.integer({ min: 1, max: 20 }),
  length: fc.nat(20),
  encoding: fc.integer({ min: 1, max: 6 }),
  size: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 2, max: 300 }) },
    fc.integer({ min: 2, max: 40_000 }),
  ),
  seed: fc.nat(255),
});
/** Bytes sort otherwise than UTF-16 does; label sets that begin alike; names that are values too. */
const anyText = fc.constantFrom("a", "b", "ab", "", "\uffee", "\u{1f600}", "value", "x".repeat(200));
const anyName = fc.constantFrom("a", "ab", "b", "__name__", "\u{1f600}", "\uffee");
const anySeries = fc.record({
  labels: fc.dictionary(anyName, anyText, { maxKeys: 4 }),
  chunks: fc.array(anyChunk, { minLength: 1, maxLength: 8 }),
});

function chunksOf(chunks: readonly AnyChunk[], minTime: number): EncodedChunk[] {
  let time = minTime;
  return chunks.map(({ gap, length, encoding, size, seed }) => {
    const bytes = Uint8Array.from({ length: size }, (_, i) => seed + i * (i >>> 4));
    // Two bytes of sample count.
    bytes.set([0, 1 + (seed >>> 1)]);
    const chunk = { minTime: time, maxTime: time + length, encoding, bytes };
    time += length + gap;
    return chunk;
  });
}

function sorted(series: ReadonlyMap<string, ChunkSeries>): ChunkSeries[] {
  return [...series.values()].sort((a, b) => compareLabels(a.labels, b.labels));
}

function write(series: readonly ChunkSeries[], minTime: number, maxTime: number): string {
  const ulid = newUlid();
  writeBlock(directory, series, { ulid, minTime, maxTime, compaction: { level: 1, sources: [ulid] } });
  return join(directory, ulid);
}

function contentOf(path: string) {
  const block = Block.open(path);
  const content = [...block.chunkSeries()].map(({ labels, chunks }) => ({
    labels: labels.pairs,
    chunks: chunks.map(({ minTime, maxTime, encoding, bytes }) => {
      return { minTime, maxTime, encoding, bytes: Buffer.from(bytes).toString("base64") };
    }),
  }));
  block.close();
  return content;
}

function filesOf(path: string): Record<string, string> {
  const names = ["index", ...fs.readdirSync(join(path, "chunks")).map((name) => join("chunks", name))];
  return Object.fromEntries(
    names.map((name) => [name, fs.readFileSync(join(path, name)).toString("base64")]),
  );
}

describe("blocks that are merged", () => {
  test("give the block that would have been written of all their chunks at once, to the byte", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(anySeries, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
        (contents) => {
          const all = new Map<string, ChunkSeries>();
          const paths: string[] = [];
          contents.forEach((content, i) => {
            const mine = new Map<string, ChunkSeries>();
            for (const { labels: record, chunks } of content) {
              const labels = Labels.fromRecord(record);
              mine.set(labels.key, { labels, chunks: chunksOf(chunks, i * BLOCK_MS) });
            }
            if (mine.size === 0) return;
            for (const [key, { labels, chunks }] of mine) {
              all.set(key, { labels, chunks: [...(all.get(key)?.chunks ?? []), ...chunks] });
            }
            paths.push(write(sorted(mine), i * BLOCK_MS, (i + 1) * BLOCK_MS));
          });
          if (paths.length === 0) return;
          const meta = compactBlocks(directory, paths, { newUlid })!;
          const expected = write(sorted(all), 0, contents.length * BLOCK_MS);
          expect(filesOf(join(directory, meta.ulid))).toEqual(filesOf(expected));
          const { numSamples, numSeries, numChunks } = JSON.parse(
            fs.readFileSync(join(expected, "meta.json"), "utf8"),
          ).stats as Record<string, number>;
          expect(meta.stats).toMatchObject({ numSamples, numSeries, numChunks });
        },
      ),
      { numRuns: 25 },
    );
  });

  test("are read and written file by file where there are several, also chunks longer than a window", () => {
    const series = (minTime: number, seed: number): ChunkSeries[] =>
      ["a", "b", "c"].map((name, i) => ({
        labels: Labels.fromRecord({ name }),
        chunks: chunksOf(
          [400, 70_000, 1_500_000, 3, 1_048_570].map((size) => {
            return { gap: 1, length: 5, encoding: 1, size, seed: seed + i };
          }),
          minTime,
        ),
      }));
    const blocks = [0, 1].map((i) => {
      const ulid = newUlid();
      writeBlock(directory, series(i * BLOCK_MS, i), {
        ulid,
        minTime: i * BLOCK_MS,
        maxTime: (i + 1) * BLOCK_MS,
        compaction: { level: 1, sources: [ulid] },
        maxChunkFileBytes: 2_000_000,
      });
      return join(directory, ulid);
    });
    const whole = compactBlocks(directory, blocks, { newUlid })!;
    const parts = compactBlocks(directory, blocks, { newUlid, maxChunkFileBytes: 1_700_000 })!;
    const files = (ulid: string) => fs.readdirSync(join(directory, ulid, "chunks")).length;
    expect([files(whole.ulid), files(parts.ulid)]).toEqual([1, 12]);
    const [first, second] = blocks.map(contentOf);
    const expected = first!.map(({ labels, chunks }, i) => ({
      labels,
      chunks: [...chunks, ...second![i]!.chunks],
    }));
    expect(contentOf(join(directory, whole.ulid))).toEqual(expected);
    expect(contentOf(join(directory, parts.ulid))).toEqual(expected);
  });

  test("are left alone where any byte of a chunk or of a series is not as it was written", () => {
    const chunks = [
      { gap: 1, length: 5, encoding: 1, size: 40, seed: 1 },
      { gap: 1, length: 5, encoding: 1, size: 200, seed: 2 },
    ];
    const names = ["a", "b", "c"];
    const [first, second] = [0, 1].map((i) =>
      write(
        names.map((name) => ({
          labels: Labels.fromRecord({ name }),
          chunks: chunksOf(chunks, i * BLOCK_MS),
        })),
        i * BLOCK_MS,
        (i + 1) * BLOCK_MS,
      ),
    );
    const damage = (file: string, at: number) => {
      const path = join(second!, file);
      const bytes = fs.readFileSync(path);
      bytes[at]! ^= 0x10;
      fs.writeFileSync(path, bytes);
    };
    const { length } = fs.readFileSync(join(second!, "chunks/000001"));
    for (let at = 8; at < length; at += 7) {
      damage("chunks/000001", at);
      expect(() => compactBlocks(directory, [first!, second!], { newUlid }), `byte ${at}`).toThrow(
        "cannot read chunk",
      );
      damage("chunks/000001", at);
    }
    const seriesAt = 16 * Math.ceil((fs.readFileSync(join(second!, "index")).indexOf("name") + 12) / 16);
    for (let at = seriesAt; at < seriesAt + 20; at++) {
      damage("index", at);
      expect(() => compactBlocks(directory, [first!, second!], { newUlid }), `byte ${at}`).toThrow(
        "cannot read",
      );
      damage("index", at);
    }
    expect(compactBlocks(directory, [first!, second!], { newUlid })).toMatchObject({
      stats: { numChunks: 12 },
    });
  });
});
