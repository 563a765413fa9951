import { SeriesField } from "../../kernels/append-kernel.ts";
import { GatherKernel } from "../../kernels/gather-kernel.ts";
import type { EncodedChunk } from "../block/chunk-series.ts";
import { decodeChunk } from "../chunk/decode-chunk.ts";
import { encodeChunks } from "../chunk/encode-chunks.ts";
import { PlainColumns } from "../chunk/plain-columns.ts";
import { chunkBytes, chunkCapacityBytes, chunkSizeBytes, forEachChunk } from "./chunk-pages.ts";
import type { Generation } from "./generation.ts";
import { hasStartTimes, readStartTimes, seriesHasStartTimes } from "./start-times.ts";

/**
 * The in-order chunks of a generation that nobody writes to any more, series by series, deleted samples included.
 * Its owner's thread only: it works in the columns of the batch.
 */
export class GatheredChunks {
  private readonly kernel: GatherKernel;
  private readonly columns = new PlainColumns();
  private readonly hasStartTimes: boolean;

  constructor(private readonly generation: Generation) {
    const { arena, memory, startTime } = generation;
    const { records, batchRefs } = arena;
    this.kernel = new GatherKernel({ memory, records, startTime, scratch: batchRefs, scratchEnd: records });
    this.hasStartTimes = hasStartTimes(generation);
  }

  /** @returns the chunks of a series in order; their bytes are overwritten by the next call */
  of(series: number): readonly EncodedChunk[] {
    if (this.hasStartTimes && seriesHasStartTimes(this.generation, series))
      return this.withStartTimes(series);
    const chunks = this.kernel.gather(series) ?? this.copied(series);
    for (const chunk of chunks) {
      if (Number.isNaN(chunk.maxTime)) chunk.maxTime = this.lastTimeOf(chunk);
    }
    return chunks;
  }

  /** Of a series with more chunks than the kernel takes at once. */
  private copied(series: number): { -readonly [K in keyof EncodedChunk]: EncodedChunk[K] }[] {
    const { generation } = this;
    const samples = generation.series.field(series, SeriesField.samples);
    const chunks: EncodedChunk[] = [];
    forEachChunk(generation, series, samples, -Infinity, Infinity, ({ page, count, encoding, minTime }) => {
      const size = chunkSizeBytes(generation, series, page, chunkCapacityBytes(generation, page));
      chunks.push({ minTime, maxTime: NaN, encoding, bytes: chunkBytes(generation, page, count, size) });
    });
    return chunks;
  }

  private lastTimeOf({ encoding, bytes }: EncodedChunk): number {
    decodeChunk(encoding, bytes.slice(), -Infinity, Infinity, this.columns.clear());
    return this.columns.times[this.columns.count - 1]!;
  }

  /** Start times lie beside the chunks: only another encoding takes them in. */
  private withStartTimes(series: number): readonly EncodedChunk[] {
    const columns = this.columns.clear();
    for (const { encoding, bytes } of this.copied(series)) {
      decodeChunk(encoding, bytes, -Infinity, Infinity, columns);
    }
    readStartTimes(this.generation, series, columns, 0);
    return encodeChunks(columns);
  }
}
