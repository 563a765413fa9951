import * as fs from "node:fs";
import { join } from "node:path";
import {
  CHUNK_LIST_WORDS,
  CHUNK_PADDING_BYTES,
  ChunkDecodeError,
  decodeXorChunks,
} from "../../kernels/decode-kernel.ts";
import type { QueryMemory } from "../../kernels/query-memory.ts";
import type { Labels } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import { type SampleColumns, StorageError } from "../../model/storage.ts";
import { decodeChunk } from "../chunk/decode-chunk.ts";
import { ChunkEncoding } from "../chunk/encoding.ts";
import { CorruptionError } from "../corruption-error.ts";
import { CHUNKS_FOLDER, INDEX_FILE } from "../file-names.ts";
import type { SeriesSource } from "../series-source.ts";
import { ChunkFiles, ChunkReader } from "./chunk-file.ts";
import type { ChunkSeries, EncodedChunk } from "./chunk-series.ts";
import { type ChunkMeta, IndexReader } from "./index-file.ts";
import { type BlockMeta, readMeta } from "./meta.ts";
import { PageCache } from "./page-cache.ts";
import { KnownLists } from "./known-lists.ts";
import { KnownSelections } from "./known-selections.ts";
import { labelNames, labelValues, selectSeries } from "./select-series.ts";
import { type Interval, isDeleted, readTombstones, type Tombstones } from "./tombstones.ts";

/**
 * An opened block: its files, and nothing of their content but what `IndexReader` keeps. Shared by the queries of a
 * thread, each of which reads through a `source` of its own; the files close once the owner and all sources have.
 */
export class Block {
  /** @internal */
  readonly selections = new KnownSelections();
  /** @internal */
  readonly lists = new KnownLists();
  private users = 1;

  private constructor(
    readonly directory: string,
    readonly meta: BlockMeta,
    readonly index: IndexReader,
    readonly chunkFiles: ChunkFiles,
    readonly tombstones: Tombstones,
  ) {}

  /**
   * @param meta what meta.json says, where that is known
   * @throws CorruptionError where a file is missing, or damaged where it can be told cheaply
   */
  static open(
    directory: string,
    cache: PageCache = new PageCache(),
    meta: BlockMeta = readMeta(directory),
  ): Block {
    let index: IndexReader | null = null;
    let chunkFiles: ChunkFiles | null = null;
    try {
      index = IndexReader.open(join(directory, INDEX_FILE), cache);
      chunkFiles = new ChunkFiles(join(directory, CHUNKS_FOLDER));
      return new Block(directory, meta, index, chunkFiles, readTombstones(directory));
    } catch (cause) {
      index?.close();
      chunkFiles?.close();
      const message = `cannot open block ${directory}: ${(cause as Error).message}`;
      // A missing file is damage; one that cannot be opened just now (too many open files) is not.
      const code = (cause as NodeJS.ErrnoException).code;
      if (code !== undefined && code !== "ENOENT") throw new StorageError(message, { cause });
      throw new CorruptionError(message, { cause });
    }
  }

  get ulid(): string {
    return this.meta.ulid;
  }

  /** Sum of its files as they are now. */
  get sizeBytes(): number {
    return this.index.sizeBytes + this.chunkFiles.sizeBytes + smallFilesBytes(this.directory);
  }

  /** A view for one query, which reads into the query's memory. Close it when the query ends. */
  source(memory: QueryMemory): SeriesSource {
    this.users++;
    return new BlockSource(this, memory, () => this.release());
  }

  /**
   * Every series with its chunks as they are, for compaction; deleted ranges are still in them. Chunks are views of
   * what was read, good for as long as someone has them.
   */
  *chunkSeries(): Generator<ChunkSeries & { readonly id: number }> {
    const reader = new ChunkReader(this.chunkFiles, true);
    for (const id of this.index.allPostings()) {
      const { labels, chunks: metas } = this.index.series(id);
      const lastRef = metas[metas.length - 1]?.ref ?? 0;
      const chunks: EncodedChunk[] = [];
      for (const { minTime, maxTime, ref } of metas) {
        reader.locate(ref, lastRef);
        const { encoding, bytes, crc } = reader;
        chunks.push({ minTime, maxTime, encoding, bytes, crc });
      }
      yield { id, labels, chunks };
    }
  }

