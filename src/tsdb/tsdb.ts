import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Appender } from "../model/storage.ts";
import { CorruptionError } from "./corruption-error.ts";
import { DataLock } from "./data-lock.ts";
import type { Matcher } from "../model/matcher.ts";
import { DeletedSamples } from "./block/deleted-samples.ts";
import { takeInventory } from "./compaction/block-directory.ts";
import { HEAD_CHUNKS_FOLDER, isHeadSnapshot, WAL_FOLDER, WBL_FOLDER } from "./file-names.ts";
import type { Generation } from "./head/generation.ts";
import type { GenerationWriter } from "./head/generation-writer.ts";
import { ExemplarStorage } from "./head/exemplars.ts";
import { Head, type HeadStatistics } from "./head/head.ts";
import type { KeptStartTimes } from "./head/start-times.ts";
import { HeadAppender } from "./head/head-appender.ts";
import { readHeadChunkFiles } from "./head/head-chunk-files.ts";
import { findHeadSnapshot, readHeadSnapshot } from "./head/head-snapshot.ts";
import { loadHeadSnapshot, type LoadedSnapshot } from "./head/load-head-snapshot.ts";
import { writeHeadSnapshot } from "./head/write-head-snapshot.ts";
import { HeadReplay, type UnknownRefs } from "./head/head-replay.ts";
import { lateSamples } from "./head/late-samples.ts";
import { type ChunkWalk, recoverHeadChunks } from "./head/recover-head-chunks.ts";
import { WalLog } from "./head/wal-log.ts";
import { inParts, writeCheckpoint } from "./wal/checkpoint.ts";
import type { ExemplarEntry } from "./wal/record.ts";
import type { WalCompression } from "./wal/compression.ts";
import { readSeriesState, removeSeriesState, writeSeriesState } from "./wal/series-state.ts";
import type { StartReadAhead } from "./wal/read-ahead.ts";
import { type LogPlace, replayLog } from "./wal/replay.ts";
import {
  DEFAULT_SEGMENT_BYTES,
  listSegments,
  logSizeBytes,
  removeCheckpoints,
  truncateLog,
  WalWriter,
  type WalWriterOptions,
  type WalStatistics,
} from "./wal/segment.ts";

export const DEFAULT_BLOCK_RANGE_MS = 2 * 60 * 60 * 1000;

export interface TsdbOptions {
  readonly directory: string;
  /** Length of generations and of the blocks made of them. */
  readonly blockRangeMs?: number;
  /** How much later than at the earliest generations are sealed. */
  readonly sealDelayMs?: number;
  /** Address space of a generation, at most 4 GiB. */
  readonly generationBytes?: number;
  /** The end of the newest block: older in-order samples are on disk already. */
  readonly minValidTime?: number;
  readonly outOfOrderWindowMs?: number;
  /** See `Head.staleThreshold`. */
  readonly staleThreshold?: number;
  readonly walSegmentBytes?: number;
  readonly walCompression?: WalCompression;
  /** Whether the number of the last series is kept beside the log. */
  readonly keepsSeriesState?: boolean;
  /** Do without the lock file: someone else sees to it that the directory is ours. */
  readonly noLock?: boolean;
  /** A generation was opened; readers attach to its memory. Called during `open` for those of the log, too. */
  readonly onGeneration?: (announcement: GenerationAnnouncement) => void;
  /** How many exemplars are kept; 0, the default, for none. `exemplars.resize` changes it. */
  readonly maxExemplars?: number;
  /** Exemplars are to be read from this buffer from now on; see `TsdbReader.setExemplars`. */
  readonly onExemplarBuffer?: (buffer: SharedArrayBuffer | null) => void;
  /** Of which samples start times are kept, in memory and in blocks; where of any, the log has all of them. */
  readonly startTimes?: KeptStartTimes;
  /** Whether metadata of series goes to the log. */
  readonly logsMetadata?: boolean;
  /** Whether `close` writes a snapshot of the head, and `open` reads one, instead of all of the log. */
  readonly snapshotsHead?: boolean;
  /** A sync of the log to the disk took so long. */
  readonly onWalSync?: (seconds: number) => void;
  /** The same of the log of out-of-order samples. */
  readonly onLateWalSync?: (seconds: number) => void;
  /** How far the replay is: called during `open`, before each segment. */
  readonly onReplayProgress?: (progress: ReplayProgress) => void;
  /** Has a thread of its own read a long log; by default it is read on this one. */
  readonly startReadAhead?: StartReadAhead;
  /** Milliseconds of any steady clock, for durations. */
  readonly clock?: () => number;
}

