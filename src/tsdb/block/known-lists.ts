import type { Matcher } from "../../model/matcher.ts";
import { KnownAnswers, questionOf } from "./known-answers.ts";

const MAX_LISTS = 32;
/** Texts of all lists that are kept of one block. */
const MAX_TEXTS = 2 ** 11;

/** Label names and values asked for last of a block: whoever types a query asks at each key. */
export class KnownLists {
  private readonly answers = new KnownAnswers<readonly string[]>(MAX_LISTS, MAX_TEXTS);

  /**
   * @param name the label whose values are asked for; "" for the names of labels
   * @returns what `read` gives, now or before
   */
  find(name: string, matchers: readonly Matcher[], read: () => readonly string[]): readonly string[] {
    return this.answers.find(questionOf(matchers, name), read);
  }
}
