import * as fs from "node:fs";

const PAGE_BYTES = 32768;
const DEFAULT_LIMIT_BYTES = 32 * 1024 * 1024;

/**
 * Pieces of index files in memory, those used last, within one limit for all the blocks of a thread. Nothing of an
 * index stays in memory for being open, so a thousand blocks cost no more than ten.
 */
export class PageCache {
  /** Least recently used first. */
  private readonly pages = new Map<number, Uint8Array>();
  private readonly maxPages: number;
  private nextFile = 0;

  constructor(limitBytes: number = DEFAULT_LIMIT_BYTES) {
    this.maxPages = Math.max(4, Math.floor(limitBytes / PAGE_BYTES));
  }

  get usedBytes(): number {
    return this.pages.size * PAGE_BYTES;
  }

  /** Opens a file for reading through this cache. */
  open(path: string): CachedFile {
    return new CachedFile(this, this.nextFile++, path);
  }

  /**
   * @param sizeBytes the file's
   * @returns a page, shorter at the end of the file; do not write to it
   */
  page(file: number, descriptor: number, index: number, sizeBytes: number): Uint8Array {
    const key = file * 2 ** 28 + index;
    let page = this.pages.get(key);
    if (page) {
      // Moves it to the end: the last to go.
      this.pages.delete(key);
      this.pages.set(key, page);
      return page;
    }
    // A page of its own, not of Node's pool, which would be held by its smallest part.
    const bytes = new Uint8Array(Math.max(0, Math.min(PAGE_BYTES, sizeBytes - index * PAGE_BYTES)));
    const length = readFully(descriptor, bytes, index * PAGE_BYTES);
    page = length === bytes.length ? bytes : bytes.slice(0, length);
    if (this.pages.size >= this.maxPages) {
      const oldest = this.pages.keys().next();
      if (!oldest.done) this.pages.delete(oldest.value);
    }
    this.pages.set(key, page);
    return page;
  }

  forget(file: number): void {
    for (const key of this.pages.keys()) if (Math.floor(key / 2 ** 28) === file) this.pages.delete(key);
  }
}

/** Reads until the target is full or the file ends. */
export function readFully(descriptor: number, target: Uint8Array, position: number): number {
  let filled = 0;
  while (filled < target.length) {
    const count = fs.readSync(descriptor, target, filled, target.length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** Reads larger than this bypass the cache. */
const MAX_CACHED_READ_BYTES = 4 * PAGE_BYTES;

export class CachedFile {
  readonly size: number;
  private readonly descriptor: number;

  constructor(
    private readonly cache: PageCache,
    private readonly id: number,
    readonly path: string,
  ) {
    this.descriptor = fs.openSync(path, "r");
    this.size = fs.fstatSync(this.descriptor).size;
  }

  /** Up to `length` bytes from `position`, fewer at the file's end; a view or a copy, not to be written to. */
  read(position: number, length: number): Uint8Array {
    const wanted = Math.max(0, Math.min(length, this.size - position));
    const first = Math.floor(position / PAGE_BYTES);
    const offset = position - first * PAGE_BYTES;
    if (offset + wanted <= PAGE_BYTES) {
      return this.cache.page(this.id, this.descriptor, first, this.size).subarray(offset, offset + wanted);
    }
    const bytes = new Uint8Array(wanted);
    if (wanted > MAX_CACHED_READ_BYTES) {
      return bytes.subarray(0, readFully(this.descriptor, bytes, position));
    }
    let filled = 0;
    for (let index = first; filled < wanted; index++) {
      const page = this.cache.page(this.id, this.descriptor, index, this.size);
      const part = page.subarray(index === first ? offset : 0).subarray(0, wanted - filled);
      if (part.length === 0) break;
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes.subarray(0, filled);
  }

  /** Where `locate` found what it was asked for; not to be written to. */
  located: Uint8Array = new Uint8Array(0);

  /**
   * As `read`, without making a view: for many small reads, which are mostly in the same page.
   * @returns the index in `located` of the byte at `position`; up to `length` follow, fewer at the file's end
   */
  locate(position: number, length: number): number {
    const first = Math.floor(position / PAGE_BYTES);
    const offset = position - first * PAGE_BYTES;
    if (offset + length <= PAGE_BYTES || (first + 1) * PAGE_BYTES >= this.size) {
      this.located = this.cache.page(this.id, this.descriptor, first, this.size);
      return offset;
    }
    this.located = this.read(position, length);
    return 0;
  }

  /** Fills `target` from `position` on, past the cache: for reading from front to back. @returns how many bytes */
  readInto(target: Uint8Array, position: number): number {
    return readFully(this.descriptor, target, position);
  }

  close(): void {
    this.cache.forget(this.id);
    fs.closeSync(this.descriptor);
  }
}
