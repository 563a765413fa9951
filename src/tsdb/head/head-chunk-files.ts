/**
 * Files of the head's chunks, one chunk after the other. Prometheus moves every chunk that is full there; Narthex
 * writes them at a stop, beside a snapshot of the head.
 *
 *   file:   u32 0x0130BC91 │ u8 1 │ 3 zero bytes │ chunk │ chunk │ … │ zeros
 *   chunk:  u64 series │ i64 first time │ i64 last time │ u8 encoding, bit 7: out of order
 *           │ uvarint size of data │ data │ u32 CRC-32C of all before it
 */
import * as fs from "node:fs";
import { join } from "node:path";
import type { EncodedChunk } from "../block/chunk-series.ts";
import { BufferedFile } from "../block/appended-file.ts";
import { FileWriter, syncFolder } from "../block/file-writer.ts";
import { CorruptionError } from "../corruption-error.ts";
import { crc32c } from "../crc32c.ts";
import { chunkFileName, parseChunkFileName } from "../file-names.ts";
import { ByteReader } from "../varint.ts";
import { listFolder } from "../wal/segment.ts";

const MAGIC = 0x0130bc91;
const VERSION = 1;
const FILE_HEADER_BYTES = 8;
const CHUNK_HEADER_BYTES = 25;
const MAX_SIZE_BYTES = 5;
const CRC_BYTES = 4;
const OUT_OF_ORDER_FLAG = 0x80;
const READ_BYTES = 1 << 20;
/** No chunk is near this; a claimed size above it is damage, not a reason to allocate. */
const MAX_CHUNK_BYTES = 1 << 24;
/** A file ends before it is longer than this. */
const MAX_FILE_BYTES = 128 * 1024 * 1024;

/** A chunk of a series that the log knows by `ref`. */
export interface HeadFileChunk {
  readonly ref: number;
  readonly minTime: number;
  /** Included. */
  readonly maxTime: number;
  readonly encoding: number;
  readonly isOutOfOrder: boolean;
  /** A view that the next chunk overwrites. */
  readonly bytes: Uint8Array;
}

/**
 * Writes files of head chunks into a folder that it makes. The chunks of a series must come in the order of time: a
 * reader takes one that does not for damage.
 */
export class HeadChunkFilesWriter {
  private file: FileWriter | null = null;
  private number = 0;

  /** @throws Error if the folder is there already */
  constructor(private readonly directory: string) {
    fs.mkdirSync(directory);
  }

  /** @param ref the log's number of the series */
  add(ref: number, { minTime, maxTime, encoding, bytes }: EncodedChunk): void {
    const size = CHUNK_HEADER_BYTES + MAX_SIZE_BYTES + bytes.length + CRC_BYTES;
    if (this.file !== null && this.file.position + size > MAX_FILE_BYTES) this.finishFile();
    const file = (this.file ??= this.begin());
    const { out } = file;
    const start = out.length;
    out.u64(ref);
    out.i64(minTime);
    out.i64(maxTime);
    out.u8(encoding);
    out.uvarint(bytes.length);
    out.raw(bytes);
    out.u32(crc32c(out.bytes, start, out.length));
    file.commit();
  }

  private begin(): FileWriter {
    const file = new FileWriter(new BufferedFile(join(this.directory, chunkFileName(++this.number))));
    file.out.u32(MAGIC);
    file.out.u8(VERSION);
    file.out.raw(new Uint8Array(FILE_HEADER_BYTES - 5));
    return file;
  }

  private finishFile(): void {
    this.file?.close();
    this.file = null;
  }

  /** Has everything on the disk. */
  close(): void {
    this.finishFile();
    syncFolder(this.directory);
  }

  /** Lets go of the file that is open, whatever is in it. */
  abandon(): void {
    this.file?.abandon();
    this.file = null;
  }
}

/**
 * Visits the chunks of all files of a folder, in their order. Damage ends the reading of a file; the others are read,
 * for each chunk has its own checksum.
 * @param onDamage told of each damaged file; what it throws ends the reading
 * @returns how many files were damaged
 */
