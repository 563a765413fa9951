import type { Metadata } from "../model/metadata.ts";

/** So many pages in a row may leave a metric out before what was said of it is forgotten. */
const PAGES_KEPT = 10;

/** What a target has said of its metrics and no longer says: a metric that comes and goes keeps its description. */
export class RememberedMetadata {
  private readonly gone = new Map<string, { readonly metadata: Metadata; readonly lastPage: number }>();
  private page = 0;

  /** A page was read that is not empty. @returns whether something is forgotten with it */
  turnPage(): boolean {
    this.page++;
    if (this.gone.size === 0) return false;
    const before = this.gone.size;
    for (const [metric, { lastPage }] of this.gone) {
      if (this.page - lastPage > PAGES_KEPT) this.gone.delete(metric);
    }
    return this.gone.size < before;
  }

  /** What was said until now and is not said by the page that comes next. */
  keep(vanished: Iterable<readonly [metric: string, metadata: Metadata]>): void {
    for (const [metric, metadata] of vanished) this.gone.set(metric, { metadata, lastPage: this.page });
  }

  /** What the newest page says, and what is remembered of others. */
  with(current: ReadonlyMap<string, Metadata>): ReadonlyMap<string, Metadata> {
    if (this.gone.size === 0) return current;
    const all = new Map(current);
    for (const [metric, { metadata }] of this.gone) if (!all.has(metric)) all.set(metric, metadata);
    return all;
  }

  clear(): void {
    this.gone.clear();
  }
}
