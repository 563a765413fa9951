/**
 * Segments of a write-ahead log, written and read.
 *
 *   segment:   page │ page │ page …                       (32 KiB each, the file's last may be cut short)
 *   page:      fragment │ fragment │ … │ zeros            (zeros where fewer than 7 bytes are left)
 *   fragment:  u8 type and flags │ u16 length │ u32 CRC-32C of the data │ data
 *
 * A record is one full fragment, or a first, middles and a last; it never crosses into another segment. Compression
 * covers the whole record and is flagged on each of its fragments.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { StorageError } from "../../model/storage.ts";
import { CorruptionError } from "../corruption-error.ts";
import { crc32c, crc32cBySlices } from "../crc32c.ts";
import { parseCheckpointName, parseSegmentName, segmentName } from "../file-names.ts";
import { canCompress, compressSnappy, compressZstd, decompressZstd, unpackSnappy } from "./compression.ts";
import type { WalCompression } from "./compression.ts";

export const PAGE_BYTES = 32768;
const HEADER_BYTES = 7;
const MAX_FRAGMENT_BYTES = PAGE_BYTES - HEADER_BYTES;

export const DEFAULT_SEGMENT_BYTES = 128 * 1024 * 1024;

/** A commit larger than this is written in parts, so that the buffer stays small. */
const WRITE_BUFFER_BYTES = 1 << 20;

const FragmentType = { zeros: 0, full: 1, first: 2, middle: 3, last: 4 } as const;
const TYPE_MASK = 0x07;
const SNAPPY_FLAG = 0x08;
const ZSTD_FLAG = 0x10;

export interface WalSegment {
  readonly index: number;
  readonly path: string;
}

/**
 * The segments of a log (or of a checkpoint, which is a little log), ascending; none if the folder is missing.
 * @throws CorruptionError if one is missing in between
 */
export function listSegments(directory: string): WalSegment[] {
  const segments: WalSegment[] = [];
  for (const name of listFolder(directory)) {
    const index = parseSegmentName(name);
    if (index !== null) segments.push({ index, path: join(directory, name) });
  }
  segments.sort((a, b) => a.index - b.index);
  for (let i = 1; i < segments.length; i++) {
    const previous = segments[i - 1]!.index;
    if (segments[i]!.index !== previous + 1) {
      throw new CorruptionError(
        `cannot read log in ${directory}: segment ${previous} is followed by segment ${segments[i]!.index}`,
      );
    }
  }
  return segments;
}

