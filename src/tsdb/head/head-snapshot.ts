/**
 * A head as it is left at a stop, so that the next start need not read the log: a little log of its own, with the
 * newest chunk of each series. The chunks before that lie in the files of `head-chunk-files.ts`.
 *
 *   series:     u8 1 │ u64 series │ uvarint labels, names and values │ i64 0 │ uvarint 1: a chunk follows, 0: none
 *               │ i64 first time │ i64 last time │ u8 encoding │ uvarint size of chunk │ chunk │ newest sample
 *   tombstones: u8 2 │ uvarint size of what follows │ u8 1 │ { uvarint series │ varint first │ varint last time }
 *   exemplars:  u8 3 │ as in a record of the log
 *
 * The newest sample, for an appender that goes on with the chunk, is a histogram as in the log, or seven zero words of
 * eight bytes and a float.
 */
import { join } from "node:path";
import type { FloatHistogram } from "../../model/histogram.ts";
import { Labels } from "../../model/labels.ts";
import type { EncodedChunk } from "../block/chunk-series.ts";
import { CorruptionError } from "../corruption-error.ts";
import { parseHeadSnapshotName } from "../file-names.ts";
import { ByteReader, type ByteWriter } from "../varint.ts";
import {
  encodeExemplarsRecord,
  encodeFloatHistogram,
  encodeIntegerHistogram,
  type ExemplarEntry,
  RecordDecoder,
  type RecordSink,
  RecordType,
  type TombstoneEntry,
} from "../wal/record.ts";
import type { LogPlace } from "../wal/replay.ts";
import { listFolder, listSegments, WalReader } from "../wal/segment.ts";
import type { HeadFileChunk } from "./head-chunk-files.ts";
import type { Generation } from "./generation.ts";
import { encodeSeries } from "./wal-log.ts";

const SnapshotRecord = { series: 1, tombstones: 2, exemplars: 3 } as const;
const TOMBSTONES_VERSION = 1;
/** What Prometheus keeps of the last samples, which nobody reads: three of them and the time of the newest. */
const UNUSED_WORDS = 7;

/** A snapshot, and up to where it knows the log. */
export interface FoundSnapshot extends LogPlace {
  readonly path: string;
}

/** The newest snapshot of a data directory, null where there is none or it is of another log than this. */
export function findHeadSnapshot(dataDirectory: string, lastSegment: number): FoundSnapshot | null {
  let newest: FoundSnapshot | null = null;
  for (const name of listFolder(dataDirectory)) {
    const place = parseHeadSnapshotName(name);
    if (place === null || place.segment > lastSegment) continue;
    const isNewer =
      newest === null ||
      place.segment > newest.segment ||
      (place.segment === newest.segment && place.offset > newest.offset);
    if (isNewer) newest = { path: join(dataDirectory, name), ...place };
  }
  return newest;
}

/** The newest chunk of a series, and its newest sample: the bits of a float, or a histogram. */
export interface NewestChunk {
  readonly chunk: EncodedChunk;
  readonly newest: FloatHistogram | { readonly high: number; readonly low: number };
}

/** @param open null for a series without samples */
export function encodeSnapshotSeries(
  record: ByteWriter,
  logRef: number,
  generation: Generation,
  series: number,
  open: NewestChunk | null,
): void {
  record.clear().u8(SnapshotRecord.series);
  encodeSeries(record, logRef, generation, series);
  record.i64(0);
  record.uvarint(open === null ? 0 : 1);
  if (open === null) return;
  const { chunk, newest } = open;
  record.i64(chunk.minTime);
  record.i64(chunk.maxTime);
  record.u8(chunk.encoding);
  record.uvarint(chunk.bytes.length);
  record.raw(chunk.bytes);
  if ("high" in newest) {
    for (let i = 0; i < UNUSED_WORDS; i++) record.f64Words(0, 0);
    record.f64Words(newest.high, newest.low);
  } else if (newest.isInteger) encodeIntegerHistogram(record, newest);
  else encodeFloatHistogram(record, newest);
}

