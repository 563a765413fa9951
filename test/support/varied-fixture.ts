import { join } from "node:path";
import { Labels } from "../../src/model/labels.ts";
import type { FloatHistogram } from "../../src/model/histogram.ts";
import { STALE_HIGH_WORD, STALE_LOW_WORD } from "../../src/model/sample.ts";
import { ByteWriter } from "../../src/tsdb/varint.ts";
import {
  beginSeriesRecord,
  encodeHistogramRecords,
  encodeSeriesEntry,
  encodeTimedSamplesRecord,
  type HistogramEntry,
} from "../../src/tsdb/wal/record.ts";
import { WalWriter } from "../../src/tsdb/wal/segment.ts";

type Value = number | "stale" | FloatHistogram | null;

interface VariedSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Null where the series has no sample. */
  readonly values: readonly Value[];
  /** When sample i lies, counted from the beginning; never on a full second, where the ends of ranges would matter. */
  timeOffsetMs(i: number): number;
}

const STEP_MS = 15_000;
/** Native histograms only grow before: 2.42 cannot put those that do not into a block. */
const FIRST_RESTART = 600;

/**
 * Writes `dataDirectory/wal` with the samples from `fromMs` up to before `toMs` of series of every kind there is:
 * counters that restart, gauges, series with gaps, with staleness markers, that come late and end early, irregular
 * ones, NaN and infinities, classic histograms (sound, not monotonic, without +Inf), native ones (counters that restart,
 * two resolutions, gauges), and series to join with. `beginMs` is when the first sample of all would be; the same
 * numbers every time.
 */
export function writeVariedWal(options: {
  readonly dataDirectory: string;
  readonly beginMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}): void {
  const { dataDirectory, beginMs, fromMs, toMs } = options;
  const samples = Math.ceil((toMs - beginMs) / STEP_MS);
  const all = variedSeries(samples);
  const wal = new WalWriter(join(dataDirectory, "wal"));
  const writer = new ByteWriter(1 << 16);
  beginSeriesRecord(writer);
  all.forEach(({ labels }, index) => encodeSeriesEntry(writer, index + 1, Labels.fromRecord(labels)));
  wal.append(writer.written());

  const refs = new Float64Array(all.length);
  const times = new Float64Array(all.length);
  const values = new Float64Array(all.length);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < samples; i++) {
    let count = 0;
    const histograms: HistogramEntry[] = [];
    all.forEach((series, index) => {
      const value = series.values[i]!;
      const timeMs = beginMs + series.timeOffsetMs(i);
      if (value === null || timeMs < fromMs || timeMs >= toMs) return;
      if (typeof value === "object") {
        histograms.push({ ref: index + 1, timeMs, histogram: value });
        return;
      }
      refs[count] = index + 1;
      times[count] = timeMs;
      if (value === "stale") words.set([STALE_LOW_WORD, STALE_HIGH_WORD], 2 * count);
      else values[count] = value;
      count++;
    });
    encodeTimedSamplesRecord(writer, refs, times, words, count);
    if (count > 0) wal.append(writer.written());
    encodeHistogramRecords(writer, histograms, (record) => wal.append(record));
  }
  wal.flush();
  wal.close();
}

