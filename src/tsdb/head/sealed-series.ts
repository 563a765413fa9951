import { SeriesField } from "../../kernels/append-kernel.ts";
import { CHUNK_LIST_WORDS, CHUNK_PADDING_BYTES, decodeXorChunks } from "../../kernels/decode-kernel.ts";
import { GatherKernel, type GatheredFrame } from "../../kernels/gather-kernel.ts";
import { QueryMemory } from "../../kernels/index.ts";
import type { SeriesWriter } from "../block/block-writer.ts";
import { ChunkColumns } from "../block/chunk-columns.ts";
import type { ChunkRef } from "../block/chunk-file.ts";
import type { ChunkSeries, ChunkSeriesSource, EncodedChunk } from "../block/chunk-series.ts";
import { decodeChunk, sampleCount } from "../chunk/decode-chunk.ts";
import { encodeChunks } from "../chunk/encode-chunks.ts";
import { ChunkEncoding } from "../chunk/encoding.ts";
import { PlainColumns } from "../chunk/plain-columns.ts";
import { chunkBytes, chunkCapacityBytes, chunkSizeBytes, forEachChunk } from "./chunk-pages.ts";
import { readDeletions } from "./deletions.ts";
import { GenerationSource } from "./generation-source.ts";
import { HeadView } from "./head-view.ts";
import { hasOutOfOrder } from "./out-of-order.ts";
import { seriesHasStartTimes } from "./start-times.ts";
import type { Generation } from "./generation.ts";

/** Reserved, not used: one series at a time is in it. */
const MEMORY_BYTES = 2 ** 30;

/**
 * The series of a generation with their chunks, ordered by label set: what a block is written from. Series without
 * samples are left out. Of a sealed generation chunks are given as they lie there; one that is still written to (for
 * a snapshot) is read as a query reads it, and encoded anew.
 */
export function sealedSeries(generation: Generation): ChunkSeriesSource {
  const series = { [Symbol.iterator]: () => new SealedSeries(generation).each() };
  if (!generation.isSealed) return series;
  const { startTime, endTime } = generation;
  const writeTo = (writer: SeriesWriter) => new SealedSeries(generation).writeTo(writer);
  return { ...series, direct: { startTime, endTime, writeTo } };
}

class SealedSeries {
  private readonly memory = new QueryMemory(MEMORY_BYTES);
  private readonly sorted: Uint32Array;
  private readonly deletions: ReadonlyMap<number, unknown> | null;
  private readonly gathering: GatherKernel | null;
  private source: GenerationSource | null = null;

  constructor(private readonly generation: Generation) {
    const ids = new Uint32Array(generation.series.count).map((_, i) => i + 1);
    this.sorted = generation.order.sort(ids);
    this.deletions = readDeletions(generation);
    this.gathering = generation.isSealed ? gatherKernel(generation) : null;
  }

  *each(): Generator<ChunkSeries> {
    const { generation, sorted, gathering } = this;
    for (const [i, id] of sorted.entries()) {
      this.fetch(i);
      const gathered = this.isPlain(id) ? gathering?.gather(id) : null;
      for (const chunk of gathered ?? []) {
        if (Number.isNaN(chunk.maxTime)) chunk.maxTime = this.lastTimeOf(chunk.encoding, chunk.bytes);
      }
      const chunks = gathered ?? this.chunks(id);
      if (chunks.length > 0) yield { labels: generation.series.labels(id), chunks };
    }
  }

  /** As `each`, by numbers instead of texts, and without making anything of a chunk. */
  writeTo(writer: SeriesWriter): void {
    const { generation, sorted } = this;
    const pairs = new PairNumbers(generation, writer);
    const frames = new FrameOutput(this.gathering!, writer);
    const columns = new ChunkColumns();
    for (let i = 0; i < sorted.length; i++) {
      const id = sorted[i]!;
      this.fetch(i);
      const count = this.isPlain(id) ? frames.gather(id) : -1;
      if (count < 0) {
        frames.write();
        writer.addSeries({ labels: generation.series.labels(id), chunks: this.chunks(id) });
        continue;
      }
      if (count === 0) continue;
      columns.clear();
      for (let c = 0; c < count; c++) {
        const { ref, chunk } = frames.take(c);
        const { encoding, header, minTime, start, end } = chunk;
        const maxTime = Number.isNaN(chunk.maxTime)
          ? this.lastTimeOf(encoding, this.gathering!.view(start, end))
          : chunk.maxTime;
        writer.countChunk(encoding, sampleCount(encoding, header), end - start, maxTime - minTime);
        columns.push(minTime, maxTime, ref);
      }
      pairs.moveTo(id);
      writer.index.addRow(pairs.numbers, pairs.count, columns);
      writer.countSeries();
    }
    frames.write();
  }

  private fetch(index: number): void {
    if (index % GatherKernel.FETCHED_TOGETHER !== 0) return;
    this.gathering?.fetch(this.sorted.subarray(index, index + GatherKernel.FETCHED_TOGETHER));
  }

  /** Whether what lies there is what is to be read. */
  private isPlain(id: number): boolean {
    const { generation, deletions } = this;
    return (
      generation.isSealed &&
      !deletions?.has(id) &&
      !hasOutOfOrder(generation, id) &&
      !seriesHasStartTimes(generation, id)
    );
  }

  private chunks(id: number): EncodedChunk[] {
    return this.isPlain(id) ? this.chunksAsTheyAre(id) : this.encodedAnew(id);
  }

  private encodedAnew(id: number): EncodedChunk[] {
    const { generation, memory } = this;
    if (!this.source) {
      this.source = new GenerationSource(generation, memory, new HeadView(null));
      this.source.select([]);
    }
    const mark = memory.mark();
    const columns = memory.columns(1024);
    this.source.read(id, -Infinity, Infinity, columns);
    const encoded = encodeChunks(columns);
    memory.release(mark);
    return encoded;
  }

