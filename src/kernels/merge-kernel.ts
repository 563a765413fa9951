import {
  instantiateKernels,
  type KernelExports,
  RESERVED_BYTES,
  reserveSharedMemory,
} from "./instantiate.ts";
import { CHECKSUM_TABLES_BYTES, MemoryLayout } from "./memory-layout.ts";

const ZERO_TABLES_BYTES = 27 * 4096;
const INPUT_BYTES = 64;
const OUTPUT_BYTES = 64;

/** What the kernel takes of one series; more is damage. */
const MAX_SYMBOLS = 2 ** 16;
const MAX_CHUNKS = 2 ** 18;
const MAX_MERGED_CHUNKS = 2 ** 20;

/** Address space for the piece of an index that is read; the greatest entry of a series fits. */
const INDEX_WINDOW_BYTES = 8 * 1024 * 1024;
/** Chunks longer than this do not pass through the kernel. */
export const CHUNK_WINDOW_BYTES = 1024 * 1024;
const FRAMES_BYTES = CHUNK_WINDOW_BYTES;
/** Frames lie at places that differ from those in the file by whole pages: so they can be written past its cache. */
const PAGE_BYTES = 4096;
/** Records of series are handed on from this size on; one of them has its room behind it. */
const RECORDS_BYTES = 256 * 1024;
const MAX_RECORD_BYTES = 64 + 10 * MAX_SYMBOLS + 30 * MAX_MERGED_CHUNKS;

/** Why `copyFrames` ended. */
export const FramesEnd = {
  done: 0,
  /** The chunk does not lie in the window, or not as a whole. */
  needsWindow: 1,
  /** The output is full. */
  needsRoom: 2,
  /** What lies in front of the chunk must be compared with its sum first. */
  needsComparing: 3,
  isDamaged: 4,
} as const;

const InputField = { chunks: 0, symbols: 1, window: 2, windowBytes: 3, windowOffset: 4, file: 5 } as const;
const SUM_FIELD = 6;
const RANKS_FIELD = 9;
const COLUMNS_FIELD = 12;
const NO_FILE = 0xffffffff;
const TWO_32 = 2 ** 32;

/**
 * The memory in which series of several blocks become those of one, and the kernels that work in it: windows of the
 * inputs' files are read into it, frames of chunks and records of series are written out of it.
 */
export class MergeKernel {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  private readonly longs: BigInt64Array;
  private readonly floats: Float64Array;
  private readonly exports: KernelExports;
  readonly inputs: readonly MergeInput[];
  private readonly output: number;
  private readonly frames: number;
  private readonly records: number;
  private recordBytes = 0;
  private readonly pairs: number;
  /** For `putRecord`: as many as a series has label pairs at most. */
  readonly pairNumbers: Uint32Array;
  private readonly list: number;
  private readonly layout = new MemoryLayout();

  /** @param ranks of each input: the ranks of its symbols, by their numbers from `first` on */
  constructor(ranks: readonly { readonly ranks: Uint32Array; readonly first: number }[]) {
    const sizes = ranks.map((each) => 4 * each.ranks.length + MAX_INPUT_BYTES);
    const size = sizes.reduce((sum, each) => sum + each, FIXED_BYTES + 4 * ranks.length);
    const memory = reserveSharedMemory(size);
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.longs = new BigInt64Array(memory.buffer);
    this.floats = new Float64Array(memory.buffer);
    this.exports = instantiateKernels(memory);
    this.exports["makeChecksumTables"]!(this.layout.place(CHECKSUM_TABLES_BYTES));
    this.exports["makeZeroTables"]!(this.layout.place(ZERO_TABLES_BYTES));
    this.output = this.layout.place(OUTPUT_BYTES);
    this.frames = Math.ceil(this.layout.place(FRAMES_BYTES + 2 * PAGE_BYTES) / PAGE_BYTES) * PAGE_BYTES;
    this.records = this.layout.place(RECORDS_BYTES + MAX_RECORD_BYTES);
    this.pairs = this.layout.place(4 * MAX_SYMBOLS);
    this.pairNumbers = this.words.subarray(this.pairs / 4, this.pairs / 4 + MAX_SYMBOLS);
    this.list = this.layout.place(4 * ranks.length);
    const output = this.output / 4;
    this.words.set([this.frames, 0, 0, 0, MAX_MERGED_CHUNKS], output);
    for (let column = 0; column < 3; column++)
      this.words[output + 5 + column] = this.layout.place(8 * MAX_MERGED_CHUNKS);
    this.inputs = ranks.map((each) => this.newInput(each));
  }

