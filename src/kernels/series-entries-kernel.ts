import {
  instantiateKernels,
  type KernelExports,
  RESERVED_BYTES,
  reserveSharedMemory,
} from "./instantiate.ts";
import { CHECKSUM_TABLES_BYTES, MemoryLayout } from "./memory-layout.ts";

const STATE_BYTES = 64;
const LEAST_RECORDS_BYTES = 256 * 1024;
const LEAST_ROOM_BYTES = 1024 * 1024;
/** Entries begin at multiples of this, and are numbered by them. */
const ALIGNMENT = 16;
const MAX_BYTES = 2 ** 32 - 65536;
const NEEDS_ROOM = -1;
const IS_DAMAGED = -2;

export interface SeriesToNumber {
  /** By label pair: the final numbers of name and value, in turn. */
  readonly pairSymbols: Uint32Array;
  /** By label pair: how many series have it. */
  readonly pairCounts: readonly number[];
  readonly seriesCount: number;
  readonly largestRecordBytes: number;
}

/**
 * The memory in which records of series become entries of an index, and the lists of the series of each label pair
 * come about: records are read into it, entries and lists are written out of it.
 */
export class SeriesEntriesKernel {
  private readonly bytes: Uint8Array<ArrayBufferLike>;
  private readonly state: Uint32Array;
  private readonly exports: KernelExports;
  private readonly records: number;
  private readonly recordsBytes: number;
  private readonly room: number;
  private readonly statePointer: number;
  private readonly all: number;
  private readonly seriesCount: number;
  /** By label pair: the end of its list so far. */
  private readonly places: Uint32Array;
  /** Entries that `put` made last, not to be kept. */
  entries: Uint8Array = new Uint8Array(0);

  /** @throws Error where the lists would not fit into a memory */
  constructor({ pairSymbols, pairCounts, seriesCount, largestRecordBytes }: SeriesToNumber) {
    this.recordsBytes = Math.max(LEAST_RECORDS_BYTES, largestRecordBytes + 64);
    const roomBytes = LEAST_ROOM_BYTES + 10 * largestRecordBytes;
    const inLists = pairCounts.reduce((sum, count) => sum + count, seriesCount);
    const tables = CHECKSUM_TABLES_BYTES + STATE_BYTES + 4 * pairSymbols.length + 4 * pairCounts.length;
    const size = RESERVED_BYTES + tables + 4 * inLists + this.recordsBytes + roomBytes + 8 * 64;
    if (size > MAX_BYTES) throw new Error(`cannot number ${inLists} labels of series in one memory`);
    const memory = reserveSharedMemory(size);
    this.bytes = new Uint8Array(memory.buffer);
    this.exports = instantiateKernels(memory);
    const layout = new MemoryLayout();
    this.exports["makeChecksumTables"]!(layout.place(CHECKSUM_TABLES_BYTES));
    const words = new Uint32Array(memory.buffer);
    this.statePointer = layout.place(STATE_BYTES);
    const symbols = layout.place(4 * pairSymbols.length);
    words.set(pairSymbols, symbols / 4);
    const places = layout.place(4 * pairCounts.length);
    this.seriesCount = seriesCount;
    this.all = layout.place(4 * inLists);
    let list = this.all + 4 * seriesCount;
    for (let pair = 0; pair < pairCounts.length; pair++) {
      words[places / 4 + pair] = list;
      list += 4 * pairCounts[pair]!;
    }
    this.places = words.subarray(places / 4, places / 4 + pairCounts.length);
    this.records = layout.place(this.recordsBytes);
    this.room = layout.place(roomBytes);
    this.state = words.subarray(this.statePointer / 4, (this.statePointer + STATE_BYTES) / 4);
    this.state.set([this.records, this.records, this.room, this.room + roomBytes]);
    this.state.set([symbols, places, this.all, this.room, 0], 4);
  }

  /** Where the next records are to be read to: one that is cut in the middle goes on there. */
  recordsRoom(): Uint8Array {
    const at = this.state[0]!;
    const end = this.state[1]!;
    this.bytes.copyWithin(this.records, at, end);
    this.state[0] = this.records;
    this.state[1] = this.records + end - at;
    return this.bytes.subarray(this.state[1], this.records + this.recordsBytes);
  }

  recordsRead(bytes: number): void {
    this.state[1]! += bytes;
  }

  /**
   * Makes `entries` of records, which go to `position` of a file.
   * @returns whether there is more to make before further records are read
   * @throws Error where a record makes no sense
   */
  put(position: number): boolean {
    const { state } = this;
    const start = this.room + (position % ALIGNMENT);
    state[2] = start;
    state[8] = Math.floor(position / ALIGNMENT);
    const end = this.exports["putSeriesEntries"]!(this.statePointer);
    if (end === IS_DAMAGED) throw new Error("cannot number a series: its record makes no sense");
    this.entries = this.bytes.subarray(start, state[2]);
    return end === NEEDS_ROOM;
  }

  /** Whether every series has its entry. */
  get isComplete(): boolean {
    return this.state[0] === this.state[1] && this.state[6] === this.all + 4 * this.seriesCount;
  }

  /** The ids of all series, ascending, 32 bits each, big-endian. */
  get allIds(): Uint8Array {
    return this.bytes.subarray(this.all, this.all + 4 * this.seriesCount);
  }

  /** As `allIds`, of the series with a label pair. @param count how many there are */
  idsOf(pair: number, count: number): Uint8Array {
    const end = this.places[pair]!;
    return this.bytes.subarray(end - 4 * count, end);
  }
}