export function encodeSnapshotTombstones(record: ByteWriter, entries: readonly TombstoneEntry[]): void {
  record.clear().u8(TOMBSTONES_VERSION);
  for (const { ref, minTime, maxTime } of entries) {
    record.uvarint(ref);
    record.varint(minTime);
    record.varint(maxTime);
  }
  const body = record.written().slice();
  record.clear().u8(SnapshotRecord.tombstones);
  record.uvarint(body.length);
  record.raw(body);
}

/** @param entries one at least */
export function encodeSnapshotExemplars(record: ByteWriter, entries: readonly ExemplarEntry[]): void {
  encodeExemplarsRecord(record, entries);
  record.bytes[0] = SnapshotRecord.exemplars;
}

/** Takes what a snapshot holds, in its order. What is not asked for is passed over. */
export interface SnapshotVisitor extends Partial<Pick<RecordSink, "onTombstone" | "onExemplar">> {
  onSeries?(ref: number, labels: Labels): void;
  /** The newest chunk of the series before. Its bytes are a view that the next overwrites. */
  onChunk?(chunk: HeadFileChunk): void;
}

/** @throws CorruptionError at the first record that is damaged; those before it are sound */
export function readHeadSnapshot(directory: string, visitor: SnapshotVisitor): void {
  const reader = new WalReader(directory, listSegments(directory));
  const record = new ByteReader();
  const exemplars = new RecordDecoder();
  try {
    while (reader.next()) {
      record.reset(reader.record);
      const type = record.u8();
      if (type === SnapshotRecord.series) readSeries(record, visitor);
      else if (type === SnapshotRecord.tombstones) readTombstones(record, visitor);
      else if (type === SnapshotRecord.exemplars) {
        const { onExemplar } = visitor;
        if (!onExemplar) continue;
        const asInLog = reader.record.slice();
        asInLog[0] = RecordType.exemplars;
        exemplars.decode(asInLog, {
          ...NO_RECORDS,
          onExemplar: (ref, exemplar) => onExemplar(ref, exemplar),
        });
      } else throw new CorruptionError(`cannot read ${directory}: a record has the unknown type ${type}`);
    }
  } finally {
    reader.close();
  }
}

function readSeries(record: ByteReader, visitor: SnapshotVisitor): void {
  const ref = record.u64();
  if (visitor.onSeries) visitor.onSeries(ref, readLabels(record));
  else for (let texts = 2 * record.uvarint(); texts > 0; texts--) record.take(record.uvarint());
  record.i64();
  const hasChunk = record.uvarint() !== 0;
  if (!hasChunk) return;
  const minTime = record.i64();
  const maxTime = record.i64();
  const encoding = record.u8();
  const bytes = record.view8(record.uvarint());
  if (bytes.length < 2) {
    throw new CorruptionError(`cannot read the chunk of series ${ref}: it has ${bytes.length} bytes`);
  }
  visitor.onChunk?.({ ref, minTime, maxTime, encoding, isOutOfOrder: false, bytes });
}

function readTombstones(record: ByteReader, { onTombstone }: SnapshotVisitor): void {
  const size = record.uvarint();
  if (size !== record.remaining) {
    throw new CorruptionError(
      `cannot read tombstones: ${size} bytes are claimed, ${record.remaining} are there`,
    );
  }
  const version = record.u8();
  if (version !== TOMBSTONES_VERSION) {
    throw new CorruptionError(`cannot read tombstones: unknown version ${version}`);
  }
  while (record.remaining > 0) {
    const ref = record.uvarint();
    const minTime = record.varint();
    const maxTime = record.varint();
    onTombstone?.(ref, minTime, maxTime);
  }
}

function readLabels(record: ByteReader): Labels {
  const count = record.uvarint();
  if (2 * count > record.remaining) {
    throw new CorruptionError(`cannot read ${count} labels: only ${record.remaining} bytes left`);
  }
  const pairs: string[] = [];
  for (let i = 0; i < 2 * count; i++) pairs.push(record.string());
  return Labels.fromSortedPairs(pairs);
}

const nothing = () => undefined;
const NO_RECORDS: RecordSink = {
  onSeries: nothing,
  onSamples: nothing,
  onHistogram: nothing,
  onTombstone: nothing,
  onExemplar: nothing,
  onMetadata: nothing,
  onMmapMarker: nothing,
};
