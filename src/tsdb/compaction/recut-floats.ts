import type { EncodedChunk } from "../block/chunk-series.ts";
import { decodeChunk } from "../chunk/decode-chunk.ts";
import { encodeChunks, type FloatChunkEncoding } from "../chunk/encode-chunks.ts";
import { ChunkEncoding } from "../chunk/encoding.ts";
import { PlainColumns } from "../chunk/plain-columns.ts";

/**
 * Encodes each run of float chunks anew, in another encoding or with another number of samples; histograms stay as
 * they are. The chunks must be apart from each other and ascend.
 */
export function recutFloats(
  chunks: readonly EncodedChunk[],
  floats: FloatChunkEncoding,
  samplesPerChunk: number,
): EncodedChunk[] {
  const recut: EncodedChunk[] = [];
  const columns = new PlainColumns();
  const finishRun = () => {
    if (columns.count > 0) recut.push(...encodeChunks(columns, floats, samplesPerChunk));
    columns.clear();
  };
  for (const chunk of chunks) {
    if (chunk.encoding === ChunkEncoding.xor || chunk.encoding === ChunkEncoding.xor2) {
      decodeChunk(chunk.encoding, chunk.bytes, -Infinity, Infinity, columns);
      continue;
    }
    finishRun();
    recut.push(chunk);
  }
  finishRun();
  return recut;
}