/** Names in a folder, none if it is missing. */
export function listFolder(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

// ───────────────────────────────────────────── writing ─────────────────────────────────────────────

/** The file operations a writer needs; tests give ones that fail. */
export type WalFiles = Pick<
  typeof fs,
  "openSync" | "writeSync" | "ftruncateSync" | "fsyncSync" | "fsync" | "closeSync" | "mkdirSync"
>;

export interface WalWriterOptions {
  /** A multiple of 32 KiB. */
  readonly segmentBytes?: number;
  readonly compression?: WalCompression;
  /**
   * How long committed records may stay in the operating system's cache before they are synced to the disk in the
   * background. Null, the default and Prometheus's way, syncs only at the end of a segment: a crash of the process
   * loses nothing then, a power cut up to a segment.
   */
  readonly syncIntervalMs?: number | null;
  /** Milliseconds of any steady clock. */
  readonly now?: () => number;
  readonly onSync?: (seconds: number) => void;
  readonly files?: WalFiles;
}

/** What a log has done since it was opened, for metrics. */
export interface WalStatistics {
  pageFlushes: number;
  completedPages: number;
  writesFailed: number;
  recordPartWrites: number;
  recordPartBytes: number;
  recordBytesSaved: number;
}

/**
 * Appends records to a log. Records gather in a buffer until `flush`, which is one write; a record is in the log,
 * safe from a crash of the process, once `flush` has returned.
 *
 * A write that fails (disk full) throws StorageError, and everything since the last flush is taken back from the
 * file, so the log stays readable and a later commit may succeed.
 */
export class WalWriter {
  readonly statistics: WalStatistics = {
    pageFlushes: 0,
    completedPages: 0,
    writesFailed: 0,
    recordPartWrites: 0,
    recordPartBytes: 0,
    recordBytesSaved: 0,
  };

  private readonly files: WalFiles;
  private readonly segmentBytes: number;
  private readonly compression: WalCompression;
  private readonly syncIntervalMs: number | null;
  private readonly now: () => number;
  private readonly onSync: (seconds: number) => void;

  private descriptor = -1;
  private index: number;
  /** Bytes of this segment that are in the file, and how many of them a finished flush put there. */
  private writtenBytes = 0;
  private flushedBytes = 0;
  private buffer = new Uint8Array(WRITE_BUFFER_BYTES + 2 * PAGE_BYTES);
  private buffered = 0;
  /** The file holds half a commit that could not be taken back yet. */
  private dirty = false;
  private closed = false;
  private lastSyncMs: number;
  private syncing: number | null = null;
  private syncError: Error | null = null;
  /** Segments to close once the sync that runs on them has ended. */
  private readonly closeAfterSync = new Set<number>();

  /** Opens a log for writing, always in a new segment: what an earlier run left is never written to again. */
  constructor(
    readonly directory: string,
    options: WalWriterOptions = {},
  ) {
    this.files = options.files ?? fs;
    this.segmentBytes = options.segmentBytes ?? DEFAULT_SEGMENT_BYTES;
    this.compression = options.compression ?? "snappy";
    this.syncIntervalMs = options.syncIntervalMs ?? null;
    this.now = options.now ?? (() => performance.now());
    this.onSync = options.onSync ?? (() => undefined);
    if (this.segmentBytes < PAGE_BYTES || this.segmentBytes % PAGE_BYTES !== 0) {
      throw new Error(
        `cannot open log ${directory}: segment size ${this.segmentBytes} is no multiple of ${PAGE_BYTES}`,
      );
    }
    if (!canCompress(this.compression)) {
      throw new Error(
        `cannot open log ${directory}: this version of Node.js does not have ${this.compression}`,
      );
    }
    this.lastSyncMs = this.now();
    this.files.mkdirSync(directory, { recursive: true });
    this.index = nextSegmentIndex(directory);
    this.openSegment();
  }

  /** The segment now written to. */
  get segmentIndex(): number {
    return this.index;
  }

  /** Bytes in the current segment, those waiting for a flush included. */
  get segmentOffset(): number {
    return this.writtenBytes + this.buffered;
  }

  /**
   * Adds a record; `record` may be used again at once. Most of the time this only copies.
   * @throws StorageError when a write fails
   */
  append(record: Uint8Array): void {
    this.assertOpen();
    if (this.dirty) this.takeBack();
    let data = record;
    let flag = 0;
    if (this.compression !== "none" && record.length > 0) {
      const compressed = this.compression === "snappy" ? compressSnappy(record) : compressZstd(record);
      if (compressed.length < record.length) {
        this.statistics.recordBytesSaved += record.length - compressed.length;
        data = compressed;
        flag = this.compression === "snappy" ? SNAPPY_FLAG : ZSTD_FLAG;
      }
    }

    if (this.pageRest() < HEADER_BYTES) this.padPage();
    if (this.segmentOffset > 0 && data.length > this.segmentRoom()) this.cut();

    let from = 0;
    // At least one fragment, for an empty record; the first may be empty too, in the last 7 bytes of a page.
    for (let fragments = 0; fragments === 0 || from < data.length; fragments++) {
      if (this.buffered >= WRITE_BUFFER_BYTES) this.writeBuffered();
      const length = Math.min(data.length - from, this.pageRest() - HEADER_BYTES);
      const isLast = from + length === data.length;
      const type =
        fragments === 0
          ? isLast
            ? FragmentType.full
            : FragmentType.first
          : isLast
            ? FragmentType.last
            : FragmentType.middle;
      this.putFragment(type | flag, data, from, length);
      from += length;
      if (this.pageRest() < HEADER_BYTES) this.padPage();
    }
  }

  /** The longest record that still fits the current segment; -1 if it is full. */
  private segmentRoom(): number {
    const rest = this.segmentBytes - this.segmentOffset;
    if (rest <= 0) return -1;
    return this.pageRest() - HEADER_BYTES + MAX_FRAGMENT_BYTES * Math.floor((rest - 1) / PAGE_BYTES);
  }

  private putFragment(header: number, data: Uint8Array, from: number, length: number): void {
    const buffer = this.buffer;
    let at = this.buffered;
    // The native function is not worth its library, whose allocator takes 3 MiB, for the little that is written here.
    const crc = crc32cBySlices(data, from, from + length, 0);
    buffer[at++] = header;
    buffer[at++] = length >>> 8;
    buffer[at++] = length & 0xff;
    buffer[at++] = crc >>> 24;
    buffer[at++] = (crc >>> 16) & 0xff;
    buffer[at++] = (crc >>> 8) & 0xff;
    buffer[at++] = crc & 0xff;
    buffer.set(from === 0 && length === data.length ? data : data.subarray(from, from + length), at);
    this.buffered = at + length;
    this.statistics.recordPartWrites++;
    this.statistics.recordPartBytes += HEADER_BYTES + length;
  }

  private pageRest(): number {
    return PAGE_BYTES - (this.segmentOffset % PAGE_BYTES);
  }

  private padPage(): void {
    const rest = this.pageRest();
    if (rest === PAGE_BYTES) return;
    this.buffer.fill(0, this.buffered, this.buffered + rest);
    this.buffered += rest;
    this.statistics.completedPages++;
  }

  /** Writes what was appended since the last flush: the end of a commit. @throws StorageError */
  flush(): void {
    this.assertOpen();
    if (this.dirty) this.takeBack();
    this.writeBuffered();
    this.flushedBytes = this.writtenBytes;
    if (this.syncError) {
      const cause = this.syncError;
      this.syncError = null;
      throw new StorageError(`cannot sync log ${this.directory}: ${cause.message}`, { cause });
    }
    this.syncIfDue();
  }

  /** Forgets what was appended since the last flush. */
  discard(): void {
    this.buffered = 0;
    if (this.writtenBytes !== this.flushedBytes) this.dirty = true;
  }

  private writeBuffered(): void {
    let from = 0;
    try {
      while (from < this.buffered) {
        from += this.files.writeSync(
          this.descriptor,
          this.buffer,
          from,
          this.buffered - from,
          this.writtenBytes + from,
        );
      }
    } catch (cause) {
      this.statistics.writesFailed++;
      this.writtenBytes += from;
      this.buffered = 0;
      this.dirty = true;
      const path = join(this.directory, segmentName(this.index));
      try {
        this.takeBack();
      } catch {
        // The next append tries again; until it succeeds nothing is written behind the half commit.
      }
      throw new StorageError(`cannot write to log segment ${path}: ${(cause as Error).message}`, { cause });
    }
    if (this.buffered > 0) this.statistics.pageFlushes++;
    this.writtenBytes += this.buffered;
    this.buffered = 0;
  }

  /** Cuts the file back to the last finished flush. */
  private takeBack(): void {
    try {
      this.files.ftruncateSync(this.descriptor, this.flushedBytes);
    } catch (cause) {
      const path = join(this.directory, segmentName(this.index));
      throw new StorageError(`cannot take back a failed write to ${path}: ${(cause as Error).message}`, {
        cause,
      });
    }
    this.writtenBytes = this.flushedBytes;
    this.dirty = false;
  }

  /**
   * Ends the current segment and starts the next one. What was appended before is in the old segment.
   * @returns the index of the new segment
   */
  cut(): number {
    this.assertOpen();
    if (this.dirty) this.takeBack();
    this.padPage();
    this.writeBuffered();
    this.flushedBytes = this.writtenBytes;
    const finished = this.descriptor;
    const finishedIndex = this.index;
    this.index++;
    try {
      this.openSegment();
    } catch (error) {
      this.index = finishedIndex;
      throw error;
    }
    this.syncAndCloseLater(finished);
    return this.index;
  }

  private openSegment(): void {
    const path = join(this.directory, segmentName(this.index));
    try {
      this.descriptor = this.files.openSync(path, "wx");
    } catch (cause) {
      throw new StorageError(`cannot create log segment ${path}: ${(cause as Error).message}`, { cause });
    }
    this.writtenBytes = this.flushedBytes = 0;
  }

  private syncIfDue(): void {
    if (this.syncIntervalMs === null || this.syncing !== null) return;
    if (this.now() - this.lastSyncMs < this.syncIntervalMs) return;
    const descriptor = this.descriptor;
    const startedMs = (this.lastSyncMs = this.now());
    this.syncing = descriptor;
    this.files.fsync(descriptor, (error) => {
      this.syncing = null;
      if (error) this.syncError = error;
      else this.onSync((this.now() - startedMs) / 1000);
      if (this.closeAfterSync.delete(descriptor)) this.files.closeSync(descriptor);
    });
  }

  /** A finished segment is synced in the background: its last bytes must not hold up a scrape. */
  private syncAndCloseLater(descriptor: number): void {
    const startedMs = this.now();
    this.files.fsync(descriptor, (error) => {
      if (error) this.syncError = error;
      else this.onSync((this.now() - startedMs) / 1000);
      if (this.syncing === descriptor) this.closeAfterSync.add(descriptor);
      else this.files.closeSync(descriptor);
    });
  }

  /** Waits until everything flushed is on the disk. @throws StorageError */
  sync(): void {
    this.assertOpen();
    const startedMs = (this.lastSyncMs = this.now());
    try {
      this.files.fsyncSync(this.descriptor);
    } catch (cause) {
      throw new StorageError(`cannot sync log ${this.directory}: ${(cause as Error).message}`, { cause });
    }
    this.onSync((this.now() - startedMs) / 1000);
  }

  /** Flushes, fills the last page, syncs and closes. */
  close(): void {
    if (this.closed) return;
    try {
      if (this.dirty) this.takeBack();
      this.padPage();
      this.flush();
      this.sync();
    } finally {
      this.closed = true;
      if (this.syncing === this.descriptor) this.closeAfterSync.add(this.descriptor);
      else this.files.closeSync(this.descriptor);
    }
  }

  private assertOpen(): void {
    if (this.closed) throw new StorageError(`cannot write to log ${this.directory}: it is closed`);
  }
}

/** One behind the last segment, and behind the last checkpoint, which may have outlived its segments. */
function nextSegmentIndex(directory: string): number {
  let next = 0;
  for (const name of listFolder(directory)) {
    const index = parseSegmentName(name) ?? parseCheckpointName(name);
    if (index !== null) next = Math.max(next, index + 1);
  }
  return next;
}

/**
 * Deletes the segments below `firstKept` and the checkpoints that end before those do. Checkpoints go first: without
 * its segments a checkpoint would leave a gap that a reader must take for damage, while segments without their
 * checkpoint are merely old.
 */
export function truncateLog(directory: string, firstKept: number): void {
  removeCheckpoints(directory, firstKept - 1);
  for (const segment of listSegments(directory)) {
    if (segment.index < firstKept) fs.rmSync(segment.path);
  }
}

/** Deletes the checkpoints before number `firstKept`. */
export function removeCheckpoints(directory: string, firstKept: number): void {
  for (const name of listFolder(directory)) {
    const checkpoint = parseCheckpointName(name);
    if (checkpoint !== null && checkpoint < firstKept) fs.rmSync(join(directory, name), { recursive: true });
  }
}

/** Bytes of all segments and checkpoints. */
export function logSizeBytes(directory: string): number {
  let total = 0;
  for (const name of listFolder(directory)) {
    const path = join(directory, name);
    const stat = fs.statSync(path, { throwIfNoEntry: false });
    if (stat) total += stat.isDirectory() ? logSizeBytes(path) : stat.size;
  }
  return total;
}

// ───────────────────────────────────────────── reading ─────────────────────────────────────────────

/** A log is damaged at a place: everything before `offset` in `segment` is sound. */
export class WalCorruptionError extends CorruptionError {
  constructor(
    readonly directory: string,
    readonly segment: number,
    /** Where the last sound record of the segment ends. */
    readonly offset: number,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`cannot read log ${directory}: segment ${segment} after byte ${offset}: ${reason}`, options);
  }
}

