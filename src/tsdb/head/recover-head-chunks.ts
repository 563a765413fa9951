import { SeriesField } from "../../kernels/append-kernel.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import type { Labels } from "../../model/labels.ts";
import type { DeletedSamples } from "../block/deleted-samples.ts";
import { decodeChunk, chunkSampleCount } from "../chunk/decode-chunk.ts";
import { isChunkEncoding } from "../chunk/encoding.ts";
import { PlainColumns } from "../chunk/plain-columns.ts";
import { CorruptionError } from "../corruption-error.ts";
import { chunkBytes, chunkCapacityBytes, forEachChunk, type HeadChunk } from "./chunk-pages.ts";
import type { Generation } from "./generation.ts";
import type { GenerationWriter } from "./generation-writer.ts";
import type { HeadFileChunk } from "./head-chunk-files.ts";
import { outOfOrderView, readOutOfOrder } from "./out-of-order.ts";

/** The series of a replayed log, by numbers from 1. */
export interface ReplayedSeries {
  /** 0 where the log does not know the reference. */
  numberOf(ref: number): number;
  readonly count: number;
  labels(series: number): Labels;
  /** Where samples of a series are, by time. */
  placesOf(series: number): Iterable<{ readonly writer: GenerationWriter; readonly ref: number }>;
  /** Samples before this are in blocks. */
  readonly minValidTime: number;
}

/** Takes samples that the log lost. */
export interface RecoverySink {
  addFloat(series: number, timeMs: number, valueHigh: number, valueLow: number, startMs: number): void;
  addHistogram(series: number, timeMs: number, histogram: FloatHistogram, startMs: number): void;
  /** The samples so far are to be found in the head, and in the log. */
  commit(): void;
}

/** Calls back for each chunk there is; may be called twice. */
export type ChunkWalk = (visit: (chunk: HeadFileChunk) => void) => void;

/**
 * Finds the samples that are in chunks beside the log and that the log did not have: what a damaged log lost. In a
 * sound one there are none, so it is first looked at by counts, series by series, and only where something is missing
 * chunks are decoded.
 *
 * @param walk gives out-of-order chunks only where the log of such samples is not whole: they stay in their file for
 * some time after their samples went to a block, and so may hold what was deleted there
 * @param readDeleted reads the blocks for it, asked at most once
 * @returns how many samples were added
 */
export function recoverHeadChunks(
  walk: ChunkWalk,
  replayed: ReplayedSeries,
  sink: RecoverySink,
  readDeleted: () => DeletedSamples,
): number {
  const suspects = findSuspects(walk, replayed);
  if (suspects === null) return 0;
  const deleted = readDeleted();
  const columns = new PlainColumns();
  let added = 0;
  walk((chunk) => {
    const series = replayed.numberOf(chunk.ref);
    if (series === 0 || suspects[series] === 0 || !isWanted(chunk, replayed)) return;
    try {
      decodeChunk(chunk.encoding, chunk.bytes.slice(), -Infinity, Infinity, columns.clear());
    } catch (error) {
      // Its checksum is right, so it was written like this: it holds what could be read.
      if (!(error instanceof CorruptionError)) throw error;
    }
    const known = timesOf(replayed, series, chunk.minTime, chunk.maxTime);
    const labels = replayed.labels(series);
    for (let i = 0; i < columns.count; i++) {
      const time = columns.times[i]!;
      if (known.has(time) || (time < replayed.minValidTime && !chunk.isOutOfOrder)) continue;
      if (deleted.has(labels, time)) continue;
      const histogram = columns.histograms?.[i];
      const start = columns.startTimes?.[i] ?? 0;
      if (histogram) sink.addHistogram(series, time, histogram, start);
      else sink.addFloat(series, time, columns.valueWords[2 * i + 1]!, columns.valueWords[2 * i]!, start);
      added++;
    }
    sink.commit();
  });
  return added;
}

function isWanted({ encoding, isOutOfOrder, maxTime }: HeadFileChunk, { minValidTime }: ReplayedSeries) {
  return isChunkEncoding(encoding) && (isOutOfOrder || maxTime >= minValidTime);
}

