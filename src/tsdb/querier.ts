import { QuerySampleColumns } from "../kernels/index.ts";
import { compareUtf8, type Labels } from "../model/labels.ts";
import type { Exemplar } from "../model/exemplar.ts";
import type { Matcher } from "../model/matcher.ts";
import type { Querier, SampleColumns, SampleView, SeriesSet } from "../model/storage.ts";
import { cutColumns, type DecodedCache, type KeptSeries, type SeriesParts } from "./decoded-cache.ts";
import { RunMerger } from "./merge-runs.ts";
import { type MergedSelection, MergedSelections, type Selection } from "./merged-selections.ts";
import type { SeriesSource } from "./series-source.ts";

/** Finds the exemplars of series that satisfy any of the matcher sets, by series. */
export type ExemplarLookup = Querier["exemplars"];

/**
 * Generations and blocks as one sorted series set. A series that several sources know is read from each in turn,
 * earliest first; where their times overlap, samples are merged and of equal times the later source's is kept.
 */
export class SourceQuerier implements Querier {
  private readonly sources: readonly SeriesSource[];

  /**
   * @param sources become the querier's, which closes them
   * @param merges of the queries before, as is `decoded`, where samples are kept
   */
  constructor(
    sources: readonly SeriesSource[],
    private readonly lookUpExemplars: ExemplarLookup = () => [],
    private readonly merges = new MergedSelections(),
    private readonly decoded: DecodedCache | null = null,
  ) {
    this.sources = [...sources].sort((a, b) => a.minTime - b.minTime);
  }

  select(matchers: readonly Matcher[], minTime: number, maxTime: number): SeriesSet {
    const selections: Selection[] = [];
    for (const source of this.overlapping(minTime, maxTime)) {
      const ids = withSamples(source, source.select(matchers), minTime, maxTime);
      if (ids.length > 0) selections.push({ source, ids });
    }
    return new SelectedSeries(selections, this.merges, this.decoded);
  }

  labelNames(
    matchers: readonly Matcher[],
    minTime: number,
    maxTime: number,
    limit: number,
  ): readonly string[] {
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
  ): readonly string[] {
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
  if (!source.withSamples || (minTime <= source.minTime && maxTime >= source.maxTime)) return ids;
  return source.withSamples(ids, minTime, maxTime);
}

/** Series of any number of sources. Which of them are the same is looked into once that is asked for. */
class SelectedSeries implements SeriesSet {
  private readonly merger = new RunMerger();
  private mergedSelection: MergedSelection | null = null;
  private sourceNumbers: readonly number[] | null = null;

  constructor(
    private readonly selections: readonly Selection[],
    private readonly merges: MergedSelections,
    private readonly decoded: DecodedCache | null,
  ) {}

  private get merged(): MergedSelection {
    return (this.mergedSelection ??= this.merges.merge(this.selections));
  }

  get count(): number {
    return this.selections.length === 0 ? 0 : this.merged.count;
  }

  labels(index: number): Labels {
    const { labels } = this.merged;
    return (labels[index] ??= this.findLabels(index));
  }

  private findLabels(index: number): Labels {
    const { rows } = this.merged;
    const width = this.selections.length;
    for (let s = 0; s < width; s++) {
      const id = rows[index * width + s]!;
      if (id > 0) return this.selections[s]!.source.labels(id - 1);
    }
    throw new Error(`cannot find labels of series ${index}: there are only ${this.count}`);
  }

  read(index: number, minTime: number, maxTime: number, columns: SampleColumns): void {
    clear(columns);
    const { selections } = this;
    const { rows } = this.merged;
    const width = selections.length;
    for (let s = 0; s < width; s++) {
      const id = rows[index * width + s]!;
      if (id === 0) continue;
      const { source } = selections[s]!;
      if (source.minTime > maxTime || source.maxTime < minTime) continue;
      const before = columns.count;
      source.read(id - 1, minTime, maxTime, columns);
      this.merger.merge(columns, 0, before);
    }
  }

