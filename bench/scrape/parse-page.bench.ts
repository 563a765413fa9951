/**
 * What a steady page costs from bytes to columns: nanoseconds a sample, without network and storage.
 * Run: node --experimental-strip-types bench/scrape/parse-page.bench.ts, or bundled; takes a few seconds.
 */
import { ScrapeMemory } from "../../src/kernels/index.ts";
import { Labels } from "../../src/model/labels.ts";
import type { Appender } from "../../src/model/storage.ts";
import { SeriesLabels } from "../../src/scrape/series-labels.ts";
import { emptyCounts, SeriesSequence } from "../../src/scrape/series-sequence.ts";

const SERIES = 50_000;
const ROUNDS = 40;

let nextRef = 0;
/** Takes everything and keeps nothing. */
const nowhere = {
  epochAt: () => 0,
  carryOver: () => {},
  resolve: () => ({ ref: ++nextRef, created: true }),
  labelsOf: () => Labels.empty,
  begin: () => {},
  appendFloats: () => 0,
  appendFloat: () => 0,
  appendHistogram: () => 0,
  appendStale: () => 0,
  appendExemplar: () => {},
  updateMetadata: () => {},
  commit: () => {},
  rollback: () => {},
} as unknown as Appender;

const labels = new SeriesLabels({
  targetLabels: Labels.fromRecord({ job: "bench", instance: "localhost:9100" }),
  honorLabels: false,
  metricRelabelRules: [],
  nameValidation: "utf8",
  labelLimit: 0,
  labelNameLengthLimit: 0,
  labelValueLengthLimit: 0,
});

/** About 118 bytes a line, as measured on node exporters with a few labels more. */
function page(round: number, value: (i: number, round: number) => string, suffix = ""): Buffer {
  const lines: string[] = [];
  for (let i = 0; i < SERIES; i++) {
    if (i % 50 === 0) {
      lines.push(`# HELP node_metric_number_${i / 50}_total What the metric of this number counts.`);
      lines.push(`# TYPE node_metric_number_${i / 50}_total counter`);
    }
    const metric = `node_metric_number_${Math.floor(i / 50)}_total`;
    lines.push(
      `${metric}{cpu="${i % 50}",mode="system",zone="europe-west-1",team="storage"} ${value(i, round)}${suffix}`,
    );
  }
  return Buffer.from(`${lines.join("\n")}\n`);
}

const memory = new ScrapeMemory();
const cases: [string, (round: number) => Buffer][] = [
  ["counters", (round) => page(round, (i, r) => String(i * 7 + (i % 2) * r))],
  ["two decimals", (round) => page(round, (i, r) => ((i * 7919 + (i % 2) * r * 17) / 100).toFixed(2))],
  ["17 digits", (round) => page(round, (i, r) => String(Math.sin(i + (i % 2) * r)))],
  ["with timestamps", (round) => page(round, (i) => String(i), ` ${1_700_000_000_000 + round}`)],
  [
    "one new line in a thousand",
    (round) => page(round, (i, r) => (i % 1000 === 0 ? `1\nextra_${r}{i="${i}"} 2` : "1")),
  ],
  [
    "in another order every time",
    (round) =>
      shuffled(
        page(round, (i) => String(i)),
        round,
      ),
  ],
];

function shuffled(body: Buffer, seed: number): Buffer {
  const lines = body.toString("latin1").trimEnd().split("\n");
  let state = seed + 1;
  for (let i = lines.length - 1; i > 0; i--) {
    state = (state * 1103515245 + 12345) % 2147483648;
    const j = state % (i + 1);
    [lines[i], lines[j]] = [lines[j]!, lines[i]!];
  }
  return Buffer.from(`${lines.join("\n")}\n`, "latin1");
}

for (const [name, make] of cases) {
  const sequence = new SeriesSequence(memory);
  const pages = [make(0), make(1), make(2)];
  const scrape = (round: number): number => {
    const body = pages[round % pages.length]!;
    const started = performance.now();
    sequence.append(
      { chunks: [body], sizeBytes: body.length, isOpenMetrics: false },
      {
        appender: nowhere,
        labels,
        timeMs: round,
        honorTimestamps: true,
        trackTimestampsStaleness: false,
        sampleLimit: 0,
      },
      emptyCounts(),
    );
    return ((performance.now() - started) * 1e6) / SERIES;
  };
  const first = scrape(0);
  const times = Array.from({ length: ROUNDS }, (_, i) => scrape(i + 1)).sort((a, b) => a - b);
  const median = times[ROUNDS / 2]!;
  console.log(
    `${name.padEnd(28)} first ${first.toFixed(0)} ns, then ${median.toFixed(1)} ns a sample (best ${times[0]!.toFixed(1)}), ${(pages[0]!.length / SERIES).toFixed(0)} bytes a line`,
  );
  sequence.release();
}
