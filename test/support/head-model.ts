import type { Labels } from "../../src/model/labels.ts";
import { compareLabels } from "../../src/model/labels.ts";
import type { Matcher } from "../../src/model/matcher.ts";
import type { Querier, SampleColumns } from "../../src/model/storage.ts";

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

/** Reads everything a select gives, series without samples left out. */
export function readAll(
  querier: Querier,
  matchers: readonly Matcher[],
  minTime: number,
  maxTime: number,
  columns: SampleColumns,
): PlainSeries[] {
  const set = querier.select(matchers, minTime, maxTime);
  const all: PlainSeries[] = [];
  for (let i = 0; i < set.count; i++) {
    set.read(i, minTime, maxTime, columns);
    const samples = Array.from({ length: columns.count }, (_, j): PlainSample => [
      columns.times[j]!,
      bitsAt(columns.valueWords, j),
    ]);
    if (samples.length > 0) all.push([set.labels(i).toRecord(), samples]);
  }
  return all;
}
