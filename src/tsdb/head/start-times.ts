import type { SampleColumns } from "../../model/storage.ts";
import { Header } from "./arena.ts";
import { ENTRY_CHAIN_WORDS, EntryChain } from "./entry-chain.ts";
import type { Generation } from "./generation.ts";

/**
 * When the counters behind a generation's samples began. That changes only when a target starts anew, so only changes
 * are kept: a chain for each series that has any, of entries (time of the first sample it holds for, start time as two
 * words). A column of chains by series is made with the first of them; where nobody tells start times there is none.
 */

/** Of which samples they are kept: histograms need an encoding of their own, which earlier Prometheus cannot read. */
export type KeptStartTimes = "none" | "floats" | "all";

/** Whether any start time is known. */
export function hasStartTimes(generation: Generation): boolean {
  return generation.arena.header(Header.startTimes) !== 0;
}

/** A series' changes of start time, null for one that never told any. */
function chainOf({ arena }: Generation, series: number): EntryChain | null {
  const column = arena.header(Header.startTimes);
  if (column === 0) return null;
  const head = Atomics.load(arena.atomic, column / 4 + series);
  return head === 0 ? null : new EntryChain(arena, head);
}

export function seriesHasStartTimes(generation: Generation, series: number): boolean {
  return chainOf(generation, series) !== null;
}

/** Gives the samples of a series from index `from` on, which must ascend, their start times. */
export function readStartTimes(
  generation: Generation,
  series: number,
  columns: SampleColumns,
  from: number,
): void {
  const chain = chainOf(generation, series);
  if (chain === null || columns.count === from) return;
  const { times, count } = columns;
  const startTimes = (columns.startTimes ??= new Float64Array(times.length));
  let at = from;
  let start = 0;
  chain.forEach(chain.count, (offset, low, high) => {
    const time = generation.startTime + offset;
    while (at < count && times[at]! < time) startTimes[at++] = start;
    startWords[0] = low;
    startWords[1] = high;
    start = startValue[0]!;
  });
  startTimes.fill(start, at, count);
}

/** The writing side: only the thread that owns the generation has one. */
export class StartTimes {
  /** The start time of each series' newest sample. */
  private newest = new Float64Array(0);

  constructor(private readonly generation: Generation) {}

  /**
   * Notes the start time (0: unknown) of a sample that is about to be appended, the series' newest. To be called for
   * each, from the first on that has one, and before readers can see the sample.
   */
  note(series: number, timeMs: number, startMs: number): void {
    if (startMs === (this.newest[series] ?? 0)) return;
    const { arena, startTime } = this.generation;
    let column = arena.header(Header.startTimes);
    if (column === 0) {
      column = arena.allocateRun(4 * (arena.maxSeries + 1));
      arena.setHeader(Header.startTimes, column);
    }
    if (series >= this.newest.length) {
      const grown = new Float64Array(Math.ceil(1.5 * (series + 1)));
      grown.set(this.newest);
      this.newest = grown;
    }
    this.newest[series] = startMs;
    const head = arena.words[column / 4 + series] || arena.allocateRun(4 * ENTRY_CHAIN_WORDS) / 4;
    startValue[0] = startMs;
    new EntryChain(arena, head).append(timeMs - startTime, startWords[0]!, startWords[1]!);
    Atomics.store(arena.atomic, column / 4 + series, head);
  }
}

const startValue = new Float64Array(1);
const startWords = new Uint32Array(startValue.buffer);