const READ_BYTES = 8 * PAGE_BYTES;

/**
 * Reads the records of some segments one after the other, a quarter of a megabyte at a time.
 *
 *     while (reader.next()) use(reader.record);
 */
export class WalReader {
  /** The record `next` found; a view, perhaps of shared memory, that the following `next` may overwrite. */
  record: Uint8Array = EMPTY;
  /** Where the last sound record ended: segment and byte. */
  segment = -1;
  offset = 0;

  private descriptor = -1;
  private nextSegment = 0;
  private readonly buffer = new Uint8Array(READ_BYTES);
  /** Where `buffer` begins in the file, how much of it is filled, and the next byte to look at. */
  private bufferStart = 0;
  private filled = 0;
  private at = 0;
  /** Fragments of the record being put together. */
  private assembled = new Uint8Array(PAGE_BYTES);
  private assembledBytes = 0;

  /** @param startOffset where in the first segment to begin: the first byte of a page */
  constructor(
    private readonly directory: string,
    private readonly segments: readonly WalSegment[],
    private readonly startOffset = 0,
  ) {}

  /**
   * Moves to the next record.
   * @returns false at the end of the log
   * @throws WalCorruptionError at a damaged or torn record
   */
  next(): boolean {
    for (;;) {
      if (this.descriptor < 0 && !this.openNext()) return false;
      if (this.readRecord()) return true;
      this.close();
    }
  }