  /** The owner's part in it ends. */
  close(): void {
    this.release();
  }

  private release(): void {
    if (--this.users > 0) return;
    this.index.close();
    this.chunkFiles.close();
  }
}

function smallFilesBytes(directory: string): number {
  let bytes = 0;
  for (const name of fs.readdirSync(directory)) {
    if (name === INDEX_FILE || name === CHUNKS_FOLDER) continue;
    bytes += fs.statSync(join(directory, name)).size;
  }
  return bytes;
}

class BlockSource implements SeriesSource {
  readonly minTime: number;
  readonly maxTime: number;
  private readonly chunks: ChunkReader;
  /** XOR chunks of a series behind each other, until they are copied to query memory together. */
  private staged = new Uint8Array(0);
  private stagedBytes = 0;
  private readonly stagedEnds: number[] = [];
  private stagedSamples = 0;
  private closed = false;

  constructor(
    private readonly block: Block,
    private readonly memory: QueryMemory,
    private readonly onClose: () => void,
  ) {
    this.minTime = block.meta.minTime;
    this.maxTime = block.meta.maxTime - 1;
    this.chunks = new ChunkReader(block.chunkFiles);
  }

  get identity(): Block {
    return this.block;
  }

  /** Without the series that are deleted whole. */
  select(matchers: readonly Matcher[]): Uint32Array {
    return this.block.selections.find(matchers, () => {
      const { index, tombstones } = this.block;
      const ids = selectSeries(index, matchers);
      if (tombstones.size === 0) return ids;
      return ids.filter((id) => !tombstones.has(id) || this.mayHaveSamples(id, -Infinity, Infinity));
    });
  }

  withSamples(ids: Uint32Array, minTime: number, maxTime: number): Uint32Array {
    const { starts, ends } = this.block.selections.spans(ids, (id) => this.block.index.chunks(id));
    // Fast path: hardly a series begins or ends within a block, and its first or last chunk is in the range.
    let kept = 0;
    while (kept < ids.length && isInside(starts, ends, kept, minTime, maxTime)) kept++;
    if (kept === ids.length && this.block.tombstones.size === 0) return ids;
    return ids.filter(
      (id, i) =>
        (this.block.tombstones.size === 0 && isInside(starts, ends, i, minTime, maxTime)) ||
        this.mayHaveSamples(id, minTime, maxTime),
    );
  }

  private mayHaveSamples(id: number, minTime: number, maxTime: number): boolean {
    const deleted = this.block.tombstones.get(id) ?? [];
    return this.block.index
      .chunks(id)
      .some(
        (chunk) =>
          chunk.minTime <= maxTime &&
          chunk.maxTime >= minTime &&
          !deleted.some((each) => each.minTime <= chunk.minTime && each.maxTime >= chunk.maxTime),
      );
  }

  plainSamples(id: number): number {
    return this.block.tombstones.size > 0 && this.block.tombstones.has(id) ? -1 : 0;
  }

  labels(id: number): Labels {
    return this.block.index.labels(id);
  }

  labelNames(matchers: readonly Matcher[]): readonly string[] {
    const { index, lists } = this.block;
    return lists.find("", matchers, () => labelNames(index, matchers));
  }

  labelValues(name: string, matchers: readonly Matcher[]): readonly string[] {
    const { index, lists } = this.block;
    return name === "" ? [] : lists.find(name, matchers, () => labelValues(index, name, matchers));
  }

  /** From the block's totals: looking the series up would cost as much as reading it. */
  estimateSamples(_id: number, minTime: number, maxTime: number): number {
    const { numSamples = 0, numSeries = 1 } = this.block.meta.stats;
    const from = Math.max(minTime, this.minTime);
    const to = Math.min(maxTime, this.maxTime);
    if (from > to) return 0;
    return Math.ceil(
      ((numSamples / Math.max(1, numSeries)) * (to - from + 1)) / (this.maxTime - this.minTime + 1),
    );
  }

  read(id: number, minTime: number, maxTime: number, columns: SampleColumns): void {
    const before = columns.count;
    const metas = this.block.index
      .chunks(id)
      .filter((chunk) => chunk.minTime <= maxTime && chunk.maxTime >= minTime);
    if (metas.length > 0) this.decodeChunks(metas, minTime, maxTime, columns);
    const deleted = this.block.tombstones.get(id);
    if (deleted) removeDeleted(columns, before, deleted);
  }

