import { LRUCache } from "lru-cache";
import type { LabelNamesTask, LabelValuesTask, QueryAnswer } from "../api/query-tasks.ts";
import { sizeOf } from "../api/gzip-answer.ts";

export type LabelsTask = LabelNamesTask | LabelValuesTask;

const MAX_BYTES = 1024 * 1024;
const MAX_ANSWER_BYTES = 128 * 1024;

interface Known {
  readonly state: string;
  readonly answer: QueryAnswer;
}

/**
 * Answers to look-ups of labels, each good as long as nothing has come to where it was found: whoever types a query has
 * the same names and values asked for at each key.
 */
export class KnownLookUps {
  private readonly known = new LRUCache<string, Known>({
    maxSize: MAX_BYTES,
    maxEntrySize: MAX_ANSWER_BYTES,
    sizeCalculation: ({ state, answer }, question) =>
      sizeOf(answer.parts) + 2 * (state.length + question.length),
  });

  /** @param state of what would be looked through now: equal texts stand for equal answers */
  find(task: LabelsTask, mayGzip: boolean, state: string): QueryAnswer | null {
    const known = this.known.get(questionOf(task, mayGzip));
    return known?.state === state ? known.answer : null;
  }

  /** @param state as it was before the answer was looked for and is still */
  keep(task: LabelsTask, mayGzip: boolean, state: string, answer: QueryAnswer): void {
    if (answer.status === 200) this.known.set(questionOf(task, mayGzip), { state, answer });
  }
}

/** The times are left out: they only say where to look, which is the state's business. */
function questionOf(task: LabelsTask, mayGzip: boolean): string {
  return JSON.stringify([task.kind === "labelValues" ? task.name : null, task.limit, mayGzip, task.matches]);
}