function variedSeries(samples: number): VariedSeries[] {
  let state = 20_231_114;
  const random = () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
  const all: VariedSeries[] = [];
  const add = (
    labels: Record<string, string>,
    value: (i: number) => Value,
    timeOffsetMs = (i: number) => i * STEP_MS + 7,
  ) => all.push({ labels, values: Array.from({ length: samples }, (_, i) => value(i)), timeOffsetMs });

  for (const [j, job] of ["api", "web"].entries()) {
    for (const [k, instance] of ["a", "b", "c"].entries()) {
      const target = { job, instance };
      const offset = (i: number) => i * STEP_MS + 7 + 1_913 * k + 499 * j;
      for (const code of ["200", "500"]) {
        let counter = Math.floor(random() * 100);
        add(
          { __name__: "requests_total", ...target, code },
          () => (counter = random() < 0.01 ? 1 : counter + Math.floor(random() * 20)),
          offset,
        );
      }
      let gauge = Math.floor(random() * 16);
      add(
        { __name__: "queue_length", ...target },
        () => (gauge += Math.floor(random() * 16 - 8) / 4),
        offset,
      );
      const queueOf = gauge;
      add({ __name__: "sparse", ...target, zone: instance === "a" ? "x" : "y" }, (i) =>
        Math.floor((i + 7 * k) / 40) % 2 === 0 ? Math.round(queueOf * 8 + i / 4) : null,
      );
      // Scrapes that are late, by up to some seconds, and some that never were.
      add(
        { __name__: "irregular", ...target },
        (i) => ((i * 7 + k) % 11 === 0 ? null : ((i * 37 + k * 11) % 64) / 4 - 5),
        (i) => i * STEP_MS + 11 + 10 * ((i * 271 + k * 97) % 600),
      );
      add({ __name__: "build_info", ...target, version: k === 0 ? "1.2" : "1.3" }, () => 1, offset);
      add(
        { __name__: "native_seconds", ...target },
        nativeCounter(k === 1 ? 2 : 3, 1 + j + k, k === 2),
        offset,
      );
    }
    add({ __name__: "capacity", job, owner: `team-${job}` }, (i) => 100 + (i % 9));
    add({ __name__: "ended", job, part: "early" }, (i) => (i < 300 ? i : i === 300 ? "stale" : null));
    add({ __name__: "ended", job, part: "flapping" }, (i) =>
      i % 60 < 30 ? i / 2 : i % 60 === 30 ? "stale" : null,
    );
    add({ __name__: "ended", job, part: "late" }, (i) => (i > samples - 200 ? i * 3 : null));
    const counts = new Float64Array(6);
    for (const [b, le] of ["0.1", "0.5", "1.0", "2.5", "10.0", "+Inf"].entries()) {
      add({ __name__: "latency_seconds_bucket", job, le }, (i) => {
        counts[b] = (b === 0 ? 0 : counts[b]!) + ((i * (b + 3) + j) % 4);
        return i * (b + 1) * 2 + ((i + b) % 2);
      });
    }
    add({ __name__: "native_gauge", job }, (i) =>
      i < FIRST_RESTART ? null : native(1, (i % 13) + 1 + j, "gauge"),
    );
  }
  add({ __name__: "latency_seconds_bucket", job: "uneven", le: "1.0" }, (i) => i * 5);
  add({ __name__: "latency_seconds_bucket", job: "uneven", le: "2.0" }, (i) => i * 4);
  add({ __name__: "latency_seconds_bucket", job: "uneven", le: "+Inf" }, (i) => i * 6);
  add({ __name__: "latency_seconds_bucket", job: "endless", le: "1.0" }, (i) => i);
  add({ __name__: "latency_seconds_bucket", job: "endless", le: "2.0" }, (i) => i * 2);
  add({ __name__: "once" }, (i) => (i === samples - 260 ? 42 : null));

  const oddValues: Record<string, (i: number) => number> = {
    nan: () => NaN,
    "nan now and then": (i) => (i % 5 === 0 ? NaN : i % 7),
    plus: () => Infinity,
    minus: () => -Infinity,
    "both infinities": (i) => (i % 2 === 0 ? Infinity : -Infinity),
    "infinite now and then": (i) => (i % 40 === 0 ? Infinity : i),
    zero: () => 0,
    "minus zero": () => -0,
    huge: (i) => 1e300 * (1 + (i % 3)),
    tiny: (i) => 1e-300 * (1 + (i % 3)),
    negative: (i) => -(i % 17) / 8,
    half: (i) => (i % 10) + 0.5,
  };
  for (const [kind, value] of Object.entries(oddValues)) add({ __name__: "odd", kind }, value);
  return all;
}

function nativeCounter(schema: number, growth: number, restarts: boolean): (i: number) => FloatHistogram {
  return (i) =>
    native(schema, growth * (1 + (restarts && i >= FIRST_RESTART ? (i - FIRST_RESTART) % 90 : i)), "unknown");
}

/** Four positive buckets in two spans, two negative ones and the zero bucket, all in proportion to `scale`. */
function native(schema: number, scale: number, hint: FloatHistogram["counterResetHint"]): FloatHistogram {
  const positive = [2, 5, 3, 1].map((count) => count * scale);
  const negative = [1, 2].map((count) => count * scale);
  const zeroCount = 2 * scale;
  return {
    isInteger: true,
    counterResetHint: hint,
    schema,
    zeroThreshold: 0.001,
    zeroCount,
    count: zeroCount + [...positive, ...negative].reduce((sum, count) => sum + count, 0),
    sum: scale * 12.5,
    isStale: false,
    positiveSpans: [
      { offset: -1, length: 2 },
      { offset: 3, length: 2 },
    ],
    negativeSpans: [{ offset: 0, length: 2 }],
    positiveBuckets: Float64Array.from(positive),
    negativeBuckets: Float64Array.from(negative),
    customValues: new Float64Array(),
  };
}
