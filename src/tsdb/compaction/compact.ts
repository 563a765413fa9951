import { StorageError } from "../../model/storage.ts";
import { Block } from "../block/block.ts";
import { InterruptedError, type SeriesWriter, writeBlock } from "../block/block-writer.ts";
import type { ChunkSeries, ChunkSeriesSource, EncodedChunk } from "../block/chunk-series.ts";
import { DirectFile } from "../block/direct-file.ts";
import { type BlockCompaction, type BlockHint, type BlockMeta, readMeta, writeMeta } from "../block/meta.ts";
import { PageCache } from "../block/page-cache.ts";
import { type FloatChunkEncoding, SAMPLES_PER_CHUNK } from "../chunk/encode-chunks.ts";
import { mergeBlocks } from "./merge-blocks.ts";
import { mergeChunks } from "./merge-chunks.ts";
import { recutFloats } from "./recut-floats.ts";

export interface CompactionOptions {
  /** Gives each new block its id. */
  readonly newUlid: () => string;
  /** How float chunks of the head, and those that must be encoded anew, are written. */
  readonly floats?: FloatChunkEncoding;
  /** Float chunks of the head that have another number of samples are cut anew. */
  readonly samplesPerChunk?: number;
  /** Greatest size of a file of chunks. */
  readonly maxChunkFileBytes?: number;
  readonly cache?: PageCache;
  /** Whether chunks of the head, too, are written past the system's page cache. */
  readonly pastPageCache?: boolean;
  /** Asked now and then whether to leave off what is being written: then an InterruptedError ends it. */
  readonly isInterrupted?: () => boolean;
  /** Told the size in bytes, samples and milliseconds of each chunk, for metrics. */
  readonly onChunk?: (sizeBytes: number, samples: number, rangeMs: number) => void;
}

/** Prometheus writes it as the parent of a block of out-of-order samples. */
const ZERO_ULID = "00000000000000000000000000";

export interface HeadBlockRange {
  readonly minTime: number;
  /** Excluded. */
  readonly maxTime: number;
  /** Whether its samples came late, for a range that already had a block: it says nothing on what the head holds. */
  readonly isOutOfOrder?: boolean;
}

/**
 * Writes the samples of a sealed generation as a block of the first level. Chunks that overlap, as out-of-order ones
 * do, are merged on the way; samples outside the range are left out.
 * @returns null if there was nothing to write
 * @throws StorageError where the disk refuses; nothing is left behind, and the generation must be kept
 */
export function writeHeadBlock(
  dataDirectory: string,
  series: ChunkSeriesSource,
  range: HeadBlockRange,
  options: CompactionOptions,
): BlockMeta | null {
  const ulid = options.newUlid();
  const compaction: BlockCompaction = range.isOutOfOrder
    ? {
        level: 1,
        sources: [ulid],
        parents: [{ ulid: ZERO_ULID, minTime: 0, maxTime: 0 }],
        hints: ["from-out-of-order"],
      }
    : { level: 1, sources: [ulid] };
  const { direct } = series;
  const takesAll =
    direct !== undefined && direct.startTime >= range.minTime && direct.endTime <= range.maxTime;
  const content =
    takesAll && areAsHeadCuts(options)
      ? (writer: SeriesWriter) => direct.writeTo(writer)
      : tidied(series, range, options);
  return writeBlock(dataDirectory, content, {
    ulid,
    minTime: range.minTime,
    maxTime: range.maxTime,
    compaction,
    ...(options.pastPageCache ? { createChunkFile } : {}),
    ...blockOptions(options),
  });
}

function blockOptions({ onChunk, maxChunkFileBytes, isInterrupted }: CompactionOptions) {
  return {
    ...(isInterrupted === undefined ? {} : { isInterrupted }),
    ...(onChunk === undefined ? {} : { onChunk }),
    ...(maxChunkFileBytes === undefined ? {} : { maxChunkFileBytes }),
  };
}

function* tidied(
  series: ChunkSeriesSource,
  range: HeadBlockRange,
  options: CompactionOptions,
): Generator<ChunkSeries> {
  const { floats = "xor", samplesPerChunk = SAMPLES_PER_CHUNK } = options;
  const areAsWanted = areAsHeadCuts(options);
  for (const each of series) {
    const tidy = areTidy(each.chunks, range) ? each : tidiedSeries(each, range, floats);
    if (tidy.chunks.length === 0) continue;
    if (areAsWanted) yield tidy;
    else yield { labels: tidy.labels, chunks: recutFloats(tidy.chunks, floats, samplesPerChunk) };
  }
}

/** Whether chunks are to be as the head cuts them. */
function areAsHeadCuts({ floats = "xor", samplesPerChunk = SAMPLES_PER_CHUNK }: CompactionOptions): boolean {
  return floats === "xor" && samplesPerChunk === SAMPLES_PER_CHUNK;
}

