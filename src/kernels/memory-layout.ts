import { RESERVED_BYTES } from "./instantiate.ts";

/** What `makeChecksumTables` fills. */
export const CHECKSUM_TABLES_BYTES = 8192;

const ALIGNMENT = 64;

/** Where the parts of a kernel's memory lie, one behind the other, each at the beginning of a cache line. */
export class MemoryLayout {
  /** Behind the last part. */
  end = RESERVED_BYTES;

  /** @returns the byte offset of a part of so many bytes */
  place(bytes: number): number {
    const pointer = this.end;
    this.end += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return pointer;
  }
}
