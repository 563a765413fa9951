import { expect, test } from "vitest";
import { Labels } from "../../../src/model/labels.ts";
import { MemoryStorage, type MemorySample } from "../../../src/promql/script/memory-storage.ts";
import { testEngine } from "../../support/test-engine.ts";

const { engineOver } = testEngine();

/** A counter, each of whose samples says that it began so long before. */
function counter(ageMs: number) {
  const storage = new MemoryStorage();
  const samples = Array.from({ length: 10 }, (_, i): MemorySample => {
    const timeMs = (i + 1) * 60_000;
    return { kind: "float", value: i, timeMs, startMs: timeMs - ageMs };
  });
  storage.append(Labels.fromRecord({ __name__: "jobs_total" }), samples);
  return engineOver(storage, {
    features: { delayedNameRemoval: false, useStartTimestamps: true, typeAndUnitLabels: false },
  });
}

test("start times that contradict the samples before are counted by window, which only the whole query can", () => {
  const overlapping = counter(90_000).range("increase(jobs_total[3m])", 240_000, 360_000, 60_000);
  expect(overlapping.warnings).toEqual([
    'PromQL warning: sample has start time that overlaps with previous sample timestamp for metric "jobs_total" (3 occurrences) (1:10)',
  ]);
  expect(overlapping.mustBeWhole).toBe(true);

  const fitting = counter(60_000).range("increase(jobs_total[3m])", 240_000, 360_000, 60_000);
  expect(fitting.warnings).toEqual([]);
  expect(fitting.mustBeWhole).toBe(false);
});