  private openNext(): boolean {
    const segment = this.segments[this.nextSegment++];
    if (!segment) return false;
    this.descriptor = fs.openSync(segment.path, "r");
    this.segment = segment.index;
    this.filled = this.at = 0;
    this.offset = this.bufferStart = this.nextSegment === 1 ? this.startOffset : 0;
    return true;
  }

  /** @returns false at the end of the segment */
  private readRecord(): boolean {
    this.assembledBytes = 0;
    let fragments = 0;
    for (;;) {
      if (this.at >= this.filled && !this.fill()) {
        if (fragments > 0) this.fail("the last record is torn");
        return false;
      }
      const pageRest = PAGE_BYTES - (this.at % PAGE_BYTES);
      const header = this.buffer[this.at]!;
      const type = header & TYPE_MASK;
      if (type === FragmentType.zeros) {
        for (let i = this.at + 1; i < this.at + pageRest; i++) {
          if (this.buffer[i] !== 0)
            this.fail(`byte ${this.bufferStart + i} in the padding of a page is not zero`);
        }
        this.at += pageRest;
        continue;
      }
      if (pageRest < HEADER_BYTES) this.fail(`a record starts ${pageRest} bytes before the end of a page`);
      const data = this.checkedFragment(pageRest);
      const start = this.at + HEADER_BYTES;
      this.at = start + data;

      const startsRecord = type === FragmentType.full || type === FragmentType.first;
      if (type > FragmentType.last) this.fail(`a record fragment has the unknown type ${type}`);
      if (startsRecord !== (fragments === 0)) {
        this.fail(startsRecord ? "a record starts inside another" : "a record lacks its beginning");
      }
      // A lone type byte at a torn end reads as a fragment of length 0; no writer makes one that continues a record.
      if (fragments > 0 && data === 0) this.fail("the last record is torn");
      fragments++;
      if (type === FragmentType.full) {
        this.finish(header, this.buffer.subarray(start, start + data));
        return true;
      }
      this.gather(start, data);
      if (type === FragmentType.last) {
        this.finish(header, this.assembled.subarray(0, this.assembledBytes));
        return true;
      }
    }
  }

