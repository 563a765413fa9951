import { SeriesField } from "../../kernels/append-kernel.ts";
import type { SampleColumns } from "../../model/storage.ts";
import type { Interval } from "../block/tombstones.ts";
import { copySample, truncateColumns } from "../merge-runs.ts";
import { HEADER_WORD, Header } from "./arena.ts";
import { EntryChain } from "./entry-chain.ts";
import type { Generation } from "./generation.ts";

/** Deleted ranges of a generation's series: entries of (series, first and last time deleted). */
function deletionsOf(generation: Generation): EntryChain {
  return new EntryChain(generation.arena, HEADER_WORD + Header.deletions);
}

/**
 * Hides the samples a series has now between two times, both included; what is appended later shows.
 * Writer only. @returns the range as it was put down, null if the series has nothing there
 */
export function deleteRange(
  generation: Generation,
  series: number,
  minTime: number,
  maxTime: number,
): Interval | null {
  const isInOrder = generation.series.field(series, SeriesField.samples) > 0;
  const hasOutOfOrder = generation.series.field(series, SeriesField.outOfOrder) !== 0;
  if (!isInOrder && !hasOutOfOrder) return null;
  const newest = hasOutOfOrder ? generation.maxTime : generation.lastTime(series);
  const from = Math.max(minTime, generation.minTime);
  const to = Math.min(maxTime, newest);
  if (from > to) return null;
  const { startTime } = generation;
  deletionsOf(generation).append(series, from - startTime, to - startTime);
  return { minTime: from, maxTime: to };
}

/** All deleted ranges, by series; null where there are none, the common case. */
export function readDeletions(generation: Generation): ReadonlyMap<number, readonly Interval[]> | null {
  const chain = deletionsOf(generation);
  const { count } = chain;
  if (count === 0) return null;
  const deletions = new Map<number, Interval[]>();
  chain.forEach(count, (series, from, to) => {
    const interval = { minTime: generation.startTime + from, maxTime: generation.startTime + to };
    const known = deletions.get(series);
    if (known) known.push(interval);
    else deletions.set(series, [interval]);
  });
  return deletions;
}

/** Leaves out the samples from index `from` on that lie in a deleted range. */
export function dropDeleted(columns: SampleColumns, from: number, intervals: readonly Interval[]): void {
  let to = from;
  for (let i = from; i < columns.count; i++) {
    const time = columns.times[i]!;
    if (intervals.some(({ minTime, maxTime }) => time >= minTime && time <= maxTime)) continue;
    if (i !== to) copySample(columns, i, to);
    to++;
  }
  truncateColumns(columns, to);
}
