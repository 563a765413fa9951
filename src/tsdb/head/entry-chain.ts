import { PAGE_WORDS } from "../../kernels/append-kernel.ts";
import type { Arena } from "./arena.ts";

/** Words of a chain's head: count, first page, tail page. */
export const ENTRY_CHAIN_WORDS = 3;

const WORDS_PER_ENTRY = 3;
const ENTRIES_PER_PAGE = Math.floor((PAGE_WORDS - 1) / WORDS_PER_ENTRY);

/**
 * A list of entries of three words each, in a chain of pages, that only ever grows: for what is rare enough not to be
 * encoded. A page holds the next one's number and five entries.
 *
 * @param at index of the first of the `ENTRY_CHAIN_WORDS` words of its head
 */
export class EntryChain {
  constructor(
    private readonly arena: Arena,
    private readonly at: number,
  ) {}

  get count(): number {
    return Atomics.load(this.arena.atomic, this.at);
  }

  /** Writer only. */
  append(a: number, b: number, c: number): void {
    const { words } = this.arena;
    const count = this.count;
    const inPage = count % ENTRIES_PER_PAGE;
    if (inPage === 0) {
      const page = this.arena.allocatePages(1);
      if (count === 0) words[this.at + 1] = page;
      else words[words[this.at + 2]! * PAGE_WORDS] = page;
      words[this.at + 2] = page;
    }
    const entry = words[this.at + 2]! * PAGE_WORDS + 1 + inPage * WORDS_PER_ENTRY;
    words[entry] = a;
    words[entry + 1] = b;
    words[entry + 2] = c;
    Atomics.store(this.arena.atomic, this.at, count + 1);
  }

  /** Visits the first `count` entries. */
  forEach(count: number, visit: (a: number, b: number, c: number) => void): void {
    const { words } = this.arena;
    let page = words[this.at + 1]!;
    for (let i = 0; i < count; i++) {
      const inPage = i % ENTRIES_PER_PAGE;
      if (i > 0 && inPage === 0) page = words[page * PAGE_WORDS]!;
      const entry = page * PAGE_WORDS + 1 + inPage * WORDS_PER_ENTRY;
      visit(words[entry]!, words[entry + 1]!, words[entry + 2]!);
    }
  }
}
