import type { Matcher } from "../../model/matcher.ts";
import type { ChunkMeta } from "./index-file.ts";

/** By place in a selection: the first time of the first chunk of a series, and the last of its last. */
export interface SelectionSpans {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
}

const MAX_SELECTIONS = 16;
/** Ids of all selections that are kept of one block. */
const MAX_IDS = 2 ** 17;

/** What was selected last from a block: it never changes, and the same is asked for again and again. */
export class KnownSelections {
  /** Least recently used first. */
  private readonly byMatchers = new Map<string, Uint32Array>();
  private ids = 0;
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