function tidiedSeries(
  { labels, chunks }: ChunkSeries,
  { minTime, maxTime }: HeadBlockRange,
  floats: FloatChunkEncoding,
): ChunkSeries {
  const untouched = chunks.map((chunk) => ({ chunk, deleted: [] }));
  return { labels, chunks: mergeChunks(untouched, floats, minTime, maxTime - 1) };
}

/** Whether chunks are apart from each other and within a range. */
function areTidy(chunks: readonly EncodedChunk[], { minTime, maxTime }: HeadBlockRange): boolean {
  let end = minTime - 1;
  for (const chunk of chunks) {
    if (chunk.minTime <= end) return false;
    end = chunk.maxTime;
  }
  return end < maxTime;
}

/**
 * Merges blocks into one, series by series, without what is deleted in them. The inputs stay; the new block names
 * them as parents, so they go with the next clean-up, or at the next start if this one ends before. If nothing is
 * left to write they are marked as deletable instead, and if they cannot be read as failed, to be left alone.
 *
 * @param directories of the blocks, in order of time
 * @returns the new block, or null if no sample was left
 */
export function compactBlocks(
  dataDirectory: string,
  directories: readonly string[],
  options: CompactionOptions,
): BlockMeta | null {
  const metas = directories.map(readMeta);
  const sources = new Set(metas.flatMap(({ ulid, compaction }) => compaction.sources ?? [ulid]));
  return rewriteBlocks(dataDirectory, directories, options, () => ({
    level: Math.max(...metas.map(({ compaction }) => compaction.level)) + 1,
    sources: [...sources].sort(),
    parents: metas.map(({ ulid, minTime, maxTime }) => ({ ulid, minTime, maxTime })),
    hints: joinedHints(metas),
  }));
}

/**
 * Rewrites a block without its deleted ranges, if it has any: what cleaning up tombstones means.
 * @returns the new block, null if no sample was left, or undefined if there was nothing to do
 */
export function cleanBlock(
  dataDirectory: string,
  directory: string,
  options: CompactionOptions,
): BlockMeta | null | undefined {
  const meta = readMeta(directory);
  const block = Block.open(directory, options.cache);
  const { tombstones } = block;
  block.close();
  if (tombstones.size === 0) return undefined;
  return rewriteBlocks(dataDirectory, [directory], options, (ulid) => ({
    level: 1,
    sources: [ulid],
    parents: [{ ulid: meta.ulid, minTime: meta.minTime, maxTime: meta.maxTime }],
    hints: joinedHints([meta]),
  }));
}

/** Out of order only if all are; partial if any is. */
function joinedHints(metas: readonly BlockMeta[]): BlockHint[] {
  const has = (meta: BlockMeta, hint: BlockHint) => meta.compaction.hints?.includes(hint) ?? false;
  const hints: BlockHint[] = [];
  if (metas.every((meta) => has(meta, "from-out-of-order"))) hints.push("from-out-of-order");
  for (const hint of ["from-selected-series", "from-stale-series"] as const) {
    if (metas.some((meta) => has(meta, hint))) hints.push(hint);
  }
  return hints;
}

const createChunkFile = (path: string) => DirectFile.create(path);

/** Little is read more than once. */
const CACHE_BYTES = 4 * 1024 * 1024;

function rewriteBlocks(
  dataDirectory: string,
  directories: readonly string[],
  options: CompactionOptions,
  compactionOf: (ulid: string) => BlockCompaction,
): BlockMeta | null {
  const blocks: Block[] = [];
  try {
    const cache = options.cache ?? new PageCache(CACHE_BYTES);
    for (const directory of directories) blocks.push(Block.open(directory, cache));
    const ulid = options.newUlid();
    const merge = (writer: SeriesWriter) => mergeBlocks(blocks, options.floats, writer);
    const written = writeBlock(dataDirectory, merge, {
      ulid,
      minTime: Math.min(...blocks.map(({ meta }) => meta.minTime)),
      maxTime: Math.max(...blocks.map(({ meta }) => meta.maxTime)),
      compaction: compactionOf(ulid),
      createChunkFile,
      ...blockOptions(options),
    });
    if (written === null) markBlocks(directories, { deletable: true });
    return written;
  } catch (error) {
    // A disk that is full or fails to write says nothing on the blocks: they are tried again later.
    if (!(error instanceof StorageError || error instanceof InterruptedError)) {
      try {
        markBlocks(directories, { failed: true });
      } catch {
        // What failed first says more than that this failed too.
      }
    }
    throw error;
  } finally {
    for (const block of blocks) block.close();
  }
}

function markBlocks(directories: readonly string[], mark: Partial<BlockCompaction>): void {
  for (const directory of directories) {
    const meta = readMeta(directory);
    writeMeta(directory, { ...meta, compaction: { ...meta.compaction, ...mark } });
  }
}
