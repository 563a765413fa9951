import { ScrapeMemory } from "../kernels/index.ts";

/** Pages from this size on are read in slices, with other targets' scrapes in between. */
export const LARGE_PAGE_BYTES = 2 * 2 ** 20;

/**
 * Where large pages are read: in a memory of their own, one after the other, as reading one takes many turns of the
 * event loop. Targets stay in this memory once they had a large page.
 */
export class LargePages {
  private ownMemory: ScrapeMemory | null = null;
  private last: Promise<void> = Promise.resolve();

  /** Made by the first large page. */
  get memory(): ScrapeMemory {
    return (this.ownMemory ??= new ScrapeMemory());
  }

  owns(memory: ScrapeMemory): boolean {
    return memory === this.ownMemory;
  }

  /** Does `work` when all that was to be done before is done. No more waits here than there are targets. */
  inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.last.then(work);
    this.last = done.catch(() => undefined);
    return done;
  }

  /** Lets others go ahead, then goes on. */
  pause(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}