/** What another thread needs to read a generation: goes by message. */
export interface GenerationAnnouncement {
  readonly epoch: number;
  readonly memory: WebAssembly.Memory;
  /** Of a sealed one: others of its range are still to be written as blocks. */
  readonly isPartial?: boolean;
  /** It was sealed before its time, for too many of its series had ended. */
  readonly isEarly?: boolean;
}

/** Numbers of segments of the log: the first and last there are, and the one being read. */
export interface ReplayProgress {
  readonly min: number;
  readonly max: number;
  readonly current: number;
}

/** What shortening the log took. */
export interface TruncationStatistics {
  truncations: number;
  truncationsFailed: number;
  lateTruncations: number;
  lateTruncationsFailed: number;
  truncateSeconds: number;
  checkpoints: number;
  checkpointsFailed: number;
  checkpointDeletions: number;
  checkpointDeletionsFailed: number;
  /** Generations let go, and how long that took. */
  collections: number;
  collectionSeconds: number;
}

export interface LogStatistics extends WalStatistics {
  readonly segment: number;
}

function statisticsOf(wal: WalWriter): LogStatistics {
  return { ...wal.statistics, segment: wal.segmentIndex };
}

/** What the replay of the log found. */
export interface ReplayReport {
  readonly records: number;
  readonly durationSeconds: number;
  readonly unknownRefs: UnknownRefs;
  readonly unknownLateRefs: UnknownRefs;
  /** Damaged files of Prometheus's head chunks. */
  readonly headChunkCorruptions: number;
  /** Samples that only those chunks had. */
  readonly recoveredSamples: number;
  /** How many of the two logs were damaged. */
  readonly corruptions: number;
  /** Damage that was repaired, in words; null for a sound log. */
  readonly fault: string | null;
  /** The snapshot of the head that was read, null for none. */
  readonly snapshot: LoadedSnapshot | null;
  /** Why a snapshot that there was could not be used. */
  readonly snapshotFault: string | null;
}

/**
 * A data directory, open for writing by one thread: its log and its head. Blocks are read by others and written by
 * others, from the sealed generations this hands out.
 *
 *   appender → log → generation …sealed→ (block) → `generationStored` drops it and the log behind it
 */
export class Tsdb {
  readonly appender: Appender;
  private readonly log: WalLog;
  readonly truncation: TruncationStatistics = {
    truncations: 0,
    truncationsFailed: 0,
    lateTruncations: 0,
    lateTruncationsFailed: 0,
    truncateSeconds: 0,
    checkpoints: 0,
    checkpointsFailed: 0,
    checkpointDeletions: 0,
    checkpointDeletionsFailed: 0,
    collections: 0,
    collectionSeconds: 0,
  };
  private lateWal: WalWriter | null = null;
  private closed = false;
  private readonly clock: () => number;
  /** Told when the log of out-of-order samples is opened. */
  onLateLog: () => void = () => undefined;

  private constructor(
    private readonly options: TsdbOptions,
    readonly head: Head,
    readonly exemplars: ExemplarStorage,
    private readonly wal: WalWriter,
    private readonly lock: DataLock | null,
    readonly replay: ReplayReport,
    /** Each generation's first segment of the log: what is older is of no use to it. */
    private readonly firstSegments: Map<number, number>,
    private readonly firstLateSegments: Map<number, number>,
  ) {
    this.clock = options.clock ?? (() => performance.now());
    const lateDirectory = join(options.directory, WBL_FOLDER);
    if (head.outOfOrderWindowMs > 0 || listSegments(lateDirectory).length > 0) this.openLateWal();
    for (const { generation } of head.generations) {
      // Opened for out-of-order samples: others, if any, are to come.
      if (!firstSegments.has(generation.epoch)) firstSegments.set(generation.epoch, wal.segmentIndex);
      if (firstLateSegments.has(generation.epoch)) continue;
      firstLateSegments.set(generation.epoch, this.lateWal?.segmentIndex ?? 0);
    }
    this.log = new WalLog(wal, () => this.openLateWal(), head.startTimes !== "none");
    this.appender = new HeadAppender(head, this.log, {
      exemplars,
      logsMetadata: options.logsMetadata ?? false,
    });
  }

