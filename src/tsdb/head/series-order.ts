import { SeriesField } from "../../kernels/append-kernel.ts";
import { compareUtf8 } from "../../model/labels.ts";
import type { Arena } from "./arena.ts";
import type { Postings } from "./postings.ts";
import type { SeriesTable } from "./series-table.ts";
import type { SymbolTable } from "./symbol-table.ts";

/** Selections up to this size are compared by text; larger ones by the ranks of their label pairs. */
const SMALL_SELECTION = 256;

/** Sorted selections that are remembered, and how many series they may hold together. */
const MAX_REMEMBERED = 64;
const MAX_REMEMBERED_SERIES = 2 ** 21;

interface Remembered {
  readonly ids: Uint32Array;
  readonly sorted: Uint32Array;
}

/**
 * Sorts series by label set. Label pairs are ranked once, by name and then value, so that comparing two series is
 * comparing a few numbers; and as dashboards ask for the same series again and again, sorted selections are kept.
 */
export class SeriesOrder {
  private ranks = new Uint32Array(1);
  private ordered = new Uint32Array(0);
  private remembered: Remembered[] = [];
  private rememberedSeries = 0;

  constructor(
    private readonly arena: Arena,
    private readonly symbols: SymbolTable,
    private readonly postings: Postings,
    private readonly series: SeriesTable,
  ) {}

  /** @param ids ascending @returns the same series, ordered by label set */
  sort(ids: Uint32Array): Uint32Array {
    if (ids.length < 2) return ids;
    if (ids.length <= SMALL_SELECTION) return ids.slice().sort((a, b) => this.compareTexts(a, b));
    const known = this.remembered.find((selection) => isSame(selection.ids, ids));
    if (known) return known.sorted;
    const sorted = this.sortByRanks(ids);
    this.remember({ ids, sorted });
    return sorted;
  }

  private remember(selection: Remembered): void {
    const size = selection.ids.length;
    if (size > MAX_REMEMBERED_SERIES) return;
    while (this.remembered.length >= MAX_REMEMBERED || this.rememberedSeries + size > MAX_REMEMBERED_SERIES) {
      this.rememberedSeries -= this.remembered.shift()!.ids.length;
    }
    this.remembered.push(selection);
    this.rememberedSeries += size;
  }

  private compareTexts(a: number, b: number): number {
    const words = this.arena.words;
    const runA = this.series.field(a, SeriesField.labels);
    const runB = this.series.field(b, SeriesField.labels);
    const shared = Math.min(words[runA]!, words[runB]!);
    for (let i = 1; i <= shared; i++) {
      const listA = words[runA + i]!;
      const listB = words[runB + i]!;
      if (listA !== listB) return this.compareLists(listA, listB);
    }
    return words[runA]! - words[runB]!;
  }

  private compareLists(a: number, b: number): number {
    const { postings, symbols } = this;
    const nameA = postings.nameOf(a);
    const nameB = postings.nameOf(b);
    return nameA === nameB
      ? compareUtf8(symbols.text(postings.valueOf(a)), symbols.text(postings.valueOf(b)))
      : compareUtf8(symbols.text(nameA), symbols.text(nameB));
  }

  private sortByRanks(ids: Uint32Array): Uint32Array {
    this.rankLists();
    const words = this.arena.words;
    let width = 0;
    for (const id of ids) width = Math.max(width, words[this.series.field(id, SeriesField.labels)]!);
    // One row of ranks a series, 0 behind its last label, so that a prefix sorts first.
    const rows = new Uint32Array(ids.length * width);
    for (let i = 0; i < ids.length; i++) {
      const run = this.series.field(ids[i]!, SeriesField.labels);
      for (let j = 0; j < words[run]!; j++) rows[i * width + j] = this.ranks[words[run + 1 + j]!]!;
    }
    const indices = new Uint32Array(ids.length).map((_, i) => i);
    indices.sort((a, b) => {
      let i = a * width;
      let j = b * width;
      for (const end = i + width; i < end; i++, j++) if (rows[i] !== rows[j]) return rows[i]! - rows[j]!;
      return 0;
    });
    return indices.map((index) => ids[index]!);
  }

  /** Ranks the lists that came since the last time among the others. */
  private rankLists(): void {
    const known = this.ordered.length;
    const count = this.postings.listCount;
    if (count === known) return;
    const fresh = new Uint32Array(count - known)
      .map((_, i) => known + 1 + i)
      .sort((a, b) => this.compareLists(a, b));
    const merged = new Uint32Array(count);
    let i = 0;
    let j = 0;
    for (let k = 0; k < count; k++) {
      const takeOld = j === fresh.length || (i < known && this.compareLists(this.ordered[i]!, fresh[j]!) < 0);
      merged[k] = takeOld ? this.ordered[i++]! : fresh[j++]!;
    }
    this.ordered = merged;
    this.ranks = new Uint32Array(count + 1);
    for (let k = 0; k < count; k++) this.ranks[merged[k]!] = k + 1;
  }
}

function isSame(a: Uint32Array, b: Uint32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
