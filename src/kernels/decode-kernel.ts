import type { SampleColumns } from "../model/storage.ts";
import type { QueryMemory } from "./query-memory.ts";

/** A chunk's bits end before its samples do: the bytes are not what was written. */
export class ChunkDecodeError extends Error {
  override readonly name = "ChunkDecodeError";
}

/** Bytes behind a chunk that the kernel may look at, whatever they hold; keep them inside the memory. */
export const CHUNK_PADDING_BYTES = 16;

/** Words a chunk takes in a chunk list: pointer to its bits, size of its bits in bytes, samples to decode. */
export const CHUNK_LIST_WORDS = 3;

/**
 * Appends the samples of XOR chunks (encoding 1) to columns, in one call for all of a series' chunks.
 *
 * The chunk list lies in query memory, `CHUNK_LIST_WORDS` words a chunk. Its pointers are byte offsets in the same
 * memory and point at the bits themselves, *behind* the two bytes of the sample count on disk; the bytes must be
 * followed by `CHUNK_PADDING_BYTES`. Chunks must not overlap in time and stand in ascending order: decoding ends at
 * the first sample after `maxTime`. Value bits arrive untouched. `columns` must be views into `memory`, as
 * `QuerySampleColumns` are.
 *
 * @throws ChunkDecodeError when a chunk's bits end too early; `columns` keeps its samples
 */
export function decodeXorChunks(
  memory: QueryMemory,
  listPointer: number,
  chunkCount: number,
  columns: SampleColumns,
  minTime: number,
  maxTime: number,
): void {
  const first = listPointer >>> 2;
  let listed = 0;
  for (let i = 0; i < chunkCount; i++) listed += memory.words[first + CHUNK_LIST_WORDS * i + 2]!;
  if (listed === 0) return;
  // One more, because the kernel may write a sample it then leaves out.
  columns.reserve(columns.count + listed + 1);
  const written = memory.exports["decodeXorChunks"]!(
    listPointer,
    chunkCount,
    columns.times.byteOffset + 8 * columns.count,
    columns.values.byteOffset + 8 * columns.count,
    minTime,
    maxTime,
  );
  if (written < 0) {
    const chunk = -1 - written;
    const entry = first + CHUNK_LIST_WORDS * chunk;
    throw new ChunkDecodeError(
      `cannot decode chunk ${chunk + 1} of ${chunkCount}: its ${memory.words[entry + 1]} bytes end before its ${memory.words[entry + 2]} samples`,
    );
  }
  // Chunks of this encoding have none.
  columns.startTimes?.fill(0, columns.count, columns.count + written);
  columns.count += written;
}