  private beginSeriesState(): void {
    if (!(this.options.keepsSeriesState ?? false)) {
      removeSeriesState(this.wal.directory);
      return;
    }
    // Numbers of series that are gone are not given to others, whatever may still name them.
    this.head.reserveRefs(readSeriesState(this.wal.directory)?.lastSeries ?? 0);
    this.writeSeriesState(false);
  }

  private writeSeriesState(isCleanStop: boolean): void {
    const { head, wal } = this;
    if (!(this.options.keepsSeriesState ?? false)) return;
    writeSeriesState(wal.directory, {
      lastSeries: head.lastLogRef,
      lastSegment: wal.segmentIndex,
      isCleanStop,
    });
  }

  private syncLogs(): void {
    this.wal.sync();
    this.lateWal?.sync();
  }

  /** The log of out-of-order samples, opened when there is a first use for it. */
  private openLateWal(): WalWriter {
    if (this.lateWal) return this.lateWal;
    const directory = join(this.options.directory, WBL_FOLDER);
    this.lateWal = new WalWriter(directory, walOptions(this.options, this.options.onLateWalSync));
    this.onLateLog();
    return this.lateWal;
  }

  /**
   * Takes the directory (made if missing), reads the log into the head and begins a new segment of it.
   * @throws StorageError when another process has the directory or it cannot be written
   * @throws CorruptionError when a checkpoint of Prometheus's is damaged
   */
  static open(options: TsdbOptions): Tsdb {
    const clock = options.clock ?? (() => performance.now());
    mkdirSync(options.directory, { recursive: true });
    const lock = options.noLock ? null : DataLock.take(options.directory);
    try {
      const walDirectory = join(options.directory, WAL_FOLDER);
      const lateDirectory = join(options.directory, WBL_FOLDER);
      let tsdb: Tsdb | null = null;
      let sink: HeadReplay | null = null;
      const firstSegments = new Map<number, number>();
      const head = new Head({
        blockRangeMs: options.blockRangeMs ?? DEFAULT_BLOCK_RANGE_MS,
        ...(options.sealDelayMs === undefined ? {} : { sealDelayMs: options.sealDelayMs }),
        ...(options.generationBytes === undefined ? {} : { generationBytes: options.generationBytes }),
        ...(options.outOfOrderWindowMs === undefined
          ? {}
          : { outOfOrderWindowMs: options.outOfOrderWindowMs }),
        ...(options.staleThreshold === undefined ? {} : { staleThreshold: options.staleThreshold }),
        ...(options.startTimes === undefined ? {} : { startTimes: options.startTimes }),
        onOpen: (generation) => {
          if (tsdb) tsdb.beginSegment(generation);
          else if (!sink!.isLate) firstSegments.set(generation.epoch, sink!.segment);
          options.onGeneration?.({ epoch: generation.epoch, memory: generation.memory });
        },
      });
      if (options.minValidTime !== undefined) head.minValidTime = options.minValidTime;

      const startedMs = clock();
      const exemplars = new ExemplarStorage(options.maxExemplars ?? 0, options.onExemplarBuffer);
      sink = new HeadReplay(head, exemplars, options.generationBytes ?? 2 ** 32);
      const { onReplayProgress } = options;
      const segments = listSegments(walDirectory);
      const [min, max] = [segments[0]?.index ?? 0, segments.at(-1)?.index ?? 0];
      sink.onProgress = (current) => onReplayProgress?.({ min, max, current: Math.max(min, current) });
      // What comes from a snapshot may be from anywhere in the log there is.
      sink.segment = min;
      const { snapshot, snapshotFault, from } = readSnapshot(options, max, sink);
      const { records, fault } = replayLog(walDirectory, sink, from, options.startReadAhead);
      sink.beginLate();
      const hasLateLog = listSegments(lateDirectory).length > 0;
      const late = replayLog(lateDirectory, sink);
      const wal = new WalWriter(walDirectory, walOptions(options));
      const report = {
        records: records + late.records,
        durationSeconds: 0,
        unknownRefs: sink.unknownRefs,
        unknownLateRefs: sink.unknownLateRefs,
        headChunkCorruptions: 0,
        recoveredSamples: 0,
        corruptions: Number(fault !== null) + Number(late.fault !== null),
        fault: fault?.message ?? late.fault?.message ?? null,
        snapshot,
        snapshotFault,
      };
      tsdb = new Tsdb(options, head, exemplars, wal, lock, report, firstSegments, sink.firstLateSegments);
      const isLateLogWhole = hasLateLog && late.fault === null;
      // All that lies beside the log was read with the snapshot, but for what belongs to the log of late samples.
      if (snapshot === null || (snapshot.hasLateChunks && !isLateLogWhole)) {
        const recovered = recoverHeadFiles(options.directory, sink, tsdb.log, {
          isLateLogWhole,
          lastSegment: max,
        });
        report.headChunkCorruptions = recovered.damagedFiles;
        report.recoveredSamples = recovered.samples;
      }
      sink.finish();
      tsdb.beginSeriesState();
      exemplars.forgetRefusals();
      if (report.recoveredSamples > 0) tsdb.syncLogs();
      if (sink.hasMarkers) tsdb.rewriteLateLog();
      removeHeadFiles(options.directory);
      report.durationSeconds = (clock() - startedMs) / 1000;
      // The head's callback sees it for good, and it knows every series of the log.
      sink = null;
      return tsdb;
    } catch (error) {
      lock?.release();
      throw error;
    }
  }

