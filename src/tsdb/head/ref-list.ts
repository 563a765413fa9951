import type { SeriesRef } from "../../model/storage.ts";

/** Series' numbers in a row, four bytes each. */
export class RefList {
  length = 0;
  private refs = new Uint32Array(64);

  push(ref: SeriesRef): void {
    if (this.length === this.refs.length) {
      const grown = new Uint32Array(2 * this.length);
      grown.set(this.refs);
      this.refs = grown;
    }
    this.refs[this.length++] = ref;
  }

  /** A view that the next change may overwrite. */
  get all(): Uint32Array {
    return this.refs.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
    // A flood is over some time: its memory is not kept.
    if (this.refs.length > MOST_KEPT) this.refs = new Uint32Array(64);
  }

  /** Leaves out what is not wanted, and what is there twice. */
  keep(isWanted: (ref: SeriesRef) => boolean): void {
    const sorted = this.all.sort();
    let kept = 0;
    for (let i = 0; i < sorted.length; i++) {
      if (kept > 0 && sorted[kept - 1] === sorted[i]) continue;
      if (isWanted(sorted[i]!)) sorted[kept++] = sorted[i]!;
    }
    this.length = kept;
  }

  forEach(visit: (ref: SeriesRef) => void): void {
    for (let i = 0; i < this.length; i++) visit(this.refs[i]!);
  }
}

const MOST_KEPT = 2 ** 16;
