import * as fs from "node:fs";
import { reserveSharedMemory } from "../../kernels/index.ts";
import { type AppendedFile, attempt, BufferedFile, writeAll } from "./appended-file.ts";

/** Disks and memories want places, sizes and addresses that are multiples of this, or of a part of it. */
const PAGE_BYTES = 4096;
const STAGE_BYTES = 1 << 18;

/**
 * A file that is written past the page cache: for what is large and not read soon, it costs the processor a tenth, and
 * what others read stays in the cache. Where the system has no such files it is one like any other.
 *
 * Bytes go through a buffer whose address fits; the last page is filled up, and cut off when the file is closed.
 */
export class DirectFile implements AppendedFile {
  // The memory of a kernel begins at a page; of an ordinary buffer one cannot know.
  private readonly stage = new Uint8Array(reserveSharedMemory(STAGE_BYTES).buffer, 0, STAGE_BYTES);
  private stagedBytes = 0;
  private writtenBytes = 0;

  private constructor(
    readonly path: string,
    private descriptor: number,
  ) {}

  /** Creates a file, which must not exist. @throws StorageError */
  static create(path: string): AppendedFile {
    const { O_CREAT, O_DIRECT, O_EXCL, O_RDWR } = fs.constants as Partial<typeof fs.constants>;
    if (O_DIRECT === undefined) return new BufferedFile(path);
    return attempt(`create ${path}`, () => {
      try {
        return new DirectFile(path, fs.openSync(path, O_CREAT! | O_EXCL! | O_RDWR! | O_DIRECT, 0o666));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        // Some make the file all the same.
        fs.rmSync(path, { force: true });
        return new BufferedFile(path);
      }
    });
  }

  append(bytes: Uint8Array, length: number): void {
    let from = 0;
    if (bytes.buffer instanceof SharedArrayBuffer && this.isInPhase(bytes.byteOffset)) {
      // Fast path, for a kernel's memory: whole pages are written from where they are.
      from = Math.min(length, -bytes.byteOffset & (PAGE_BYTES - 1));
      this.copy(bytes, 0, from);
      const pages = (length - from) & -PAGE_BYTES;
      if (pages > 0) {
        this.writeStage();
        this.write(bytes.subarray(from, from + pages), pages);
        from += pages;
      }
    }
    this.copy(bytes, from, length);
  }

  /** Whether bytes at such an address are to lie as far behind the beginning of a page as they do now. */
  private isInPhase(byteOffset: number): boolean {
    return (this.writtenBytes + this.stagedBytes - byteOffset) % PAGE_BYTES === 0;
  }

  private copy(bytes: Uint8Array, from: number, to: number): void {
    while (from < to) {
      const count = Math.min(to - from, STAGE_BYTES - this.stagedBytes);
      this.stage.set(bytes.subarray(from, from + count), this.stagedBytes);
      this.stagedBytes += count;
      from += count;
      if (this.stagedBytes === STAGE_BYTES) this.writeStage();
    }
  }

  /** Writes what is staged, which ends where a page does. */
  private writeStage(): void {
    if (this.stagedBytes > 0) this.write(this.stage, this.stagedBytes);
    this.stagedBytes = 0;
  }

  private write(bytes: Uint8Array, length: number): void {
    attempt(`write to ${this.path}`, () => {
      try {
        writeAll(this.descriptor, bytes, length, this.writtenBytes);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        // The file could be opened, but the disk wants other multiples.
        const cached = fs.openSync(this.path, "r+");
        fs.closeSync(this.descriptor);
        this.descriptor = cached;
        writeAll(this.descriptor, bytes, length, this.writtenBytes);
      }
    });
    this.writtenBytes += length;
  }

  close(): void {
    const size = this.writtenBytes + this.stagedBytes;
    const filled = Math.ceil(this.stagedBytes / PAGE_BYTES) * PAGE_BYTES;
    this.stage.fill(0, this.stagedBytes, filled);
    this.stagedBytes = filled;
    this.writeStage();
    attempt(`sync ${this.path}`, () => {
      fs.ftruncateSync(this.descriptor, size);
      fs.fsyncSync(this.descriptor);
    });
    fs.closeSync(this.descriptor);
  }

  abandon(): void {
    fs.closeSync(this.descriptor);
  }
}

function isRefusal(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EINVAL" || code === "ENOTSUP" || code === "EOPNOTSUPP";
}
