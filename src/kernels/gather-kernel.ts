import { instantiateKernels, type KernelExports } from "./instantiate.ts";
import { SERIES_RECORD_BYTES } from "./append-kernel.ts";
import { CHECKSUM_TABLES_BYTES } from "./memory-layout.ts";

/** Words a chunk takes in the kernel's list. */
const LIST_WORDS = 6;
const MAX_CHUNKS = 4096;
const CRC_BYTES = 4;
const UNKNOWN_TIME = 0xffffffff;

/** A chunk of a sealed series; `bytes` are overwritten by the next `gather`. */
export interface GatheredChunk {
  readonly encoding: number;
  readonly minTime: number;
  /** NaN where it can only be told by decoding the chunk. */
  maxTime: number;
  /** Two bytes of sample count, then the bits. */
  readonly bytes: Uint8Array;
  /** CRC-32C of the encoding's byte and `bytes`. */
  readonly crc: number;
}

export interface GatherOptions {
  readonly memory: WebAssembly.Memory;
  /** Byte offset of the series records. */
  readonly records: number;
  /** The generation's first millisecond. */
  readonly startTime: number;
  /** Byte offsets of memory that nobody else uses, 16 KiB or more: from its first byte to behind its last. */
  readonly scratch: number;
  readonly scratchEnd: number;
}

/** Puts the chunks of series that take no more samples together, out of the pages of a generation's memory. */
export class GatherKernel {
  private readonly exports: KernelExports;
  private readonly words: Uint32Array;
  private readonly bytes: Uint8Array;
  private readonly list: number;
  private readonly out: number;
  private readonly maxChunks: number;
  /** Where the frames gathered so far end. */
  endOfFrames = 0;

  constructor(private readonly options: GatherOptions) {
    const { memory, scratch, scratchEnd } = options;
    this.exports = instantiateKernels(memory);
    this.words = new Uint32Array(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    this.exports["makeChecksumTables"]!(scratch);
    this.list = scratch + CHECKSUM_TABLES_BYTES;
    this.maxChunks = Math.min(MAX_CHUNKS, Math.floor((scratchEnd - this.list) / 1024));
    this.out = this.list + 4 * LIST_WORDS * this.maxChunks;
    this.dropFrames();
  }

  /** Series that `fetch` takes at a time. */
  static readonly FETCHED_TOGETHER = 16;

  /** Call it for the next series, a few at a time, before they are gathered: their pages are in the cache then. */
  fetch(series: Uint32Array): void {
    const count = Math.min(series.length, GatherKernel.FETCHED_TOGETHER);
    this.words.set(series.length === count ? series : series.subarray(0, count), this.list / 4);
    this.exports["fetchChunks"]!(this.options.records, this.list, count, this.list + 4 * count);
  }

  /** @returns the series' chunks in order, or null where they are too many to be gathered at once */
  gather(series: number): GatheredChunk[] | null {
    this.dropFrames();
    const count = this.gatherFrames(series);
    if (count < 0) return null;
    const chunks: GatheredChunk[] = [];
    for (let i = 0; i < count; i++) {
      const { encoding, minTime, maxTime, start, end } = this.look(i);
      const crc = this.words[this.list / 4 + LIST_WORDS * i + 5]!;
      chunks.push({ encoding, minTime, maxTime, bytes: this.view(start, end), crc });
    }
    return chunks;
  }

  /**
   * Puts the frames of a series' chunks behind those that were gathered before: each as it lies in a chunk file, from
   * its size to its checksum. `chunk` tells of them until the next call.
   * @returns how many, or -1 where there is no room for them
   */
  gatherFrames(series: number): number {
    const { records, startTime, scratchEnd } = this.options;
    const count = this.exports["gatherChunks"]!(
      records + SERIES_RECORD_BYTES * series,
      startTime,
      this.endOfFrames,
      scratchEnd - this.endOfFrames,
      this.list,
      this.maxChunks,
    );
    if (count > 0) {
      const last = this.list / 4 + LIST_WORDS * (count - 1);
      this.endOfFrames = this.words[last]! + this.words[last + 1]! + CRC_BYTES;
    }
    return count;
  }

  /** The next frames overwrite those there are. */
  dropFrames(): void {
    this.endOfFrames = this.out;
  }

  /** What was gathered, from one place to another; not to be kept. */
  view(from: number, to: number): Uint8Array {
    return this.bytes.subarray(from, to);
  }

  /** Sets `chunk` to one of the chunks gathered last. */
  look(index: number): GatheredFrame {
    const { chunk, words } = this;
    const { startTime } = this.options;
    const at = this.list / 4 + LIST_WORDS * index;
    const pointer = words[at]!;
    chunk.start = pointer;
    chunk.end = pointer + words[at + 1]!;
    chunk.frameEnd = chunk.end + CRC_BYTES;
    chunk.header = (this.bytes[pointer]! << 8) | this.bytes[pointer + 1]!;
    chunk.encoding = words[at + 2]!;
    chunk.minTime = startTime + words[at + 3]!;
    const last = words[at + 4]!;
    chunk.maxTime = last === UNKNOWN_TIME ? NaN : startTime + last;
    return chunk;
  }

  private readonly chunk: GatheredFrame = {
    start: 0,
    end: 0,
    frameEnd: 0,
    header: 0,
    encoding: 0,
    minTime: 0,
    maxTime: 0,
  };
}

/** A chunk among the frames. */
export interface GatheredFrame {
  /** Where its data lies, sample count first: the encoding, and before that the size, stand in front of it. */
  start: number;
  end: number;
  /** Behind its checksum. */
  frameEnd: number;
  /** The first two bytes of the data. */
  header: number;
  encoding: number;
  minTime: number;
  /** NaN where it can only be told by decoding the chunk. */
  maxTime: number;
}
