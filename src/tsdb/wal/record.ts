/**
 * Records of the write-ahead logs: a type byte, then entries until the record ends.
 *
 * Encoders append to a `ByteWriter` the caller clears and owns; decoders read into columns or callbacks and allocate
 * nothing per sample. Values travel as words, so that staleness markers keep their bits.
 */
import type { Exemplar } from "../../model/exemplar.ts";
import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type Span } from "../../model/histogram.ts";
import { Labels, compareUtf8 } from "../../model/labels.ts";
import type { Metadata, MetricType } from "../../model/metadata.ts";
import {
  NORMAL_NAN_HIGH_WORD,
  NORMAL_NAN_LOW_WORD,
  STALE_HIGH_WORD,
  STALE_LOW_WORD,
} from "../../model/sample.ts";
import { NO_SERIES } from "../../model/storage.ts";
import { CorruptionError } from "../corruption-error.ts";
import { reduceResolution } from "../chunk/reduce-resolution.ts";
import { StringCache } from "../string-cache.ts";
import { ByteReader, type ByteWriter } from "../varint.ts";

export const RecordType = {
  series: 1,
  samples: 2,
  tombstones: 3,
  exemplars: 4,
  /** In the out-of-order log: the series' samples so far are in a chunk on disk. */
  mmapMarkers: 5,
  metadata: 6,
  histograms: 7,
  floatHistograms: 8,
  customBucketHistograms: 9,
  customBucketFloatHistograms: 10,
  /** The following three carry start timestamps. */
  samplesWithStart: 11,
  histogramsWithStart: 12,
  floatHistogramsWithStart: 13,
} as const;

// ───────────────────────────────────────────── encoding ─────────────────────────────────────────────

/** Begins a series record; follow it with `encodeSeriesEntry`s. */
export function beginSeriesRecord(writer: ByteWriter): void {
  writer.clear().u8(RecordType.series);
}

/** @param ref at least 1; the references of one log belong to one series each, for ever */
export function encodeSeriesEntry(writer: ByteWriter, ref: number, labels: Labels): void {
  writer.u64(ref);
  encodeLabels(writer, labels);
}

function encodeLabels(writer: ByteWriter, labels: Labels): void {
  const pairs = labels.pairs;
  writer.uvarint(pairs.length / 2);
  for (const text of pairs) writer.string(text);
}

/**
 * Encodes one scrape: a sample of each series, all at one time. NO_SERIES entries are left out, and so are those
 * whose outcome is not `appended`, if outcomes are given. A record without samples leaves the writer empty.
 *
 * @param refBase log reference = refBase + ref
 * @param valueWords values as little-endian words, two a sample
 */
export function encodeSamplesRecord(
  writer: ByteWriter,
  refBase: number,
  refs: Uint32Array | Float64Array,
  timeMs: number,
  valueWords: Uint32Array,
  count: number,
  outcomes: Uint8Array | null = null,
): void {
  writer.clear();
  let first = -1;
  for (let i = 0; i < count && first < 0; i++) {
    if (refs[i] !== NO_SERIES && (outcomes === null || outcomes[i] === 0)) first = i;
  }
  if (first < 0) return;
  const base = refs[first]!;
  writer.u8(RecordType.samples);
  writer.u64(refBase + base);
  writer.i64(timeMs);
  // At most: 8 bytes for the reference, one for the time, eight for the value.
  writer.reserve(17 * (count - first));
  const { bytes, view } = writer;
  let at = writer.length;
  for (let i = first; i < count; i++) {
    const ref = refs[i]!;
    if (ref === NO_SERIES || (outcomes !== null && outcomes[i] !== 0)) continue;
    const delta = ref - base;
    // Zigzag: doubled, less one if negative. What is above 31 bits goes first, by division.
    let rest = 0;
    if (delta >= -0x40000000 && delta < 0x40000000) rest = (delta << 1) ^ (delta >> 31);
    else {
      let wide = delta >= 0 ? 2 * delta : -2 * delta - 1;
      while (wide >= 0x80000000) {
        bytes[at++] = (wide % 0x80) | 0x80;
        wide = Math.floor(wide / 0x80);
      }
      rest = wide | 0;
    }
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at] = rest;
    bytes[at + 1] = 0;
    view.setUint32(at + 2, valueWords[2 * i + 1]!);
    view.setUint32(at + 6, valueWords[2 * i]!);
    at += 10;
  }
  writer.length = at;
}

