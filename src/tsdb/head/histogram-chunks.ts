import {
  MAX_SAMPLES_BEFORE,
  FIRST_PAGE_DATA_WORD,
  PAGE_BYTES,
  PAGE_DATA_WORD,
  PAGE_WORDS,
  PageField,
  SAMPLES_PER_CHUNK,
  SeriesField,
} from "../../kernels/append-kernel.ts";
import type { FloatHistogram } from "../../model/histogram.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../model/sample.ts";
import { SampleOutcome } from "../../model/storage.ts";
import { ChunkEncoding } from "../chunk/encoding.ts";
import { HistogramChunkBuilder } from "../chunk/histogram-chunk-builder.ts";
import { Header } from "./arena.ts";
import type { Generation } from "./generation.ts";

/** A chunk of histograms is cut at this size if it has some samples. */
const MAX_CHUNK_BYTES = 2048;
const MIN_SAMPLES = 10;

const FIRST_PAGE_DATA_BYTES = 4 * (PAGE_WORDS - FIRST_PAGE_DATA_WORD);
const PAGE_DATA_BYTES = 4 * (PAGE_WORDS - PAGE_DATA_WORD);
/** Chunk pages hold a chunk without its two bytes of count. */
const COUNT_BYTES = 2;

interface OpenChunk {
  readonly builder: HistogramChunkBuilder;
  /** What lies in the pages. */
  bytes: Uint8Array;
  last: FloatHistogram;
}

/**
 * Appends native histograms to the series of a generation. The open chunk of each such series is kept as an object
 * that encodes it; its bytes go to the same chains of pages as those of floats, a few more with each sample. Where a
 * sample makes the encoder begin anew (new buckets), the chunk gets new pages, and readers of the old ones are none
 * the worse.
 */
export class HistogramChunks {
  private readonly open = new Map<number, OpenChunk>();
  private readonly sum = new Float64Array(1);
  private readonly sumWords = new Uint32Array(this.sum.buffer);

  constructor(private readonly generation: Generation) {}

  /** Whether the series' newest sample is a histogram. */
  isHistogramSeries(series: number): boolean {
    const encoding = this.encodingOf(series);
    return encoding === ChunkEncoding.histogram || encoding === ChunkEncoding.floatHistogram;
  }

  /** The newest sample of a series, null where that is no histogram. */
  newest(series: number): FloatHistogram | null {
    return this.isHistogramSeries(series) ? (this.open.get(series)?.last ?? null) : null;
  }

  /** Visits the series whose newest sample is a histogram, with that. */
  forEachNewest(visit: (series: number, histogram: FloatHistogram) => void): void {
    for (const [series, { last }] of this.open) if (this.isHistogramSeries(series)) visit(series, last);
  }

  private encodingOf(series: number): number {
    return (this.generation.series.field(series, SeriesField.state) >>> 8) & 0xff;
  }

  /** What would become of a histogram at this time. */
  judge(series: number, timeMs: number, histogram: FloatHistogram): SampleOutcome {
    const table = this.generation.series;
    if (table.field(series, SeriesField.samples) === 0) return SampleOutcome.appended;
    const lastTime = this.generation.lastTime(series);
    if (timeMs > lastTime) return SampleOutcome.appended;
    if (timeMs < lastTime) return SampleOutcome.outOfOrder;
    const last = this.isHistogramSeries(series) ? this.open.get(series)?.last : undefined;
    return last && isSameHistogram(last, histogram)
      ? SampleOutcome.repeated
      : SampleOutcome.duplicateTimestamp;
  }

  /**
   * The staleness marker for a series of histograms.
   * @param newest its newest sample, where that is still to be appended
   */
  staleHistogram(series: number, newest: FloatHistogram | null = null): FloatHistogram {
    return {
      ...EMPTY_HISTOGRAM,
      isInteger: newest ? newest.isInteger : this.encodingOf(series) === ChunkEncoding.histogram,
      isStale: true,
    };
  }

