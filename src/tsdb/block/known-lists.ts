import type { Matcher } from "../../model/matcher.ts";

const MAX_LISTS = 32;
/** Texts of all lists that are kept of one block. */
const MAX_TEXTS = 2 ** 11;

/** Label names and values asked for last of a block, which never changes: whoever types a query asks at each key. */
export class KnownLists {
  /** Least recently used first. */
  private readonly byQuestion = new Map<string, readonly string[]>();
  private texts = 0;

  /**
   * @param name the label whose values are asked for; "" for the names of labels
   * @returns what `read` gives, now or before
   */
  find(name: string, matchers: readonly Matcher[], read: () => readonly string[]): readonly string[] {
    const key = JSON.stringify([
      name,
      ...matchers.map((matcher) => [matcher.name, matcher.type, matcher.value]),
    ]);
    let list = this.byQuestion.get(key);
    if (list) {
      this.byQuestion.delete(key);
      this.byQuestion.set(key, list);
      return list;
    }
    list = read();
    if (list.length > MAX_TEXTS) return list;
    this.byQuestion.set(key, list);
    this.texts += list.length;
    for (const [oldest, known] of this.byQuestion) {
      if (this.byQuestion.size <= MAX_LISTS && this.texts <= MAX_TEXTS) break;
      this.byQuestion.delete(oldest);
      this.texts -= known.length;
    }
    return list;
  }
}