/** Encodes samples that each have a time of their own. `count` 0 leaves the writer empty. */
export function encodeTimedSamplesRecord(
  writer: ByteWriter,
  refs: Uint32Array | Float64Array,
  times: Float64Array,
  valueWords: Uint32Array,
  count: number,
): void {
  writer.clear();
  if (count === 0) return;
  const baseRef = refs[0]!;
  const baseTime = times[0]!;
  writer.u8(RecordType.samples);
  writer.u64(baseRef);
  writer.i64(baseTime);
  for (let i = 0; i < count; i++) {
    writer.varint(refs[i]! - baseRef);
    writer.varint(times[i]! - baseTime);
    writer.f64Words(valueWords[2 * i + 1]!, valueWords[2 * i]!);
  }
}

/** A native histogram of a series at a time, as the log keeps it. */
export interface HistogramEntry {
  readonly ref: number;
  readonly timeMs: number;
  readonly histogram: FloatHistogram;
}

/**
 * Encodes histograms as up to four records, by integer or float and exponential or custom buckets, in the order in
 * which they must be logged; each is handed to `append` before the writer is used again.
 */
export function encodeHistogramRecords(
  writer: ByteWriter,
  entries: readonly HistogramEntry[],
  append: (record: Uint8Array) => void,
): void {
  const kinds = [
    { type: RecordType.histograms, isInteger: true, isCustom: false },
    { type: RecordType.customBucketHistograms, isInteger: true, isCustom: true },
    { type: RecordType.floatHistograms, isInteger: false, isCustom: false },
    { type: RecordType.customBucketFloatHistograms, isInteger: false, isCustom: true },
  ];
  for (const { type, isInteger, isCustom } of kinds) {
    const chosen = entries.filter(
      ({ histogram }) =>
        histogram.isInteger === isInteger && (histogram.schema === CUSTOM_BUCKETS_SCHEMA) === isCustom,
    );
    const base = chosen[0];
    if (!base) continue;
    writer.clear().u8(type);
    writer.u64(base.ref);
    writer.i64(base.timeMs);
    for (const { ref, timeMs, histogram } of chosen) {
      writer.varint(ref - base.ref);
      writer.varint(timeMs - base.timeMs);
      if (isInteger) encodeIntegerHistogram(writer, histogram);
      else encodeFloatHistogram(writer, histogram);
    }
    append(writer.written());
  }
}

const resetHints = ["unknown", "reset", "not-reset", "gauge"] as const;

/** As the log keeps a histogram, in every kind of record. */
export function encodeIntegerHistogram(writer: ByteWriter, histogram: FloatHistogram): void {
  writer.u8(resetHints.indexOf(histogram.counterResetHint));
  writer.varint(histogram.schema);
  writer.f64(histogram.zeroThreshold);
  writer.uvarint(histogram.zeroCount);
  writer.uvarint(histogram.count);
  encodeSum(writer, histogram);
  encodeSpans(writer, histogram.positiveSpans);
  encodeSpans(writer, histogram.negativeSpans);
  for (const buckets of [histogram.positiveBuckets, histogram.negativeBuckets]) {
    writer.uvarint(buckets.length);
    let previous = 0;
    for (const bucket of buckets) {
      writer.varint(bucket - previous);
      previous = bucket;
    }
  }
  encodeCustomValues(writer, histogram);
}

