import type { FloatHistogram } from "../../model/histogram.ts";
import { decodeChunk } from "./decode-chunk.ts";
import type { ChunkEncoding } from "./encoding.ts";
import { FloatHistogramChunkWriter } from "./float-histogram-chunk.ts";
import { planHistogramAppend, widenTo } from "./histogram-append.ts";
import { HistogramChunkWriter } from "./histogram-chunk.ts";
import { CounterReset } from "./histogram-layout.ts";
import { PlainColumns } from "./plain-columns.ts";

/** One open chunk of histograms of one kind: takes them as long as they fit, recoding itself where it must. */
export class HistogramChunkBuilder {
  private writer: HistogramChunkWriter | FloatHistogramChunkWriter;
  private last: FloatHistogram;
  minTime: number;
  maxTime: number;

  private constructor(
    private readonly flags: CounterReset,
    private readonly withStart: boolean,
    timeMs: number,
    histogram: FloatHistogram,
    startMs: number,
  ) {
    this.writer = this.newWriter(histogram.isInteger);
    this.writer.append(timeMs, histogram, startMs);
    this.last = histogram;
    this.minTime = this.maxTime = timeMs;
  }

  /**
   * Opens a chunk with its first histogram.
   * @param before the chunk before it of the same series and kind, if any: it tells whether the counter was reset
   */
  static open(
    before: HistogramChunkBuilder | null,
    timeMs: number,
    histogram: FloatHistogram,
    startMs = 0,
    withStart = false,
  ): HistogramChunkBuilder {
    return new HistogramChunkBuilder(firstFlags(before, histogram), withStart, timeMs, histogram, startMs);
  }

  get isInteger(): boolean {
    return this.writer instanceof HistogramChunkWriter;
  }

  get count(): number {
    return this.writer.count;
  }

  get encoding(): ChunkEncoding {
    return this.writer.encoding;
  }

  get byteLength(): number {
    return this.writer.byteLength;
  }

  /** @returns false if this histogram must open a chunk of its own; nothing was appended then */
  append(timeMs: number, histogram: FloatHistogram, startMs = 0): boolean {
    if (histogram.isInteger !== this.isInteger) return false;
    const plan = planHistogramAppend(this.flags === CounterReset.gauge, this.last, histogram);
    if (plan.action === "cut") return false;
    if (plan.action === "recode") this.recode(plan.histogram);
    this.writer.append(timeMs, plan.histogram, startMs);
    this.last = plan.histogram;
    this.maxTime = timeMs;
    return true;
  }

  /** How a histogram that opens the next chunk stands to this one. */
  flagsFor(next: FloatHistogram): CounterReset {
    const plan = planHistogramAppend(this.flags === CounterReset.gauge, this.last, next);
    if (plan.action === "cut") {
      const isTold = plan.flags === CounterReset.reset || plan.flags === CounterReset.notReset;
      return this.isInteger || isTold ? plan.flags : CounterReset.unknown;
    }
    return CounterReset.notReset;
  }

  private recode(layout: FloatHistogram): void {
    const columns = new PlainColumns(this.count);
    decodeChunk(this.encoding, this.toBytes(), -Infinity, Infinity, columns);
    const writer = this.newWriter(this.isInteger);
    for (let i = 0; i < columns.count; i++) {
      const widened = widenTo(layout, columns.histograms![i]!);
      writer.append(columns.times[i]!, widened, columns.startTimes?.[i] ?? 0);
    }
    this.writer = writer;
  }

  private newWriter(isInteger: boolean): HistogramChunkWriter | FloatHistogramChunkWriter {
    return isInteger
      ? new HistogramChunkWriter(this.flags, this.withStart)
      : new FloatHistogramChunkWriter(this.flags, this.withStart);
  }

  toBytes(): Uint8Array {
    return this.writer.toBytes();
  }
}

function firstFlags(before: HistogramChunkBuilder | null, histogram: FloatHistogram): CounterReset {
  if (histogram.counterResetHint === "gauge") return CounterReset.gauge;
  if (histogram.counterResetHint === "reset") return CounterReset.reset;
  if (before === null || before.isInteger !== histogram.isInteger) return CounterReset.unknown;
  return before.flagsFor(histogram);
}
