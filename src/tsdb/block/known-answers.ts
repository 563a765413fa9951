import type { Matcher } from "../../model/matcher.ts";

/** What was asked last of a block, which never changes: the same is asked for again and again. */
export class KnownAnswers<T extends { readonly length: number }> {
  /** Least recently used first. */
  private readonly byQuestion = new Map<string, T>();
  private items = 0;

  /** @param maxItems of all answers that are kept; a longer one is not */
  constructor(
    private readonly maxAnswers: number,
    private readonly maxItems: number,
  ) {}

  /** @returns what `read` gives, now or before; not to be written to */
  find(question: string, read: () => T): T {
    const { byQuestion } = this;
    let answer = byQuestion.get(question);
    if (answer) {
      byQuestion.delete(question);
      byQuestion.set(question, answer);
      return answer;
    }
    answer = read();
    if (answer.length > this.maxItems) return answer;
    byQuestion.set(question, answer);
    this.items += answer.length;
    for (const [oldest, known] of byQuestion) {
      if (byQuestion.size <= this.maxAnswers && this.items <= this.maxItems) break;
      byQuestion.delete(oldest);
      this.items -= known.length;
    }
    return answer;
  }
}

/** A text that is equal for equal matchers of the same thing. */
export function questionOf(matchers: readonly Matcher[], thing = ""): string {
  return JSON.stringify([thing, ...matchers.map(({ name, type, value }) => [name, type, value])]);
}
