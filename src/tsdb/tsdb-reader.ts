import type { QueryMemory } from "../kernels/index.ts";
import type { Matcher } from "../model/matcher.ts";
import type { Queryable, Querier } from "../model/storage.ts";
import { Generation } from "./head/generation.ts";
import { GenerationSource } from "./head/generation-source.ts";
import { HeadControl } from "./head/head-control.ts";
import { HeadView } from "./head/head-view.ts";
import { mostSelected } from "./head/select-series.ts";
import { readExemplars } from "./head/exemplars.ts";
import type { DecodedCache } from "./decoded-cache.ts";
import { MergedSelections } from "./merged-selections.ts";
import { SourceQuerier } from "./querier.ts";
import type { SeriesSource } from "./series-source.ts";

/** A block that may be read: gives a view of itself for a query, which closes it. */
export interface OpenBlock {
  readonly minTime: number;
  /** Included. */
  readonly maxTime: number;
  /** Opens it where it is not open. @returns false where queries are to do without it */
  isReadable?(): boolean;
  source(): SeriesSource;
}

/**
 * The reading side of a database on one thread: attached generations and opened blocks, as a Queryable. What there
 * is to read is told by messages; reading itself asks nobody.
 */
export class TsdbReader implements Queryable {
  private readonly control: HeadControl;
  private readonly generations = new Map<number, AttachedGeneration>();
  private blocks: readonly OpenBlock[] = [];
  private exemplars: SharedArrayBuffer | null = null;
  private readonly merges = new MergedSelections();

  /**
   * @param control `Head.control.buffer` of the writing thread
   * @param memory where queries of this thread decode
   * @param decoded where they keep samples for later queries
   */
  constructor(
    control: SharedArrayBuffer,
    private readonly memory: QueryMemory,
    private readonly decoded: DecodedCache | null = null,
  ) {
    this.control = HeadControl.attach(control);
  }

  attach(memory: WebAssembly.Memory): void {
    const generation = Generation.attach(memory);
    this.generations.set(generation.epoch, { generation, queries: 0 });
  }

  /** Forgets a generation; queries that have begun go on reading it, and its memory goes when they end. */
  detach(epoch: number): void {
    const attached = this.generations.get(epoch);
    if (attached) this.decoded?.forget(attached.generation);
    this.generations.delete(epoch);
  }

  /** @param buffer as `ExemplarStorage.buffer` of the writing thread; null where none are kept */
  setExemplars(buffer: SharedArrayBuffer | null): void {
    this.exemplars = buffer;
  }

  /** Replaces the blocks to read from; the caller closes those it takes away, after their sources. */
  setBlocks(blocks: readonly OpenBlock[]): void {
    this.blocks = blocks;
  }

  /** How many blocks a query of this range has to read. */
  blocksWithin(minTime: number, maxTime: number): number {
    let count = 0;
    for (const block of this.blocks) count += Number(block.minTime <= maxTime && block.maxTime >= minTime);
    return count;
  }

  querier(minTime: number, maxTime: number): Querier {
    this.decoded?.beginQuery();
    const view = new HeadView(this.control);
    const sources: SeriesSource[] = [];
    for (const block of this.blocks) {
      if (block.minTime > maxTime || block.maxTime < minTime) continue;
      if (block.isReadable?.() !== false) sources.push(block.source());
    }
    for (const attached of this.generations.values()) {
      const { generation } = attached;
      if (!overlaps(generation, minTime, maxTime)) continue;
      attached.queries++;
      sources.push(
        new GenerationSource(generation, this.memory, view, () => {
          attached.queries--;
        }),
      );
    }
    const { exemplars } = this;
    return new SourceQuerier(
      sources,
      (matcherSets, from, to) => (exemplars ? readExemplars(exemplars, matcherSets, from, to) : []),
      this.merges,
      this.decoded,
    );
  }

  /** At least as many series as `select` would give of generations, told quickly; Infinity where it cannot be. */
  mostSelected(matchers: readonly Matcher[], minTime: number, maxTime: number): number {
    let most = 0;
    for (const { generation } of this.generations.values()) {
      if (overlaps(generation, minTime, maxTime)) most += mostSelected(generation, matchers);
    }
    return most;
  }

  /** A text for which label names and values that generations have in this range stay the same. */
  labelsState(minTime: number, maxTime: number): string {
    let state = "";
    for (const { generation } of this.generations.values()) {
      if (overlaps(generation, minTime, maxTime)) state += `${generation.epoch}=${generation.series.count},`;
    }
    return state;
  }

  /** Gives back what is kept for queries to come. */
  forget(): void {
    this.decoded?.clear();
    this.merges.clear();
  }

  /** Queries that are reading a generation now. */
  queriesOf(epoch: number): number {
    return this.generations.get(epoch)?.queries ?? 0;
  }
}

function overlaps(generation: Generation, minTime: number, maxTime: number): boolean {
  return generation.minTime <= maxTime && generation.maxTime >= minTime;
}

interface AttachedGeneration {
  readonly generation: Generation;
  queries: number;
}