export function readHeadChunkFiles(
  directory: string,
  visit: (chunk: HeadFileChunk) => void,
  onDamage: (error: CorruptionError) => void = () => undefined,
): number {
  const files = listFolder(directory)
    .map((name) => ({ name, number: parseChunkFileName(name) }))
    .filter(({ number }) => number !== null)
    .sort((a, b) => a.number! - b.number!);
  let damaged = 0;
  for (const [i, { name }] of files.entries()) {
    const path = join(directory, name);
    // The newest may have been begun just before the end.
    const isLast = i === files.length - 1;
    if (isLast && fs.statSync(path).size < FILE_HEADER_BYTES) continue;
    try {
      readFile(path, isLast, visit);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      onDamage(error);
      damaged++;
    }
  }
  return damaged;
}

function readFile(path: string, isLast: boolean, visit: (chunk: HeadFileChunk) => void): void {
  const descriptor = fs.openSync(path, "r");
  try {
    const file = new FileWindow(descriptor, path);
    const header = file.at(0, FILE_HEADER_BYTES);
    const magic = header.u32();
    if (magic === 0 && isLast) return;
    if (magic !== MAGIC || header.u8() !== VERSION) {
      throw new CorruptionError(`cannot read ${path}: it does not begin as a file of head chunks does`);
    }
    for (let offset = FILE_HEADER_BYTES; ;) {
      const size = readChunk(file, offset, visit);
      if (size === 0) return;
      offset += size;
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

/** @returns the size of the chunk at `offset`, 0 at the end */
function readChunk(file: FileWindow, offset: number, visit: (chunk: HeadFileChunk) => void): number {
  const rest = file.sizeBytes - offset;
  const least = CHUNK_HEADER_BYTES + MAX_SIZE_BYTES + CRC_BYTES;
  const head = file.at(offset, Math.min(rest, least));
  if (isZero(head)) return 0;
  const ref = head.u64();
  const minTime = head.i64();
  const maxTime = head.i64();
  if (ref === 0 && minTime === 0 && maxTime === 0) return 0;
  const encoding = head.u8();
  const dataBytes = head.uvarint();
  const headerBytes = head.offset - file.offset;
  const size = headerBytes + dataBytes + CRC_BYTES;
  if (dataBytes < 2 || dataBytes > MAX_CHUNK_BYTES || size > rest) {
    throw new CorruptionError(
      `cannot read ${file.path} at ${offset}: a chunk claims to be ${size} bytes long`,
    );
  }
  const chunk = file.at(offset, size);
  const start = file.offset;
  const crcAt = start + size - CRC_BYTES;
  chunk.offset = crcAt;
  if (chunk.u32() !== crc32c(file.bytes, start, crcAt)) {
    throw new CorruptionError(`cannot read ${file.path} at ${offset}: the checksum of a chunk is wrong`);
  }
  visit({
    ref,
    minTime,
    maxTime,
    encoding: encoding & ~OUT_OF_ORDER_FLAG,
    isOutOfOrder: (encoding & OUT_OF_ORDER_FLAG) !== 0,
    bytes: file.bytes.subarray(start + headerBytes, crcAt),
  });
  return size;
}

function isZero({ bytes, offset, end }: ByteReader): boolean {
  for (let i = offset; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** A part of a file in memory, which moves on as it is read. */
class FileWindow {
  bytes = new Uint8Array(READ_BYTES);
  /** Index in `bytes` of what was asked for last. */
  offset = 0;
  readonly sizeBytes: number;
  private start = 0;
  private filled = 0;
  private readonly reader = new ByteReader();

  constructor(
    private readonly descriptor: number,
    readonly path: string,
  ) {
    this.sizeBytes = fs.fstatSync(descriptor).size;
  }

  /** @throws CorruptionError where the file is shorter */
  at(position: number, length: number): ByteReader {
    if (position < this.start || position + length > this.start + this.filled) this.load(position, length);
    this.offset = position - this.start;
    return this.reader.reset(this.bytes, this.offset, this.offset + length);
  }

  private load(position: number, length: number): void {
    if (length > this.bytes.length) this.bytes = new Uint8Array(2 * length);
    let filled = 0;
    while (filled < this.bytes.length) {
      const read = fs.readSync(
        this.descriptor,
        this.bytes,
        filled,
        this.bytes.length - filled,
        position + filled,
      );
      if (read === 0) break;
      filled += read;
    }
    this.start = position;
    this.filled = filled;
    if (filled < length)
      throw new CorruptionError(`cannot read ${this.path}: it ends at ${position + filled}`);
  }
}
