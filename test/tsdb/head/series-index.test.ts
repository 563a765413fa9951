import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareLabels, Labels } from "../../../src/model/labels.ts";
import { Matcher } from "../../../src/model/matcher.ts";
import { StorageError } from "../../../src/model/storage.ts";
import { Generation } from "../../../src/tsdb/head/generation.ts";
import { mostSelected, selectSeries } from "../../../src/tsdb/head/select-series.ts";

const create = (sizeBytes = 32 * 1024 * 1024) =>
  Generation.create({ epoch: 1, startTime: 0, endTime: 7_200_000, sizeBytes });

const anyText = fc.oneof(
  fc.constantFrom("a", "b", "ab", "é", "\u{10000}", "\uffff", "A_"),
  fc.string({ minLength: 1, maxLength: 8, unit: "grapheme" }),
);
const anyLabels = fc
  .dictionary(fc.constantFrom("__name__", "a", "b", "Zone", "é"), anyText, { minKeys: 1 })
  .map((record) => Labels.fromRecord(record));

describe("the index of a generation", () => {
  test("numbers each label set once, gives it back, and sorts any number of them as their labels are sorted", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.uniqueArray(anyLabels, { selector: (labels) => labels.key, maxLength: 700, size: "max" }),
          {
            minLength: 1,
            maxLength: 3,
            size: "max",
          },
        ),
        (rounds) => {
          const generation = create();
          const reader = Generation.attach(generation.memory);
          const known = new Map<string, number>();
          // Readers meet the index between rounds, so that orders are extended, not only built.
          for (const round of rounds) {
            for (const labels of round) {
              const isNew = !known.has(labels.key);
              const { ref, created } = generation.series.resolve(labels);
              expect(created).toBe(isNew);
              expect(known.get(labels.key) ?? ref).toBe(ref);
              known.set(labels.key, ref);
              expect(reader.series.find(labels)).toBe(ref);
              expect(reader.series.labels(ref).equals(labels)).toBe(true);
            }
            const ids = Uint32Array.from({ length: known.size }, (_, i) => i + 1);
            const sorted = reader.order.sort(ids);
            const all = Array.from(sorted, (id) => reader.series.labels(id));
            expect(new Set(sorted).size).toBe(known.size);
            for (let i = 1; i < all.length; i++) expect(compareLabels(all[i - 1]!, all[i]!)).toBeLessThan(0);
          }
        },
      ),
      { numRuns: 10 },
    );
  }, 60_000);

  test("lists every number that was appended, however far apart and many", () => {
    const anySteps = fc.array(
      fc.oneof(
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom(127, 128, 16383, 16384, 2 ** 21),
        fc.nat(300_000),
      ),
      { maxLength: 3000, size: "max" },
    );
    fc.assert(
      fc.property(fc.array(anySteps, { minLength: 1, maxLength: 3, size: "max" }), (lists) => {
        const { postings, symbols } = create();
        const expected = lists.map(() => [] as number[]);
        const numbers = lists.map((_, i) => postings.intern(symbols.intern("n"), symbols.intern(`v${i}`)));
        const longest = Math.max(...lists.map((steps) => steps.length));
        for (let i = 0; i < longest; i++) {
          lists.forEach((steps, l) => {
            const step = steps[i];
            if (step === undefined) return;
            const next = (expected[l]!.at(-1) ?? 0) + Math.max(1, step);
            if (next >= 2 ** 32) return;
            postings.append(numbers[l]!, next);
            expected[l]!.push(next);
          });
        }
        lists.forEach((_, l) => expect([...postings.read(numbers[l]!)]).toEqual(expected[l]));
      }),
      { numRuns: 30 },
    );
  }, 60_000);

  test("tells beforehand how many series a selection has at most", () => {
    const anyMatcher = fc
      .tuple(fc.constantFrom("=", "!=", "=~", "!~"), fc.constantFrom("a", "b", "none"), anyText)
      .map(([type, name, text]) => new Matcher(type, name, type.endsWith("~") ? "a|b" : text));
    fc.assert(
      fc.property(
        fc.array(anyLabels, { maxLength: 60, size: "max" }),
        fc.array(anyMatcher, { maxLength: 3 }),
        (series, matchers) => {
          const generation = create();
          for (const labels of series) generation.series.resolve(labels);
          const most = mostSelected(generation, matchers);
          expect(most).toBeGreaterThanOrEqual(selectSeries(generation, matchers).length);
          const [a] = series;
          if (!a) return;
          const first = a.pairs.slice(0, 2) as [string, string];
          expect(mostSelected(generation, [...matchers, new Matcher("=", ...first)])).toBeLessThanOrEqual(
            series.filter((labels) => labels.get(first[0]) === first[1]).length,
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  test("refuses series beyond what its memory can hold, and stays as it is", () => {
    const generation = create(2 * 1024 * 1024);
    const fill = () => {
      for (let i = 0; ; i++) generation.series.resolve(Labels.fromRecord({ n: `${i}` }));
    };
    expect(fill).toThrow(StorageError);
    const { count } = generation.series;
    expect(count).toBeGreaterThan(1000);
    expect(fill).toThrow(StorageError);
    expect(generation.series.count).toBe(count);
    expect(generation.series.labels(count).get("n")).toBe(`${count - 1}`);
    expect(generation.series.find(Labels.fromRecord({ n: "17" }))).toBe(18);
  });
});