/** The same with counts that are floats. */
export function encodeFloatHistogram(writer: ByteWriter, histogram: FloatHistogram): void {
  writer.u8(resetHints.indexOf(histogram.counterResetHint));
  writer.varint(histogram.schema);
  writer.f64(histogram.zeroThreshold);
  writer.f64(histogram.zeroCount);
  writer.f64(histogram.count);
  encodeSum(writer, histogram);
  encodeSpans(writer, histogram.positiveSpans);
  encodeSpans(writer, histogram.negativeSpans);
  for (const buckets of [histogram.positiveBuckets, histogram.negativeBuckets]) {
    writer.uvarint(buckets.length);
    for (const bucket of buckets) writer.f64(bucket);
  }
  encodeCustomValues(writer, histogram);
}

function encodeSum(writer: ByteWriter, { sum, isStale }: FloatHistogram): void {
  if (isStale) writer.f64Words(STALE_HIGH_WORD, STALE_LOW_WORD);
  else if (Number.isNaN(sum)) writer.f64Words(NORMAL_NAN_HIGH_WORD, NORMAL_NAN_LOW_WORD);
  else writer.f64(sum);
}

function encodeSpans(writer: ByteWriter, spans: readonly Span[]): void {
  writer.uvarint(spans.length);
  for (const { offset, length } of spans) {
    writer.varint(offset);
    writer.uvarint(length);
  }
}

function encodeCustomValues(writer: ByteWriter, { schema, customValues }: FloatHistogram): void {
  if (schema !== CUSTOM_BUCKETS_SCHEMA) return;
  writer.uvarint(customValues.length);
  for (const bound of customValues) writer.f64(bound);
}

export interface TombstoneEntry {
  readonly ref: number;
  readonly minTime: number;
  /** Included. */
  readonly maxTime: number;
}

export function encodeTombstonesRecord(writer: ByteWriter, entries: readonly TombstoneEntry[]): void {
  writer.clear().u8(RecordType.tombstones);
  for (const { ref, minTime, maxTime } of entries) {
    writer.u64(ref);
    writer.varint(minTime);
    writer.varint(maxTime);
  }
}

export interface ExemplarEntry {
  readonly ref: number;
  readonly exemplar: Exemplar;
}

/** No entries leave the writer empty. */
export function encodeExemplarsRecord(writer: ByteWriter, entries: readonly ExemplarEntry[]): void {
  writer.clear();
  const base = entries[0];
  if (!base) return;
  writer.u8(RecordType.exemplars);
  writer.u64(base.ref);
  writer.i64(base.exemplar.timeMs);
  for (const { ref, exemplar } of entries) {
    writer.varint(ref - base.ref);
    writer.varint(exemplar.timeMs - base.exemplar.timeMs);
    writer.f64(exemplar.value);
    encodeLabels(writer, exemplar.labels);
  }
}

/** A chunk file's number and the offset in it; both 0 for the first out-of-order chunk of a series. */
export interface MmapMarkerEntry {
  readonly ref: number;
  readonly file: number;
  readonly offset: number;
}

export function encodeMmapMarkersRecord(writer: ByteWriter, entries: readonly MmapMarkerEntry[]): void {
  writer.clear().u8(RecordType.mmapMarkers);
  for (const { ref, file, offset } of entries) {
    writer.u64(ref);
    writer.u32(file);
    writer.u32(offset);
  }
}

const metricTypes: readonly MetricType[] = [
  "unknown",
  "counter",
  "gauge",
  "histogram",
  "gaugehistogram",
  "summary",
  "info",
  "stateset",
];

export interface MetadataEntry {
  readonly ref: number;
  readonly metadata: Metadata;
}

export function encodeMetadataRecord(writer: ByteWriter, entries: readonly MetadataEntry[]): void {
  writer.clear().u8(RecordType.metadata);
  for (const { ref, metadata } of entries) {
    writer.uvarint(ref);
    writer.u8(metricTypes.indexOf(metadata.type));
    writer.uvarint(2);
    writer.string("UNIT");
    writer.string(metadata.unit);
    writer.string("HELP");
    writer.string(metadata.help);
  }
}

// ───────────────────────────────────────────── decoding ─────────────────────────────────────────────

