/**
 * A block's index: which series it has, where their chunks lie, and which series have which label pairs.
 *
 *   header │ symbols │ series … │ postings … │ postings offset table │ table of contents
 *
 * Everything is read in pieces through a page cache. What stays in memory of an open index is the place of every
 * 32nd symbol and of every 32nd label pair.
 */
import * as fs from "node:fs";
import { SeriesEntriesKernel } from "../../kernels/series-entries-kernel.ts";
import { compareLabels, compareUtf8, Labels } from "../../model/labels.ts";
import { CorruptionError } from "../corruption-error.ts";
import { crc32c } from "../crc32c.ts";
import { StringCache } from "../string-cache.ts";
import { ByteReader, ByteWriter } from "../varint.ts";
import { BufferedFile } from "./appended-file.ts";
import { ChunkColumns } from "./chunk-columns.ts";
import type { ChunkRef } from "./chunk-file.ts";
import { FileWriter } from "./file-writer.ts";
import type { CachedFile, PageCache } from "./page-cache.ts";

const MAGIC = 0xbaaad700;
const VERSION = 2;
const HEADER_BYTES = 5;
const TOC_BYTES = 6 * 8 + 4;
const SERIES_ALIGNMENT = 16;
const POSTINGS_ALIGNMENT = 4;
/** One in so many symbols, and label pairs, is remembered. */
const SAMPLING = 32;

/** A chunk as the index knows it. */
export interface ChunkMeta {
  readonly minTime: number;
  readonly maxTime: number;
  readonly ref: ChunkRef;
}

// ───────────────────────────────────────────── reading ─────────────────────────────────────────────

/** How far one reads for a series, a symbol or a list whose size is only known from its first bytes. */
const SERIES_READ_BYTES = 512;
const SYMBOLS_READ_BYTES = 2048;
const TABLE_READ_BYTES = 4096;
const MAX_TABLE_READ_BYTES = 1 << 16;
const CACHED_SYMBOLS = 1 << 10;
/** A table of symbols that is not longer, and has not more than that, is kept as it is. */
const SMALL_TABLE_BYTES = 1 << 16;

/** Texts of all indexes of a thread: from one block to the next most are the same, and equal at a glance if it is one. */
const texts = new StringCache();

/** The pairs of one label name in the postings offset table, one in 32 of them remembered, the first included. */
interface NamePairs {
  readonly values: string[];
  /** Where their entries begin in the table. */
  readonly entries: number[];
  count: number;
}

export class IndexReader {
  readonly sizeBytes: number;
  private readonly version: number;
  private readonly symbolsOffset: number;
  private readonly postingsTableOffset: number;
  private readonly reader = new ByteReader();
  private readonly columns = new ChunkColumns();
  private knownSymbols: SymbolTable | null = null;
  private pairs: Map<string, NamePairs> | null = null;
  private postingsTableEnd = 0;

  private constructor(private readonly file: CachedFile) {
    this.sizeBytes = file.size;
    const header = new ByteReader(file.read(0, HEADER_BYTES));
    const magic = header.remaining === HEADER_BYTES ? header.u32() : 0;
    if (magic !== MAGIC) {
      throw new CorruptionError(
        `cannot open index ${file.path}: it begins with ${magic.toString(16)}, expected ${MAGIC.toString(16)}`,
      );
    }
    this.version = header.u8();
    if (this.version < 1 || this.version > 3) {
      throw new CorruptionError(`cannot open index ${file.path}: unknown version ${this.version}`);
    }
    if (file.size < HEADER_BYTES + TOC_BYTES) {
      throw new CorruptionError(`cannot open index ${file.path}: only ${file.size} bytes`);
    }
    const toc = file.read(file.size - TOC_BYTES, TOC_BYTES);
    const tocReader = new ByteReader(toc);
    this.symbolsOffset = tocReader.u64();
    tocReader.take(4 * 8);
    this.postingsTableOffset = tocReader.u64();
    if (tocReader.u32() !== crc32c(toc, 0, TOC_BYTES - 4)) {
      throw new CorruptionError(`cannot open index ${file.path}: wrong checksum of its table of contents`);
    }
    if (this.symbolsOffset >= file.size || this.postingsTableOffset >= file.size) {
      throw new CorruptionError(
        `cannot open index ${file.path}: its table of contents points behind its end`,
      );
    }
  }