  /** Appends a histogram, if it is newer than the series' newest sample. @returns whether it was */
  append(series: number, timeMs: number, histogram: FloatHistogram, commit: number): boolean {
    const { generation } = this;
    const table = generation.series;
    const { arena } = generation;
    if (this.judge(series, timeMs, histogram) !== SampleOutcome.appended) return false;
    const total = table.field(series, SeriesField.samples);
    const lastCommit = table.field(series, SeriesField.lastCommit);
    if (lastCommit !== commit >>> 0) {
      table.setField(series, SeriesField.previousCommit, lastCommit);
      table.setField(series, SeriesField.samplesBefore, total);
      Atomics.store(arena.atomic, arena.records / 4 + 16 * series + SeriesField.lastCommit, commit);
    }
    const offset = timeMs - generation.startTime;

    // The open chunk may have been followed by one of floats since.
    const open =
      this.encodingOf(series) === this.open.get(series)?.builder.encoding ? this.open.get(series)! : null;
    const isFull =
      open !== null &&
      (open.builder.count >= SAMPLES_PER_CHUNK ||
        (open.builder.byteLength >= MAX_CHUNK_BYTES && open.builder.count >= MIN_SAMPLES));
    if (open !== null && !isFull && open.builder.append(timeMs, histogram)) {
      this.continueChunk(series, open, histogram);
    } else {
      this.beginChunk(series, open, timeMs, histogram);
    }

    table.setField(series, SeriesField.lastTime, offset);
    this.sum[0] = histogram.sum;
    table.setField(series, SeriesField.lastValueLow, histogram.isStale ? STALE_LOW_WORD : this.sumWords[0]!);
    table.setField(
      series,
      SeriesField.lastValueHigh,
      histogram.isStale ? STALE_HIGH_WORD : this.sumWords[1]!,
    );
    Atomics.store(arena.atomic, arena.records / 4 + 16 * series + SeriesField.samples, total + 1);
    if (offset < arena.header(Header.minTime)) arena.setHeader(Header.minTime, offset);
    if (offset > arena.header(Header.maxTime)) arena.setHeader(Header.maxTime, offset);
    arena.setHeader(Header.histogramSamples, arena.header(Header.histogramSamples) + 1);
    return true;
  }

  private beginChunk(
    series: number,
    open: OpenChunk | null,
    timeMs: number,
    histogram: FloatHistogram,
  ): void {
    const { generation } = this;
    const table = generation.series;
    const { words } = generation.arena;
    const builder = HistogramChunkBuilder.open(open?.builder ?? null, timeMs, histogram);
    const bytes = builder.toBytes();
    const page = generation.arena.allocatePages(1);
    words[page * PAGE_WORDS + PageField.firstTime] = timeMs - generation.startTime;
    const before = table.field(series, SeriesField.samples);
    words[page * PAGE_WORDS + PageField.sealed] = Math.min(before, MAX_SAMPLES_BEFORE);
    this.write(series, page, bytes, COUNT_BYTES);
    const tail = table.field(series, SeriesField.tailChunk);
    if (tail === 0) table.setField(series, SeriesField.firstChunk, page);
    else {
      sealChunk(generation, series);
      words[tail * PAGE_WORDS + PageField.nextChunk] = page;
    }
    table.setField(series, SeriesField.tailChunk, page);
    this.setState(series, page, bytes, builder);
    generation.arena.setHeader(Header.chunks, generation.chunkCount + 1);
    this.open.set(series, { builder, bytes, last: histogram });
  }

  private continueChunk(series: number, open: OpenChunk, histogram: FloatHistogram): void {
    const { generation } = this;
    const { words } = generation.arena;
    const bytes = open.builder.toBytes();
    const known = open.bytes;
    let same = COUNT_BYTES;
    while (same < known.length && known[same] === bytes[same]) same++;
    let page = generation.series.field(series, SeriesField.tailChunk);
    // Bits are only added to the last byte: otherwise the chunk was encoded anew.
    if (same >= known.length - 1) this.write(series, page, bytes, same);
    else {
      const old = page;
      page = generation.arena.allocatePages(1);
      words[page * PAGE_WORDS + PageField.firstTime] = words[old * PAGE_WORDS + PageField.firstTime]!;
      words[page * PAGE_WORDS + PageField.sealed] = words[old * PAGE_WORDS + PageField.sealed]!;
      this.write(series, page, bytes, COUNT_BYTES);
      this.relink(series, old, page);
    }
    this.setState(series, page, bytes, open.builder);
    open.bytes = bytes;
    open.last = histogram;
  }

