import * as fs from "node:fs";
import { join } from "node:path";
import { SeriesField } from "../../kernels/append-kernel.ts";
import { StorageError } from "../../model/storage.ts";
import { syncFolder } from "../block/file-writer.ts";
import { HEAD_CHUNKS_FOLDER, HEAD_CHUNKS_UNFINISHED, headSnapshotName, UNFINISHED } from "../file-names.ts";
import { ByteWriter } from "../varint.ts";
import type { ExemplarEntry, TombstoneEntry } from "../wal/record.ts";
import type { LogPlace } from "../wal/replay.ts";
import { listSegments, WalWriter, type WalWriterOptions } from "../wal/segment.ts";
import { readDeletions } from "./deletions.ts";
import { GatheredChunks } from "./gathered-chunks.ts";
import type { GenerationWriter } from "./generation-writer.ts";
import { HeadChunkFilesWriter } from "./head-chunk-files.ts";
import {
  encodeSnapshotExemplars,
  encodeSnapshotSeries,
  encodeSnapshotTombstones,
  type NewestChunk,
} from "./head-snapshot.ts";
import { RefSet } from "./ref-set.ts";

/** Exemplars that go into one record. */
const EXEMPLARS_PER_RECORD = 10_000;

export interface HeadSnapshotContent {
  /** In order of time. Nobody appends to them any more. */
  readonly generations: readonly GenerationWriter[];
  readonly exemplars: Iterable<ExemplarEntry>;
}

/**
 * Writes the head, but for out-of-order samples, which have a log of their own, so that a start reads the log only from
 * `place` on. As Prometheus expects it, each series' newest chunk goes to the snapshot and those before it to files of
 * head chunks. Both are there whole, or neither is of use: a start without the snapshot reads the log, and knows
 * what the chunks say.
 *
 * @throws StorageError where the disk refuses, or where the chunks of a series are not in order of time; nothing is
 * left behind
 */
export function writeHeadSnapshot(
  directory: string,
  { generations, exemplars }: HeadSnapshotContent,
  place: LogPlace,
  options: WalWriterOptions,
): void {
  refuseOverlaps(generations);
  const path = join(directory, headSnapshotName(place));
  const unfinished = path + UNFINISHED;
  const chunks = join(directory, HEAD_CHUNKS_FOLDER);
  const unfinishedChunks = join(directory, HEAD_CHUNKS_UNFINISHED);
  for (const name of [unfinished, unfinishedChunks]) fs.rmSync(name, { recursive: true, force: true });
  let files: HeadChunkFilesWriter | null = null;
  let snapshot: WalWriter | null = null;
  try {
    files = new HeadChunkFilesWriter(unfinishedChunks);
    snapshot = new WalWriter(unfinished, options);
    writeSeries(generations, files, snapshot);
    writeTombstones(generations, snapshot);
    writeExemplars(exemplars, snapshot);
    files.close();
    snapshot.close();
    // The log syncs a segment that is full in its own time.
    for (const segment of listSegments(unfinished)) syncFolder(segment.path);
    syncFolder(unfinished);
    fs.rmSync(chunks, { recursive: true, force: true });
    fs.renameSync(unfinishedChunks, chunks);
    fs.renameSync(unfinished, path);
    syncFolder(directory);
  } catch (cause) {
    files?.abandon();
    try {
      snapshot?.close();
    } catch {
      // What failed first says why.
    }
    for (const name of [unfinished, unfinishedChunks, chunks]) {
      fs.rmSync(name, { recursive: true, force: true });
    }
    if (cause instanceof StorageError) throw cause;
    throw new StorageError(`cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** By generation, 1 for each series that has no newer samples elsewhere; and all series with samples. */
function findNewest(generations: readonly GenerationWriter[]) {
  const found = new RefSet();
  const newestIn = new Map<GenerationWriter, Uint8Array>();
  for (const writer of generations.toReversed()) {
    const { series } = writer.generation;
    const isNewest = new Uint8Array(series.count + 1);
    for (let ref = 1; ref <= series.count; ref++) {
      const logRef = writer.logRef(ref);
      if (logRef === 0 || series.field(ref, SeriesField.samples) === 0 || found.has(logRef)) continue;
      found.add(logRef);
      isNewest[ref] = 1;
    }
    newestIn.set(writer, isNewest);
  }
  return { found, newestIn };
}

function writeSeries(
  generations: readonly GenerationWriter[],
  files: HeadChunkFilesWriter,
  snapshot: WalWriter,
): void {
  const { found, newestIn } = findNewest(generations);
  const record = new ByteWriter();
  for (const writer of generations) {
    const { generation } = writer;
    const isNewest = newestIn.get(writer)!;
    const gathered = new GatheredChunks(generation);
    for (let ref = 1; ref < isNewest.length; ref++) {
      const logRef = writer.logRef(ref);
      if (logRef === 0) continue;
      const chunks = gathered.of(ref);
      const finished = isNewest[ref] === 1 ? chunks.length - 1 : chunks.length;
      for (let i = 0; i < finished; i++) files.add(logRef, chunks[i]!);
      let open: NewestChunk | null = null;
      if (isNewest[ref] === 1) open = { chunk: chunks[finished]!, newest: newestSample(writer, ref) };
      else if (found.has(logRef)) continue;
      else found.add(logRef);
      encodeSnapshotSeries(record, logRef, generation, ref, open);
      snapshot.append(record.written());
    }
  }
}

function newestSample({ generation, histograms }: GenerationWriter, ref: number): NewestChunk["newest"] {
  const { series } = generation;
  return (
    histograms.newest(ref) ?? {
      high: series.field(ref, SeriesField.lastValueHigh),
      low: series.field(ref, SeriesField.lastValueLow),
    }
  );
}

function writeTombstones(generations: readonly GenerationWriter[], snapshot: WalWriter): void {
  const entries: TombstoneEntry[] = [];
  for (const writer of generations) {
    for (const [ref, intervals] of readDeletions(writer.generation) ?? []) {
      for (const interval of intervals) entries.push({ ref: writer.logRef(ref), ...interval });
    }
  }
  const record = new ByteWriter();
  encodeSnapshotTombstones(record, entries);
  snapshot.append(record.written());
}

function writeExemplars(exemplars: Iterable<ExemplarEntry>, snapshot: WalWriter): void {
  const record = new ByteWriter();
  let part: ExemplarEntry[] = [];
  const put = () => {
    if (part.length === 0) return;
    encodeSnapshotExemplars(record, part);
    snapshot.append(record.written());
    part = [];
  };
  for (const entry of exemplars) {
    part.push(entry);
    if (part.length === EXEMPLARS_PER_RECORD) put();
  }
  put();
}

/**
 * A full generation and the one that followed it in its range divide the range's samples between them, each series' in
 * order of time. A log with samples that were refused when they came may leave it otherwise.
 */
function refuseOverlaps(generations: readonly GenerationWriter[]): void {
  for (const [i, writer] of generations.entries()) {
    const { generation } = writer;
    for (const { generation: earlier } of generations.slice(0, i)) {
      if (earlier.startTime !== generation.startTime) continue;
      for (let ref = 1; ref <= generation.series.count; ref++) {
        if (generation.series.field(ref, SeriesField.samples) === 0) continue;
        const known = earlier.series.findSame(generation, ref);
        if (known === 0 || earlier.series.field(known, SeriesField.samples) === 0) continue;
        if (generation.firstTime(ref) > earlier.lastTime(known)) continue;
        throw new StorageError(
          `cannot write a snapshot of the head: series ${writer.logRef(ref)} has samples out of order`,
        );
      }
    }
  }
}