  /** Of a series with more chunks than the kernel takes at once. */
  private chunksAsTheyAre(id: number): EncodedChunk[] {
    const { generation } = this;
    const samples = generation.series.field(id, SeriesField.samples);
    const chunks: EncodedChunk[] = [];
    forEachChunk(generation, id, samples, -Infinity, Infinity, (chunk) => {
      const capacity = chunkCapacityBytes(generation, chunk.page);
      const size = chunkSizeBytes(generation, id, chunk.page, capacity);
      const bytes = chunkBytes(generation, chunk.page, chunk.count, size);
      const maxTime = chunk.isOpen ? generation.lastTime(id) : this.lastTimeOf(chunk.encoding, bytes);
      chunks.push({ minTime: chunk.minTime, maxTime, encoding: chunk.encoding, bytes });
    });
    return chunks;
  }

  private lastTimeOf(encoding: number, bytes: Uint8Array): number {
    return lastTimeOf(this.memory, encoding, bytes);
  }
}

/** The label pairs of series as the writer of a block numbers them. */
class PairNumbers {
  numbers = new Uint32Array(32);
  count = 0;
  /** By list of a pair: 1 + its number, 0 until it is known. */
  private readonly known: Uint32Array;

  constructor(
    private readonly generation: Generation,
    private readonly writer: SeriesWriter,
  ) {
    this.known = new Uint32Array(generation.postings.listCount + 1);
  }

  moveTo(id: number): void {
    const { series, arena } = this.generation;
    const run = series.field(id, SeriesField.labels);
    this.count = arena.words[run]!;
    if (this.count > this.numbers.length) this.numbers = new Uint32Array(2 * this.count);
    for (let i = 0; i < this.count; i++) {
      const list = arena.words[run + 1 + i]!;
      this.numbers[i] = (this.known[list] ||= 1 + this.numberOf(list)) - 1;
    }
  }

  private numberOf(list: number): number {
    const { symbols, postings } = this.generation;
    return this.writer.index.pair(symbols.text(postings.nameOf(list)), symbols.text(postings.valueOf(list)));
  }
}

/** Frames are written once they are so many bytes. */
const FRAMES_BYTES = 1 << 20;

/** Frames of chunks on their way from the kernel's memory into the files. */
class FrameOutput {
  /** The first frame that is not written yet, where it will lie, and the room the file has from there on. */
  private start: number;
  private base: ChunkRef = 0;
  private room = 0;
  /** The frame that `take` gives next. */
  private nextFrame = 0;

  constructor(
    private readonly gathering: GatherKernel,
    private readonly writer: SeriesWriter,
  ) {
    this.start = gathering.endOfFrames;
  }

  /** Gathers the chunks of a series. @returns how many, or -1 where they cannot go together */
  gather(id: number): number {
    const { gathering } = this;
    const { chunkFiles } = this.writer;
    if (gathering.endOfFrames - this.start >= FRAMES_BYTES) this.write();
    let begin = gathering.endOfFrames;
    let count = gathering.gatherFrames(id);
    if (count < 0) {
      this.write();
      begin = gathering.endOfFrames;
      count = gathering.gatherFrames(id);
    }
    if (count <= 0) return count;
    const end = gathering.endOfFrames;
    if (end - begin > chunkFiles.mostFrameBytes) {
      gathering.endOfFrames = begin;
      return -1;
    }
    if (end - this.start > this.room) {
      this.writeUpTo(begin);
      ({ ref: this.base, room: this.room } = chunkFiles.placeForFrames(end - begin));
    }
    this.nextFrame = begin;
    return count;
  }

  /** The chunks of the series that was gathered last: each once, in order. */
  take(index: number): { readonly ref: ChunkRef; readonly chunk: GatheredFrame } {
    const chunk = this.gathering.look(index);
    const ref = this.base + this.nextFrame - this.start;
    this.nextFrame = chunk.frameEnd;
    return { ref, chunk };
  }

  /** Writes what has been gathered so far. */
  write(): void {
    this.writeUpTo(this.gathering.endOfFrames);
    this.gathering.dropFrames();
    this.start = this.gathering.endOfFrames;
    this.room = 0;
  }

  private writeUpTo(end: number): void {
    if (end > this.start) this.writer.chunkFiles.appendFrames(this.gathering.view(this.start, end));
    this.start = end;
  }
}

function gatherKernel({ arena, memory, startTime }: Generation): GatherKernel {
  const { records, batchRefs } = arena;
  // It works in the columns of the batch: a sealed generation has none any more.
  return new GatherKernel({ memory, records, startTime, scratch: batchRefs, scratchEnd: records });
}

function lastTimeOf(memory: QueryMemory, encoding: number, bytes: Uint8Array): number {
  if (encoding !== ChunkEncoding.xor) {
    const columns = new PlainColumns();
    decodeChunk(encoding, bytes, -Infinity, Infinity, columns);
    return columns.times[columns.count - 1]!;
  }
  const mark = memory.mark();
  const count = (bytes[0]! << 8) | bytes[1]!;
  const columns = memory.columns(count + 1);
  const list = memory.allocate(4 * CHUNK_LIST_WORDS);
  const pointer = memory.allocate(bytes.length + CHUNK_PADDING_BYTES);
  memory.bytes.set(bytes, pointer);
  memory.words.set([pointer + 2, bytes.length - 2, count], list / 4);
  decodeXorChunks(memory, list, 1, columns, -Infinity, Infinity);
  const last = columns.times[columns.count - 1]!;
  memory.release(mark);
  return last;
}