  /** @throws CorruptionError where the header or the table of contents is damaged */
  static open(path: string, cache: PageCache): IndexReader {
    const file = cache.open(path);
    try {
      return new IndexReader(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get path(): string {
    return this.file.path;
  }

  close(): void {
    this.file.close();
  }

  /** Series by their labels and chunks. @throws CorruptionError */
  series(id: number): { labels: Labels; chunks: ChunkMeta[] } {
    const labels = this.labels(id);
    return { labels, chunks: this.readChunks(this.reader) };
  }

  /** The chunks of a series, without making its labels. */
  chunks(id: number): ChunkMeta[] {
    const reader = this.seriesBody(id);
    for (let count = reader.uvarint(); count > 0; count--) {
      reader.uvarint();
      reader.uvarint();
    }
    return this.readChunks(reader);
  }

  labels(id: number): Labels {
    const reader = this.seriesBody(id);
    const symbols = this.symbolTable();
    const pairs: string[] = [];
    for (let count = reader.uvarint(); count > 0; count--) {
      pairs.push(symbols.text(reader.uvarint()));
      pairs.push(symbols.text(reader.uvarint()));
    }
    return Labels.fromSortedPairs(pairs);
  }

  /** Where the entry of a series begins, for `readInto`; ids of the first version of the format are plain offsets. */
  seriesOffset(id: number): number {
    return this.version === 1 ? id : id * SERIES_ALIGNMENT;
  }

  /** Fills `target` with the file's bytes from `offset` on. @returns how many, fewer at the file's end */
  readInto(target: Uint8Array, offset: number): number {
    return this.file.readInto(target, offset);
  }

  /** Every symbol in the order of the file, which is that of its bytes, with its number. @throws CorruptionError */
  symbols(): Generator<readonly [symbol: number, text: string]> {
    return this.symbolTable().all();
  }

  /** The numbers that symbols have are from the first on, and less than the second. */
  get symbolNumbers(): readonly [first: number, end: number] {
    return this.symbolTable().numbers;
  }

  /** @throws CorruptionError where there is no such symbol */
  symbol(number: number): string {
    return this.symbolTable().text(number);
  }

  /** The value of one label of a series, "" if it has none. */
  labelValue(id: number, name: string): string {
    const reader = this.seriesBody(id);
    const symbols = this.symbolTable();
    for (let count = reader.uvarint(); count > 0; count--) {
      const nameRef = reader.uvarint();
      const valueRef = reader.uvarint();
      if (symbols.text(nameRef) === name) return symbols.text(valueRef);
    }
    return "";
  }

  /** Adds the names of a series' labels to a set. */
  addLabelNames(id: number, names: Set<string>): void {
    const reader = this.seriesBody(id);
    const symbols = this.symbolTable();
    for (let count = reader.uvarint(); count > 0; count--) {
      names.add(symbols.text(reader.uvarint()));
      reader.uvarint();
    }
  }

  private readChunks(reader: ByteReader): ChunkMeta[] {
    const { columns } = this;
    readChunkColumns(reader, columns.clear());
    const chunks: ChunkMeta[] = [];
    for (let i = 0; i < columns.count; i++) {
      chunks.push({
        minTime: columns.minTimes[i]!,
        maxTime: columns.maxTimes[i]!,
        ref: columns.refs[i]!,
      });
    }
    return chunks;
  }

  /** A series' body, its checksum checked. */
  private seriesBody(id: number): ByteReader {
    const offset = this.seriesOffset(id);
    const { file, reader } = this;
    let begin = file.locate(offset, SERIES_READ_BYTES);
    reader.reset(file.located, begin);
    const length = reader.uvarint();
    const needed = reader.offset - begin + length + 4;
    if (needed > reader.end - begin) {
      begin = file.locate(offset, needed);
      reader.reset(file.located, begin).uvarint();
    }
    const bytes = file.located;
    const start = reader.offset;
    const end = reader.take(length) + length;
    const expected = reader.u32();
    const actual = crc32c(bytes, start, end);
    if (actual !== expected) {
      throw new CorruptionError(
        `cannot read series at byte ${offset} of ${this.file.path}: checksum is ${actual.toString(16)}, expected ${expected.toString(16)}`,
      );
    }
    return reader.reset(bytes, start, end);
  }

  /** Every series, ascending: by id and by labels. */
  allPostings(): Uint32Array {
    return this.postings("", "");
  }

  /** The series that have a label pair, ascending; none if there is no such pair. */
  postings(name: string, value: string): Uint32Array {
    const offset = this.findPair(name, value);
    return offset === null ? NO_POSTINGS : this.readPostings(offset);
  }

  /** How many series have a label pair. */
  postingsCount(name: string, value: string): number {
    const offset = this.findPair(name, value);
    return offset === null ? 0 : new ByteReader(this.file.read(offset + 4, 4)).u32();
  }

  private readPostings(offset: number): Uint32Array {
    const head = new ByteReader(this.file.read(offset, 8));
    const length = head.u32();
    const count = head.u32();
    if (length !== 4 + 4 * count) {
      throw new CorruptionError(
        `cannot read postings at byte ${offset} of ${this.file.path}: ${count} series in ${length} bytes`,
      );
    }
    const bytes = this.file.read(offset + 4, length + 4);
    if (bytes.length !== length + 4) {
      throw new CorruptionError(
        `cannot read postings at byte ${offset} of ${this.file.path}: the file ends before`,
      );
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (crc32c(bytes, 0, length) !== view.getUint32(length)) {
      throw new CorruptionError(
        `cannot read postings at byte ${offset} of ${this.file.path}: wrong checksum`,
      );
    }
    const ids = new Uint32Array(count);
    for (let i = 0; i < count; i++) ids[i] = view.getUint32(4 + 4 * i);
    return ids;
  }

  /** Sorted by UTF-8 bytes, without the pseudo-name of all series. */
  labelNames(): string[] {
    return [...this.namePairs().keys()].filter((name) => name !== "");
  }

  /** About how many values a label has. */
  estimateValueCount(name: string): number {
    return this.namePairs().get(name)?.count ?? 0;
  }

  labelValues(name: string): string[] {
    const values: string[] = [];
    if (name !== "") this.forEachValue(name, "", (value) => values.push(value) > 0);
    return values;
  }

  /** The series of every value of a label that `accepts` takes, in the order of the values: one list a value. */
  postingsOfValues(name: string, prefix: string, accepts: (value: string) => boolean): Uint32Array[] {
    const offsets: number[] = [];
    this.forEachValue(name, prefix, (value, offset) => {
      if (accepts(value)) offsets.push(offset);
      return true;
    });
    return offsets.map((offset) => this.readPostings(offset));
  }

  /** Walks the values of a label that begin with `prefix`, ascending; ends early where the callback says false. */
  private forEachValue(
    name: string,
    prefix: string,
    callback: (value: string, postingsOffset: number) => boolean,
  ): void {
    const pairs = this.namePairs().get(name);
    if (!pairs) return;
    const first = prefix === "" ? 0 : lastNotAfter(pairs.values, prefix);
    this.walkTable(pairs.entries[first]!, (entryName, readValue, readOffset) => {
      if (entryName !== name) return false;
      const value = readValue();
      const offset = readOffset();
      if (prefix !== "" && !value.startsWith(prefix)) return compareUtf8(value, prefix) < 0;
      return callback(value, offset);
    });
  }

  /** Where the postings of a label pair begin, or null. */
  private findPair(name: string, value: string): number | null {
    const pairs = this.namePairs().get(name);
    if (!pairs) return null;
    const first = lastNotAfter(pairs.values, value);
    let found: number | null = null;
    this.walkTable(pairs.entries[first]!, (entryName, readValue, readOffset) => {
      if (entryName !== name) return false;
      const order = compareUtf8(readValue(), value);
      const offset = readOffset();
      if (order === 0) found = offset;
      return order < 0;
    });
    return found;
  }

  /**
   * Walks the entries of the postings offset table from one of them on. The callback reads (or skips) the value and
   * reads the offset of each, in this order, and says whether to go on.
   */
  private walkTable(
    from: number,
    callback: (
      name: string,
      readValue: () => string,
      readOffset: () => number,
      entry: number,
      skipValue: () => void,
    ) => boolean,
  ): void {
    let base = from;
    let wanted = TABLE_READ_BYTES;
    let reader = new ByteReader(this.file.read(base, wanted));
    let name = "";
    let nameBytes = new Uint8Array(0);
    const readValue = () => reader.string(texts);
    const readOffset = () => reader.uvarint();
    const skipValue = () => void reader.take(reader.uvarint());
    for (;;) {
      const entry = base + reader.offset;
      if (entry >= this.postingsTableEnd) return;
      if (!holdsEntry(reader)) {
        // Nothing of it read: an entry longer than that. Else a walk, which may take bigger steps.
        wanted = base === entry ? 2 * wanted : Math.min(2 * wanted, MAX_TABLE_READ_BYTES);
        if (base === entry && entry + reader.bytes.length >= this.file.size) {
          throw new CorruptionError(`cannot read postings table of ${this.file.path}: it has no end`);
        }
        base = entry;
        reader = new ByteReader(this.file.read(base, wanted));
        continue;
      }
      if (reader.uvarint() !== 2) {
        throw new CorruptionError(
          `cannot read postings table of ${this.file.path}: no pair at byte ${entry}`,
        );
      }
      // The name is nearly always that of the entry before.
      const length = reader.uvarint();
      const start = reader.take(length);
      if (!isSameBytes(nameBytes, reader.bytes, start, length) || length === 0) {
        name = texts.decode(reader.bytes, start, start + length);
        nameBytes = reader.bytes.slice(start, start + length);
      }
      if (!callback(name, readValue, readOffset, entry, skipValue)) return;
    }
  }

  private namePairs(): Map<string, NamePairs> {
    if (this.pairs) return this.pairs;
    const head = new ByteReader(this.file.read(this.postingsTableOffset, 8));
    const length = head.u32();
    const count = head.u32();
    this.postingsTableEnd = this.postingsTableOffset + 4 + length;
    if (this.postingsTableEnd + 4 > this.file.size) {
      throw new CorruptionError(`cannot read postings table of ${this.file.path}: the file ends before`);
    }
    checkSection(this.file, this.postingsTableOffset, length, "postings table");
    const pairs = new Map<string, NamePairs>();
    if (count > 0) {
      this.walkTable(this.postingsTableOffset + 8, (name, readValue, readOffset, entry, skipValue) => {
        let known = pairs.get(name);
        if (!known) pairs.set(name, (known = { values: [], entries: [], count: 0 }));
        if (known.count++ % SAMPLING === 0) {
          known.values.push(readValue());
          known.entries.push(entry);
        } else skipValue();
        readOffset();
        return true;
      });
    }
    return (this.pairs = pairs);
  }

  private symbolTable(): SymbolTable {
    return (this.knownSymbols ??= new SymbolTable(this.file, this.symbolsOffset, this.version));
  }

  /** What remembering every so many symbols takes once one is looked up. */
  get symbolTableBytes(): number {
    if (this.version === 1) return 0;
    const head = new ByteReader(this.file.read(this.symbolsOffset, 8));
    if (head.remaining < 8) return 0;
    head.u32();
    return 8 * Math.ceil(head.u32() / SAMPLING);
  }

  /** Bytes of memory that stay with the index while it is open, roughly. */
  get residentBytes(): number {
    let bytes = this.knownSymbols?.residentBytes ?? 0;
    for (const { values, entries } of this.pairs?.values() ?? []) {
      bytes += 8 * entries.length;
      for (const value of values) bytes += 24 + value.length;
    }
    return bytes;
  }
}

const NO_POSTINGS = new Uint32Array(0);

function readChunkColumns(reader: ByteReader, chunks: ChunkColumns): void {
  let maxTime = 0;
  let ref = 0;
  for (let left = reader.uvarint(), isFirst = true; left > 0; left--, isFirst = false) {
    const minTime = isFirst ? reader.varint() : maxTime + reader.uvarint();
    maxTime = minTime + reader.uvarint();
    ref += isFirst ? reader.uvarint() : reader.varint();
    chunks.push(minTime, maxTime, ref);
  }
}

/** The greatest index whose value is not after `value`; 0 if all are. */
function lastNotAfter(values: readonly string[], value: string): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareUtf8(values[middle]!, value) <= 0) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** Whether the whole next entry of the table is in the reader's bytes; it stays where it is. */
function holdsEntry(reader: ByteReader): boolean {
  const { offset } = reader;
  try {
    reader.uvarint();
    reader.take(reader.uvarint());
    reader.take(reader.uvarint());
    reader.uvarint();
    return true;
  } catch (error) {
    if (error instanceof CorruptionError) return false;
    throw error;
  } finally {
    reader.offset = offset;
  }
}

function isSameBytes(a: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (a.length !== length) return false;
  for (let i = 0; i < length; i++) if (a[i] !== bytes[start + i]) return false;
  return true;
}

/** The next string, or null where the reader's bytes end before it does. */
function wholeString(reader: ByteReader): string | null {
  const { offset } = reader;
  try {
    return reader.string(texts);
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    reader.offset = offset;
    return null;
  }
}

/** Checks the checksum of a section in steps, so that it need not fit into memory. */
function checkSection(file: CachedFile, offset: number, length: number, what: string): void {
  const step = 1 << 20;
  let crc = 0;
  for (let at = 0; at < length; at += step) {
    const part = file.read(offset + 4 + at, Math.min(step, length - at));
    crc = crc32c(part, 0, part.length, crc);
  }
  const stored = file.read(offset + 4 + length, 4);
  if (stored.length < 4 || new ByteReader(stored).u32() !== crc) {
    throw new CorruptionError(`cannot read ${what} of ${file.path}: wrong checksum`);
  }
}

/** The strings of an index, by number: their order in the file (in version 1: their place in it). */
class SymbolTable {
  private readonly sampled: Float64Array;
  private readonly count: number;
  private readonly end: number;
  /** All of them, where they are few. */
  private readonly texts: readonly string[] | null;
  // Of the others, direct-mapped: the symbol in a slot, and which one it is.
  private readonly cachedRefs: Float64Array;
  private readonly cachedTexts: string[];

  constructor(
    private readonly file: CachedFile,
    private readonly offset: number,
    private readonly version: number,
  ) {
    const head = new ByteReader(file.read(offset, 8));
    const length = head.u32();
    this.count = head.u32();
    this.end = offset + 4 + length;
    checkSection(file, offset, length, "symbols");
    if (this.count > length) {
      throw new CorruptionError(
        `cannot read symbols of ${file.path}: ${this.count} of them in ${length} bytes`,
      );
    }
    const isSmall = version !== 1 && this.count <= CACHED_SYMBOLS && length <= SMALL_TABLE_BYTES;
    this.texts = isSmall ? Array.from(this.all(), ([, text]) => text) : null;
    const slots = isSmall ? 0 : Math.max(1, Math.min(CACHED_SYMBOLS, this.count));
    this.cachedRefs = new Float64Array(slots).fill(-1);
    this.cachedTexts = new Array<string>(slots).fill("");
    this.sampled = new Float64Array(version === 1 || isSmall ? 0 : Math.ceil(this.count / SAMPLING));
    if (this.sampled.length > 0) this.sample(offset + 8);
  }

  get residentBytes(): number {
    return 8 * this.sampled.length + 40 * (this.texts ?? this.cachedTexts).length;
  }

  private sample(first: number): void {
    let base = first;
    let reader = new ByteReader(this.file.read(base, MAX_TABLE_READ_BYTES));
    for (let i = 0; i < this.count;) {
      // A length of ten bytes at most, so that one that is cut off is not taken for a short one.
      if (reader.remaining < 10 && base + reader.end < this.end) {
        base += reader.offset;
        reader = new ByteReader(this.file.read(base, MAX_TABLE_READ_BYTES));
      }
      const at = base + reader.offset;
      const length = reader.uvarint();
      if (at + length > this.end) {
        throw new CorruptionError(`cannot read symbol ${i} of ${this.file.path}: it ends behind its section`);
      }
      if (i % SAMPLING === 0) this.sampled[i / SAMPLING] = at;
      i++;
      if (length <= reader.remaining) reader.take(length);
      else {
        base += reader.offset + length;
        reader = new ByteReader(this.file.read(base, MAX_TABLE_READ_BYTES));
      }
    }
  }

  get numbers(): readonly [first: number, end: number] {
    return this.version === 1 ? [this.offset, this.end] : [0, this.count];
  }

  *all(): Generator<readonly [symbol: number, text: string]> {
    let base = this.offset + 8;
    let wanted = MAX_TABLE_READ_BYTES;
    let reader = new ByteReader(this.file.read(base, wanted));
    for (let i = 0; i < this.count;) {
      const at = base + reader.offset;
      const text = wholeString(reader);
      if (text !== null) {
        yield [this.version === 1 ? at : i, text];
        i++;
        continue;
      }
      if (base + reader.end >= this.end) {
        throw new CorruptionError(`cannot read symbol ${i} of ${this.file.path}: it ends behind its section`);
      }
      // Nothing of it was whole: a text longer than that.
      wanted = at === base ? 4 * wanted : MAX_TABLE_READ_BYTES;
      base = at;
      reader = new ByteReader(this.file.read(base, wanted));
    }
  }

  text(ref: number): string {
    if (this.texts !== null) return this.texts[ref] ?? this.lookUp(ref);
    const slot = ref % this.cachedTexts.length;
    if (this.cachedRefs[slot] === ref) return this.cachedTexts[slot]!;
    const text = this.version === 1 ? this.textAt(ref, 0) : this.lookUp(ref);
    this.cachedRefs[slot] = ref;
    this.cachedTexts[slot] = text;
    return text;
  }

  private lookUp(ref: number): string {
    if (ref >= this.count) {
      throw new CorruptionError(`cannot read symbol ${ref} of ${this.file.path}: it has ${this.count}`);
    }
    return this.textAt(this.sampled[Math.floor(ref / SAMPLING)]!, ref % SAMPLING);
  }

  /** The symbol `skip` behind the one at a place in the file. */
  private textAt(offset: number, skip: number): string {
    let at = offset;
    let left = skip;
    for (let wanted = SYMBOLS_READ_BYTES; ; wanted *= 4) {
      const base = at;
      const reader = new ByteReader(this.file.read(base, wanted));
      try {
        for (; left > 0; left--) {
          reader.take(reader.uvarint());
          at = base + reader.offset;
        }
        return reader.string(texts);
      } catch (error) {
        // Too few bytes: once more from the last symbol that was whole, with more of them.
        if (!(error instanceof CorruptionError) || base + reader.end >= this.end) throw error;
      }
    }
  }
}

// ───────────────────────────────────────────── writing ─────────────────────────────────────────────

/**
 * Writes an index from series that come in order, each once. Symbols precede the series in the file but are only all
 * known at the end; so series go to a file beside it first, and are copied with the right numbers by `finish`.
 * In memory: each distinct string once, and four bytes a label of each series.
 */
export class IndexWriter {
  seriesCount = 0;
  /** No record is larger. */
  private largestRecordBytes = 0;
  private readonly series: FileWriter;
  private readonly seriesFile: BufferedFile;
  private readonly seriesPath: string;
  private readonly symbolIds = new Map<string, number>();
  private readonly symbols: string[] = [];
  private readonly pairIds = new Map<number, number>();
  private readonly pairNames: number[] = [];
  private readonly pairValues: number[] = [];
  private readonly pairCounts: number[] = [];
  private readonly body = new ByteWriter();
  private readonly columns = new ChunkColumns();
  private last: Labels | null = null;
  private index: FileWriter | null = null;
  private tableOffset = 0;

  constructor(private readonly path: string) {
    this.seriesPath = `${path}_tmp_series`;
    this.seriesFile = new BufferedFile(this.seriesPath);
    this.series = new FileWriter(this.seriesFile);
  }

  /** @param chunks ascending, apart from each other in time, at least one */
  addSeries(labels: Labels, chunks: readonly ChunkMeta[]): void {
    const columns = this.columns.clear();
    for (const { minTime, maxTime, ref } of chunks) columns.push(minTime, maxTime, ref);
    this.addLabels(labels, columns);
  }

  /** @throws Error where the series comes out of order */
  addLabels(labels: Labels, chunks: ChunkColumns): void {
    if (this.last && compareLabels(this.last, labels) >= 0) {
      throw new Error(
        `cannot write index ${this.path}: series ${labels.key} comes after ${this.last.key}, out of order`,
      );
    }
    this.last = labels;
    const { pairs } = labels;
    const row = new Uint32Array(labels.size);
    for (let i = 0; i < row.length; i++) row[i] = this.pair(pairs[2 * i]!, pairs[2 * i + 1]!);
    this.addRow(row, row.length, chunks);
  }

  /**
   * As `addLabels`, for a caller that sees to the order.
   * @param pairs the numbers of its label pairs, by `pair`, `count` of them
   */
  addRow(pairs: Uint32Array, count: number, chunks: ChunkColumns): void {
    const { body } = this;
    const { minTimes, maxTimes, refs } = chunks;
    body.clear();
    body.uvarint(count);
    for (let i = 0; i < count; i++) body.uvarint(pairs[i]!);
    const labelsEnd = body.length;
    body.uvarint(chunks.count);
    body.varint(minTimes[0]!);
    body.uvarint(maxTimes[0]! - minTimes[0]!);
    body.uvarint(refs[0]!);
    for (let i = 1; i < chunks.count; i++) {
      body.uvarint(minTimes[i]! - maxTimes[i - 1]!);
      body.uvarint(maxTimes[i]! - minTimes[i]!);
      body.varint(refs[i]! - refs[i - 1]!);
    }
    const { out } = this.series;
    out.uvarint(body.length);
    out.uvarint(labelsEnd);
    out.raw(body.written());
    this.series.commit();
    this.largestRecordBytes = Math.max(this.largestRecordBytes, body.length + 20);
    this.countSeries(pairs, count);
  }

  /**
   * Takes series over that someone else made records of, as `addRow` does: uvarint size of the body │ uvarint size of
   * the label pairs │ body: uvarint how many label pairs │ uvarint number of each │ chunks as in the index. Each of
   * them is told by `countSeries`.
   */
  addRecords(records: Uint8Array): void {
    this.series.writeThrough(records);
    this.largestRecordBytes = Math.max(this.largestRecordBytes, records.length);
  }

  countSeries(pairs: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) this.pairCounts[pairs[i]!]!++;
    this.seriesCount++;
  }

  /** The number of a label pair here. */
  pair(name: string, value: string): number {
    const nameId = this.symbol(name);
    const valueId = this.symbol(value);
    const key = nameId * 2 ** 26 + valueId;
    let pair = this.pairIds.get(key);
    if (pair === undefined) {
      pair = this.pairNames.length;
      this.pairIds.set(key, pair);
      this.pairNames.push(nameId);
      this.pairValues.push(valueId);
      this.pairCounts.push(0);
    }
    return pair;
  }

  private symbol(text: string): number {
    let id = this.symbolIds.get(text);
    if (id === undefined) {
      id = this.symbols.length;
      if (id >= 2 ** 26) throw new Error(`cannot write index ${this.path}: more than ${2 ** 26} symbols`);
      this.symbolIds.set(text, id);
      this.symbols.push(text);
    }
    return id;
  }

  /** Writes the index file and syncs it. @returns its size */
  finish(): number {
    const index = (this.index = new FileWriter(new BufferedFile(this.path)));
    index.out.u32(MAGIC);
    index.out.u8(VERSION);
    this.symbolIds.clear();
    this.pairIds.clear();

    const symbolsOffset = index.position;
    const ordinals = this.writeSymbols(index);
    const seriesOffset = index.position;
    const lists = this.writeSeries(index, ordinals);
    const postingsOffset = index.position;
    this.writePostings(index, ordinals, lists);

    index.beginChecksum();
    for (const offset of [symbolsOffset, seriesOffset, postingsOffset, this.tableOffset, postingsOffset]) {
      index.out.u64(offset);
    }
    index.out.u64(this.tableOffset);
    index.endChecksum();
    const size = index.position;
    index.close();
    this.index = null;
    this.series.abandon();
    fs.rmSync(this.seriesPath);
    return size;
  }

  abandon(): void {
    this.index?.abandon();
    this.series.abandon();
  }

  /** @returns by id of a symbol: its number in the file */
  private writeSymbols(index: FileWriter): Uint32Array {
    const order = Uint32Array.from(this.symbols.keys());
    order.sort((a, b) => compareUtf8(this.symbols[a]!, this.symbols[b]!));
    let length = 4;
    for (const text of this.symbols) {
      const size = Buffer.byteLength(text);
      length += uvarintSize(size) + size;
    }
    if (length > 0xffffffff) throw new Error(`cannot write index ${this.path}: symbols of ${length} bytes`);
    index.out.u32(length);
    index.beginChecksum();
    index.out.u32(order.length);
    const ordinals = new Uint32Array(order.length);
    for (let i = 0; i < order.length; i++) {
      ordinals[order[i]!] = i;
      index.out.string(this.symbols[order[i]!]!);
      index.commit();
    }
    index.endChecksum();
    return ordinals;
  }

  /** Copies the series with their final symbols. @returns the lists of the series of each label pair, and of all */
  private writeSeries(index: FileWriter, ordinals: Uint32Array): SeriesEntriesKernel {
    const { pairCounts, pairNames, pairValues, seriesCount, largestRecordBytes, series } = this;
    const pairSymbols = new Uint32Array(2 * pairCounts.length);
    for (let pair = 0; pair < pairCounts.length; pair++) {
      pairSymbols[2 * pair] = ordinals[pairNames[pair]!]!;
      pairSymbols[2 * pair + 1] = ordinals[pairValues[pair]!]!;
    }
    const kernel = new SeriesEntriesKernel({ pairSymbols, pairCounts, seriesCount, largestRecordBytes });
    series.flushAll();
    const end = series.position;
    for (let position = 0; position < end;) {
      const count = this.seriesFile.readBack(position, kernel.recordsRoom());
      if (count === 0) break;
      position += count;
      kernel.recordsRead(count);
      for (let isFull = true; isFull;) {
        isFull = kernel.put(index.position);
        if (kernel.entries.length > 0) index.writeThrough(kernel.entries);
        if (index.position / SERIES_ALIGNMENT > 0xffffffff) {
          throw new Error(`cannot write index ${this.path}: it would pass 64 GiB`);
        }
      }
    }
    if (!kernel.isComplete) throw new Error(`cannot read back series of ${this.path}: some are missing`);
    return kernel;
  }

  private writePostings(index: FileWriter, ordinals: Uint32Array, lists: SeriesEntriesKernel): void {
    const order = Uint32Array.from(this.pairNames.keys());
    order.sort(
      (a, b) =>
        ordinals[this.pairNames[a]!]! - ordinals[this.pairNames[b]!]! ||
        ordinals[this.pairValues[a]!]! - ordinals[this.pairValues[b]!]!,
    );
    const offsets = new Float64Array(order.length + 1);
    offsets[0] = writePostingsList(index, lists.allIds);
    for (let i = 0; i < order.length; i++) {
      const pair = order[i]!;
      offsets[i + 1] = writePostingsList(index, lists.idsOf(pair, this.pairCounts[pair]!));
    }

    this.tableOffset = index.position;
    let length = 4 + tableEntrySize("", "", offsets[0]);
    for (let i = 0; i < order.length; i++) {
      const pair = order[i]!;
      length += tableEntrySize(
        this.symbols[this.pairNames[pair]!]!,
        this.symbols[this.pairValues[pair]!]!,
        offsets[i + 1]!,
      );
    }
    if (length > 0xffffffff)
      throw new Error(`cannot write index ${this.path}: postings table of ${length} bytes`);
    index.out.u32(length);
    index.beginChecksum();
    index.out.u32(order.length + 1);
    writeTableEntry(index.out, "", "", offsets[0]);
    for (let i = 0; i < order.length; i++) {
      const pair = order[i]!;
      const name = this.symbols[this.pairNames[pair]!]!;
      writeTableEntry(index.out, name, this.symbols[this.pairValues[pair]!]!, offsets[i + 1]!);
      index.commit();
    }
    index.endChecksum();
  }
}

function uvarintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** A list of all series is long: it is handed on in parts. */
const POSTINGS_PART_BYTES = 256 * 1024;

/** @param ids 32 bits each, big-endian @returns where the list begins */
function writePostingsList(index: FileWriter, ids: Uint8Array): number {
  const { out } = index;
  out.pad(POSTINGS_ALIGNMENT, -(index.position - out.length) % POSTINGS_ALIGNMENT);
  const offset = index.position;
  out.u32(4 + ids.length);
  index.beginChecksum();
  out.u32(ids.length / 4);
  for (let at = 0; at < ids.length; at += POSTINGS_PART_BYTES) {
    out.raw(ids.subarray(at, at + POSTINGS_PART_BYTES));
    index.commit();
  }
  index.endChecksum();
  return offset;
}

function tableEntrySize(name: string, value: string, offset: number): number {
  const nameBytes = Buffer.byteLength(name);
  const valueBytes = Buffer.byteLength(value);
  return 1 + uvarintSize(nameBytes) + nameBytes + uvarintSize(valueBytes) + valueBytes + uvarintSize(offset);
}

function writeTableEntry(out: ByteWriter, name: string, value: string, offset: number): void {
  out.uvarint(2);
  out.string(name);
  out.string(value);
  out.uvarint(offset);
}