  /** -1 without a lock file, 0 where one had been left behind, 1 after a clean stop. */
  get cleanStart(): -1 | 0 | 1 {
    return this.lock === null ? -1 : this.lock.wasLeftBehind ? 0 : 1;
  }

  /** A generation's life in the log begins with a segment, so that later its samples can be deleted by the file. */
  private beginSegment(generation: Generation): void {
    this.firstSegments.set(generation.epoch, this.wal.segmentIndex);
    this.firstSegments.set(generation.epoch, cutIfUsed(this.wal));
    // Without out-of-order samples so far, those to come begin in the first segment.
    this.firstLateSegments.set(generation.epoch, this.lateWal ? cutIfUsed(this.lateWal) : 0);
  }

  /**
   * Seals the generations that take no more samples and gives those that were not given before, to be written as
   * blocks. Call it now and then; they stay readable until `generationStored`.
   */
  sealGenerations(): Generation[] {
    return this.head.seal().map(({ generation }: GenerationWriter) => generation);
  }

  /** As `sealGenerations`, as news for the thread that writes blocks. */
  announceSealed(): GenerationAnnouncement[] {
    const sealed = this.head.seal();
    const generations = sealed.map(({ generation }) => generation);
    return sealed.map(({ generation, isEarly }, i) => ({
      epoch: generation.epoch,
      memory: generation.memory,
      isPartial: isEarly || this.head.hasSiblings(generation, generations.slice(0, i)),
      isEarly,
    }));
  }

  /**
   * The samples of a generation are in a block (or were none): drops it at once, then the log that was only for it.
   * @throws StorageError when the log cannot be shortened; it is tried again with the next generation
   */
  async generationStored(epoch: number): Promise<void> {
    const { truncation } = this;
    const droppedAtMs = this.clock();
    this.head.drop(epoch);
    this.firstSegments.delete(epoch);
    this.firstLateSegments.delete(epoch);
    truncation.collections++;
    truncation.collectionSeconds += (this.clock() - droppedAtMs) / 1000;
    await this.shortenLog();
    if (!this.lateWal || this.closed) return;
    const neededLate = Math.min(this.lateWal.segmentIndex, ...this.firstLateSegments.values());
    truncation.lateTruncations++;
    try {
      truncateLog(this.lateWal.directory, neededLate);
    } catch (error) {
      truncation.lateTruncationsFailed++;
      throw error;
    }
  }

