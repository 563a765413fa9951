/** Which blocks have had their time: pure decisions over what blocks say of themselves. */
import type { BlockMeta } from "../block/meta.ts";

export interface RetainedBlock {
  readonly meta: BlockMeta;
  readonly sizeBytes: number;
}

/** Newest first, by the end of their samples. */
function newestFirst<T extends RetainedBlock>(blocks: readonly T[]): T[] {
  return blocks.toSorted((a, b) => b.meta.maxTime - a.meta.maxTime);
}

/**
 * Blocks that end `retentionMs` or more before the newest one does.
 * @param retentionMs 0 keeps everything
 */
export function blocksBeyondTime<T extends RetainedBlock>(blocks: readonly T[], retentionMs: number): T[] {
  if (retentionMs <= 0) return [];
  const sorted = newestFirst(blocks);
  const first = sorted.findIndex(({ meta }) => sorted[0]!.meta.maxTime - meta.maxTime >= retentionMs);
  return first < 0 ? [] : sorted.slice(first);
}

/**
 * Blocks that no longer fit, counted from the newest, and all older ones.
 * @param headBytes what the log and the head take of the same disk
 * @param maxBytes 0 keeps everything
 */
export function blocksBeyondSize<T extends RetainedBlock>(
  blocks: readonly T[],
  headBytes: number,
  maxBytes: number,
): T[] {
  if (maxBytes <= 0) return [];
  const sorted = newestFirst(blocks);
  let total = headBytes;
  const first = sorted.findIndex(({ sizeBytes }) => (total += sizeBytes) > maxBytes);
  return first < 0 ? [] : sorted.slice(first);
}

export interface RetentionLimits {
  readonly timeMs: number;
  readonly sizeBytes: number;
  /** Of the disk, 0 to 100; replaces the size where set. */
  readonly percentage: number;
}

/** The greatest size that the limits allow on a disk, 0 for any. */
export function sizeLimitBytes(limits: RetentionLimits, diskBytes: number): number {
  return limits.percentage > 0 ? Math.floor((diskBytes * limits.percentage) / 100) : limits.sizeBytes;
}
