import type { Labels } from "../../model/labels.ts";
import type { SeriesWriter } from "./block-writer.ts";

/** One encoded chunk, as it lies in a chunk file. */
export interface EncodedChunk {
  /** Times of the first and last sample: both included. */
  readonly minTime: number;
  readonly maxTime: number;
  /** One of `ChunkEncoding`. */
  readonly encoding: number;
  /** The chunk's data, sample count first; a view its source may overwrite once the next series is asked for. */
  readonly bytes: Uint8Array;
  /** CRC-32C of the encoding's byte and `bytes`, where the source knows it: it need not be computed again. */
  readonly crc?: number;
}

/** A series with its chunks ascending in time; where they overlap, in the order of their first samples. */
export interface ChunkSeries {
  readonly labels: Labels;
  readonly chunks: readonly EncodedChunk[];
}

/**
 * Series one at a time, strictly ascending by `compareLabels`: what a block is written from, be it a sealed head
 * generation or other blocks. May be iterated once.
 */
export interface ChunkSeriesSource extends Iterable<ChunkSeries> {
  /** A shorter way into a block that takes everything as it is, instead of iterating. */
  readonly direct?: DirectSource;
}

export interface DirectSource {
  /** No sample lies outside: `endTime` is excluded. */
  readonly startTime: number;
  readonly endTime: number;
  writeTo(writer: SeriesWriter): void;
}
