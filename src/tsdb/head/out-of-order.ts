import { SeriesField } from "../../kernels/append-kernel.ts";
import type { SampleColumns } from "../../model/storage.ts";
import { appendSample } from "../chunk/append-sample.ts";
import { decodeChunk } from "../chunk/decode-chunk.ts";
import { ChunkEncoding } from "../chunk/encoding.ts";
import { HistogramChunkBuilder } from "../chunk/histogram-chunk-builder.ts";
import { Xor2ChunkWriter } from "../chunk/xor2-chunk.ts";
import { Header } from "./arena.ts";
import { ENTRY_CHAIN_WORDS, EntryChain } from "./entry-chain.ts";
import type { Generation } from "./generation.ts";
import type { LateFloat, PendingHistogram } from "./generation-writer.ts";

/**
 * The out-of-order samples of the series that have some, as they came: unsorted, unencoded, few. They are sorted
 * and merged with the others when they are read.
 *
 * A series' record points to a run of ten words: for plain floats, then for what is encoded (histograms, and floats
 * with start times), a chain's head, the last commit and the count before it. Entries are (time, value low, value
 * high), or (time, run with a chunk of one sample, its encoding).
 */
const FLOATS = 0;
const ENCODED = ENTRY_CHAIN_WORDS + 2;
const RUN_WORDS = 2 * ENCODED;
const LAST_COMMIT = ENTRY_CHAIN_WORDS;
const COUNT_BEFORE = ENTRY_CHAIN_WORDS + 1;

/** Equal times are looked for among this many of the newest, as many as Prometheus keeps in a chunk. */
const MAX_COMPARED = 32;

/** How many out-of-order samples of a series a query sees. */
export interface OutOfOrderView {
  readonly floats: number;
  readonly encoded: number;
}

export function hasOutOfOrder(generation: Generation, series: number): boolean {
  return generation.series.field(series, SeriesField.outOfOrder) !== 0;
}

/** What a view made at `commit` (null: now) sees of a series' out-of-order samples; null if it has none. */
export function outOfOrderView(
  generation: Generation,
  series: number,
  commit: number | null,
): OutOfOrderView | null {
  const run = generation.series.field(series, SeriesField.outOfOrder);
  if (run === 0) return null;
  const visible = (at: number) => {
    const { atomic } = generation.arena;
    const isLater = commit !== null && ((Atomics.load(atomic, at + LAST_COMMIT) - commit) | 0) > 0;
    return Atomics.load(atomic, isLater ? at + COUNT_BEFORE : at);
  };
  const floats = visible(run + FLOATS);
  const encoded = visible(run + ENCODED);
  return floats + encoded === 0 ? null : { floats, encoded };
}

/** Adds a float. @returns false if there is a sample of that time already. Writer only. */
export function insertFloat(
  generation: Generation,
  { ref, timeMs, valueHigh, valueLow, startMs }: LateFloat,
  commit: number,
): boolean {
  if (startMs === 0) {
    return insert(generation, ref, FLOATS, timeMs, commit, (offset, chain) => {
      chain.append(offset, valueLow, valueHigh);
    });
  }
  return insert(generation, ref, ENCODED, timeMs, commit, (offset, chain) => {
    const writer = new Xor2ChunkWriter();
    writer.append(timeMs, valueHigh, valueLow, startMs);
    chain.append(offset, storeChunk(generation, writer.toBytes()), ChunkEncoding.xor2);
  });
}

/** Adds a histogram. @returns false if there is one of that time already. Writer only. */
export function insertHistogram(
  generation: Generation,
  { ref, timeMs, histogram, startMs }: PendingHistogram,
  commit: number,
): boolean {
  return insert(generation, ref, ENCODED, timeMs, commit, (offset, chain) => {
    const builder = HistogramChunkBuilder.open(null, timeMs, histogram, startMs, startMs !== 0);
    chain.append(offset, storeChunk(generation, builder.toBytes()), builder.encoding);
  });
}

/** A chunk behind its size. @returns its byte offset */
function storeChunk({ arena }: Generation, bytes: Uint8Array): number {
  const pointer = arena.allocateRun(4 + bytes.length);
  arena.words[pointer / 4] = bytes.length;
  arena.bytes.set(bytes, pointer + 4);
  return pointer;
}

function insert(
  generation: Generation,
  series: number,
  kind: number,
  timeMs: number,
  commit: number,
  append: (offset: number, chain: EntryChain) => void,
): boolean {
  const { arena } = generation;
  const table = generation.series;
  const offset = timeMs - generation.startTime;
  let run = table.field(series, SeriesField.outOfOrder);
  if (run === 0) {
    run = arena.allocateRun(4 * RUN_WORDS) / 4;
    table.setField(series, SeriesField.outOfOrder, run);
  }
  const at = run + kind;
  const chain = new EntryChain(arena, at);
  const { count } = chain;
  let index = 0;
  let isKnown = false;
  chain.forEach(count, (time) => {
    if (index++ >= count - MAX_COMPARED && time === offset) isKnown = true;
  });
  if (isKnown) return false;
  if (arena.words[at + LAST_COMMIT] !== commit >>> 0) {
    arena.words[at + COUNT_BEFORE] = count;
    Atomics.store(arena.atomic, at + LAST_COMMIT, commit);
  }
  append(offset, chain);
  if (offset < arena.header(Header.minTime)) arena.setHeader(Header.minTime, offset);
  if (offset > arena.header(Header.maxTime)) arena.setHeader(Header.maxTime, offset);
  return true;
}

/** Appends the samples of a view between two times, both included, ascending, one for each time. */
export function readOutOfOrder(
  generation: Generation,
  series: number,
  view: OutOfOrderView,
  minTime: number,
  maxTime: number,
  columns: SampleColumns,
): void {
  const { arena, startTime } = generation;
  const run = generation.series.field(series, SeriesField.outOfOrder);
  const entries: Entry[] = [];
  const collect = (kind: number, count: number) => {
    new EntryChain(arena, run + kind).forEach(count, (offset, low, high) => {
      const timeMs = startTime + offset;
      if (timeMs >= minTime && timeMs <= maxTime) entries.push({ kind, timeMs, low, high });
    });
  };
  collect(FLOATS, view.floats);
  collect(ENCODED, view.encoded);
  entries.sort((a, b) => a.timeMs - b.timeMs);
  entries.forEach(({ kind, timeMs, low, high }, i) => {
    // Of equal times the one that came first is kept: the order is stable.
    if (i > 0 && entries[i - 1]!.timeMs === timeMs) return;
    if (kind === FLOATS) appendSample(columns, timeMs, high, low, 0);
    else {
      const bytes = arena.bytes.slice(low + 4, low + 4 + arena.words[low / 4]!);
      decodeChunk(high, bytes, -Infinity, Infinity, columns);
    }
  });
}

interface Entry {
  readonly kind: number;
  readonly timeMs: number;
  readonly low: number;
  readonly high: number;
}
