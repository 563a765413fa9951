import { CHUNK_WINDOW_BYTES, FramesEnd, type MergeInput, MergeKernel } from "../../kernels/merge-kernel.ts";
import type { Labels } from "../../model/labels.ts";
import type { Block } from "../block/block.ts";
import type { SeriesWriter } from "../block/block-writer.ts";
import { ChunkReader } from "../block/chunk-file.ts";
import type { EncodedChunk } from "../block/chunk-series.ts";
import type { IndexWriter } from "../block/index-file.ts";
import { readFully } from "../block/page-cache.ts";
import type { Interval } from "../block/tombstones.ts";
import { chunkSampleCount } from "../chunk/decode-chunk.ts";
import type { FloatChunkEncoding } from "../chunk/encode-chunks.ts";
import { CorruptionError } from "../corruption-error.ts";
import { crc32c } from "../crc32c.ts";
import { type ChunkToMerge, mergeChunks } from "./merge-chunks.ts";
import { rankSymbols } from "./rank-symbols.ts";

/**
 * Puts the series of all blocks into a new one, each once, with its chunks merged and without what is deleted of it.
 * Where a series' chunks lie behind each other, block behind block, their bytes are copied as they are, by a kernel.
 *
 * @param blocks in order of time
 * @throws CorruptionError where one of them is damaged; what was written until then is worth nothing
 */
export function mergeBlocks(
  blocks: readonly Block[],
  floats: FloatChunkEncoding | undefined,
  writer: SeriesWriter,
): void {
  const kernel = new MergeKernel(rankSymbols(blocks.map(({ index }) => index)));
  const inputs = blocks.map((block, i) => new Input(block, kernel.inputs[i]!));
  const output = new Output(kernel, writer);
  const pairs = new PairRow(writer.index, kernel.pairNumbers);
  // Few blocks meet in a compaction: looking at each is as good as any heap.
  const same: Input[] = [];
  for (;;) {
    same.length = 0;
    for (const input of inputs) {
      if (input.isAtEnd) continue;
      const order = same.length === 0 ? 0 : kernel.compare(input.rows, same[0]!.rows);
      if (order < 0) same.length = 0;
      if (order <= 0) same.push(input);
    }
    if (same.length === 0) break;
    pairs.moveTo(same[0]!);
    if (areWhole(kernel, same)) for (const input of same) output.copy(input);
    else {
      const chunks = same.flatMap((input) => input.chunksToMerge());
      for (const chunk of mergeChunks(chunks, floats)) output.append(chunk);
    }
    output.endSeries(pairs);
    for (const input of same) input.advance();
  }
  for (const input of inputs) input.compareSums();
  output.finish();
}

/** Whether the chunks of a series can be copied as they are. */
function areWhole(kernel: MergeKernel, inputs: readonly Input[]): boolean {
  return inputs.every(({ deleted }) => deleted.length === 0) && kernel.areApart(inputs);
}

const NOTHING: readonly Interval[] = [];
const TWO_32 = 2 ** 32;

/** Windows begin small, and grow while chunks are asked for in the order they lie in. */
const LEAST_WINDOW_BYTES = 32 * 1024;
const INDEX_READ_BYTES = 128 * 1024;

/** A block on its way through a merge. */
class Input {
  isAtEnd = false;
  deleted = NOTHING;
  private readonly ids: Uint32Array;
  private next = 0;
  private id = 0;
  private indexOffset = 0;
  private indexBytes = 0;
  private file = -1;
  private windowOffset = 0;
  private windowBytes = LEAST_WINDOW_BYTES;
  private readonly reader: ChunkReader;

  constructor(
    readonly block: Block,
    readonly rows: MergeInput,
  ) {
    this.ids = block.index.allPostings();
    this.reader = new ChunkReader(block.chunkFiles, true);
    this.advance();
  }

  advance(): void {
    this.isAtEnd = this.next === this.ids.length;
    if (this.isAtEnd) return;
    const { block, rows } = this;
    const id = (this.id = this.ids[this.next++]!);
    this.deleted = block.tombstones.size === 0 ? NOTHING : (block.tombstones.get(id) ?? NOTHING);
    const offset = block.index.seriesOffset(id);
    let at = offset - this.indexOffset;
    if (at < 0 || at > this.indexBytes) at = this.readIndex(offset, INDEX_READ_BYTES);
    for (;;) {
      const needed = rows.readRow(at, this.indexBytes);
      if (needed === 0) return;
      at = this.readIndex(offset, Math.max(needed, INDEX_READ_BYTES));
      if (needed < 0 || this.indexBytes < needed) this.failAtSeries();
    }
  }