  /** @returns the length of the fragment's data, which is whole and has the right checksum */
  private checkedFragment(pageRest: number): number {
    const { buffer, at } = this;
    const length = (buffer[at + 1]! << 8) | buffer[at + 2]!;
    if (length > pageRest - HEADER_BYTES) {
      this.fail(
        `a record fragment of ${length} bytes does not fit the ${pageRest - HEADER_BYTES} left in its page`,
      );
    }
    const expected =
      ((buffer[at + 3]! << 24) | (buffer[at + 4]! << 16) | (buffer[at + 5]! << 8) | buffer[at + 6]!) >>> 0;
    const actual = crc32c(buffer, at + HEADER_BYTES, at + HEADER_BYTES + length);
    if (actual !== expected) {
      this.fail(`the checksum of a record is ${actual.toString(16)}, expected ${expected.toString(16)}`);
    }
    return length;
  }

  private gather(start: number, length: number): void {
    const needed = this.assembledBytes + length;
    if (needed > this.assembled.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.assembled.length));
      grown.set(this.assembled.subarray(0, this.assembledBytes));
      this.assembled = grown;
    }
    this.assembled.set(this.buffer.subarray(start, start + length), this.assembledBytes);
    this.assembledBytes = needed;
  }

  private finish(header: number, stored: Uint8Array): void {
    if (stored.length === 0 || (header & (SNAPPY_FLAG | ZSTD_FLAG)) === 0) {
      this.record = stored;
    } else {
      try {
        this.record = header & SNAPPY_FLAG ? unpackSnappy(stored) : decompressZstd(stored);
      } catch (cause) {
        if (cause instanceof CorruptionError) this.fail(cause.message, cause);
        throw cause;
      }
    }
    this.offset = this.bufferStart + this.at;
  }

  /** Reads on; a last page cut short is filled up with zeros. */
  private fill(): boolean {
    this.bufferStart += this.filled;
    let read = 0;
    while (read < READ_BYTES) {
      const count = fs.readSync(
        this.descriptor,
        this.buffer,
        read,
        READ_BYTES - read,
        this.bufferStart + read,
      );
      if (count === 0) break;
      read += count;
    }
    this.filled = Math.ceil(read / PAGE_BYTES) * PAGE_BYTES;
    this.buffer.fill(0, read, this.filled);
    this.at = 0;
    return read > 0;
  }

  private fail(reason: string, cause?: Error): never {
    const error = new WalCorruptionError(this.directory, this.segment, this.offset, reason, { cause });
    this.close();
    throw error;
  }

  close(): void {
    if (this.descriptor >= 0) fs.closeSync(this.descriptor);
    this.descriptor = -1;
  }
}

const EMPTY = new Uint8Array(0);

/**
 * Makes a damaged log readable: removes the segments after the fault, and of the faulty segment everything from the
 * fault on. Later records depend on earlier ones, so nothing behind a fault can be trusted.
 */
export function repairLog(fault: WalCorruptionError): void {
  const segments = listSegments(fault.directory);
  // Last first: if this is interrupted, what is left is still without a gap.
  for (const segment of segments.toReversed()) {
    if (segment.index > fault.segment) fs.rmSync(segment.path);
    if (segment.index !== fault.segment) continue;
    const descriptor = fs.openSync(segment.path, "r+");
    try {
      fs.ftruncateSync(descriptor, fault.offset);
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  }
}