  /** The exemplars of series that the log still knows. */
  private *loggedExemplars(): Generator<ExemplarEntry> {
    for (const { labels, exemplar } of this.exemplars.entries()) {
      const ref = this.head.logRefOf(labels);
      if (ref !== 0) yield { ref, exemplar };
    }
  }

  /** Deletes the segments that no generation needs any more. */
  private async shortenLog(): Promise<void> {
    const { wal, truncation } = this;
    const needed = Math.min(wal.segmentIndex, ...this.firstSegments.values());
    const oldest = listSegments(wal.directory)[0];
    if (!oldest || oldest.index >= needed) return;
    const startedMs = this.clock();
    truncation.truncations++;
    try {
      // Series keep the reference they were first logged with, which may be in what is deleted now.
      const content = {
        series: this.head.loggedSeries(),
        exemplars: this.loggedExemplars(),
        metadata: this.head.metadata.entries(),
      };
      truncation.checkpoints++;
      try {
        await writeCheckpoint(wal.directory, needed - 1, content, walOptions(this.options), nextTurn);
      } catch (error) {
        truncation.checkpointsFailed++;
        throw error;
      }
      if (this.closed) return;
      truncation.checkpointDeletions++;
      try {
        removeCheckpoints(wal.directory, needed - 1);
      } catch (error) {
        truncation.checkpointDeletionsFailed++;
        throw error;
      }
      truncateLog(wal.directory, needed);
      truncation.truncateSeconds += (this.clock() - startedMs) / 1000;
    } catch (error) {
      truncation.truncationsFailed++;
      throw error;
    }
  }

  /**
   * Hides what the head has of these series between two times, both included; blocks have tombstones of their own.
   * @throws StorageError when it cannot be logged; the samples are hidden until the next start then
   */
  deleteSeries(matchers: readonly Matcher[], minTime: number, maxTime: number): void {
    const deleted = this.head.deleteSeries(matchers, minTime, maxTime);
    if (deleted.length > 0) this.log.tombstones(deleted);
    this.rewriteLateLog();
  }

  /**
   * Writes the log of out-of-order samples anew, with those that the head shows. It may hold deleted ones for longer
   * than the other log, or a block, knows that they are deleted: a start would bring them back.
   */
  private rewriteLateLog(): void {
    const { lateWal } = this;
    if (!lateWal) return;
    const first = cutIfUsed(lateWal);
    for (const writer of this.head.generations) {
      const { floats, histograms } = lateSamples(writer);
      if (floats.length + histograms.length === 0) continue;
      this.log.late(floats, histograms);
      this.log.flush();
    }
    lateWal.sync();
    truncateLog(lateWal.directory, first);
    for (const epoch of this.firstLateSegments.keys()) this.firstLateSegments.set(epoch, first);
  }

  get walStatistics(): LogStatistics {
    return statisticsOf(this.wal);
  }

  /** Null while there is no log of out-of-order samples. */
  get lateWalStatistics(): LogStatistics | null {
    return this.lateWal && statisticsOf(this.lateWal);
  }

  get walCompression(): WalCompression {
    return this.options.walCompression ?? "snappy";
  }

  /** What the log takes of the disk. */
  get walBytes(): number {
    return logSizeBytes(this.wal.directory);
  }

  get lateWalBytes(): number {
    return this.lateWal ? logSizeBytes(this.lateWal.directory) : 0;
  }

  get statistics(): HeadStatistics {
    return this.head.statistics;
  }

  get directory(): string {
    return this.options.directory;
  }

