import * as fs from "node:fs";
import { dirname } from "node:path";
import { crc32c } from "../crc32c.ts";
import { ByteWriter } from "../varint.ts";
import { type AppendedFile, attempt, writeAll } from "./appended-file.ts";

const FLUSH_BYTES = 1 << 20;

/**
 * Writes a file from front to back through a buffer, with a running checksum for the sections that need one.
 * What is put in `out` is taken over by `commit`.
 */
export class FileWriter {
  /** Write here, then `commit`. */
  readonly out = new ByteWriter(FLUSH_BYTES / 4);
  private flushedBytes = 0;
  private committed = 0;
  private crc = 0;
  private isSumming = false;

  /** @param file becomes the writer's, and has nothing in it yet */
  constructor(private readonly file: AppendedFile) {}

  /** Where in the file the next byte will be. */
  get position(): number {
    return this.flushedBytes + this.out.length;
  }

  /** Begins a checksum with the next byte. */
  beginChecksum(): void {
    this.commit();
    this.crc = 0;
    this.isSumming = true;
  }

  /** Writes the checksum of everything since `beginChecksum`. */
  endChecksum(): void {
    this.commit();
    this.isSumming = false;
    this.out.u32(this.crc);
    this.committed = this.out.length;
  }

  /** Takes over what was written, and hands it to the file once there is enough. */
  commit(): void {
    const { out } = this;
    if (this.isSumming) this.crc = crc32c(out.bytes, this.committed, out.length, this.crc);
    this.committed = out.length;
    if (out.length >= FLUSH_BYTES) this.flush();
  }

  /** Writes bytes that are many, without copying them; they are in no checksum. */
  writeThrough(bytes: Uint8Array): void {
    this.flushAll();
    this.file.append(bytes, bytes.length);
    this.flushedBytes += bytes.length;
  }

  private flush(): void {
    const { out } = this;
    this.file.append(out.bytes, out.length);
    this.flushedBytes += out.length;
    this.committed = 0;
    out.clear();
  }

  /** Hands everything to the file. */
  flushAll(): void {
    this.commit();
    if (this.out.length > 0) this.flush();
  }

  /** Flushes, syncs to the disk and closes. @throws StorageError */
  close(): void {
    this.flushAll();
    this.file.close();
  }

  /** Closes without caring for what was not written. */
  abandon(): void {
    this.file.abandon();
  }
}

/** Makes the names in a folder durable: what was created, renamed or removed in it. */
export function syncFolder(path: string): void {
  const descriptor = fs.openSync(path, "r");
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Replaces a small file at once: readers see the old bytes or the new ones, also after a crash. */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.tmp`;
  attempt(`write ${path}`, () => {
    const descriptor = fs.openSync(temporary, "w");
    try {
      writeAll(descriptor, bytes, bytes.length, 0);
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(temporary, path);
    syncFolder(dirname(path));
  });
}
