import * as fs from "node:fs";
import { join } from "node:path";
import type { Labels } from "../../model/labels.ts";
import { checkpointName, parseCheckpointName } from "../file-names.ts";
import { syncFolder } from "../block/file-writer.ts";
import { ByteWriter } from "../varint.ts";
import {
  beginSeriesRecord,
  encodeExemplarsRecord,
  encodeMetadataRecord,
  encodeSeriesEntry,
  type ExemplarEntry,
  type MetadataEntry,
} from "./record.ts";
import { listFolder, listSegments, WalWriter, type WalSegment, type WalWriterOptions } from "./segment.ts";

/** What a log still needs of segments up to `lastSegment`, written anew as a little log of its own. */
export interface Checkpoint {
  readonly lastSegment: number;
  readonly path: string;
  readonly segments: readonly WalSegment[];
}

/** The newest finished checkpoint of a log, or null. */
export function findCheckpoint(directory: string): Checkpoint | null {
  let lastSegment = -1;
  let name = "";
  for (const candidate of listFolder(directory)) {
    const index = parseCheckpointName(candidate);
    if (index !== null && index > lastSegment) {
      lastSegment = index;
      name = candidate;
    }
  }
  if (lastSegment < 0) return null;
  const path = join(directory, name);
  return { lastSegment, path, segments: listSegments(path) };
}

const MAX_RECORD_BYTES = 1 << 16;

/** What later segments, and readers of them, still need of the segments that a checkpoint stands for. */
export interface CheckpointContent {
  readonly series: Iterable<{ readonly logRef: number; readonly labels: Labels }>;
  readonly exemplars: Iterable<ExemplarEntry>;
  /** The latest of each series. */
  readonly metadata: Iterable<MetadataEntry>;
}

/**
 * Writes a checkpoint that stands for the segments up to `lastSegment`. The samples there are in blocks, but those in
 * later segments refer to series by number. It is there whole or not at all; the segments it stands for may be deleted
 * then.
 *
 * @param pause awaited now and then, so that the thread can do other things
 * @throws StorageError where the disk refuses; nothing is left behind
 */
export async function writeCheckpoint(
  directory: string,
  lastSegment: number,
  content: CheckpointContent,
  options: WalWriterOptions,
  pause: () => Promise<void>,
): Promise<void> {
  const path = join(directory, checkpointName(lastSegment));
  const unfinished = `${path}.tmp`;
  fs.rmSync(unfinished, { recursive: true, force: true });
  const wal = new WalWriter(unfinished, options);
  try {
    const record = new ByteWriter();
    const put = () => {
      wal.append(record.written());
      wal.flush();
    };
    beginSeriesRecord(record);
    for (const { logRef, labels } of content.series) {
      encodeSeriesEntry(record, logRef, labels);
      if (record.length < MAX_RECORD_BYTES) continue;
      put();
      beginSeriesRecord(record);
      await pause();
    }
    if (record.length > 1) put();
    for (const exemplars of inParts(content.exemplars)) {
      encodeExemplarsRecord(record, exemplars);
      put();
      await pause();
    }
    for (const metadata of inParts(content.metadata)) {
      encodeMetadataRecord(record, metadata);
      put();
      await pause();
    }
    wal.close();
    fs.renameSync(unfinished, path);
    syncFolder(directory);
  } catch (error) {
    try {
      wal.close();
    } catch {
      // What failed first says why.
    }
    fs.rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
}

/** Entries that go into one record. */
const ENTRIES_PER_RECORD = 500;

/** Entries, as many together as go well into one record. */
export function* inParts<T>(entries: Iterable<T>): Generator<T[]> {
  let part: T[] = [];
  for (const entry of entries) {
    part.push(entry);
    if (part.length < ENTRIES_PER_RECORD) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}
