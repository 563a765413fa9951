/**
 * The files of a block's chunks.
 *
 *   file:   u32 0x85BD40DD │ u8 1 │ 3 zero bytes │ chunk │ chunk │ …
 *   chunk:  uvarint size of data │ u8 encoding │ data │ u32 CRC-32C of encoding and data
 *
 * A chunk is found by file (from 0, in the order of names) and the offset of its first byte in it.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { CorruptionError } from "../corruption-error.ts";
import { crc32c } from "../crc32c.ts";
import { chunkFileName, parseChunkFileName } from "../file-names.ts";
import { type AppendedFile, BufferedFile } from "./appended-file.ts";
import type { EncodedChunk } from "./chunk-series.ts";
import { FileWriter } from "./file-writer.ts";
import { readFully } from "./page-cache.ts";

const MAGIC = 0x85bd40dd;
const VERSION = 1;
const HEADER_BYTES = 8;
const MAX_SIZE_BYTES = 5;
const CRC_BYTES = 4;
const DEFAULT_FILE_BYTES = 512 * 1024 * 1024;

/** Where a chunk lies: file and offset as one number, as the index stores it. */
export type ChunkRef = number;

const TWO_32 = 2 ** 32;

export class ChunkFileWriter {
  private file: FileWriter | null = null;
  private files = 0;

  constructor(
    private readonly directory: string,
    private readonly maxFileBytes: number = DEFAULT_FILE_BYTES,
    private readonly create: (path: string) => AppendedFile = (path) => new BufferedFile(path),
  ) {}

  append(chunk: EncodedChunk): ChunkRef {
    const { bytes, encoding, crc } = chunk;
    // The size of the length is taken at its most, as every other writer does.
    const file = this.fileWithRoom(MAX_SIZE_BYTES + 1 + bytes.length + CRC_BYTES);
    const offset = file.position;
    file.out.uvarint(bytes.length);
    if (crc === undefined) file.beginChecksum();
    file.out.u8(encoding);
    file.out.raw(bytes);
    if (crc === undefined) file.endChecksum();
    else file.out.u32(crc);
    file.commit();
    return this.refOf(offset);
  }

  /** How many bytes of frames go into one file at most. */
  get mostFrameBytes(): number {
    return this.maxFileBytes - HEADER_BYTES - MAX_SIZE_BYTES;
  }

  /** Where the next frames will lie, and how many bytes of them, at least `needed`, the file has room for. */
  placeForFrames(needed: number): { readonly ref: ChunkRef; readonly room: number } {
    const { position } = this.fileWithRoom(needed + MAX_SIZE_BYTES);
    return {
      ref: this.refOf(position),
      room: Math.max(needed, this.maxFileBytes - position - MAX_SIZE_BYTES),
    };
  }

  /** Appends chunks as they are to lie in the file, where `placeForFrames` said: each from its size to its checksum. */
  appendFrames(frames: Uint8Array): void {
    this.file!.writeThrough(frames);
  }

  private refOf(offset: number): ChunkRef {
    return (this.files - 1) * TWO_32 + offset;
  }

  /** The file that is written to; the next one where this one has no room for so many bytes. */
  private fileWithRoom(bytes: number): FileWriter {
    if (this.file === null || this.file.position + bytes > this.maxFileBytes) this.nextFile();
    return this.file!;
  }

  private nextFile(): void {
    this.file?.close();
    this.files++;
    this.file = new FileWriter(this.create(join(this.directory, chunkFileName(this.files))));
    this.file.out.u32(MAGIC);
    this.file.out.u8(VERSION);
    for (let i = 5; i < HEADER_BYTES; i++) this.file.out.u8(0);
  }

  close(): void {
    this.file?.close();
    this.file = null;
  }

  abandon(): void {
    this.file?.abandon();
    this.file = null;
  }
}

/** Reads behind each other are likely: the next one reads on this much further, up to the greatest. */
const LEAST_WINDOW_BYTES = 4096;
const MAX_WINDOW_BYTES = 256 * 1024;

/** Chunks are read by size, and only known by where they begin: how far to read for the last one. */
const GUESSED_CHUNK_BYTES = 512;

/**
 * The chunk files of one block, opened as they are needed. Holds descriptors, no data; windows of data belong to the
 * `ChunkReader`s made from it.
 */
export class ChunkFiles {
  private readonly paths: string[] = [];
  private readonly descriptors: (number | undefined)[] = [];

