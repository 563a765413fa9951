import * as fs from "node:fs";
import { join } from "node:path";
import { chunkSampleCount } from "../chunk/decode-chunk.ts";
import { ChunkEncoding } from "../chunk/encoding.ts";
import { CHUNKS_FOLDER, INDEX_FILE, TMP_FOR_CREATION } from "../file-names.ts";
import { ChunkFileWriter } from "./chunk-file.ts";
import type { ChunkSeriesSource, EncodedChunk } from "./chunk-series.ts";
import { syncFolder } from "./file-writer.ts";
import { type ChunkMeta, IndexWriter } from "./index-file.ts";
import { type BlockCompaction, type BlockMeta, META_VERSION, writeMeta } from "./meta.ts";
import { writeTombstones } from "./tombstones.ts";

export interface NewBlock {
  /** Its folder's name in the data directory. */
  readonly ulid: string;
  /** The range it is for: `maxTime` is excluded. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly compaction: BlockCompaction;
  /** Told the size in bytes, samples and milliseconds of each chunk, for metrics. */
  readonly onChunk?: (sizeBytes: number, samples: number, rangeMs: number) => void;
  /** Greatest size of a file of chunks. */
  readonly maxChunkFileBytes?: number;
}

/**
 * Writes a block from series that come in order of their labels, their chunks in order of time and apart from each
 * other. It is built in a temporary folder and appears under its name complete and synced, or not at all.
 * @returns null if there was no sample, and so no block
 * @throws StorageError where the disk refuses; nothing is left behind
 */
export function writeBlock(
  dataDirectory: string,
  series: ChunkSeriesSource,
  block: NewBlock,
): BlockMeta | null {
  const directory = join(dataDirectory, block.ulid);
  const temporary = directory + TMP_FOR_CREATION;
  const chunksDirectory = join(temporary, CHUNKS_FOLDER);
  fs.mkdirSync(chunksDirectory, { recursive: true });
  const chunkFiles = new ChunkFileWriter(chunksDirectory, block.maxChunkFileBytes);
  let index: IndexWriter | null = null;
  try {
    index = new IndexWriter(join(temporary, INDEX_FILE));
    const counts = writeSeries(series, chunkFiles, index, block);
    if (counts.numSamples === 0) {
      index.abandon();
      index = null;
      chunkFiles.abandon();
      fs.rmSync(temporary, { recursive: true });
      return null;
    }
    chunkFiles.close();
    index.finish();
    index = null;
    const { ulid, minTime, maxTime, compaction } = block;
    const meta: BlockMeta = { ulid, minTime, maxTime, stats: counts, compaction, version: META_VERSION };
    writeTombstones(temporary, new Map());
    writeMeta(temporary, meta);
    syncFolder(chunksDirectory);
    syncFolder(temporary);
    fs.renameSync(temporary, directory);
    syncFolder(dataDirectory);
    return meta;
  } catch (error) {
    index?.abandon();
    chunkFiles.abandon();
    fs.rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

function writeSeries(
  source: ChunkSeriesSource,
  chunkFiles: ChunkFileWriter,
  index: IndexWriter,
  { onChunk }: NewBlock,
): Required<Omit<BlockMeta["stats"], "numTombstones">> {
  const counts = { numSamples: 0, numFloatSamples: 0, numHistogramSamples: 0, numSeries: 0, numChunks: 0 };
  for (const { labels, chunks } of source) {
    if (chunks.length === 0) continue;
    const metas: ChunkMeta[] = [];
    for (const chunk of chunks) {
      const { minTime, maxTime } = chunk;
      const samples = chunkSampleCount(chunk.encoding, chunk.bytes);
      counts.numSamples += samples;
      if (isFloat(chunk)) counts.numFloatSamples += samples;
      else counts.numHistogramSamples += samples;
      onChunk?.(chunk.bytes.length, samples, maxTime - minTime);
      metas.push({ minTime, maxTime, ref: chunkFiles.append(chunk) });
    }
    index.addSeries(labels, metas);
    counts.numSeries++;
    counts.numChunks += chunks.length;
  }
  return counts;
}

function isFloat({ encoding }: EncodedChunk): boolean {
  return encoding === ChunkEncoding.xor || encoding === ChunkEncoding.xor2;
}
