import type { Labels } from "../../src/model/labels.ts";
import { compareLabels } from "../../src/model/labels.ts";
import type { Matcher } from "../../src/model/matcher.ts";
import type { QueryMemory } from "../../src/kernels/index.ts";
import type { Querier, SampleColumns, SeriesSet } from "../../src/model/storage.ts";

/** A value as 16 hexadecimal digits of its bits. */
export type Bits = string;

/** Samples as plain data: what tests compare. */
export type PlainSeries = readonly [
  labels: Readonly<Record<string, string>>,
  samples: readonly PlainSample[],
];
export type PlainSample = readonly [timeMs: number, bits: Bits];

/** The plainest head there can be: a map of arrays. */
export class HeadModel {
  private readonly series = new Map<string, { readonly labels: Labels; readonly samples: PlainSample[] }>();

  /** Appends a sample that is newer than the series' newest; others are left out. */
  append(labels: Labels, timeMs: number, bits: Bits): void {
    let entry = this.series.get(labels.key);
    if (!entry) this.series.set(labels.key, (entry = { labels, samples: [] }));
    const last = entry.samples.at(-1);
    if (!last || timeMs > last[0]) entry.samples.push([timeMs, bits]);
  }

  select(matchers: readonly Matcher[], minTime: number, maxTime: number): PlainSeries[] {
    return [...this.series.values()]
      .filter(({ labels }) => matchers.every((matcher) => matcher.matches(labels.get(matcher.name))))
      .sort((a, b) => compareLabels(a.labels, b.labels))
      .map(({ labels, samples }): PlainSeries => [
        labels.toRecord(),
        samples.filter(([timeMs]) => timeMs >= minTime && timeMs <= maxTime),
      ])
      .filter(([, samples]) => samples.length > 0);
  }
}

export function bitsAt(valueWords: Uint32Array, index: number): Bits {
  const hex = (word: number) => word.toString(16).padStart(8, "0");
  return hex(valueWords[2 * index + 1]!) + hex(valueWords[2 * index]!);
}

/**
 * Reads everything a select gives, series without samples left out.
 * @param memory where samples that are kept lie, to look at them there
 */
export function readAll(
  querier: Querier,
  matchers: readonly Matcher[],
  minTime: number,
  maxTime: number,
  columns: SampleColumns,
  memory: QueryMemory | null = null,
): PlainSeries[] {
  const set = querier.select(matchers, minTime, maxTime);
  const all: PlainSeries[] = [];
  for (let i = 0; i < set.count; i++) {
    const { times, valueWords, count } = columnsOf(set, i, minTime, maxTime, columns, memory);
    const samples = Array.from({ length: count }, (_, j): PlainSample => [
      times[j]!,
      bitsAt(valueWords, j),
    ]).filter(([timeMs]) => memory === null || (timeMs >= minTime && timeMs <= maxTime));
    if (samples.length > 0) all.push([set.labels(i).toRecord(), samples]);
  }
  return all;
}

function columnsOf(
  set: SeriesSet,
  index: number,
  minTime: number,
  maxTime: number,
  columns: SampleColumns,
  memory: QueryMemory | null,
): Pick<SampleColumns, "times" | "valueWords" | "count"> {
  const view = memory === null ? null : set.view!(index, minTime, maxTime, columns);
  if (memory === null) set.read(index, minTime, maxTime, columns);
  if (view === null) return columns;
  const { timesPointer, valuesPointer, count } = view;
  return {
    times: new Float64Array(memory!.buffer, timesPointer, count),
    valueWords: new Uint32Array(memory!.buffer, valuesPointer, 2 * count),
    count,
  };
}