/** Takes what a log holds, in order. Columns are the decoder's own: read them before returning. */
export interface RecordSink {
  onSeries(ref: number, labels: Labels): void;
  /**
   * Samples of one record.
   * @param startTimes 0 where unknown; null when the record has none
   */
  onSamples(
    refs: Float64Array,
    times: Float64Array,
    valueWords: Uint32Array,
    startTimes: Float64Array | null,
    count: number,
  ): void;
  /** @param startTimeMs 0 where unknown */
  onHistogram(ref: number, timeMs: number, histogram: FloatHistogram, startTimeMs: number): void;
  /** Both ends included. A tombstone over all of time (`MIN_INT64` to `MAX_INT64`) says that the series was evicted. */
  onTombstone(ref: number, minTime: number, maxTime: number): void;
  onExemplar(ref: number, exemplar: Exemplar): void;
  onMetadata(ref: number, metadata: Metadata): void;
  onMmapMarker(ref: number, file: number, offset: number): void;
}

/** Decodes records one after the other, with columns and strings kept from one to the next. */
export class RecordDecoder {
  private readonly reader = new ByteReader();
  private readonly strings = new StringCache();
  private refs = new Float64Array(1024);
  private times = new Float64Array(1024);
  private valueWords = new Uint32Array(2048);
  private startTimes = new Float64Array(1024);

  /**
   * Hands the entries of one record to the sink. Types that are not known, and empty records, are skipped.
   * @throws CorruptionError where the record cannot be read to its end; entries before the fault, but for samples,
   * have reached the sink by then
   */
  decode(record: Uint8Array, sink: RecordSink): void {
    if (record.length === 0) return;
    this.reader.reset(record, 1);
    switch (record[0]) {
      case RecordType.series:
        return this.decodeSeries(sink);
      case RecordType.samples:
        return this.decodeSamples(sink);
      case RecordType.tombstones:
        return this.decodeTombstones(sink);
      case RecordType.exemplars:
        return this.decodeExemplars(sink);
      case RecordType.mmapMarkers:
        return this.decodeMmapMarkers(sink);
      case RecordType.metadata:
        return this.decodeMetadata(sink);
      case RecordType.histograms:
      case RecordType.customBucketHistograms:
        return this.decodeHistograms(sink, true);
      case RecordType.floatHistograms:
      case RecordType.customBucketFloatHistograms:
        return this.decodeHistograms(sink, false);
      case RecordType.samplesWithStart:
        return this.decodeSamplesWithStart(sink);
      case RecordType.histogramsWithStart:
        return this.decodeHistogramsWithStart(sink, true);
      case RecordType.floatHistogramsWithStart:
        return this.decodeHistogramsWithStart(sink, false);
    }
  }

  private decodeSeries(sink: RecordSink): void {
    const { reader } = this;
    while (reader.remaining > 0) {
      const ref = reader.u64();
      sink.onSeries(ref, this.decodeLabels());
    }
  }

  private decodeLabels(): Labels {
    const { reader, strings } = this;
    const count = reader.uvarint();
    if (2 * count > reader.remaining) {
      throw new CorruptionError(`cannot read ${count} labels: only ${reader.remaining} bytes left`);
    }
    const pairs: string[] = [];
    let isSorted = true;
    for (let i = 0; i < count; i++) {
      const name = reader.string(strings);
      const value = reader.string(strings);
      if (value === "") continue;
      const last = pairs[pairs.length - 2];
      if (last !== undefined && compareUtf8(last, name) >= 0) isSorted = false;
      pairs.push(name, value);
    }
    return isSorted ? Labels.fromSortedPairs(pairs) : sortedLabels(pairs);
  }

  private decodeSamples(sink: RecordSink): void {
    const { reader } = this;
    if (reader.remaining === 0) return;
    const baseRef = reader.u64();
    const baseTime = reader.i64();
    // The least an entry takes: a byte each for reference and time, eight for the value.
    this.reserve(Math.floor(reader.remaining / 10));
    const { refs, times, valueWords } = this;
    let count = 0;
    for (; reader.remaining > 0; count++) {
      refs[count] = baseRef + reader.varint();
      times[count] = baseTime + reader.varint();
      reader.f64Words(valueWords, count);
    }
    sink.onSamples(refs, times, valueWords, null, count);
  }

