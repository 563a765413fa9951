import * as fs from "node:fs";
import { StorageError } from "../../model/storage.ts";

/** A new file that is written from front to back. */
export interface AppendedFile {
  /** Writes the first `length` bytes behind what was written before; they may be changed afterwards. @throws StorageError */
  append(bytes: Uint8Array, length: number): void;
  /** Syncs to the disk and closes. @throws StorageError */
  close(): void;
  /** Closes without caring for what was not written. */
  abandon(): void;
}

/** One that is written by way of the system's cache, where it can be read back. */
export class BufferedFile implements AppendedFile {
  private readonly descriptor: number;
  private writtenBytes = 0;

  /** Creates the file, which must not exist. @throws StorageError */
  constructor(private readonly path: string) {
    this.descriptor = attempt(`create ${path}`, () => fs.openSync(path, "wx+"));
  }

  append(bytes: Uint8Array, length: number): void {
    attempt(`write to ${this.path}`, () => writeAll(this.descriptor, bytes, length, this.writtenBytes));
    this.writtenBytes += length;
  }

  readBack(position: number, target: Uint8Array): number {
    return fs.readSync(this.descriptor, target, 0, target.length, position);
  }

  close(): void {
    attempt(`sync ${this.path}`, () => fs.fsyncSync(this.descriptor));
    fs.closeSync(this.descriptor);
  }

  abandon(): void {
    fs.closeSync(this.descriptor);
  }
}

export function writeAll(descriptor: number, bytes: Uint8Array, length: number, position: number): void {
  for (let from = 0; from < length;) {
    from += fs.writeSync(descriptor, bytes, from, length - from, position + from);
  }
}

/** Has what the disk refuses be a StorageError. */
export function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new StorageError(`cannot ${what}: ${(cause as Error).message}`, { cause });
  }
}
