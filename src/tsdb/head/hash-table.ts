import type { Arena, HeaderField } from "./arena.ts";

/**
 * Open addressing in a generation's memory: entries are ids, 0 is a free one. The owner walks the entries itself,
 * from `slotOf(hash)` through `next(slot)` until `at(slot)` is 0, and compares what its ids stand for.
 *
 * Growing leaves the old table behind, complete as it was: a reader that still walks it misses only what is newer.
 */
export class HashTable {
  private base = 0;
  private mask = 0;
  private published = 0;
  private count = 0;

  constructor(
    private readonly arena: Arena,
    private readonly field: HeaderField,
  ) {}

  /** The entry to begin at. */
  slotOf(hash: number): number {
    const published = this.arena.header(this.field);
    if (published !== this.published) this.use(published);
    return hash & this.mask;
  }

  at(slot: number): number {
    return this.published === 0 ? 0 : this.arena.words[this.base + slot]!;
  }

  next(slot: number): number {
    return (slot + 1) & this.mask;
  }

  /** Adds an id that is not there yet. The id's own data must be complete. Writer only. */
  add(hash: number, id: number, hashOf: (id: number) => number): void {
    if (this.published === 0 || this.count * 10 >= (this.mask + 1) * 7) this.grow(hashOf);
    this.place(hash, id);
    this.count++;
  }

  private place(hash: number, id: number): void {
    let slot = hash & this.mask;
    while (this.arena.words[this.base + slot] !== 0) slot = (slot + 1) & this.mask;
    Atomics.store(this.arena.atomic, this.base + slot, id);
  }

  private grow(hashOf: (id: number) => number): void {
    const oldBase = this.base;
    const oldSize = this.published === 0 ? 0 : this.mask + 1;
    const sizeLog2 = oldSize === 0 ? 10 : Math.log2(oldSize) + 1;
    const page = this.arena.allocatePages(2 ** sizeLog2 / 16);
    this.base = page * 16;
    this.mask = 2 ** sizeLog2 - 1;
    for (let slot = 0; slot < oldSize; slot++) {
      const id = this.arena.words[oldBase + slot]!;
      if (id !== 0) this.place(hashOf(id), id);
    }
    this.published = page * 32 + sizeLog2;
    this.arena.setHeader(this.field, this.published);
  }

  private use(published: number): void {
    this.published = published;
    this.base = (published >>> 5) * 16;
    this.mask = 2 ** (published & 31) - 1;
  }
}
