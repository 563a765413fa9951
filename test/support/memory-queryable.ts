import type { FloatHistogram } from "../../src/model/histogram.ts";
import { compareLabels, Labels } from "../../src/model/labels.ts";
import type { Matcher } from "../../src/model/matcher.ts";
import { setStaleMarker } from "../../src/model/sample.ts";
import type { Queryable, SampleColumns, SeriesSet } from "../../src/model/storage.ts";

export type TestSample = readonly [timeMs: number, value: number | "stale" | FloatHistogram];

/** A storage of a handful of series in memory, for tests and benches of the query engine. */
export class MemoryQueryable implements Queryable {
  private readonly series: { readonly labels: Labels; readonly samples: readonly TestSample[] }[] = [];

  add(labels: Readonly<Record<string, string>>, samples: readonly TestSample[]): this {
    this.series.push({ labels: Labels.fromRecord(labels), samples });
    return this;
  }

  querier() {
    const sorted = this.series.toSorted((a, b) => compareLabels(a.labels, b.labels));
    return {
      select(matchers: readonly Matcher[]): SeriesSet {
        const found = sorted.filter(({ labels }) => matchers.every((m) => m.matches(labels.get(m.name))));
        return {
          count: found.length,
          labels: (index) => found[index]!.labels,
          read: (index, minTime, maxTime, columns) =>
            readInto(columns, found[index]!.samples, minTime, maxTime),
          estimateSamples: (minTime, maxTime) =>
            found.reduce(
              (sum, { samples }) => sum + samples.filter(([t]) => t >= minTime && t <= maxTime).length,
              0,
            ),
        };
      },
      labelNames: () => [],
      labelValues: () => [],
      exemplars: () => [],
      close: () => {},
    };
  }
}

function readInto(
  columns: SampleColumns,
  samples: readonly TestSample[],
  minTime: number,
  maxTime: number,
): void {
  columns.count = 0;
  columns.histograms = null;
  columns.startTimes = null;
  columns.reserve(samples.length);
  let count = 0;
  for (const [time, value] of samples) {
    if (time < minTime || time > maxTime) continue;
    columns.times[count] = time;
    if (value === "stale") setStaleMarker(columns.valueWords, count);
    else if (typeof value === "number") columns.values[count] = value;
    else {
      columns.histograms ??= [];
      columns.histograms[count] = value;
      columns.values[count] = value.sum;
    }
    count++;
  }
  columns.count = count;
}