  private newInput({ ranks, first }: { readonly ranks: Uint32Array; readonly first: number }): MergeInput {
    const pointer = this.layout.place(INPUT_BYTES);
    const table = this.layout.place(4 * ranks.length);
    this.words.set(ranks, table / 4);
    const indexWindow = this.layout.place(INDEX_WINDOW_BYTES);
    const chunkWindow = this.layout.place(CHUNK_WINDOW_BYTES);
    const columns = [
      this.layout.place(4 * MAX_SYMBOLS),
      ...[0, 1, 2].map(() => this.layout.place(8 * MAX_CHUNKS)),
    ];
    const at = pointer / 4;
    this.words.set([0, 0, chunkWindow, 0, 0, NO_FILE, chunkWindow, chunkWindow, 0], at);
    this.words.set([table, first, ranks.length], at + RANKS_FIELD);
    this.words.set(columns, at + COLUMNS_FIELD);
    return new MergeInput(this, pointer, indexWindow, chunkWindow);
  }

  /** @internal */
  readRow(input: number, at: number, end: number): number {
    return this.exports["readSeriesRow"]!(input, at, end);
  }

  /** The order of the label sets of two inputs' series. */
  compare(a: MergeInput, b: MergeInput): number {
    return this.exports["compareSeriesRows"]!(a.pointer, b.pointer);
  }

  /** Whether the chunks of some inputs lie behind each other in time, input behind input. */
  areApart(inputs: readonly { readonly rows: MergeInput }[]): boolean {
    for (let i = 0; i < inputs.length; i++) this.words[this.list / 4 + i] = inputs[i]!.rows.pointer;
    return this.exports["areChunksApart"]!(this.list, inputs.length) !== 0;
  }

  /**
   * Copies the chunks of an input's series to the frames, and lists them as those of the series that is written.
   * @returns one of `FramesEnd`; if it is not done, `nextChunk` is where it stopped
   */
  copyFrames(input: MergeInput, from: number): number {
    return this.exports["copyFrames"]!(input.pointer, this.output, from);
  }

  get nextChunk(): number {
    return this.words[this.output / 4 + 14]!;
  }

  /** The size of that chunk's frame, 0 where it is not known. */
  get nextFrameBytes(): number {
    return this.words[this.output / 4 + 15]!;
  }

  /** The frames that were copied, not to be kept. */
  copiedFrames(): Uint8Array {
    const frames = this.words[this.output / 4]!;
    return this.bytes.subarray(frames, frames + this.words[this.output / 4 + 1]!);
  }

  /** Begins with frames anew: the first byte will be found by `ref`, and `room` bytes may follow. */
  beginFrames(ref: number, room: number): void {
    const at = this.output / 4;
    this.words[at] = this.frames + (ref % PAGE_BYTES);
    this.words[at + 1] = 0;
    this.words[at + 2] = Math.min(FRAMES_BYTES, room);
    this.words[at + 8] = ref % TWO_32;
    this.words[at + 9] = Math.floor(ref / TWO_32);
  }

  /** Chunks that are listed for the series that is written. */
  get listedChunks(): number {
    return this.words[this.output / 4 + 3]!;
  }

  /** Lists a chunk that did not pass through the kernel. */
  listChunk(minTime: number, maxTime: number, ref: number): void {
    const { words, longs } = this;
    const at = this.output / 4;
    const index = words[at + 3]!++;
    if (index >= MAX_MERGED_CHUNKS) throw new Error(`cannot merge series of more than ${index} chunks`);
    longs[words[at + 5]! / 8 + index] = BigInt(minTime);
    longs[words[at + 6]! / 8 + index] = BigInt(maxTime);
    longs[words[at + 7]! / 8 + index] = BigInt(ref);
  }

  /** Samples in the frames that were copied so far. */
  get floatSamples(): number {
    return this.floats[this.output / 8 + 5]!;
  }

