import { compareUtf8 } from "../../model/labels.ts";
import type { IndexReader } from "../block/index-file.ts";
import { CorruptionError } from "../corruption-error.ts";

/** The symbols of one index, by their place among those of several. */
export interface SymbolRanks {
  /** By number of the symbol, counted from `first`. */
  readonly ranks: Uint32Array;
  readonly first: number;
}

/**
 * Numbers the symbols of some indexes anew, in the order of their bytes, the same text always with the same number: so
 * series of different blocks are compared, and their label pairs told apart, without looking at texts.
 * @throws CorruptionError where the symbols of an index are not in order
 */
export function rankSymbols(indexes: readonly IndexReader[]): SymbolRanks[] {
  const cursors = indexes.map((index) => new SymbolCursor(index));
  for (let rank = 0; ; rank++) {
    let least: string | null = null;
    for (const { text } of cursors) {
      if (text !== null && (least === null || compareUtf8(text, least) < 0)) least = text;
    }
    if (least === null) return cursors;
    for (const cursor of cursors) if (cursor.text === least) cursor.give(rank);
  }
}

class SymbolCursor implements SymbolRanks {
  readonly ranks: Uint32Array;
  readonly first: number;
  /** Of the symbol that has no rank yet; null behind the last. */
  text: string | null = null;
  private number = 0;
  private readonly rest: Iterator<readonly [symbol: number, text: string]>;

  constructor(private readonly index: IndexReader) {
    const [first, end] = index.symbolNumbers;
    this.first = first;
    this.ranks = new Uint32Array(end - first);
    this.rest = index.symbols();
    this.advance();
  }

  give(rank: number): void {
    const { text } = this;
    this.ranks[this.number - this.first] = rank;
    this.advance();
    if (text !== null && this.text !== null && compareUtf8(this.text, text) <= 0) {
      throw new CorruptionError(
        `cannot read symbols of ${this.index.path}: ${JSON.stringify(this.text)} comes after ${JSON.stringify(text)}`,
      );
    }
  }

  private advance(): void {
    const next = this.rest.next();
    this.text = null;
    if (!next.done) [this.number, this.text] = next.value;
  }
}
