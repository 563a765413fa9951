import type { SampleColumns } from "../../model/storage.ts";
import type { EncodedChunk } from "../block/chunk-series.ts";
import { ChunkEncoding } from "./encoding.ts";
import { HistogramChunkBuilder } from "./histogram-chunk-builder.ts";
import { XorChunkWriter } from "./xor-chunk.ts";
import { Xor2ChunkWriter } from "./xor2-chunk.ts";

export const SAMPLES_PER_CHUNK = 120;

/** How float chunks without start times are written. */
export type FloatChunkEncoding = "xor" | "xor2";

/**
 * Encodes a series' samples into chunks of up to 120, or so many floats; a chunk holds samples of one kind. Samples with start times
 * go to the encodings that have room for them.
 */
export function encodeChunks(
  columns: SampleColumns,
  floats: FloatChunkEncoding = "xor",
  samplesPerChunk = SAMPLES_PER_CHUNK,
): EncodedChunk[] {
  const chunks: EncodedChunk[] = [];
  let open: HistogramChunkBuilder | null = null;
  const finishHistograms = () => {
    if (open) chunks.push(encoded(open.minTime, open.maxTime, open.encoding, open.toBytes()));
  };

  for (let i = 0; i < columns.count;) {
    if (!columns.histograms?.[i]) {
      finishHistograms();
      open = null;
      const end = floatRunEnd(columns, i, samplesPerChunk);
      chunks.push(encodeFloats(columns, i, end, floats));
      i = end;
      continue;
    }
    const histogram = columns.histograms[i]!;
    const time = columns.times[i]!;
    const start = columns.startTimes?.[i] ?? 0;
    const fits: boolean =
      open !== null && open.count < SAMPLES_PER_CHUNK && open.append(time, histogram, start);
    if (!fits) {
      finishHistograms();
      open = HistogramChunkBuilder.open(open, time, histogram, start, hasStart(columns, i));
    }
    i++;
  }
  finishHistograms();
  return chunks;
}

/** Whether a sample from index `from` on, up to the next float, has a start time. */
function hasStart({ startTimes, histograms, count }: SampleColumns, from: number): boolean {
  if (startTimes === null) return false;
  for (let i = from; i < count && histograms![i]; i++) if (startTimes[i] !== 0) return true;
  return false;
}

function floatRunEnd(columns: SampleColumns, from: number, samplesPerChunk: number): number {
  const most = Math.min(columns.count, from + samplesPerChunk);
  let end = from;
  while (end < most && !columns.histograms?.[end]) end++;
  return end;
}

function encodeFloats(
  columns: SampleColumns,
  from: number,
  end: number,
  floats: FloatChunkEncoding,
): EncodedChunk {
  const { times, valueWords, startTimes } = columns;
  const hasStart = startTimes?.subarray(from, end).some((start) => start !== 0) ?? false;
  const writer = floats === "xor2" || hasStart ? new Xor2ChunkWriter() : new XorChunkWriter();
  for (let i = from; i < end; i++) {
    writer.append(times[i]!, valueWords[2 * i + 1]!, valueWords[2 * i]!, startTimes?.[i] ?? 0);
  }
  const encoding = writer instanceof XorChunkWriter ? ChunkEncoding.xor : ChunkEncoding.xor2;
  return encoded(times[from]!, times[end - 1]!, encoding, writer.toBytes());
}

function encoded(minTime: number, maxTime: number, encoding: ChunkEncoding, bytes: Uint8Array): EncodedChunk {
  return { minTime, maxTime, encoding, bytes };
}