  get histogramSamples(): number {
    return this.floats[this.output / 8 + 6]!;
  }

  /** Puts the listed chunks of a series, and the first `pairNumbers`, behind the other records. @returns whether to take them */
  putRecord(count: number): boolean {
    const target = this.records + this.recordBytes;
    this.recordBytes += this.exports["putSeriesRecord"]!(this.output, this.pairs, count, target);
    this.words[this.output / 4 + 3] = 0;
    return this.recordBytes >= RECORDS_BYTES;
  }

  /** The records so far, not to be kept; begins with them anew. */
  takeRecords(): Uint8Array {
    const records = this.bytes.subarray(this.records, this.records + this.recordBytes);
    this.recordBytes = 0;
    return records;
  }
}

const MAX_INPUT_BYTES =
  INPUT_BYTES + INDEX_WINDOW_BYTES + CHUNK_WINDOW_BYTES + 4 * MAX_SYMBOLS + 24 * MAX_CHUNKS + 1024;
const FIXED_BYTES =
  RESERVED_BYTES +
  CHECKSUM_TABLES_BYTES +
  ZERO_TABLES_BYTES +
  OUTPUT_BYTES +
  FRAMES_BYTES +
  2 * PAGE_BYTES +
  RECORDS_BYTES +
  MAX_RECORD_BYTES +
  4 * MAX_SYMBOLS +
  24 * MAX_MERGED_CHUNKS +
  4096;

/** One of the blocks that are merged: the series it has come to, and the windows of its files. */
export class MergeInput {
  /** The ranks of the symbols of its series, names and values in turn: `symbolCount` of them. */
  readonly ranks: Uint32Array;
  readonly indexWindow: Uint8Array;
  readonly chunkWindow: Uint8Array;

  /** @internal */
  constructor(
    private readonly kernel: MergeKernel,
    readonly pointer: number,
    private readonly indexPointer: number,
    private readonly chunkPointer: number,
  ) {
    const { bytes, words } = kernel;
    const ranks = words[pointer / 4 + COLUMNS_FIELD]! / 4;
    this.ranks = words.subarray(ranks, ranks + MAX_SYMBOLS);
    this.indexWindow = bytes.subarray(indexPointer, indexPointer + INDEX_WINDOW_BYTES);
    this.chunkWindow = bytes.subarray(chunkPointer, chunkPointer + CHUNK_WINDOW_BYTES);
  }

  private field(field: number): number {
    return this.kernel.words[this.pointer / 4 + field]!;
  }

  /**
   * Reads the entry at a place in the index window, of which so many bytes are filled.
   * @returns 0, or how many bytes there must be for it, or -1 where it is damaged
   */
  readRow(at: number, filledBytes: number): number {
    return this.kernel.readRow(this.pointer, this.indexPointer + at, this.indexPointer + filledBytes);
  }

  get symbolCount(): number {
    return this.field(InputField.symbols);
  }

  get chunkCount(): number {
    return this.field(InputField.chunks);
  }

  /** Where a chunk of its series lies. */
  chunkFile(index: number): number {
    return this.kernel.words[this.field(COLUMNS_FIELD + 3) / 4 + 2 * index + 1]!;
  }

  chunkOffset(index: number): number {
    return this.kernel.words[this.field(COLUMNS_FIELD + 3) / 4 + 2 * index]!;
  }

  /** The window of chunks has been filled from a place in a file. */
  windowMoved(file: number, offset: number, filledBytes: number): void {
    const at = this.pointer / 4;
    this.kernel.words[at + InputField.windowBytes] = filledBytes;
    this.kernel.words[at + InputField.windowOffset] = offset;
    this.kernel.words[at + InputField.file] = file;
  }

  /** The frames looked at since the last time, by places in the window, and what they must sum up to. */
  takeSum(): { readonly start: number; readonly end: number; readonly sum: number } {
    const at = this.pointer / 4 + SUM_FIELD;
    const { words } = this.kernel;
    const start = words[at]! - this.chunkPointer;
    const end = words[at + 1]! - this.chunkPointer;
    words[at] = words[at + 1] = this.chunkPointer;
    const sum = words[at + 2]!;
    words[at + 2] = 0;
    return { start, end, sum };
  }
}
