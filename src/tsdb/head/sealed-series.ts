import { SeriesField } from "../../kernels/append-kernel.ts";
import { CHUNK_LIST_WORDS, CHUNK_PADDING_BYTES, decodeXorChunks } from "../../kernels/decode-kernel.ts";
import { GatherKernel } from "../../kernels/gather-kernel.ts";
import { QueryMemory } from "../../kernels/index.ts";
import type { ChunkSeries, EncodedChunk } from "../block/chunk-series.ts";
import { decodeChunk } from "../chunk/decode-chunk.ts";
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
export function* sealedSeries(generation: Generation): Generator<ChunkSeries> {
  const memory = new QueryMemory(MEMORY_BYTES);
  const count = generation.series.count;
  const ids = new Uint32Array(count);
  for (let i = 0; i < count; i++) ids[i] = i + 1;
  const { isSealed } = generation;
  const deletions = readDeletions(generation);
  const gathering = isSealed ? gatherKernel(generation) : null;
  const source = new GenerationSource(generation, memory, new HeadView(null));
  source.select([]);
  const sorted = generation.order.sort(ids);
  for (let i = 0; i < count; i++) {
    const id = sorted[i]!;
    if (i % GatherKernel.FETCHED_TOGETHER === 0) {
      gathering?.fetch(sorted.subarray(i, i + GatherKernel.FETCHED_TOGETHER));
    }
    const isAsItLies =
      !deletions?.has(id) && !hasOutOfOrder(generation, id) && !seriesHasStartTimes(generation, id);
    if (!isSealed || !isAsItLies) {
      // What lies there is not what is to be read: that is encoded anew.
      const mark = memory.mark();
      const columns = memory.columns(1024);
      source.read(id, -Infinity, Infinity, columns);
      const encoded = encodeChunks(columns);
      memory.release(mark);
      if (encoded.length > 0) yield { labels: generation.series.labels(id), chunks: encoded };
      continue;
    }
    const gathered = gathering?.gather(id);
    if (gathered) {
      for (const chunk of gathered) {
        if (Number.isNaN(chunk.maxTime)) chunk.maxTime = lastTimeOf(memory, chunk.encoding, chunk.bytes);
      }
      if (gathered.length > 0) yield { labels: generation.series.labels(id), chunks: gathered };
      continue;
    }
    const samples = generation.series.field(id, SeriesField.samples);
    const chunks: EncodedChunk[] = [];
    forEachChunk(generation, id, samples, -Infinity, Infinity, (chunk) => {
      const capacity = chunkCapacityBytes(generation, chunk.page);
      const size = chunkSizeBytes(generation, id, chunk.page, capacity);
      const bytes = chunkBytes(generation, chunk.page, chunk.count, size);
      const maxTime = chunk.isOpen ? generation.lastTime(id) : lastTimeOf(memory, chunk.encoding, bytes);
      chunks.push({ minTime: chunk.minTime, maxTime, encoding: chunk.encoding, bytes });
    });
    if (chunks.length > 0) yield { labels: generation.series.labels(id), chunks };
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