/** By series, 1 where the head has fewer samples than the chunks; null if there is no such series. */
function findSuspects(walk: ChunkWalk, replayed: ReplayedSeries): Uint8Array | null {
  const size = replayed.count + 1;
  const inOrder = new Uint32Array(size);
  const outOfOrder = new Uint32Array(size);
  const first = new Float64Array(size).fill(Infinity);
  const last = new Float64Array(size).fill(-Infinity);
  const suspects = new Uint8Array(size);
  let found = false;
  walk((chunk) => {
    const series = replayed.numberOf(chunk.ref);
    if (series === 0 || !isWanted(chunk, replayed)) return;
    const count = chunkSampleCount(chunk.encoding, chunk.bytes);
    if (chunk.isOutOfOrder) outOfOrder[series]! += count;
    else if (chunk.minTime < replayed.minValidTime) {
      // A part of it is in a block. How large a part cannot be told from here.
      suspects[series] = 1;
      found = true;
    } else {
      inOrder[series]! += count;
      first[series] = Math.min(first[series]!, chunk.minTime);
      last[series] = Math.max(last[series]!, chunk.maxTime);
    }
  });
  for (let series = 1; series < size; series++) {
    if (inOrder[series] === 0 && outOfOrder[series] === 0) continue;
    const counted = countSamples(replayed, series, first[series]!, last[series]!);
    if (counted.inOrder >= inOrder[series]! && counted.outOfOrder >= outOfOrder[series]!) continue;
    suspects[series] = 1;
    found = true;
  }
  return found ? suspects : null;
}

/** How many in-order samples of a series lie between two times, both included, and how many others it has at all. */
function countSamples(replayed: ReplayedSeries, series: number, minTime: number, maxTime: number) {
  let inOrder = 0;
  let outOfOrder = 0;
  for (const { writer, ref } of replayed.placesOf(series)) {
    const { generation } = writer;
    if (minTime <= maxTime) {
      inOrder += samplesUpTo(generation, ref, maxTime) - samplesUpTo(generation, ref, minTime - 1);
    }
    const late = outOfOrderView(generation, ref, null);
    if (late) outOfOrder += late.floats + late.encoded;
  }
  return { inOrder, outOfOrder };
}

/** Decodes one chunk at most. */
function samplesUpTo(generation: Generation, ref: number, maxTime: number): number {
  const samples = generation.series.field(ref, SeriesField.samples);
  if (samples === 0 || generation.firstTime(ref) > maxTime) return 0;
  if (generation.lastTime(ref) <= maxTime) return samples;
  let before = 0;
  let newest: HeadChunk | null = null;
  forEachChunk(generation, ref, samples, -Infinity, maxTime, (chunk) => {
    if (newest) before += newest.count;
    newest = { ...chunk };
  });
  return newest === null ? 0 : before + decodeHeadChunk(generation, newest, -Infinity, maxTime).count;
}

function decodeHeadChunk(
  generation: Generation,
  { page, count, encoding }: HeadChunk,
  minTime: number,
  maxTime: number,
  columns = new PlainColumns(),
): PlainColumns {
  const bytes = chunkBytes(generation, page, count, chunkCapacityBytes(generation, page));
  decodeChunk(encoding, bytes, minTime, maxTime, columns);
  return columns;
}

/** The times of a series' samples in a range, both ends included. */
function timesOf(replayed: ReplayedSeries, series: number, minTime: number, maxTime: number): Set<number> {
  const columns = new PlainColumns();
  for (const { writer, ref } of replayed.placesOf(series)) {
    const { generation } = writer;
    const samples = generation.series.field(ref, SeriesField.samples);
    if (samples > 0) {
      forEachChunk(generation, ref, samples, minTime, maxTime, (chunk) => {
        decodeHeadChunk(generation, chunk, minTime, maxTime, columns);
      });
    }
    const late = outOfOrderView(generation, ref, null);
    if (late) readOutOfOrder(generation, ref, late, minTime, maxTime, columns);
  }
  return new Set(columns.times.subarray(0, columns.count));
}
