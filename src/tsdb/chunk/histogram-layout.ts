/** The head of a histogram chunk: what all its samples share. */
import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type Span } from "../../model/histogram.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../model/sample.ts";
import { NORMAL_NAN_HIGH_WORD, NORMAL_NAN_LOW_WORD } from "../../model/sample.ts";
import { CorruptionError } from "../corruption-error.ts";
import type { BitReader, BitWriter } from "./bit-stream.ts";
import { reduceResolution } from "./reduce-resolution.ts";

/** How the first sample of a chunk stands to the last one of the chunk before: the top two bits of its flags. */
export const CounterReset = { unknown: 0b00, notReset: 0b01, reset: 0b10, gauge: 0b11 } as const;
export type CounterReset = (typeof CounterReset)[keyof typeof CounterReset];

export interface HistogramLayout {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly positiveSpans: readonly Span[];
  readonly negativeSpans: readonly Span[];
  /** Upper bounds; only for the schema of custom buckets. */
  readonly customValues: Float64Array;
}

/** A stale histogram has no layout. */
export const EMPTY_LAYOUT: HistogramLayout = {
  schema: 0,
  zeroThreshold: 0,
  positiveSpans: [],
  negativeSpans: [],
  customValues: new Float64Array(0),
};

export function writeLayout(writer: BitWriter, layout: HistogramLayout): void {
  writeZeroThreshold(writer, layout.zeroThreshold);
  writer.varbitInt(layout.schema);
  writeSpans(writer, layout.positiveSpans);
  writeSpans(writer, layout.negativeSpans);
  if (layout.schema === CUSTOM_BUCKETS_SCHEMA) writeBounds(writer, layout.customValues);
}

export function readLayout(reader: BitReader): HistogramLayout {
  const zeroThreshold = readZeroThreshold(reader);
  const schema = reader.varbitInt();
  if (schema !== CUSTOM_BUCKETS_SCHEMA && (schema < -9 || schema > 52)) {
    throw new CorruptionError(`cannot read histogram chunk: unknown schema ${schema}`);
  }
  return {
    schema,
    zeroThreshold,
    positiveSpans: readSpans(reader),
    negativeSpans: readSpans(reader),
    customValues: schema === CUSTOM_BUCKETS_SCHEMA ? readBounds(reader) : EMPTY_LAYOUT.customValues,
  };
}

const MIN_EXPONENT = -243;
const MAX_EXPONENT = 10;

/** A byte for zero and for powers of two from 2^-243 to 2^10, nine bytes for anything else. */
function writeZeroThreshold(writer: BitWriter, threshold: number): void {
  if (threshold === 0) return writer.bits(0, 8);
  const exponent = Math.round(Math.log2(threshold));
  if (exponent >= MIN_EXPONENT && exponent <= MAX_EXPONENT && 2 ** exponent === threshold) {
    return writer.bits(exponent + 244, 8);
  }
  writer.bits(255, 8);
  writeFloat(writer, threshold);
}

function readZeroThreshold(reader: BitReader): number {
  const code = reader.bits(8);
  if (code === 0) return 0;
  return code === 255 ? reader.float64() : 2 ** (code - 244);
}

function writeFloat(writer: BitWriter, value: number): void {
  scratch.setFloat64(0, value);
  writer.wideBits(scratch.getUint32(0), scratch.getUint32(4), 64);
}

const scratch = new DataView(new ArrayBuffer(8));

function writeSpans(writer: BitWriter, spans: readonly Span[]): void {
  writer.varbitUint(spans.length);
  for (const { offset, length } of spans) {
    writer.varbitUint(length);
    writer.varbitInt(offset);
  }
}

/** No chunk holds more buckets than bits; a claim beyond this is damage. */
const MAX_ITEMS = 1 << 20;

function readCount(reader: BitReader): number {
  const count = reader.varbitUint();
  if (count > MAX_ITEMS) throw new CorruptionError(`cannot read histogram chunk: ${count} items claimed`);
  return count;
}

function readSpans(reader: BitReader): Span[] {
  const spans: Span[] = [];
  let buckets = 0;
  for (let left = readCount(reader); left > 0; left--) {
    const length = readCount(reader);
    buckets += length;
    if (buckets > MAX_ITEMS)
      throw new CorruptionError(`cannot read histogram chunk: ${buckets} buckets claimed`);
    spans.push({ offset: reader.varbitInt(), length });
  }
  return spans;
}

/** Bounds up to this many thousandths are written as such. */
const MAX_THOUSANDTHS = 33554430;

function writeBounds(writer: BitWriter, bounds: Float64Array): void {
  writer.varbitUint(bounds.length);
  for (const bound of bounds) {
    const thousandths = bound * 1000;
    const rounded = Math.round(thousandths);
    if (thousandths >= 0 && thousandths <= MAX_THOUSANDTHS && rounded / 1000 === bound) {
      writer.varbitUint(rounded + 1);
    } else {
      writer.bits(0, 1);
      writeFloat(writer, bound);
    }
  }
}

function readBounds(reader: BitReader): Float64Array {
  const bounds: number[] = [];
  for (let left = readCount(reader); left > 0; left--) {
    const thousandths = reader.varbitUint();
    bounds.push(thousandths === 0 ? reader.float64() : (thousandths - 1) / 1000);
  }
  return Float64Array.from(bounds);
}

export function bucketCount(spans: readonly Span[]): number {
  let count = 0;
  for (const { length } of spans) count += length;
  return count;
}

/** The bits of a histogram's sum: the staleness marker is a flag in memory, since its bits may not survive there. */
export function sumWords(histogram: FloatHistogram): { high: number; low: number } {
  if (histogram.isStale) return { high: STALE_HIGH_WORD, low: STALE_LOW_WORD };
  if (Number.isNaN(histogram.sum)) return { high: NORMAL_NAN_HIGH_WORD, low: NORMAL_NAN_LOW_WORD };
  scratch.setFloat64(0, histogram.sum);
  return { high: scratch.getUint32(0), low: scratch.getUint32(4) };
}

export interface HistogramSample {
  readonly layout: HistogramLayout;
  readonly flags: CounterReset;
  readonly isInteger: boolean;
  /** Position in the chunk. */
  readonly index: number;
  readonly zeroCount: number;
  readonly count: number;
  readonly sum: number;
  readonly isStale: boolean;
  readonly positiveBuckets: Float64Array;
  readonly negativeBuckets: Float64Array;
}

/** A histogram out of what a chunk holds of it. A stale one is only that. */
export function histogramOf(sample: HistogramSample): FloatHistogram {
  const { flags, index, isStale, isInteger } = sample;
  const layout = isStale ? EMPTY_LAYOUT : sample.layout;
  const histogram: FloatHistogram = {
    isInteger,
    // The first sample's relation to the chunk before says nothing once chunks are read apart.
    counterResetHint: flags === CounterReset.gauge ? "gauge" : index === 0 ? "unknown" : "not-reset",
    schema: layout.schema,
    zeroThreshold: layout.zeroThreshold,
    zeroCount: isStale ? 0 : sample.zeroCount,
    count: isStale ? 0 : sample.count,
    sum: sample.sum,
    isStale,
    positiveSpans: layout.positiveSpans,
    negativeSpans: layout.negativeSpans,
    positiveBuckets: isStale ? EMPTY_LAYOUT.customValues : sample.positiveBuckets,
    negativeBuckets: isStale ? EMPTY_LAYOUT.customValues : sample.negativeBuckets,
    customValues: layout.customValues,
  };
  return layout.schema > 8 ? reduceResolution(histogram, 8) : histogram;
}
