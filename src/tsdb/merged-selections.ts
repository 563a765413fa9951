import { compareLabels, type Labels } from "../model/labels.ts";
import type { KeptSeries } from "./decoded-cache.ts";
import type { SeriesSource } from "./series-source.ts";

/** What a source selected: ids ordered by label set. */
export interface Selection {
  readonly source: SeriesSource;
  readonly ids: Uint32Array;
}

/**
 * How selections of several sources belong together, and the labels of their series as they are asked for. Row `i` of
 * `rows` holds, for each source, the series' id in it plus 1, or 0 where the source doesn't know it.
 */
export interface MergedSelection {
  readonly rows: Float64Array;
  readonly count: number;
  readonly labels: (Labels | undefined)[];
  /** What is kept of the series, by index: null once a series was read, undefined before. */
  readonly kept: (KeptSeries | null | undefined)[];
}

interface Remembered {
  readonly sources: readonly WeakRef<object>[];
  readonly ids: readonly Uint32Array[];
  readonly merged: MergedSelection;
  readonly size: number;
}

const MAX_REMEMBERED = 64;
/** Ids of all remembered selections together; a series with its labels takes some hundred bytes. */
const MAX_REMEMBERED_IDS = 2 ** 18;

/**
 * Merges selections, and remembers the last ones: the same dashboards ask for the same series again and again, and a
 * series' labels never change within a source.
 */
export class MergedSelections {
  /** Least recently used first. */
  private remembered: Remembered[] = [];
  private rememberedIds = 0;

  /** @param selections at least one */
  merge(selections: readonly Selection[]): MergedSelection {
    const known = this.remembered.find((one) => isSame(one, selections));
    if (known) {
      this.remembered.splice(this.remembered.indexOf(known), 1);
      this.remembered.push(known);
      return known.merged;
    }
    const merged = selections.length === 1 ? single(selections[0]!.ids) : mergeByLabels(selections);
    this.remember(selections, merged);
    return merged;
  }

  clear(): void {
    this.remembered = [];
    this.rememberedIds = 0;
  }

  private remember(selections: readonly Selection[], merged: MergedSelection): void {
    const sources = selections.map(({ source }) => source.identity);
    const size = selections.reduce((sum, { ids }) => sum + ids.length, 0);
    if (size > MAX_REMEMBERED_IDS || !sources.every((source) => source !== undefined)) return;
    while (this.remembered.length >= MAX_REMEMBERED || this.rememberedIds + size > MAX_REMEMBERED_IDS) {
      this.rememberedIds -= this.remembered.shift()!.size;
    }
    this.remembered.push({
      sources: sources.map((source) => new WeakRef(source)),
      ids: selections.map(({ ids }) => ids),
      merged,
      size,
    });
    this.rememberedIds += size;
  }
}

function isSame({ sources, ids }: Remembered, selections: readonly Selection[]): boolean {
  return (
    sources.length === selections.length &&
    selections.every(
      (one, s) => ids[s]!.length === one.ids.length && sources[s]!.deref() === one.source.identity,
    ) &&
    selections.every((one, s) => isEqual(ids[s]!, one.ids))
  );
}

function isEqual(a: Uint32Array, b: Uint32Array): boolean {
  if (a === b) return true;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function single(ids: Uint32Array): MergedSelection {
  return { rows: Float64Array.from(ids, (id) => id + 1), count: ids.length, labels: [], kept: [] };
}

function mergeByLabels(selections: readonly Selection[]): MergedSelection {
  const width = selections.length;
  let most = 0;
  for (const { ids } of selections) most += ids.length;
  const rows = new Float64Array(most * width);
  const positions = new Uint32Array(width);
  const heads: (Labels | null)[] = selections.map(({ source, ids }) => source.labels(ids[0]!));
  const labels: Labels[] = [];
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
    labels.push(least);
    count++;
  }
  return { rows: rows.slice(0, count * width), count, labels, kept: [] };
}
