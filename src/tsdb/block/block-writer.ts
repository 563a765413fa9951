import * as fs from "node:fs";
import { join } from "node:path";
import { chunkSampleCount } from "../chunk/decode-chunk.ts";
import { ChunkEncoding } from "../chunk/encoding.ts";
import { CHUNKS_FOLDER, INDEX_FILE, TMP_FOR_CREATION } from "../file-names.ts";
import type { AppendedFile } from "./appended-file.ts";
import { ChunkColumns } from "./chunk-columns.ts";
import { ChunkFileWriter } from "./chunk-file.ts";
import type { ChunkSeries, ChunkSeriesSource } from "./chunk-series.ts";
import { syncFolder } from "./file-writer.ts";
import { IndexWriter } from "./index-file.ts";
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
  /** Asked now and then whether the block is to be left off. */
  readonly isInterrupted?: () => boolean;
  /** How files of chunks are created, if not as any other. */
  readonly createChunkFile?: (path: string) => AppendedFile;
}

/** Someone has asked to leave a block off: nothing is wrong. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

/** Series that are added before it is asked again. */
const SERIES_BETWEEN_QUESTIONS = 256;

/**
 * Writes a block from series that come in order of their labels, their chunks in order of time and apart from each
 * other, or that someone puts into it in this way. It is built in a temporary folder and appears under its name complete and synced, or not at all.
 * @returns null if there was no sample, and so no block
 * @throws StorageError where the disk refuses; nothing is left behind
 * @throws InterruptedError where it is to be left off, likewise
 */
export function writeBlock(
  dataDirectory: string,
  series: ChunkSeriesSource | ((writer: SeriesWriter) => void),
  block: NewBlock,
): BlockMeta | null {
  const directory = join(dataDirectory, block.ulid);
  const temporary = directory + TMP_FOR_CREATION;
  const chunksDirectory = join(temporary, CHUNKS_FOLDER);
  fs.mkdirSync(chunksDirectory, { recursive: true });
  const chunkFiles = new ChunkFileWriter(chunksDirectory, block.maxChunkFileBytes, block.createChunkFile);
  let index: IndexWriter | null = null;
  try {
    index = new IndexWriter(join(temporary, INDEX_FILE));
    const writer = new SeriesWriter(chunkFiles, index, block);
    if (typeof series === "function") series(writer);
    else for (const each of series) writer.addSeries(each);
    const { counts } = writer;
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

/** The parts of a block that is being written. Series come in order of their labels. */
export class SeriesWriter {
  readonly counts = {
    numSamples: 0,
    numFloatSamples: 0,
    numHistogramSamples: 0,
    numSeries: 0,
    numChunks: 0,
  };
  /** Of the series that is being added. */
  private readonly chunks = new ChunkColumns();

  constructor(
    readonly chunkFiles: ChunkFileWriter,
    readonly index: IndexWriter,
    private readonly block: Pick<NewBlock, "onChunk" | "isInterrupted">,
  ) {}

  /** A series without chunks is left out. @throws Error where it does not come in order of its labels */
  addSeries({ labels, chunks: encoded }: ChunkSeries): void {
    if (encoded.length === 0) return;
    const { chunks } = this;
    chunks.clear();
    for (const chunk of encoded) {
      const { minTime, maxTime, encoding, bytes } = chunk;
      this.countChunk(encoding, chunkSampleCount(encoding, bytes), bytes.length, maxTime - minTime);
      chunks.push(minTime, maxTime, this.chunkFiles.append(chunk));
    }
    this.index.addLabels(labels, chunks);
    this.countSeries();
  }

  /** Counts a series that is whole. @throws InterruptedError */
  countSeries(): void {
    const { counts, block } = this;
    counts.numSeries++;
    if (counts.numSeries % SERIES_BETWEEN_QUESTIONS !== 0 || !block.isInterrupted?.()) return;
    throw new InterruptedError(`cannot go on behind ${counts.numSeries} series: something else goes first`);
  }

  /** Counts a chunk that someone has put into the files. */
  countChunk(encoding: number, samples: number, sizeBytes: number, rangeMs: number): void {
    const { counts } = this;
    counts.numChunks++;
    counts.numSamples += samples;
    if (isFloat(encoding)) counts.numFloatSamples += samples;
    else counts.numHistogramSamples += samples;
    this.block.onChunk?.(sizeBytes, samples, rangeMs);
  }
}

function isFloat(encoding: number): boolean {
  return encoding === ChunkEncoding.xor || encoding === ChunkEncoding.xor2;
}
