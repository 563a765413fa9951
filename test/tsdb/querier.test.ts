import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareLabels, Labels } from "../../src/model/labels.ts";
import type { Matcher } from "../../src/model/matcher.ts";
import type { SampleColumns } from "../../src/model/storage.ts";
import { PlainColumns } from "../../src/tsdb/chunk/plain-columns.ts";
import { appendSample } from "../../src/tsdb/chunk/append-sample.ts";
import { SourceQuerier } from "../../src/tsdb/querier.ts";
import type { SeriesSource } from "../../src/tsdb/series-source.ts";

type Series = readonly [name: string, times: readonly number[]];

/** A source that holds what it is given; a sample's value tells the source it came from. */
class FakeSource implements SeriesSource {
  readonly minTime: number;
  readonly maxTime: number;
  private readonly series: Series[];
  isClosed = false;

  constructor(
    private readonly mark: number,
    series: readonly Series[],
  ) {
    this.series = series
      .filter(([, times]) => times.length > 0)
      .sort(([a], [b]) => compareLabels(labelsOf(a), labelsOf(b)));
    const times = this.series.flatMap(([, own]) => own);
    this.minTime = Math.min(...times);
    this.maxTime = Math.max(...times);
  }

  select(matchers: readonly Matcher[]): Uint32Array {
    const ids = this.series.map((_, i) => i);
    return Uint32Array.from(
      ids.filter((id) => matchers.every((m) => m.matches(this.labels(id).get(m.name)))),
    );
  }

  labels(id: number): Labels {
    return labelsOf(this.series[id]![0]);
  }

  read(id: number, minTime: number, maxTime: number, columns: SampleColumns): void {
    for (const time of this.series[id]![1]) {
      if (time >= minTime && time <= maxTime) appendSample(columns, time, 0, this.mark, 0);
    }
  }

  estimateSamples(id: number): number {
    return this.series[id]![1].length;
  }

  labelNames(): string[] {
    return ["name"];
  }

  labelValues(): string[] {
    return this.series.map(([name]) => name);
  }

  close(): void {
    this.isClosed = true;
  }
}

const labelsOf = (name: string) => Labels.fromRecord({ name });

const anySeries = fc.tuple(
  fc.constantFrom("a", "b", "c", "d"),
  fc.uniqueArray(fc.nat(40), { maxLength: 12 }).map((times) => times.sort((x, y) => x - y)),
);
const anySource = fc.uniqueArray(anySeries, { selector: ([name]) => name, maxLength: 4 });

describe("a querier of several sources", () => {
  test("gives each series once, sorted, with every time once and in order, from whichever sources know it", () => {
    fc.assert(
      fc.property(fc.array(anySource, { maxLength: 4 }), fc.nat(40), fc.nat(40), (contents, from, to) => {
        const sources = contents
          .map((series, i) => new FakeSource(i + 1, series))
          .filter(({ minTime }) => minTime !== Infinity);
        const querier = new SourceQuerier(sources);
        const expected = new Map<string, Set<number>>();
        for (const [name, times] of contents.flat()) {
          const inside = times.filter((time) => time >= from && time <= to);
          const known = expected.get(name) ?? new Set<number>();
          if (inside.length > 0) expected.set(name, new Set([...known, ...inside]));
        }
        const set = querier.select([], from, to);
        const columns = new PlainColumns();
        const found = new Map<string, number[]>();
        const order: string[] = [];
        for (let i = 0; i < set.count; i++) {
          const name = set.labels(i).get("name");
          order.push(name);
          set.read(i, from, to, columns);
          if (columns.count > 0) found.set(name, [...columns.times.subarray(0, columns.count)]);
        }
        expect(order).toEqual([...new Set(order)].sort());
        expect(found).toEqual(
          new Map([...expected].sort().map(([name, times]) => [name, [...times].sort((a, b) => a - b)])),
        );
        querier.close();
        expect(sources.every(({ isClosed }) => isClosed)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("keeps the sample of the source that begins later where two have the same time", () => {
    const older = new FakeSource(1, [["a", [1, 2, 3, 4]]]);
    const newer = new FakeSource(2, [["a", [2, 3, 5]]]);
    const set = new SourceQuerier([newer, older]).select([], 0, 10);
    const columns = new PlainColumns();
    set.read(0, 0, 10, columns);
    expect([...columns.times.subarray(0, columns.count)]).toEqual([1, 2, 3, 4, 5]);
    const marks = Array.from({ length: columns.count }, (_, i) => columns.valueWords[2 * i]);
    expect(marks).toEqual([1, 2, 2, 1, 2]);
  });

  test("lists label values of all sources, sorted by bytes, up to a limit", () => {
    const sources = [
      new FakeSource(1, [
        ["\u{10000}", [1]],
        ["b", [1]],
      ]),
      new FakeSource(2, [
        ["\uffff", [1]],
        ["b", [1]],
        ["a", [1]],
      ]),
    ];
    const querier = new SourceQuerier(sources);
    expect(querier.labelValues("name", [], 0, 2, 0)).toEqual(["a", "b", "\uffff", "\u{10000}"]);
    expect(querier.labelValues("name", [], 0, 2, 3)).toEqual(["a", "b", "\uffff"]);
    expect(querier.labelValues("name", [], 5, 6, 0)).toEqual([]);
  });
});
