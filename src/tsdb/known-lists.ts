import type { Matcher } from "../model/matcher.ts";

const MAX_LISTS = 32;
/** Texts of all lists that are kept of one source. */
const MAX_TEXTS = 2 ** 11;

interface KnownList {
  readonly version: number;
  readonly texts: readonly string[];
}

/** Label names and values asked for last of a block or generation: whoever types a query asks at each key. */
export class KnownLists {
  /** Least recently used first. */
  private readonly byQuestion = new Map<string, KnownList>();
  private texts = 0;

  /**
   * @param name the label whose values are asked for; "" for the names of labels
   * @param version the same as long as the answer is
   * @returns what `read` gives, now or before
   */
  find(
    name: string,
    matchers: readonly Matcher[],
    version: number,
    read: () => readonly string[],
  ): readonly string[] {
    const key =
      matchers.length === 0
        ? name
        : JSON.stringify([name, ...matchers.map((matcher) => [matcher.name, matcher.type, matcher.value])]);
    const known = this.byQuestion.get(key);
    if (known) {
      this.byQuestion.delete(key);
      if (known.version === version) {
        this.byQuestion.set(key, known);
        return known.texts;
      }
      this.texts -= known.texts.length;
    }
    const texts = read();
    if (texts.length > MAX_TEXTS) return texts;
    this.byQuestion.set(key, { version, texts });
    this.texts += texts.length;
    for (const [oldest, old] of this.byQuestion) {
      if (this.byQuestion.size <= MAX_LISTS && this.texts <= MAX_TEXTS) break;
      this.byQuestion.delete(oldest);
      this.texts -= old.texts.length;
    }
    return texts;
  }
}
