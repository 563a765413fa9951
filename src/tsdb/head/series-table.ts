import { SeriesField } from "../../kernels/append-kernel.ts";
import { Labels } from "../../model/labels.ts";
import { StorageError } from "../../model/storage.ts";
import { Header, type Arena } from "./arena.ts";
import type { Generation } from "./generation.ts";
import { HashTable } from "./hash-table.ts";
import type { Postings } from "./postings.ts";
import { mixHash, type SymbolTable } from "./symbol-table.ts";

/**
 * The series of a generation, numbered from 1 in the order they appeared. A series' labels are a run of words:
 * how many, then the postings list of each pair, in the order of the label set. Two series are the same when their
 * lists are.
 */
export class SeriesTable {
  private readonly table: HashTable;
  private readonly records: number;
  /** The label set being looked up, as lists. */
  private lists = new Uint32Array(64);
  private readonly pairs = new PairCache();
  /** Whether series can be selected by their labels; a table that is only looked up by whole sets may do without. */
  isIndexed = true;
  private readonly hashOf = (series: number) => this.field(series, SeriesField.hash);

  constructor(
    private readonly arena: Arena,
    private readonly symbols: SymbolTable,
    private readonly postings: Postings,
  ) {
    this.table = new HashTable(arena, Header.seriesTable);
    this.records = arena.records / 4;
  }

  get count(): number {
    return this.arena.header(Header.seriesCount);
  }

  field(series: number, field: number): number {
    return this.arena.words[this.records + 16 * series + field]!;
  }

  setField(series: number, field: number, value: number): void {
    this.arena.words[this.records + 16 * series + field] = value;
  }

  /** @returns the series with exactly these labels, or 0 */
  find(labels: Labels): number {
    const { pairs } = labels;
    const lists = this.roomFor(labels.size);
    for (let i = 0; i < pairs.length; i += 2) {
      const list = this.pairs.get(pairs[i]!, pairs[i + 1]!) || this.findPair(pairs[i]!, pairs[i + 1]!);
      if (list === 0) return 0;
      lists[i / 2] = list;
    }
    return this.findLists(lists, labels.size);
  }

  private findPair(name: string, value: string): number {
    const nameSymbol = this.symbols.find(name);
    const valueSymbol = nameSymbol === 0 ? 0 : this.symbols.find(value);
    return valueSymbol === 0 ? 0 : this.postings.find(nameSymbol, valueSymbol);
  }

  /** The series with these labels, new if need be. Writer only. */
  resolve(labels: Labels): { readonly ref: number; readonly created: boolean } {
    const { pairs } = labels;
    const lists = this.roomFor(labels.size);
    for (let i = 0; i < pairs.length; i += 2) {
      lists[i / 2] = this.pairs.get(pairs[i]!, pairs[i + 1]!) || this.internPair(pairs[i]!, pairs[i + 1]!);
    }
    return this.resolveLists(lists, labels.size);
  }

  private internPair(name: string, value: string): number {
    const nameSymbol = this.symbols.intern(name);
    const list = this.postings.intern(nameSymbol, this.symbols.intern(value));
    this.pairs.set(name, value, list);
    return list;
  }

  /** As `resolve`, for labels that are known as lists of this generation. Writer only. */
  resolveLists(lists: Uint32Array, size: number): { readonly ref: number; readonly created: boolean } {
    const found = this.findLists(lists, size);
    if (found !== 0) return { ref: found, created: false };
    const series = this.count + 1;
    if (series > this.arena.maxSeries) {
      throw new StorageError(`cannot take another series: the generation has ${series - 1} of them`);
    }
    const run = this.arena.allocateRun(4 * (size + 1)) / 4;
    this.arena.words[run] = size;
    this.arena.words.set(lists.subarray(0, size), run + 1);
    const hash = hashLists(lists, size);
    this.setField(series, SeriesField.labels, run);
    this.setField(series, SeriesField.hash, hash);
    this.arena.setHeader(Header.seriesCount, series);
    this.table.add(hash, series, this.hashOf);
    if (this.isIndexed) for (let i = 0; i < size; i++) this.postings.append(lists[i]!, series);
    return { ref: series, created: true };
  }