  /** @throws CorruptionError where a file's header is not that of a chunk file */
  constructor(readonly directory: string) {
    const names = fs.readdirSync(directory).filter((name) => parseChunkFileName(name) !== null);
    names.sort();
    for (const name of names) this.paths.push(join(directory, name));
    try {
      for (let file = 0; file < this.paths.length; file++) this.checkHeader(file);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.paths.reduce((sum, path) => sum + fs.statSync(path).size, 0);
  }

  private checkHeader(file: number): void {
    const header = new Uint8Array(HEADER_BYTES);
    const length = readFully(this.descriptor(file), header, 0);
    const magic = new DataView(header.buffer).getUint32(0);
    if (length < HEADER_BYTES || magic !== MAGIC) {
      throw new CorruptionError(
        `cannot open chunk file ${this.paths[file]}: it begins with ${magic.toString(16)}, expected ${MAGIC.toString(16)}`,
      );
    }
    if (header[4] !== VERSION) {
      throw new CorruptionError(`cannot open chunk file ${this.paths[file]}: unknown version ${header[4]}`);
    }
  }

  path(file: number): string {
    return this.paths[file] ?? join(this.directory, chunkFileName(file + 1));
  }

  descriptor(file: number): number {
    const known = this.descriptors[file];
    if (known !== undefined) return known;
    const path = this.paths[file];
    if (path === undefined) {
      throw new CorruptionError(`cannot read chunk: file ${this.path(file)} is missing`);
    }
    return (this.descriptors[file] = fs.openSync(path, "r"));
  }

  close(): void {
    for (const descriptor of this.descriptors) if (descriptor !== undefined) fs.closeSync(descriptor);
    this.descriptors.length = 0;
  }
}

/** Reads chunks through a window that grows while they are asked for in the order they lie in. */
export class ChunkReader {
  /** What `locate` found: the chunk's data lies in `window` from `start` to `end`. */
  window: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  encoding = 0;
  crc = 0;
  /** From its size to its checksum. */
  frameBytes = 0;

  private buffer: Uint8Array = new Uint8Array(0);
  private file = -1;
  private windowOffset = 0;
  private windowBytes = LEAST_WINDOW_BYTES;

  /** @param keepsViews whether `bytes` stay as they are when more is read; else the next `locate` may overwrite them */
  constructor(
    private readonly files: ChunkFiles,
    private readonly keepsViews = false,
  ) {}

  /**
   * Finds a chunk and checks its checksum.
   * @param lastRef the last chunk that will be asked for right after this one, to read them all at once
   * @throws CorruptionError
   */
  locate(ref: ChunkRef, lastRef: ChunkRef = ref): void {
    const file = Math.floor(ref / TWO_32);
    const offset = ref % TWO_32;
    const lastOffset = Math.floor(lastRef / TWO_32) === file ? Math.max(offset, lastRef % TWO_32) : offset;
    this.need(file, offset, MAX_SIZE_BYTES, lastOffset - offset + GUESSED_CHUNK_BYTES);
    let at = offset - this.windowOffset;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.window[at];
      if (byte === undefined || shift > 28) this.fail(file, offset, "its size cannot be read");
      at++;
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    const head = at - (offset - this.windowOffset);
    const total = head + 1 + size + 4;
    if (size > MAX_CHUNK_BYTES) this.fail(file, offset, `it claims ${size} bytes`);
    this.need(file, offset, total, total);
    const start = offset - this.windowOffset + head;
    const end = start + 1 + size;
    if (end + 4 > this.window.length) {
      this.fail(file, offset, `it should end at byte ${offset + total}, the file ends before`);
    }
    const expected =
      ((this.window[end]! << 24) |
        (this.window[end + 1]! << 16) |
        (this.window[end + 2]! << 8) |
        this.window[end + 3]!) >>>
      0;
    const actual = crc32c(this.window, start, end);
    if (actual !== expected) {
      this.fail(file, offset, `checksum is ${actual.toString(16)}, expected ${expected.toString(16)}`);
    }
    this.crc = actual;
    this.frameBytes = total;
    this.encoding = this.window[start]!;
    this.start = start + 1;
    this.end = end;
  }

  /** The data of the chunk `locate` found, as a view. */
  get bytes(): Uint8Array {
    return this.window.subarray(this.start, this.end);
  }

  /** Makes `least` bytes from `offset` lie in the window, if the file has them; reads about `likely` if it must. */
  private need(file: number, offset: number, least: number, likely: number): void {
    const windowEnd = this.windowOffset + this.window.length;
    const isInside = file === this.file && offset >= this.windowOffset;
    if (isInside && offset + least <= windowEnd) return;
    // Reading on from where the window ends, or close to it, is a walk: take bigger steps.
    const isWalk = isInside && offset <= windowEnd + this.windowBytes;
    this.windowBytes = isWalk ? Math.min(2 * this.windowBytes, MAX_WINDOW_BYTES) : LEAST_WINDOW_BYTES;
    const size = Math.max(least, Math.min(Math.max(likely, this.windowBytes), MAX_WINDOW_BYTES));
    if (this.keepsViews) this.buffer = Buffer.allocUnsafeSlow(size);
    else if (size > this.buffer.length) this.buffer = new Uint8Array(size);
    const length = readFully(this.files.descriptor(file), this.buffer.subarray(0, size), offset);
    this.window = this.buffer.subarray(0, length);
    this.windowOffset = offset;
    this.file = file;
  }

  private fail(file: number, offset: number, why: string): never {
    throw new CorruptionError(`cannot read chunk at byte ${offset} of ${this.files.path(file)}: ${why}`);
  }
}

/** Nobody writes chunks near this; a greater claim is damage. */
const MAX_CHUNK_BYTES = 1 << 26;