  /**
   * Ends the log and gives the directory free. Samples in the head are read from the log at the next start, or from a
   * snapshot if one is to be written.
   * @throws StorageError where the snapshot cannot be written, after the rest is done
   */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    try {
      const place = this.endLog();
      this.lateWal?.close();
      this.writeSeriesState(true);
      if (this.options.snapshotsHead ?? false) this.writeSnapshot(place);
    } finally {
      this.lock?.release();
    }
  }

  /** @returns from where on the log has to be read by those who have a snapshot of the head */
  private endLog(): LogPlace {
    const { wal, log, head } = this;
    let place: LogPlace | null = null;
    if ((this.options.snapshotsHead ?? false) && head.metadata.size > 0) {
      // A snapshot has no room for it.
      place = { segment: cutIfUsed(wal), offset: 0 };
      for (const part of inParts(head.metadata.entries())) log.metadata(part);
    }
    wal.close();
    return place ?? { segment: wal.segmentIndex, offset: wal.segmentOffset };
  }

  private writeSnapshot(place: LogPlace): void {
    const { head, options } = this;
    head.discard();
    const content = { generations: head.generations, exemplars: this.loggedExemplars() };
    writeHeadSnapshot(
      options.directory,
      content,
      place,
      walOptions(options, () => undefined),
    );
  }
}

/**
 * Reads the snapshot of the head, if there is one and it is asked for.
 * @returns where to begin with the log: with a snapshot that is damaged, at its start
 */
function readSnapshot(
  { directory, snapshotsHead = false }: TsdbOptions,
  lastSegment: number,
  sink: HeadReplay,
): {
  readonly snapshot: LoadedSnapshot | null;
  readonly snapshotFault: string | null;
  readonly from?: LogPlace;
} {
  const found = snapshotsHead ? findHeadSnapshot(directory, lastSegment) : null;
  if (found === null) return { snapshot: null, snapshotFault: null };
  try {
    return { snapshot: loadHeadSnapshot(directory, found, sink), snapshotFault: null, from: found };
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    return { snapshot: null, snapshotFault: error.message };
  }
}

/**
 * Reads the chunks that Prometheus moved out of its head, and those of a snapshot of it, for what a damaged log lost.
 * @throws StorageError when the log cannot be written
 */
function recoverHeadFiles(
  directory: string,
  replay: HeadReplay,
  log: WalLog,
  { isLateLogWhole, lastSegment }: { readonly isLateLogWhole: boolean; readonly lastSegment: number },
): { readonly damagedFiles: number; readonly samples: number } {
  let damagedFiles = 0;
  const { replayed } = replay;
  const snapshot = findHeadSnapshot(directory, lastSegment);
  const walk: ChunkWalk = (visit) => {
    damagedFiles = readHeadChunkFiles(join(directory, HEAD_CHUNKS_FOLDER), (chunk) => {
      if (!chunk.isOutOfOrder || !isLateLogWhole) visit(chunk);
    });
    if (snapshot === null) return;
    try {
      let isKnown = false;
      readHeadSnapshot(snapshot.path, {
        onSeries(ref, labels) {
          const known = replayed.numberOf(ref);
          isKnown = known !== 0 && replayed.labels(known).key === labels.key;
        },
        onChunk(chunk) {
          if (isKnown) visit(chunk);
        },
      });
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      damagedFiles++;
    }
  };
  const readDeleted = () =>
    new DeletedSamples(takeInventory(directory).blocks.map((block) => block.directory));
  const samples = recoverHeadChunks(walk, replayed, replay.recoverInto(log), readDeleted);
  return { damagedFiles, samples };
}

/**
 * Removes what lies beside a log for a faster start: chunks and snapshots of a head. The log has all of it by now; they
 * name series by the log's numbers, and would be taken for others when the log has moved on.
 */
function removeHeadFiles(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (name !== HEAD_CHUNKS_FOLDER && !isHeadSnapshot(name)) continue;
    rmSync(join(directory, name), { recursive: true, force: true });
  }
}

function walOptions(options: TsdbOptions, onSync = options.onWalSync): WalWriterOptions {
  return {
    segmentBytes: options.walSegmentBytes ?? DEFAULT_SEGMENT_BYTES,
    ...(options.walCompression === undefined ? {} : { compression: options.walCompression }),
    ...(onSync === undefined ? {} : { onSync }),
  };
}

/** The segment that what is logged from now on begins in. */
function cutIfUsed(wal: WalWriter): number {
  return wal.segmentOffset > 0 ? wal.cut() : wal.segmentIndex;
}