  /** Puts a chunk's new pages in the place of the old. A reader that went the old way finds all it was promised. */
  private relink(series: number, old: number, page: number): void {
    const table = this.generation.series;
    const { words } = this.generation.arena;
    let before = table.field(series, SeriesField.firstChunk);
    if (before === old) table.setField(series, SeriesField.firstChunk, page);
    else {
      for (let next: number; (next = words[before * PAGE_WORDS + PageField.nextChunk]!) !== old;)
        before = next;
      words[before * PAGE_WORDS + PageField.nextChunk] = page;
    }
    table.setField(series, SeriesField.tailChunk, page);
  }

  /** Writes a chunk's bytes from index `from` on to its chain of pages, which grows as needed. */
  private write(series: number, firstPage: number, bytes: Uint8Array, from: number): void {
    const { arena } = this.generation;
    let page = firstPage;
    let pageStart = COUNT_BYTES;
    let pageEnd = pageStart + FIRST_PAGE_DATA_BYTES;
    let data = page * PAGE_BYTES + 4 * FIRST_PAGE_DATA_WORD;
    for (;;) {
      if (from < pageEnd) {
        const end = Math.min(pageEnd, bytes.length);
        const at = Math.max(from, pageStart);
        arena.bytes.set(bytes.subarray(at, end), data + at - pageStart);
        if (end === bytes.length) break;
      }
      let next = arena.words[page * PAGE_WORDS]!;
      if (next === 0) {
        next = arena.allocatePages(1);
        arena.words[page * PAGE_WORDS] = next;
      }
      page = next;
      pageStart = pageEnd;
      pageEnd += PAGE_DATA_BYTES;
      data = page * PAGE_BYTES + 4 * PAGE_DATA_WORD;
    }
    this.generation.series.setField(series, SeriesField.page, page);
  }

  private setState(
    series: number,
    firstPage: number,
    bytes: Uint8Array,
    builder: HistogramChunkBuilder,
  ): void {
    const table = this.generation.series;
    const length = bytes.length - COUNT_BYTES;
    const inLastPage =
      length <= FIRST_PAGE_DATA_BYTES
        ? 4 * FIRST_PAGE_DATA_WORD + length
        : 4 * PAGE_DATA_WORD + (((length - FIRST_PAGE_DATA_BYTES - 1) % PAGE_DATA_BYTES) + 1);
    table.setField(series, SeriesField.position, (8 * inLastPage) | (builder.count << 16));
    const owned = table.field(series, SeriesField.state) & 0xffff0000;
    table.setField(series, SeriesField.state, owned | (builder.encoding << 8));
    table.setField(series, SeriesField.tailChunk, firstPage);
  }
}

/** Closes the series' open chunk: its size and kind are put down for readers. */
function sealChunk(generation: Generation, series: number): void {
  const table = generation.series;
  const position = table.field(series, SeriesField.position);
  const count = (position >>> 16) & 0xff;
  const usedBytes = ((position & 0xffff) + 7) >>> 3;
  const encoding = (table.field(series, SeriesField.state) >>> 8) & 0xff;
  const tail = table.field(series, SeriesField.tailChunk);
  generation.arena.words[tail * PAGE_WORDS + PageField.sealed] = count | (usedBytes << 16) | (encoding << 24);
}

const EMPTY_HISTOGRAM: FloatHistogram = {
  isInteger: true,
  counterResetHint: "unknown",
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 0,
  sum: NaN,
  isStale: false,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: new Float64Array(0),
  negativeBuckets: new Float64Array(0),
  customValues: new Float64Array(0),
};

function isSameHistogram(a: FloatHistogram, b: FloatHistogram): boolean {
  if (a.isStale || b.isStale) return a.isStale && b.isStale && a.isInteger === b.isInteger;
  return (
    a.isInteger === b.isInteger &&
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    a.zeroCount === b.zeroCount &&
    a.count === b.count &&
    Object.is(a.sum, b.sum) &&
    isSameList(a.positiveBuckets, b.positiveBuckets) &&
    isSameList(a.negativeBuckets, b.negativeBuckets) &&
    isSameList(a.customValues, b.customValues) &&
    isSameList(a.positiveSpans.flatMap(spanNumbers), b.positiveSpans.flatMap(spanNumbers)) &&
    isSameList(a.negativeSpans.flatMap(spanNumbers), b.negativeSpans.flatMap(spanNumbers))
  );
}

const spanNumbers = ({ offset, length }: { offset: number; length: number }) => [offset, length];

function isSameList(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