  /** @returns where in the window what was read begins */
  private readIndex(offset: number, bytes: number): number {
    const target = this.rows.indexWindow.subarray(0, bytes);
    this.indexBytes = this.block.index.readInto(target, offset);
    this.indexOffset = offset;
    return 0;
  }

  private failAtSeries(): never {
    // It says what is wrong, if it is the entry's bytes.
    this.labels();
    throw new CorruptionError(
      `cannot read series ${this.id} of ${this.block.directory}: its entry makes no sense`,
    );
  }

  labels(): Labels {
    return this.block.index.labels(this.id);
  }

  /** Has the window begin with a chunk, whose frame has so many bytes at least. */
  moveWindow(chunk: number, leastBytes: number): void {
    this.compareSums();
    const { rows, block } = this;
    const file = rows.chunkFile(chunk);
    const offset = rows.chunkOffset(chunk);
    const isWalk =
      file === this.file && offset >= this.windowOffset && offset <= this.windowOffset + 2 * this.windowBytes;
    this.windowBytes = isWalk ? Math.min(2 * this.windowBytes, CHUNK_WINDOW_BYTES) : LEAST_WINDOW_BYTES;
    const target = rows.chunkWindow.subarray(0, Math.max(leastBytes, this.windowBytes));
    const bytes = readFully(block.chunkFiles.descriptor(file), target, offset);
    if (bytes < leastBytes) this.failAtChunk(chunk);
    this.file = file;
    this.windowOffset = offset;
    rows.windowMoved(file, offset, bytes);
  }

  /** Compares what was copied with what the checksums of its chunks say. @throws CorruptionError */
  compareSums(): void {
    const { start, end, sum } = this.rows.takeSum();
    if (end === start || crc32c(this.rows.chunkWindow, start, end) === sum) return;
    for (let at = start; at < end; at += this.reader.frameBytes) {
      this.reader.locate(this.file * TWO_32 + this.windowOffset + at);
    }
    throw new CorruptionError(
      `cannot read chunks of ${this.block.directory}: they changed while they were read`,
    );
  }

  /** A chunk of the series, read and checked on its own. */
  chunk(index: number): EncodedChunk {
    const { minTime, maxTime, ref } = this.block.index.chunks(this.id)[index]!;
    this.reader.locate(ref);
    const { encoding, bytes, crc } = this.reader;
    return { minTime, maxTime, encoding, bytes, crc };
  }

  chunksToMerge(): ChunkToMerge[] {
    const { deleted } = this;
    const chunks: ChunkToMerge[] = [];
    for (let i = 0; i < this.rows.chunkCount; i++) chunks.push({ chunk: this.chunk(i), deleted });
    return chunks;
  }

  failAtChunk(index: number): never {
    // It says what is wrong.
    this.chunk(index);
    throw new CorruptionError(
      `cannot read chunks of ${this.block.directory}: they changed while they were read`,
    );
  }
}

/** What is written, on its way through the kernel's memory. */
class Output {
  /** Chunks of the series that are counted already. */
  private appended = 0;

  constructor(
    private readonly kernel: MergeKernel,
    private readonly writer: SeriesWriter,
  ) {}

  /** Copies the chunks of a series as they are. */
  copy(input: Input): void {
    const { kernel } = this;
    let from = 0;
    let isMoved = false;
    for (;;) {
      const end = kernel.copyFrames(input.rows, from);
      if (end === FramesEnd.done) return;
      const { nextChunk, nextFrameBytes } = kernel;
      if (nextChunk !== from) isMoved = false;
      from = nextChunk;
      if (end === FramesEnd.needsRoom) this.makeRoom(nextFrameBytes);
      else if (end === FramesEnd.needsComparing) input.compareSums();
      else if (end === FramesEnd.needsWindow && nextFrameBytes > CHUNK_WINDOW_BYTES) {
        this.append(input.chunk(from++));
        isMoved = false;
      } else if (end === FramesEnd.needsWindow && !(isMoved && nextFrameBytes === 0)) {
        input.moveWindow(from, nextFrameBytes);
        isMoved = true;
      } else input.failAtChunk(from);
    }
  }

