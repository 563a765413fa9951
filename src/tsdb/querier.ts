import { compareLabels, compareUtf8, type Labels } from "../model/labels.ts";
import type { Exemplar } from "../model/exemplar.ts";
import type { Matcher } from "../model/matcher.ts";
import type { Querier, SampleColumns, SeriesSet } from "../model/storage.ts";
import { RunMerger } from "./merge-runs.ts";
import type { SeriesSource } from "./series-source.ts";

/** Finds the exemplars of series that satisfy any of the matcher sets, by series. */
export type ExemplarLookup = Querier["exemplars"];

/**
 * Generations and blocks as one sorted series set. A series that several sources know is read from each in turn,
 * earliest first; where their times overlap, samples are merged and of equal times the later source's is kept.
 */
export class SourceQuerier implements Querier {
  private readonly sources: readonly SeriesSource[];

  /** @param sources become the querier's, which closes them */
  constructor(
    sources: readonly SeriesSource[],
    private readonly lookUpExemplars: ExemplarLookup = () => [],
  ) {
    this.sources = [...sources].sort((a, b) => a.minTime - b.minTime);
  }

  select(matchers: readonly Matcher[], minTime: number, maxTime: number): SeriesSet {
    const selections: Selection[] = [];
    for (const source of this.overlapping(minTime, maxTime)) {
      const ids = withSamples(source, source.select(matchers), minTime, maxTime);
      if (ids.length > 0) selections.push({ source, ids });
    }
    return selections.length === 1 ? new OneSourceSet(selections[0]!) : mergeSelections(selections);
  }

  labelNames(matchers: readonly Matcher[], minTime: number, maxTime: number, limit: number): string[] {
    return mergeSorted(
      this.overlapping(minTime, maxTime).map((source) => source.labelNames(matchers)),
      limit,
    );
  }

  labelValues(
    name: string,
    matchers: readonly Matcher[],
    minTime: number,
    maxTime: number,
    limit: number,
  ): string[] {
    return mergeSorted(
      this.overlapping(minTime, maxTime).map((source) => source.labelValues(name, matchers)),
      limit,
    );
  }

  exemplars(
    matcherSets: readonly (readonly Matcher[])[],
    minTime: number,
    maxTime: number,
  ): { readonly labels: Labels; readonly exemplars: readonly Exemplar[] }[] {
    return this.lookUpExemplars(matcherSets, minTime, maxTime);
  }

  close(): void {
    for (const source of this.sources) source.close();
  }

  private overlapping(minTime: number, maxTime: number): SeriesSource[] {
    return this.sources.filter((source) => source.minTime <= maxTime && source.maxTime >= minTime);
  }
}

/** Leaves out what a source can tell has nothing in this range. */
function withSamples(source: SeriesSource, ids: Uint32Array, minTime: number, maxTime: number): Uint32Array {
  if (!source.mayHaveSamples || (minTime <= source.minTime && maxTime >= source.maxTime)) return ids;
  return ids.filter((id) => source.mayHaveSamples!(id, minTime, maxTime));
}

interface Selection {
  readonly source: SeriesSource;
  readonly ids: Uint32Array;
}

class OneSourceSet implements SeriesSet {
  constructor(private readonly selection: Selection) {}

  get count(): number {
    return this.selection.ids.length;
  }

  labels(index: number): Labels {
    return this.selection.source.labels(this.selection.ids[index]!);
  }

  read(index: number, minTime: number, maxTime: number, columns: SampleColumns): void {
    clear(columns);
    this.selection.source.read(this.selection.ids[index]!, minTime, maxTime, columns);
  }

  estimateSamples(minTime: number, maxTime: number): number {
    return estimateSelection(this.selection, minTime, maxTime);
  }
}

/**
 * Series of several sources. Row `i` of `ids` holds, for each source, the series' id in it plus 1, or 0 where the
 * source doesn't know it.
 */
class MergedSet implements SeriesSet {
  private readonly merger = new RunMerger();

  constructor(
    private readonly selections: readonly Selection[],
    private readonly ids: Float64Array,
    readonly count: number,
  ) {}

  labels(index: number): Labels {
    const width = this.selections.length;
    for (let s = 0; s < width; s++) {
      const id = this.ids[index * width + s]!;
      if (id !== 0) return this.selections[s]!.source.labels(id - 1);
    }
    throw new Error(`cannot find labels of series ${index}: there are only ${this.count}`);
  }

  read(index: number, minTime: number, maxTime: number, columns: SampleColumns): void {
    clear(columns);
    const width = this.selections.length;
    for (let s = 0; s < width; s++) {
      const id = this.ids[index * width + s]!;
      if (id === 0) continue;
      const { source } = this.selections[s]!;
      if (source.minTime > maxTime || source.maxTime < minTime) continue;
      const before = columns.count;
      source.read(id - 1, minTime, maxTime, columns);
      this.merger.merge(columns, 0, before);
    }
  }

  estimateSamples(minTime: number, maxTime: number): number {
    let total = 0;
    for (const selection of this.selections) total += estimateSelection(selection, minTime, maxTime);
    return total;
  }
}

/** Estimates a selection from at most this many of its series. */
const ESTIMATED_SERIES = 1024;

function estimateSelection({ source, ids }: Selection, minTime: number, maxTime: number): number {
  if (source.minTime > maxTime || source.maxTime < minTime) return 0;
  const stride = Math.max(1, Math.floor(ids.length / ESTIMATED_SERIES));
  let total = 0;
  let looked = 0;
  for (let i = 0; i < ids.length; i += stride) {
    total += source.estimateSamples(ids[i]!, minTime, maxTime);
    looked++;
  }
  return looked === 0 ? 0 : Math.ceil((total / looked) * ids.length);
}

function clear(columns: SampleColumns): void {
  columns.count = 0;
  columns.histograms = null;
  columns.startTimes = null;
}

function mergeSelections(selections: readonly Selection[]): SeriesSet {
  const width = selections.length;
  let most = 0;
  for (const { ids } of selections) most += ids.length;
  const rows = new Float64Array(most * width);
  const positions = new Uint32Array(width);
  const heads: (Labels | null)[] = selections.map(({ source, ids }) => source.labels(ids[0]!));
  let count = 0;
  for (;;) {
    let least: Labels | null = null;
    for (const head of heads) {
      if (head !== null && (least === null || compareLabels(head, least) < 0)) least = head;
    }
    if (least === null) break;
    for (let s = 0; s < width; s++) {
      const head = heads[s]!;
      if (head === null || (head !== least && !head.equals(least))) continue;
      const { source, ids } = selections[s]!;
      const position = positions[s]!;
      rows[count * width + s] = ids[position]! + 1;
      positions[s] = position + 1;
      heads[s] = position + 1 < ids.length ? source.labels(ids[position + 1]!) : null;
    }
    count++;
  }
  return new MergedSet(selections, rows.slice(0, count * width), count);
}

/** @param lists each sorted and unique @param limit 0 for all */
function mergeSorted(lists: readonly string[][], limit: number): string[] {
  let merged = lists[0] ?? [];
  for (const list of lists.slice(1)) {
    const known = new Set(merged);
    const fresh = list.filter((text) => !known.has(text));
    if (fresh.length > 0) merged = [...merged, ...fresh].sort(compareUtf8);
  }
  return limit > 0 ? merged.slice(0, limit) : merged;
}
