import type { SampleColumns } from "../../model/storage.ts";
import { CorruptionError } from "../corruption-error.ts";
import { ChunkEncoding } from "./encoding.ts";
import { decodeFloatHistogramChunk } from "./float-histogram-chunk.ts";
import { decodeHistogramChunk } from "./histogram-chunk.ts";
import { decodeXorChunk } from "./xor-chunk.ts";
import { decodeXor2Chunk } from "./xor2-chunk.ts";

/**
 * Appends to `columns` a chunk's samples between two times, both included, whatever its encoding. Float chunks of
 * encoding 1 have a faster way, the decode kernel.
 * @throws CorruptionError where the chunk's bits end too early or its encoding is not known
 */
export function decodeChunk(
  encoding: number,
  bytes: Uint8Array,
  minTime: number,
  maxTime: number,
  columns: SampleColumns,
): void {
  switch (encoding) {
    case ChunkEncoding.xor:
      return decodeXorChunk(bytes, minTime, maxTime, columns);
    case ChunkEncoding.xor2:
      return decodeXor2Chunk(bytes, minTime, maxTime, columns);
    case ChunkEncoding.histogram:
    case ChunkEncoding.histogramWithStart:
      return decodeHistogramChunk(bytes, encoding !== ChunkEncoding.histogram, minTime, maxTime, columns);
    case ChunkEncoding.floatHistogram:
    case ChunkEncoding.floatHistogramWithStart:
      return decodeFloatHistogramChunk(
        bytes,
        encoding !== ChunkEncoding.floatHistogram,
        minTime,
        maxTime,
        columns,
      );
    default:
      throw new CorruptionError(`cannot decode chunk: unknown encoding ${encoding}`);
  }
}

/** How many samples a chunk holds, from its header. */
export function chunkSampleCount(encoding: number, bytes: Uint8Array): number {
  return sampleCount(encoding, (bytes[0]! << 8) | bytes[1]!);
}

/** @param header the first two bytes of a chunk */
export function sampleCount(encoding: number, header: number): number {
  const hasFlags =
    encoding === ChunkEncoding.histogramWithStart || encoding === ChunkEncoding.floatHistogramWithStart;
  return hasFlags ? header & 0x3fff : header;
}