  private decodeChunks(
    metas: readonly ChunkMeta[],
    minTime: number,
    maxTime: number,
    columns: SampleColumns,
  ): void {
    const { chunks } = this;
    const lastRef = metas[metas.length - 1]!.ref;
    this.clearStage();
    for (const { ref } of metas) {
      chunks.locate(ref, lastRef);
      if (chunks.encoding === ChunkEncoding.xor) {
        this.stage();
        continue;
      }
      this.decodeStaged(minTime, maxTime, columns);
      decodeChunk(chunks.encoding, chunks.bytes, minTime, maxTime, columns);
    }
    this.decodeStaged(minTime, maxTime, columns);
  }

  private clearStage(): void {
    this.stagedBytes = this.stagedSamples = 0;
    this.stagedEnds.length = 0;
  }

  private stage(): void {
    const { window, start, end } = this.chunks;
    const size = end - start;
    if (size < 2) throw new CorruptionError(`cannot decode chunk of ${size} bytes`);
    if (this.stagedBytes + size > this.staged.length) {
      const grown = new Uint8Array(2 * (this.stagedBytes + size));
      grown.set(this.staged.subarray(0, this.stagedBytes));
      this.staged = grown;
    }
    this.staged.set(window.subarray(start, end), this.stagedBytes);
    this.stagedSamples += (window[start]! << 8) | window[start + 1]!;
    this.stagedBytes += size;
    this.stagedEnds.push(this.stagedBytes);
  }

  /** Decodes what is staged with one call of the kernel. */
  private decodeStaged(minTime: number, maxTime: number, columns: SampleColumns): void {
    const { memory, staged, stagedEnds } = this;
    const count = stagedEnds.length;
    if (count === 0) return;
    const before = columns.count;
    // Columns live on the same stack of regions as the scratch below: so they grow first.
    columns.reserve(before + this.stagedSamples + 1);
    const mark = memory.mark();
    try {
      const list = memory.allocate(4 * CHUNK_LIST_WORDS * count);
      const data = memory.allocate(this.stagedBytes + CHUNK_PADDING_BYTES);
      memory.bytes.set(staged.subarray(0, this.stagedBytes), data);
      let start = 0;
      for (let i = 0; i < count; i++) {
        const end = stagedEnds[i]!;
        const entry = list / 4 + CHUNK_LIST_WORDS * i;
        memory.words[entry] = data + start + 2;
        memory.words[entry + 1] = end - start - 2;
        memory.words[entry + 2] = (staged[start]! << 8) | staged[start + 1]!;
        start = end;
      }
      decodeXorChunks(memory, list, count, columns, minTime, maxTime);
    } catch (cause) {
      if (!(cause instanceof ChunkDecodeError)) throw cause;
      throw new CorruptionError(`cannot read series of ${this.block.directory}: ${cause.message}`, { cause });
    } finally {
      memory.release(mark);
      this.clearStage();
    }
    columns.startTimes?.fill(0, before, columns.count);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.onClose();
  }
}

/** Whether the first or the last chunk of a series lies within a range, or begins or ends there. */
function isInside(
  starts: Float64Array,
  ends: Float64Array,
  index: number,
  minTime: number,
  maxTime: number,
): boolean {
  const start = starts[index]!;
  const end = ends[index]!;
  return (start <= maxTime && start >= minTime) || (end >= minTime && end <= maxTime);
}

/** Takes the samples from `from` on that lie in deleted ranges out of the columns. */
export function removeDeleted(columns: SampleColumns, from: number, deleted: readonly Interval[]): void {
  const { times, valueWords, startTimes, histograms } = columns;
  let kept = from;
  for (let i = from; i < columns.count; i++) {
    if (isDeleted(deleted, times[i]!)) continue;
    if (kept !== i) {
      times[kept] = times[i]!;
      valueWords[2 * kept] = valueWords[2 * i]!;
      valueWords[2 * kept + 1] = valueWords[2 * i + 1]!;
      if (startTimes) startTimes[kept] = startTimes[i]!;
      if (histograms) histograms[kept] = histograms[i];
    }
    kept++;
  }
  columns.count = kept;
  if (histograms && histograms.length > kept) histograms.length = kept;
}
