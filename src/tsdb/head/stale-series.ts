import { SeriesField } from "../../kernels/append-kernel.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../model/sample.ts";
import type { SeriesRef } from "../../model/storage.ts";
import type { GenerationWriter } from "./generation-writer.ts";
import { RefList } from "./ref-list.ts";
import { RefSet } from "./ref-set.ts";

/**
 * Which series of the head ended with a staleness marker. Series are noted when they get one, which is rare; whether
 * one has resumed since is looked at when they are counted, so that appending costs nothing.
 */
export class StaleSeries {
  /** Weak: the memory of a generation that is gone is given back when nothing refers to it any more. */
  private readonly noted = new WeakMap<GenerationWriter, Noted>();

  note(writer: GenerationWriter, ref: SeriesRef): void {
    let noted = this.noted.get(writer);
    if (!noted) this.noted.set(writer, (noted = { list: new RefList(), keptLength: 0 }));
    noted.list.push(ref);
    // What resumed, and what went stale again, is let go before the list is longer than the truth by much.
    if (noted.list.length > 2 * noted.keptLength + 1024) keepStale(writer, noted);
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
      const noted = this.noted.get(writer);
      if (!noted) continue;
      keepStale(writer, noted);
      noted.list.forEach((ref) => stale.add(writer.logRef(ref)));
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

interface Noted {
  readonly list: RefList;
  /** How long the list was when it was last looked through. */
  keptLength: number;
}

function keepStale(writer: GenerationWriter, noted: Noted): void {
  noted.list.keep((ref) => isStale(writer, ref));
  noted.keptLength = noted.list.length;
}

function isStale({ generation: { series } }: GenerationWriter, ref: SeriesRef): boolean {
  return (
    series.field(ref, SeriesField.lastValueHigh) === STALE_HIGH_WORD &&
    series.field(ref, SeriesField.lastValueLow) === STALE_LOW_WORD &&
    series.field(ref, SeriesField.samples) > 0
  );
}
