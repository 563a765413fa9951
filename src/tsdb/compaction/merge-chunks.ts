import type { EncodedChunk } from "../block/chunk-series.ts";
import { isDeleted, type Interval } from "../block/tombstones.ts";
import { decodeChunk } from "../chunk/decode-chunk.ts";
import { encodeChunks, type FloatChunkEncoding } from "../chunk/encode-chunks.ts";
import { ChunkEncoding } from "../chunk/encoding.ts";
import { PlainColumns } from "../chunk/plain-columns.ts";

/** A chunk, and what of it is deleted. */
export interface ChunkToMerge {
  readonly chunk: EncodedChunk;
  readonly deleted: readonly Interval[];
}

/**
 * One series' chunks, of whatever order and origin, as chunks apart from each other in time and without deleted
 * samples. Chunks that nothing touches are passed on as they are; the others are decoded, merged and encoded anew.
 * Of samples at the same time the first chunk's stays, in the order given.
 *
 * @param minTime samples before it are left out, and those after `maxTime`; both ends included
 */
export function mergeChunks(
  chunks: readonly ChunkToMerge[],
  floats: FloatChunkEncoding = "xor",
  minTime = -Infinity,
  maxTime = Infinity,
): EncodedChunk[] {
  const left: ChunkToMerge[] = [];
  for (const { chunk, deleted } of chunks) {
    if (chunk.maxTime < minTime || chunk.minTime > maxTime) continue;
    const touching = deleted.filter((each) => each.minTime <= chunk.maxTime && each.maxTime >= chunk.minTime);
    if (touching.some((each) => each.minTime <= chunk.minTime && each.maxTime >= chunk.maxTime)) continue;
    left.push({ chunk, deleted: touching });
  }
  // Stable: of those that begin together the first given stays first.
  left.sort((a, b) => a.chunk.minTime - b.chunk.minTime);

  const merged: EncodedChunk[] = [];
  for (let from = 0; from < left.length;) {
    let end = from + 1;
    let groupEnd = left[from]!.chunk.maxTime;
    while (end < left.length && left[end]!.chunk.minTime <= groupEnd) {
      groupEnd = Math.max(groupEnd, left[end]!.chunk.maxTime);
      end++;
    }
    const group = withoutCopies(left.slice(from, end));
    const { chunk, deleted } = group[0]!;
    const isWhole = deleted.length === 0 && chunk.minTime >= minTime && chunk.maxTime <= maxTime;
    if (group.length === 1 && isWhole) merged.push(chunk);
    else {
      const usesXor2 = group.some((each) => each.chunk.encoding === ChunkEncoding.xor2);
      merged.push(...encodeChunks(mergedSamples(group, minTime, maxTime), usesXor2 ? "xor2" : floats));
    }
    from = end;
  }
  return merged;
}

/** A copy of a chunk (of two servers that scraped alike, or one block taken in twice) need not be decoded. */
function withoutCopies(group: readonly ChunkToMerge[]): ChunkToMerge[] {
  const kept: ChunkToMerge[] = [];
  for (const each of group) {
    const isCopy = kept.some(
      (other) =>
        other.deleted.length === 0 &&
        each.deleted.length === 0 &&
        other.chunk.encoding === each.chunk.encoding &&
        Buffer.compare(other.chunk.bytes, each.chunk.bytes) === 0,
    );
    if (!isCopy) kept.push(each);
  }
  return kept;
}

function mergedSamples(group: readonly ChunkToMerge[], minTime: number, maxTime: number): PlainColumns {
  const all = new PlainColumns();
  const order: number[] = [];
  for (const { chunk, deleted } of group) {
    const before = all.count;
    decodeChunk(chunk.encoding, chunk.bytes, minTime, maxTime, all);
    for (let i = before; i < all.count; i++) if (!isDeleted(deleted, all.times[i]!)) order.push(i);
  }
  // Stable again: at one time, the sample of the chunk that came first.
  order.sort((a, b) => all.times[a]! - all.times[b]!);

  const merged = new PlainColumns(order.length);
  if (all.histograms) merged.histograms = [];
  if (all.startTimes) merged.startTimes = new Float64Array(merged.times.length);
  let lastTime = NaN;
  for (const i of order) {
    const time = all.times[i]!;
    if (time === lastTime) continue;
    lastTime = time;
    const to = merged.count++;
    merged.times[to] = time;
    merged.valueWords[2 * to] = all.valueWords[2 * i]!;
    merged.valueWords[2 * to + 1] = all.valueWords[2 * i + 1]!;
    if (merged.histograms) merged.histograms[to] = all.histograms![i];
    if (merged.startTimes) merged.startTimes[to] = all.startTimes![i]!;
  }
  return merged;
}