  private decodeSamplesWithStart(sink: RecordSink): void {
    const { reader } = this;
    if (reader.remaining === 0) return;
    this.reserve(Math.floor(reader.remaining / 11));
    const { refs, times, valueWords, startTimes } = this;
    let count = 0;
    for (; reader.remaining > 0; count++) {
      if (count === 0) {
        refs[0] = reader.varint();
        times[0] = reader.varint();
        startTimes[0] = reader.varint();
      } else {
        refs[count] = refs[count - 1]! + reader.varint();
        times[count] = times[0]! + reader.varint();
        startTimes[count] = this.decodeStartTime(startTimes[0]!, startTimes[count - 1]!);
      }
      reader.f64Words(valueWords, count);
    }
    sink.onSamples(refs, times, valueWords, startTimes, count);
  }

  private decodeStartTime(first: number, previous: number): number {
    const form = this.reader.u8();
    if (form === 0) return 0;
    return form === 1 ? previous : first + this.reader.varint();
  }

  private reserve(count: number): void {
    if (count <= this.refs.length) return;
    const capacity = Math.max(count, 2 * this.refs.length);
    this.refs = new Float64Array(capacity);
    this.times = new Float64Array(capacity);
    this.valueWords = new Uint32Array(2 * capacity);
    this.startTimes = new Float64Array(capacity);
  }

  private decodeHistograms(sink: RecordSink, isInteger: boolean): void {
    const { reader } = this;
    if (reader.remaining === 0) return;
    const baseRef = reader.u64();
    const baseTime = reader.i64();
    while (reader.remaining > 0) {
      const ref = baseRef + reader.varint();
      const timeMs = baseTime + reader.varint();
      const histogram = decodeHistogram(reader, isInteger);
      if (histogram) sink.onHistogram(ref, timeMs, histogram, 0);
    }
  }

  private decodeHistogramsWithStart(sink: RecordSink, isInteger: boolean): void {
    const { reader } = this;
    let firstTime = 0;
    let firstStart = 0;
    let ref = 0;
    let start = 0;
    for (let index = 0; reader.remaining > 0; index++) {
      ref += reader.varint();
      const timeMs = firstTime + reader.varint();
      if (index === 0) {
        firstTime = timeMs;
        firstStart = start = reader.varint();
      } else {
        start = this.decodeStartTime(firstStart, start);
      }
      const histogram = decodeHistogram(reader, isInteger);
      if (histogram) sink.onHistogram(ref, timeMs, histogram, start);
    }
  }

  private decodeTombstones(sink: RecordSink): void {
    const { reader } = this;
    while (reader.remaining > 0) {
      const ref = reader.u64();
      const minTime = reader.varint();
      sink.onTombstone(ref, minTime, reader.varint());
    }
  }

  private decodeExemplars(sink: RecordSink): void {
    const { reader } = this;
    if (reader.remaining === 0) return;
    const baseRef = reader.u64();
    const baseTime = reader.i64();
    while (reader.remaining > 0) {
      const ref = baseRef + reader.varint();
      const timeMs = baseTime + reader.varint();
      const value = reader.f64();
      sink.onExemplar(ref, { labels: this.decodeLabels(), value, timeMs, hasTimestamp: true });
    }
  }

  private decodeMmapMarkers(sink: RecordSink): void {
    const { reader } = this;
    while (reader.remaining > 0) {
      const ref = reader.u64();
      const file = reader.u32();
      sink.onMmapMarker(ref, file, reader.u32());
    }
  }

  private decodeMetadata(sink: RecordSink): void {
    const { reader } = this;
    while (reader.remaining > 0) {
      const ref = reader.uvarint();
      const type = metricTypes[reader.u8()] ?? "unknown";
      let unit = "";
      let help = "";
      for (let fields = reader.uvarint(); fields > 0; fields--) {
        const name = reader.string(this.strings);
        const value = reader.string(this.strings);
        if (name === "UNIT") unit = value;
        else if (name === "HELP") help = value;
      }
      sink.onMetadata(ref, { type, unit, help });
    }
  }
}