  /** Adds a chunk to the series. */
  append(chunk: EncodedChunk): void {
    const { kernel, writer } = this;
    this.writeFrames();
    const { minTime, maxTime, encoding, bytes } = chunk;
    writer.countChunk(encoding, chunkSampleCount(encoding, bytes), bytes.length, maxTime - minTime);
    kernel.listChunk(minTime, maxTime, writer.chunkFiles.append(chunk));
    this.appended++;
  }

  endSeries({ numbers, count }: PairRow): void {
    const { kernel, writer } = this;
    const chunks = kernel.listedChunks;
    if (chunks === 0) return;
    writer.counts.numChunks += chunks - this.appended;
    this.appended = 0;
    writer.index.countSeries(numbers, count);
    if (kernel.putRecord(count)) writer.index.addRecords(kernel.takeRecords());
    writer.countSeries();
  }

  finish(): void {
    const { kernel, writer } = this;
    this.writeFrames();
    writer.index.addRecords(kernel.takeRecords());
    const { floatSamples, histogramSamples } = kernel;
    writer.counts.numFloatSamples += floatSamples;
    writer.counts.numHistogramSamples += histogramSamples;
    writer.counts.numSamples += floatSamples + histogramSamples;
  }

  private makeRoom(frameBytes: number): void {
    this.writeFrames();
    const { ref, room } = this.writer.chunkFiles.placeForFrames(frameBytes);
    this.kernel.beginFrames(ref, room);
  }

  /** Afterwards there is no room, until some is made. */
  private writeFrames(): void {
    const frames = this.kernel.copiedFrames();
    if (frames.length > 0) this.writer.chunkFiles.appendFrames(frames);
    this.kernel.beginFrames(0, 0);
  }
}

/** The label pairs of one series after the other, as the writer numbers them. */
class PairRow {
  count = 0;
  /** Of the series it has come to. */
  private ranks = new Uint32Array(64);
  private isFirst = true;
  /** By rank of the name, then of the value. */
  private readonly known = new Map<number, Map<number, number>>();

  /** @param numbers where they go, with room for those of any series */
  constructor(
    private readonly index: IndexWriter,
    readonly numbers: Uint32Array,
  ) {}

  /** @throws CorruptionError where the series does not come behind the one before */
  moveTo(input: Input): void {
    const { symbolCount, ranks: itsRanks } = input.rows;
    const rankCount = 2 * this.count;
    const shared = this.sharedWith(input);
    const isBehind =
      shared < symbolCount && (shared === rankCount || itsRanks[shared]! > this.ranks[shared]!);
    if (!isBehind && !this.isFirst) {
      throw new CorruptionError(`cannot merge ${input.block.directory}: its series are out of order`);
    }
    this.isFirst = false;
    if (symbolCount > this.ranks.length) this.ranks = withRoom(this.ranks, 2 * symbolCount);
    const { ranks, numbers } = this;
    this.count = symbolCount / 2;
    // Series behind each other have most of their labels in common: one is looked up only where they differ.
    for (let i = shared & ~1; i < symbolCount; i += 2) {
      const name = itsRanks[i]!;
      const value = itsRanks[i + 1]!;
      if (i < rankCount && name === ranks[i] && value === ranks[i + 1]) continue;
      ranks[i] = name;
      ranks[i + 1] = value;
      numbers[i / 2] = this.number(name, value, input, i / 2);
    }
  }

  /** How many ranks are the same as those of the series before, from the first one on. */
  private sharedWith(input: Input): number {
    const { symbolCount, ranks } = input.rows;
    const most = Math.min(2 * this.count, symbolCount);
    let shared = 0;
    while (shared < most && this.ranks[shared] === ranks[shared]) shared++;
    return shared;
  }

  private number(name: number, value: number, input: Input, at: number): number {
    let byValue = this.known.get(name);
    if (!byValue) this.known.set(name, (byValue = new Map()));
    let number = byValue.get(value);
    if (number === undefined) {
      const { pairs } = input.labels();
      byValue.set(value, (number = this.index.pair(pairs[2 * at]!, pairs[2 * at + 1]!)));
    }
    return number;
  }
}

function withRoom(column: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const longer = new Uint32Array(length);
  longer.set(column);
  return longer;
}
