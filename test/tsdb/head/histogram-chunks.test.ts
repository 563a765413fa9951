import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { QueryMemory } from "../../../src/kernels/index.ts";
import type { FloatHistogram, Span } from "../../../src/model/histogram.ts";
import { Labels } from "../../../src/model/labels.ts";
import { isStaleMarker } from "../../../src/model/sample.ts";
import { SampleOutcome } from "../../../src/model/storage.ts";
import { Tsdb } from "../../../src/tsdb/tsdb.ts";
import { TsdbReader } from "../../../src/tsdb/tsdb-reader.ts";

const START = 238_000 * 7_200_000;
const memory = new QueryMemory(64 * 1024 * 1024);
const labels = Labels.fromRecord({ __name__: "latency" });

/** A histogram from bucket index → count. */
function histogramOf(
  counts: ReadonlyMap<number, number>,
  isInteger: boolean,
  isGauge: boolean,
): FloatHistogram {
  const indices = [...counts.keys()].sort((a, b) => a - b);
  const spans: Span[] = [];
  let next = 0;
  for (const index of indices) {
    const last = spans.at(-1);
    if (last && index === next) spans[spans.length - 1] = { offset: last.offset, length: last.length + 1 };
    else spans.push({ offset: index - next, length: 1 });
    next = index + 1;
  }
  const positiveBuckets = Float64Array.from(indices, (index) => counts.get(index)!);
  const count = positiveBuckets.reduce((sum, bucket) => sum + bucket, 0);
  return {
    isInteger,
    counterResetHint: isGauge ? "gauge" : "unknown",
    schema: 3,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count,
    sum: count * 1.5,
    isStale: false,
    positiveSpans: spans,
    negativeSpans: [],
    positiveBuckets,
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  };
}

/** What a histogram says, whatever its layout: its buckets that aren't empty. */
function meaning(histogram: FloatHistogram): unknown {
  const buckets: [number, number][] = [];
  let index = 0;
  let at = 0;
  for (const { offset, length } of histogram.positiveSpans) {
    index += offset;
    for (let i = 0; i < length; i++, index++) {
      const count = histogram.positiveBuckets[at++]!;
      if (count !== 0) buckets.push([index, count]);
    }
  }
  return { isInteger: histogram.isInteger, count: histogram.count, sum: histogram.sum, buckets };
}

type Step =
  { kind: "histogram"; histogram: FloatHistogram } | { kind: "float"; value: number } | { kind: "stale" };

const anyStep: fc.Arbitrary<readonly [kind: number, grown: readonly number[], isReset: boolean]> = fc.tuple(
  fc.nat(19),
  fc.array(fc.integer({ min: -40, max: 40 }), { maxLength: 4 }),
  fc.nat(30).map((n) => n === 0),
);

describe("a series of native histograms", () => {
  test("reads as it was written, with new buckets, resets, floats and markers between, and after a restart", () => {
    fc.assert(
      fc.property(
        fc.array(anyStep, { minLength: 1, maxLength: 300, size: "max" }),
        fc.boolean(),
        fc.boolean(),
        (script, isInteger, isGauge) => {
          const counts = new Map<number, number>();
          const steps = script.map(([kind, grown, isReset]): Step => {
            if (kind === 0) return { kind: "float", value: grown.length };
            if (kind === 1) return { kind: "stale" };
            if (isReset) counts.clear();
            for (const index of grown) counts.set(index, (counts.get(index) ?? 0) + 3);
            return { kind: "histogram", histogram: histogramOf(counts, isInteger, isGauge) };
          });
          const directory = mkdtempSync(join(tmpdir(), "narthex-histograms-"));
          const options = { directory, generationBytes: 8 * 1024 * 1024 };
          const tsdb = Tsdb.open(options);
          const { appender } = tsdb;
          steps.forEach((step, i) => {
            const timeMs = START + 1000 * i;
            appender.begin();
            if (step.kind === "histogram") {
              expect(appender.appendHistogram(labels, timeMs, step.histogram)).toBe(SampleOutcome.appended);
              if (i > 0) {
                appender.commit();
                appender.begin();
                expect(appender.appendHistogram(labels, timeMs, step.histogram)).toBe(SampleOutcome.repeated);
                expect(appender.appendHistogram(labels, timeMs - 1, step.histogram)).toBe(
                  SampleOutcome.outOfOrder,
                );
              }
            } else if (step.kind === "float") {
              const words = new Uint32Array(new Float64Array([step.value]).buffer);
              appender.appendFloat(labels, timeMs, words[1]!, words[0]!);
            } else {
              const epoch = appender.epochAt(timeMs)!;
              appender.appendStale(epoch, Uint32Array.of(appender.resolve(epoch, labels).ref), timeMs);
            }
            appender.commit();
          });
          const expectAll = (database: Tsdb) => {
            memory.release(65536);
            const reader = new TsdbReader(database.head.control.buffer, memory);
            for (const { generation } of database.head.generations) reader.attach(generation.memory);
            const querier = reader.querier(-Infinity, Infinity);
            const set = querier.select([], -Infinity, Infinity);
            const columns = memory.columns(8);
            expect(set.count).toBe(1);
            set.read(0, -Infinity, Infinity, columns);
            expect(columns.count).toBe(steps.length);
            let isHistogram = false;
            steps.forEach((step, i) => {
              expect(columns.times[i]).toBe(START + 1000 * i);
              const found = columns.histograms?.[i];
              if (step.kind === "histogram") {
                isHistogram = true;
                expect(meaning(found!)).toEqual(meaning(step.histogram));
              } else if (step.kind === "float") {
                isHistogram = false;
                expect(found).toBe(undefined);
                expect(columns.values[i]).toBe(step.value);
              } else {
                // A marker is of the kind of what it ends.
                expect(found?.isStale ?? false).toBe(isHistogram);
                expect(isStaleMarker(columns.valueWords, i)).toBe(true);
              }
            });
            querier.close();
          };
          expectAll(tsdb);
          tsdb.close();
          const again = Tsdb.open(options);
          expectAll(again);
          again.close();
          rmSync(directory, { recursive: true });
        },
      ),
      { numRuns: 12 },
    );
  }, 60_000);
});
