/**
 * The query engine alone: 10,000 series of 1,440 samples (6 h at 15 s) that lie in memory as columns, so that no decoding
 * is timed. Prints nanoseconds per sample read for some queries; the first run of each is warm-up.
 */
import { QueryMemory } from "../../src/kernels/index.ts";
import { Labels } from "../../src/model/labels.ts";
import type { Matcher } from "../../src/model/matcher.ts";
import type { Queryable, SeriesSet } from "../../src/model/storage.ts";
import { PromqlEngine } from "../../src/promql/engine.ts";
import { defaultParserOptions } from "../../src/promql/parse/index.ts";

const SERIES = Number(process.argv[2] ?? 10_000);
const SAMPLES = 1_440;
const STEP_MS = 15_000;
const PER_TARGET = 100;
const MODES = ["idle", "iowait", "system", "user"];

/** Every target has timestamps of its own; values of a series are one of a few columns. */
class ColumnStorage implements Queryable {
  private readonly times: Float64Array[] = [];
  private readonly values: Float64Array[] = [];
  private readonly labels: Labels[] = [];

  constructor() {
    for (let target = 0; target < SERIES / PER_TARGET; target++) {
      this.times.push(
        Float64Array.from({ length: SAMPLES }, (_, i) => i * STEP_MS + ((target * 37) % 15_000)),
      );
    }
    for (let shape = 0; shape < 16; shape++) {
      let value = shape * 1000;
      this.values.push(
        Float64Array.from(
          { length: SAMPLES },
          (_, i) => (value = i % 500 === 499 ? 0 : value + shape + 0.25),
        ),
      );
    }
    for (let i = 0; i < SERIES; i++) {
      this.labels.push(
        Labels.fromRecord({
          __name__: "cpu_seconds_total",
          instance: `host-${String(Math.floor(i / PER_TARGET)).padStart(4, "0")}:9100`,
          cpu: String(Math.floor((i % PER_TARGET) / 4)).padStart(2, "0"),
          job: "node",
          mode: MODES[i % 4]!,
        }),
      );
    }
  }

  querier() {
    const { times, values, labels } = this;
    return {
      select: (_: readonly Matcher[]): SeriesSet => ({
        count: SERIES,
        labels: (index) => labels[index]!,
        read: (index, minTime, maxTime, columns) => {
          const seriesTimes = times[Math.floor(index / PER_TARGET)]!;
          let from = 0;
          while (from < SAMPLES && seriesTimes[from]! < minTime) from++;
          let to = SAMPLES;
          while (to > from && seriesTimes[to - 1]! > maxTime) to--;
          columns.count = 0;
          columns.histograms = null;
          columns.startTimes = null;
          columns.reserve(to - from);
          columns.times.set(seriesTimes.subarray(from, to));
          columns.values.set(values[index % 16]!.subarray(from, to));
          columns.count = to - from;
        },
        estimateSamples: () => SERIES * SAMPLES,
      }),
      labelNames: () => [],
      labelValues: () => [],
      exemplars: () => [],
      close: () => {},
    };
  }
}

const memory = new QueryMemory(2 ** 31);
const engine = new PromqlEngine({
  queryable: new ColumnStorage(),
  memory,
  parserOptions: defaultParserOptions,
  lookbackMs: 300_000,
  defaultSubqueryStepMs: 60_000,
  maxSamples: 500_000_000,
  features: { delayedNameRemoval: false, useStartTimestamps: false, typeAndUnitLabels: false },
  now: () => performance.now(),
});

const END_MS = SAMPLES * STEP_MS;
const queries: readonly (readonly [text: string, stepMs: number])[] = [
  ["sum by (mode) (rate(cpu_seconds_total[5m]))", 15_000],
  ["sum by (mode) (rate(cpu_seconds_total[5m]))", 60_000],
  ["rate(cpu_seconds_total[1h])", 60_000],
  ["max by (instance) (max_over_time(cpu_seconds_total[1h]))", 60_000],
  ["avg(avg_over_time(cpu_seconds_total[1h]))", 60_000],
  ["sum by (instance) (cpu_seconds_total) / count by (instance) (cpu_seconds_total)", 60_000],
  ["cpu_seconds_total * 2 > 100", 60_000],
  ["topk(5, rate(cpu_seconds_total[5m]))", 60_000],
  ["quantile(0.9, rate(cpu_seconds_total[5m]))", 60_000],
  ["sum by (mode) (rate(cpu_seconds_total[5m]))", 0],
  ["cpu_seconds_total", 0],
];

const only = process.argv[3];

for (const [text, stepMs] of queries.filter(([text]) => only === undefined || text.includes(only))) {
  const once = () =>
    stepMs > 0 ? engine.range(text, 300_000, END_MS, stepMs) : engine.instant(text, END_MS);
  once();
  const runs: number[] = [];
  let samples = 0;
  for (let i = 0; i < 3; i++) {
    const began = performance.now();
    samples = once().statistics.samples.samplesRead;
    runs.push(performance.now() - began);
  }
  const best = Math.min(...runs);
  const perSample = (best * 1e6) / (stepMs > 0 ? SERIES * SAMPLES : samples);
  console.log(
    `${text} step ${stepMs / 1000}s: ${best.toFixed(1)} ms, ${perSample.toFixed(2)} ns/sample, ${(memory.peakBytes / 2 ** 20).toFixed(0)} MiB`,
  );
}
