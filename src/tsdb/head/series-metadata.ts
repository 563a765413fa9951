import type { Metadata } from "../../model/metadata.ts";
import type { MetadataEntry } from "../wal/record.ts";
import type { RefSet } from "./ref-set.ts";

/**
 * The newest metadata of each series, by the log's reference: kept so that a checkpoint can hold it. The series of a
 * metric mostly have the same, which is kept once.
 */
export class SeriesMetadata {
  private readonly byRef = new Map<number, Metadata>();
  private readonly shared = new Map<string, Metadata>();

  get size(): number {
    return this.byRef.size;
  }

  set(ref: number, metadata: Metadata): void {
    const key = JSON.stringify([metadata.type, metadata.unit, metadata.help]);
    let known = this.shared.get(key);
    // A copy: the caller may go on filling its own.
    if (!known) this.shared.set(key, (known = { ...metadata }));
    this.byRef.set(ref, known);
  }

  *entries(): Generator<MetadataEntry> {
    for (const [ref, metadata] of this.byRef) yield { ref, metadata };
  }

  /** Forgets the other series. */
  keepOnly(refs: RefSet): void {
    this.shared.clear();
    for (const [ref, metadata] of [...this.byRef]) {
      if (refs.has(ref)) this.set(ref, metadata);
      else this.byRef.delete(ref);
    }
  }
}
