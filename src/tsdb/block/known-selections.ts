import type { Matcher } from "../../model/matcher.ts";
import type { ChunkMeta } from "./index-file.ts";
import { KnownAnswers, questionOf } from "./known-answers.ts";

/** By place in a selection: the first time of the first chunk of a series, and the last of its last. */
export interface SelectionSpans {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
}

const MAX_SELECTIONS = 16;
/** Ids of all selections that are kept of one block. */
const MAX_IDS = 2 ** 17;

/** What was selected last from a block. */
export class KnownSelections {
  private readonly answers = new KnownAnswers<Uint32Array>(MAX_SELECTIONS, MAX_IDS);
  private readonly spansOf = new WeakMap<Uint32Array, SelectionSpans>();

  /** When the series of a selection begin and end, looked up once for all. @param ids as `find` gave them */
  spans(ids: Uint32Array, chunksOf: (id: number) => readonly ChunkMeta[]): SelectionSpans {
    let spans = this.spansOf.get(ids);
    if (spans) return spans;
    spans = { starts: new Float64Array(ids.length), ends: new Float64Array(ids.length) };
    for (let i = 0; i < ids.length; i++) {
      const chunks = chunksOf(ids[i]!);
      spans.starts[i] = chunks[0]?.minTime ?? Infinity;
      spans.ends[i] = chunks.at(-1)?.maxTime ?? -Infinity;
    }
    this.spansOf.set(ids, spans);
    return spans;
  }

  /** @returns what `select` gives for these matchers, now or before; not to be written to */
  find(matchers: readonly Matcher[], select: () => Uint32Array): Uint32Array {
    return this.answers.find(questionOf(matchers), select);
  }
}
