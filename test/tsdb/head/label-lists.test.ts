import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareUtf8, Labels } from "../../../src/model/labels.ts";
import { Generation } from "../../../src/tsdb/head/generation.ts";
import {
  allLabelNames,
  allLabelValues,
  labelNamesOf,
  labelValuesOf,
} from "../../../src/tsdb/head/select-series.ts";

const names = ["a", "b", "few", "many"];
const anyLabels = fc
  .record(
    {
      a: fc.constantFrom("1", "2", "\uffff", "\u{10000}"),
      b: fc.constantFrom("x", "y"),
      few: fc.constantFrom("p", "q", "r"),
      many: fc.nat(400).map(String),
    },
    { requiredKeys: ["many"] },
  )
  .map((record) => Labels.fromRecord(record));

describe("label names and values of a generation", () => {
  test("are those of its series, of all or of some, sorted, while there come more", () => {
    const anyRound = fc.array(fc.tuple(anyLabels, fc.boolean()), { maxLength: 300, size: "max" });
    fc.assert(
      fc.property(fc.array(anyRound, { minLength: 1, maxLength: 3 }), (rounds) => {
        const generation = Generation.create({
          epoch: 1,
          startTime: 0,
          endTime: 7_200_000,
          sizeBytes: 32 * 1024 * 1024,
        });
        const reader = Generation.attach(generation.memory);
        const known = new Map<number, Labels>();
        const selected = new Set<number>();
        const valuesOf = (name: string, series: Iterable<Labels>) =>
          [...new Set([...series].map((labels) => labels.get(name)))]
            .filter((value) => value !== "")
            .sort(compareUtf8);
        const namesOf = (series: readonly Labels[]) =>
          names.filter((name) => series.some((labels) => labels.has(name)));
        for (const round of rounds) {
          for (const [labels, isSelected] of round) {
            const { ref } = generation.series.resolve(labels);
            known.set(ref, labels);
            if (isSelected) selected.add(ref);
          }
          const ids = Uint32Array.from(selected).sort();
          const some = Array.from(ids, (id) => known.get(id)!);
          expect(allLabelNames(reader)).toEqual(namesOf([...known.values()]));
          expect(labelNamesOf(reader, ids)).toEqual(namesOf(some));
          for (const name of [...names, "none"]) {
            expect(allLabelValues(reader, name)).toEqual(valuesOf(name, known.values()));
            expect(labelValuesOf(reader, name, ids)).toEqual(valuesOf(name, some));
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});