  /** The series that has the labels which series `theirs` has in another generation, or 0. */
  findSame(other: Generation, theirs: number): number {
    const run = other.series.field(theirs, SeriesField.labels);
    const size = other.arena.words[run]!;
    const lists = this.roomFor(size);
    for (let i = 0; i < size; i++) {
      const list = other.arena.words[run + 1 + i]!;
      const name = this.findSymbol(other, other.postings.nameOf(list));
      const value = name === 0 ? 0 : this.findSymbol(other, other.postings.valueOf(list));
      const ours = value === 0 ? 0 : this.postings.find(name, value);
      if (ours === 0) return 0;
      lists[i] = ours;
    }
    return this.findLists(lists, size);
  }

  private findSymbol({ symbols, arena }: Generation, theirs: number): number {
    const { pointer, length } = symbols.place(theirs);
    return this.symbols.findBytes(arena.bytes, pointer, pointer + length);
  }

  private findLists(lists: Uint32Array, size: number): number {
    const { table } = this;
    const words = this.arena.words;
    const hash = hashLists(lists, size);
    let series: number;
    for (let slot = table.slotOf(hash); (series = table.at(slot)) !== 0; slot = table.next(slot)) {
      if (this.field(series, SeriesField.hash) !== hash) continue;
      const run = this.field(series, SeriesField.labels);
      if (words[run] !== size) continue;
      let i = 0;
      while (i < size && words[run + 1 + i] === lists[i]) i++;
      if (i === size) return series;
    }
    return 0;
  }

  labels(series: number): Labels {
    const run = this.field(series, SeriesField.labels);
    const size = this.arena.words[run]!;
    const pairs = new Array<string>(2 * size);
    for (let i = 0; i < size; i++) {
      const list = this.arena.words[run + 1 + i]!;
      pairs[2 * i] = this.symbols.text(this.postings.nameOf(list));
      pairs[2 * i + 1] = this.symbols.text(this.postings.valueOf(list));
    }
    return Labels.fromSortedPairs(pairs);
  }

  /** The series' list whose pairs have this name, or 0. */
  listWithName(series: number, name: number): number {
    const words = this.arena.words;
    const run = this.field(series, SeriesField.labels);
    for (let i = run + words[run]!; i > run; i--) {
      if (this.postings.nameOf(words[i]!) === name) return words[i]!;
    }
    return 0;
  }

  hasList(series: number, list: number): boolean {
    const words = this.arena.words;
    const run = this.field(series, SeriesField.labels);
    for (let i = run + words[run]!; i > run; i--) if (words[i] === list) return true;
    return false;
  }

  /** The series' lists, in the order of its labels. */
  forEachList(series: number, visit: (list: number) => void): void {
    const words = this.arena.words;
    const run = this.field(series, SeriesField.labels);
    for (let i = 1; i <= words[run]!; i++) visit(words[run + i]!);
  }

  private roomFor(size: number): Uint32Array {
    if (this.lists.length < size) this.lists = new Uint32Array(2 * size);
    return this.lists;
  }
}

function hashLists(lists: Uint32Array, size: number): number {
  let hash = size;
  for (let i = 0; i < size; i++) hash = mixHash(hash, lists[i]!);
  return hash;
}

/** Label pairs that are remembered. */
const MAX_CACHED_PAIRS = 2 ** 15;

/** The lists of label pairs by their texts, for the pairs that turn up again and again. */
class PairCache {
  private byName = new Map<string, Map<string, number>>();
  private count = 0;

  /** @returns the list, or 0 if it is not remembered */
  get(name: string, value: string): number {
    return this.byName.get(name)?.get(value) ?? 0;
  }

  set(name: string, value: string, list: number): void {
    if (++this.count > MAX_CACHED_PAIRS) {
      this.byName = new Map();
      this.count = 1;
    }
    let byValue = this.byName.get(name);
    if (!byValue) this.byName.set(name, (byValue = new Map()));
    byValue.set(value, list);
  }
}