/** For logs of other writers: ours are sorted. */
function sortedLabels(pairs: readonly string[]): Labels {
  const record: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let i = 0; i < pairs.length; i += 2) record[pairs[i]!] = pairs[i + 1]!;
  return Labels.fromRecord(record);
}

const LEAST_SCHEMA = -9;
const GREATEST_SCHEMA = 52;
/** Finer resolutions are merged down to this one. */
const GREATEST_USED_SCHEMA = 8;

function spannedBuckets(spans: readonly Span[]): number {
  let buckets = 0;
  for (const { length } of spans) buckets += length;
  return buckets;
}

/** @returns null for a schema that is not known and for spans that do not fit the buckets, after reading past them */
function decodeHistogram(reader: ByteReader, isInteger: boolean): FloatHistogram | null {
  const hint = resetHints[reader.u8()] ?? "unknown";
  const schema = reader.varint();
  const zeroThreshold = reader.f64();
  const zeroCount = isInteger ? reader.uvarint() : reader.f64();
  const count = isInteger ? reader.uvarint() : reader.f64();
  reader.f64Words(sumWords, 0);
  const isStale = sumWords[0] === STALE_LOW_WORD && sumWords[1] === STALE_HIGH_WORD;
  const sum = sumValue[0]!;
  const positiveSpans = decodeSpans(reader);
  const negativeSpans = decodeSpans(reader);
  const positiveBuckets = decodeBuckets(reader, isInteger);
  const negativeBuckets = decodeBuckets(reader, isInteger);
  const customValues = schema === CUSTOM_BUCKETS_SCHEMA ? decodeFloats(reader) : NO_FLOATS;
  if (schema !== CUSTOM_BUCKETS_SCHEMA && (schema < LEAST_SCHEMA || schema > GREATEST_SCHEMA)) return null;
  const isConsistent =
    spannedBuckets(positiveSpans) === positiveBuckets.length &&
    spannedBuckets(negativeSpans) === negativeBuckets.length;
  if (!isConsistent) return null;
  const histogram: FloatHistogram = {
    isInteger,
    counterResetHint: hint,
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum,
    isStale,
    positiveSpans,
    negativeSpans,
    positiveBuckets,
    negativeBuckets,
    customValues,
  };
  return schema > GREATEST_USED_SCHEMA ? reduceResolution(histogram, GREATEST_USED_SCHEMA) : histogram;
}

const sumValue = new Float64Array(1);
const sumWords = new Uint32Array(sumValue.buffer);
const NO_FLOATS = new Float64Array(0);

function decodeSpans(reader: ByteReader): Span[] {
  const count = checkedCount(reader, 2);
  const spans: Span[] = [];
  for (let i = 0; i < count; i++) {
    const offset = reader.varint();
    spans.push({ offset, length: reader.uvarint() });
  }
  return spans;
}

function decodeBuckets(reader: ByteReader, isInteger: boolean): Float64Array {
  if (!isInteger) return decodeFloats(reader);
  const buckets = new Float64Array(checkedCount(reader, 1));
  let bucket = 0;
  for (let i = 0; i < buckets.length; i++) buckets[i] = bucket += reader.varint();
  return buckets;
}

function decodeFloats(reader: ByteReader): Float64Array {
  const floats = new Float64Array(checkedCount(reader, 8));
  for (let i = 0; i < floats.length; i++) floats[i] = reader.f64();
  return floats;
}

/** A count of things that take at least so many bytes each: one that cannot be true is not allocated for. */
function checkedCount(reader: ByteReader, leastBytes: number): number {
  const count = reader.uvarint();
  if (count * leastBytes > reader.remaining) {
    throw new CorruptionError(
      `cannot read histogram: ${count} items claimed, ${reader.remaining} bytes left`,
    );
  }
  return count;
}
