import { statSync } from "node:fs";
import { CorruptionError } from "../corruption-error.ts";
import { findCheckpoint } from "./checkpoint.ts";
import { RecordDecoder, RecordType, type RecordSink } from "./record.ts";
import { type RecordReader, ReadAheadRecords, type StartReadAhead } from "./read-ahead.ts";
import { listSegments, repairLog, WalCorruptionError, WalReader, type WalSegment } from "./segment.ts";

export interface ReplaySink extends RecordSink {
  /** The records that follow are from this segment; from a checkpoint: the last one it stands for. */
  onSegment?(index: number, isCheckpoint: boolean): void;
  /**
   * Takes a record of samples as it is, instead of by `onSamples`. The bytes are the reader's: do not keep them.
   * @returns false, with nothing taken, where the record is to be decoded as all others are
   */
  onSampleRecord?(record: Uint8Array): boolean;
}

export interface ReplayResult {
  readonly records: number;
  readonly segments: number;
  /** The damage found, which has been repaired by giving up everything behind it; null for a sound log. */
  readonly fault: WalCorruptionError | null;
}

/** A place in a log, between two records and two pages. */
export interface LogPlace {
  readonly segment: number;
  readonly offset: number;
}

/**
 * Reads a log from its checkpoint to its end into `sink`. A damaged or torn segment ends the replay there and is
 * repaired, so that starting never fails for it; nothing before the damage is lost. Works for the out-of-order log
 * too, which has no checkpoints. Call it before opening a writer on the log.
 * @param from where to begin, for what came before is known; a checkpoint that goes further is read all the same
 * @param startReadAhead where given, a thread of its own reads, checks and decompresses a log that is long enough for it
 * @throws CorruptionError for damage inside a checkpoint: what it held is nowhere else, so nothing is touched and
 * someone has to decide
 */
export function replayLog(
  directory: string,
  sink: ReplaySink,
  from: LogPlace = { segment: 0, offset: 0 },
  startReadAhead: StartReadAhead | null = null,
): ReplayResult {
  const decoder = new RecordDecoder();
  let records = 0;
  const onRecord = (): void => void records++;
  const newest = findCheckpoint(directory);
  const checkpoint = newest && newest.lastSegment >= from.segment ? newest : null;
  if (checkpoint) {
    sink.onSegment?.(checkpoint.lastSegment, true);
    try {
      const reader = new WalReader(checkpoint.path, checkpoint.segments);
      const first = { index: checkpoint.segments[0]?.index ?? -1, offset: 0 };
      replayRecords(checkpoint.path, reader, first, decoder, sink, onRecord);
    } catch (cause) {
      if (!(cause instanceof CorruptionError)) throw cause;
      throw new CorruptionError(
        `cannot read checkpoint ${checkpoint.path}: ${cause.message}; ` +
          `move the folder away to start without what it holds`,
        { cause },
      );
    }
  }

  const after = checkpoint ? checkpoint.lastSegment : from.segment - 1;
  const segments = listSegments(directory).filter((segment) => segment.index > after);
  const offsetOf = (segment: WalSegment) => (segment.index === from.segment ? from.offset : 0);
  const ahead =
    startReadAhead && bytesOf(segments) >= LONG_LOG_BYTES
      ? new ReadAheadRecords(startReadAhead, directory, segments, offsetOf(segments[0]!))
      : null;
  try {
    for (const segment of segments) {
      sink.onSegment?.(segment.index, false);
      const offset = offsetOf(segment);
      const reader = ahead?.open(segment) ?? new WalReader(directory, [segment], offset);
      try {
        replayRecords(directory, reader, { index: segment.index, offset }, decoder, sink, onRecord);
      } catch (fault) {
        if (!(fault instanceof WalCorruptionError)) throw fault;
        repairLog(fault);
        return { records, segments: segments.indexOf(segment) + 1, fault };
      }
    }
  } finally {
    ahead?.stop();
  }
  return { records, segments: segments.length, fault: null };
}

/** For less it does not pay to start a thread. */
const LONG_LOG_BYTES = 16 * 1024 * 1024;

function bytesOf(segments: readonly WalSegment[]): number {
  return segments.reduce((sum, { path }) => sum + statSync(path).size, 0);
}

function replayRecords(
  directory: string,
  reader: RecordReader,
  first: { readonly index: number; readonly offset: number },
  decoder: RecordDecoder,
  sink: ReplaySink,
  onRecord: () => void,
): void {
  // Where the record before the current one ended: a record that does not decode is not sound either.
  let segment = first.index;
  let soundEnd = first.offset;
  try {
    while (reader.next()) {
      if (reader.segment !== segment) {
        segment = reader.segment;
        soundEnd = 0;
      }
      try {
        const { record } = reader;
        const isTaken = record[0] === RecordType.samples && sink.onSampleRecord?.(record);
        if (!isTaken) decoder.decode(record, sink);
      } catch (cause) {
        if (!(cause instanceof CorruptionError) || cause instanceof WalCorruptionError) throw cause;
        throw new WalCorruptionError(directory, segment, soundEnd, cause.message, { cause });
      }
      soundEnd = reader.offset;
      onRecord();
    }
  } finally {
    reader.close();
  }
}
