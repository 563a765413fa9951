import { SeriesField } from "../../kernels/append-kernel.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../model/sample.ts";
import type { SeriesRef } from "../../model/storage.ts";
import type { GenerationWriter } from "./generation-writer.ts";
import { RefSet } from "./ref-set.ts";

/**
 * Which series of the head ended with a staleness marker. Series are noted when they get one, which is rare; whether
 * one has resumed since is looked at when they are counted, so that appending costs nothing.
 */
export class StaleSeries {
  /** Weak: the memory of a generation that is gone is given back when nothing refers to it any more. */
  private readonly noted = new WeakMap<GenerationWriter, RefList>();

  note(writer: GenerationWriter, ref: SeriesRef): void {
    let list = this.noted.get(writer);
    if (!list) this.noted.set(writer, (list = new RefList()));
    list.push(ref);
    // What resumed, and what went stale again, is let go before the list is longer than the truth by much.
    if (list.length > 2 * list.keptLength + 1024) list.keep((stale) => isStale(writer, stale));
  }

  /** Notes every stale series there is: after a replay. */
  noteAll(writers: readonly GenerationWriter[]): void {
    for (const writer of writers) {
      const { series } = writer.generation;
      for (let ref = 1; ref <= series.count; ref++) if (isStale(writer, ref)) this.note(writer, ref);
    }
  }

  /** Counts those of these generations, each series once. */
  count(writers: readonly GenerationWriter[]): number {
    // From the oldest on: a later generation knows better.
    const stale = new RefSet();
    for (const writer of writers) {
      if (stale.size > 0) this.forgetResumed(stale, writer);
      const list = this.noted.get(writer);
      if (!list) continue;
      list.keep((ref) => isStale(writer, ref));
      list.forEach((ref) => stale.add(writer.logRef(ref)));
    }
    return stale.size;
  }

  private forgetResumed(stale: RefSet, writer: GenerationWriter): void {
    const { series } = writer.generation;
    for (let ref = 1; ref <= series.count; ref++) {
      if (series.field(ref, SeriesField.samples) > 0) stale.delete(writer.logRef(ref));
    }
  }
}

function isStale({ generation: { series } }: GenerationWriter, ref: SeriesRef): boolean {
  return (
    series.field(ref, SeriesField.lastValueHigh) === STALE_HIGH_WORD &&
    series.field(ref, SeriesField.lastValueLow) === STALE_LOW_WORD &&
    series.field(ref, SeriesField.samples) > 0
  );
}

/** Series' numbers, four bytes each. */
class RefList {
  length = 0;
  /** How long it was when it was last looked through. */
  keptLength = 0;
  private refs = new Uint32Array(64);

  push(ref: SeriesRef): void {
    if (this.length === this.refs.length) {
      const grown = new Uint32Array(2 * this.length);
      grown.set(this.refs);
      this.refs = grown;
    }
    this.refs[this.length++] = ref;
  }

  /** Leaves out what is not wanted, and what is there twice. */
  keep(isWanted: (ref: SeriesRef) => boolean): void {
    const sorted = this.refs.subarray(0, this.length).sort();
    let kept = 0;
    for (let i = 0; i < sorted.length; i++) {
      if (kept > 0 && sorted[kept - 1] === sorted[i]) continue;
      if (isWanted(sorted[i]!)) sorted[kept++] = sorted[i]!;
    }
    this.length = this.keptLength = kept;
  }

  forEach(visit: (ref: SeriesRef) => void): void {
    for (let i = 0; i < this.length; i++) visit(this.refs[i]!);
  }
}
