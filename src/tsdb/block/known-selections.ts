import type { Matcher } from "../../model/matcher.ts";

const MAX_SELECTIONS = 16;
/** Ids of all selections that are kept of one block. */
const MAX_IDS = 2 ** 14;

/** What was selected last from a block: it never changes, and the same is asked for again and again. */
export class KnownSelections {
  /** Least recently used first. */
  private readonly byMatchers = new Map<string, Uint32Array>();
  private ids = 0;

  /** @returns what `select` gives for these matchers, now or before; not to be written to */
  find(matchers: readonly Matcher[], select: () => Uint32Array): Uint32Array {
    const key = JSON.stringify(matchers.map(({ name, type, value }) => [name, type, value]));
    let ids = this.byMatchers.get(key);
    if (ids) {
      this.byMatchers.delete(key);
      this.byMatchers.set(key, ids);
      return ids;
    }
    ids = select();
    if (ids.length > MAX_IDS) return ids;
    this.byMatchers.set(key, ids);
    this.ids += ids.length;
    for (const [oldest, known] of this.byMatchers) {
      if (this.byMatchers.size <= MAX_SELECTIONS && this.ids <= MAX_IDS) break;
      this.byMatchers.delete(oldest);
      this.ids -= known.length;
    }
    return ids;
  }
}