  view(index: number, minTime: number, maxTime: number, columns: SampleColumns): SampleView | null {
    const { decoded } = this;
    if (decoded === null) {
      this.read(index, minTime, maxTime, columns);
      return null;
    }
    const { kept } = this.merged;
    const known = kept[index];
    // Fast path: nothing has come since it was kept.
    if (known?.isAlive && known.minTime <= minTime && known.maxTime >= maxTime) {
      if (this.plainSamples(index) === known.partSamples) {
        decoded.noteUse(known);
        return known;
      }
    }
    const parts = this.partsOf(index, decoded);
    const found =
      parts === null ? null : decoded.find(parts, minTime, maxTime, this.tailReader(index, parts, columns));
    if (found !== null) return (kept[index] = found);
    // A series is kept from its second read on.
    if (parts !== null && known !== undefined && columns instanceof QuerySampleColumns) {
      return (kept[index] = this.keep(index, parts, minTime, maxTime, columns, decoded));
    }
    kept[index] = null;
    this.read(index, minTime, maxTime, columns);
    return null;
  }

  /** Samples of all parts of a series together, -1 where they cannot be kept. */
  private plainSamples(index: number): number {
    const { selections } = this;
    const { rows } = this.merged;
    const width = selections.length;
    let total = 0;
    for (let s = 0; s < width; s++) {
      const id = rows[index * width + s]!;
      if (id === 0) continue;
      const samples = selections[s]!.source.plainSamples?.(id - 1) ?? -1;
      if (samples < 0) return -1;
      total += samples;
    }
    return total;
  }

  /** Null where a part may change other than by growing. */
  private partsOf(index: number, decoded: DecodedCache): SeriesParts | null {
    const { selections } = this;
    const { rows } = this.merged;
    const width = selections.length;
    this.sourceNumbers ??= selections.map(({ source }) =>
      source.identity === undefined ? 0 : decoded.numberOf(source.identity),
    );
    const sources: number[] = [];
    const ids: number[] = [];
    const samples: number[] = [];
    for (let s = 0; s < width; s++) {
      const id = rows[index * width + s]!;
      if (id === 0) continue;
      const count = selections[s]!.source.plainSamples?.(id - 1) ?? -1;
      if (count < 0 || this.sourceNumbers[s] === 0) return null;
      sources.push(this.sourceNumbers[s]!);
      ids.push(id - 1);
      samples.push(count);
    }
    return ids.length === 0 ? null : { sources, ids, samples };
  }

  private newestSource(index: number): SeriesSource {
    const { selections } = this;
    const width = selections.length;
    let s = width - 1;
    while (this.merged.rows[index * width + s] === 0) s--;
    return selections[s]!.source;
  }

  private tailReader(index: number, parts: SeriesParts, columns: SampleColumns) {
    return (fromTime: number): QuerySampleColumns | null => {
      if (!(columns instanceof QuerySampleColumns)) return null;
      clear(columns);
      this.newestSource(index).read(parts.ids.at(-1)!, fromTime, Infinity, columns);
      return columns;
    };
  }

  /** Reads a series, with some of what lies around, and keeps it; where it isn't to be kept, it is left in the columns. */
  private keep(
    index: number,
    parts: SeriesParts,
    minTime: number,
    maxTime: number,
    columns: QuerySampleColumns,
    decoded: DecodedCache,
  ): KeptSeries | null {
    const margin = Math.ceil((maxTime - minTime) / 8);
    const from = minTime - margin;
    const to = maxTime + margin >= this.newestSource(index).maxTime ? Infinity : maxTime + margin;
    this.read(index, from, to, columns);
    const kept = decoded.keep(parts, columns, from, to);
    if (kept === null) cutColumns(columns, 0, minTime, maxTime);
    return kept;
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

/** @param lists each sorted and unique @param limit 0 for all */
function mergeSorted(lists: readonly (readonly string[])[], limit: number): readonly string[] {
  let merged = lists[0] ?? [];
  for (const list of lists.slice(1)) merged = mergeTwo(merged, list);
  return limit > 0 ? merged.slice(0, limit) : merged;
}

function mergeTwo(a: readonly string[], b: readonly string[]): readonly string[] {
  const merged: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    // Fast path: from one block to the next most names and values stay the same.
    const order = a[i] === b[j] ? 0 : compareUtf8(a[i]!, b[j]!);
    merged.push(order <= 0 ? a[i]! : b[j]!);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  while (i < a.length) merged.push(a[i++]!);
  while (j < b.length) merged.push(b[j++]!);
  return merged;
}
