import type { FloatHistogram, Span } from "../../model/histogram.ts";
import { compactHistogram } from "../../model/histogram-arithmetic.ts";
import { METRIC_NAME } from "../../model/labels.ts";
import type { Metadata, MetricType } from "../../model/metadata.ts";
import { checkPageCount } from "../page-bounds.ts";
import { CustomBuckets } from "./custom-buckets.ts";
import { ExpositionError } from "./exposition-error.ts";
import { formatBound } from "./go-float.ts";
import { decodeUtf8, type ParsedExemplar } from "./line-syntax.ts";
import { ProtobufReader } from "./protobuf-reader.ts";
import {
  withTypeAndUnit,
  type FamilyOptions,
  type ScrapedPage,
  type ScrapedSeries,
} from "./scraped-series.ts";

const TYPES: readonly MetricType[] = [
  "counter",
  "gauge",
  "summary",
  "unknown",
  "histogram",
  "gaugehistogram",
];

/** A page of length-delimited MetricFamily messages. Bad bytes are found while its series are walked over. */
export function parseProtobuf(body: Buffer, options: FamilyOptions): ScrapedPage {
  const metadata = new Map<string, Metadata>();
  return { series: walkFamilies(body, options, metadata), metadata };
}

function* walkFamilies(
  body: Buffer,
  options: FamilyOptions,
  metadata: Map<string, Metadata>,
): Generator<ScrapedSeries> {
  const page = new ProtobufReader(body);
  while (page.position < page.end) {
    const family = new Family(page.message(), options);
    checkPageCount(metadata.size, "families");
    metadata.set(family.name, { type: family.type, unit: family.unit, help: family.help });
    yield* family.series();
  }
}

class Family {
  name = "";
  help = "";
  unit = "";
  type: MetricType = "counter";
  private readonly metrics: ProtobufReader[] = [];

  constructor(
    reader: ProtobufReader,
    private readonly options: FamilyOptions,
  ) {
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          this.name = decodeUtf8(reader.latin1(), "metric name");
          break;
        case 2:
          this.help = decodeUtf8(reader.latin1(), "help text");
          break;
        case 3: {
          const code = reader.varint();
          const type = TYPES[code];
          if (type === undefined)
            throw new ExpositionError(`unknown metric type for metric "${this.name}": ${code}`);
          this.type = type;
          break;
        }
        case 4:
          this.metrics.push(reader.message());
          checkPageCount(this.metrics.length, "metrics in a family");
          break;
        case 5:
          this.unit = decodeUtf8(reader.latin1(), "unit");
          break;
        default:
          reader.skip();
      }
    }
    if (this.name === "") throw new ExpositionError("invalid metric name: a family has none");
  }

  *series(): Generator<ScrapedSeries> {
    for (const metric of this.metrics) yield* this.seriesOf(metric);
  }

  private *seriesOf(reader: ProtobufReader): Generator<ScrapedSeries> {
    const metricStart = reader.position;
    // Labels are told apart by their bytes, a run of fields at a time; what they say is read for new series only.
    let labelKey = "";
    let runStart = 0;
    let runEnd = 0;
    let timestampMs: number | null = null;
    let simple: ProtobufReader | null = null;
    let summary: ProtobufReader | null = null;
    let histogram: ProtobufReader | null = null;
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          if (reader.fieldStart !== runEnd) {
            labelKey += reader.slice(runStart, runEnd);
            runStart = reader.fieldStart;
          }
          reader.skip();
          runEnd = reader.position;
          break;
        case 2:
        case 3:
        case 5:
          simple = reader.message();
          break;
        case 4:
          summary = reader.message();
          break;
        case 6:
          timestampMs = reader.int64() || null;
          break;
        case 7:
          histogram = reader.message();
          break;
        default:
          reader.skip();
      }
    }
    labelKey += reader.slice(runStart, runEnd);
    const emit = (
      suffix: string,
      value: number | FloatHistogram,
      bound: readonly [string, number] | null = null,
      exemplars: readonly ParsedExemplar[] = [],
      startMs: number | null = null,
    ): ScrapedSeries => {
      const boundText = bound ? formatBound(bound[1]) : "";
      return {
        key: `${this.name}${suffix}\n${boundText}\n${labelKey}`,
        pairs: () => {
          const pairs = [METRIC_NAME, this.name + suffix, ...labelsOf(reader.again(metricStart))];
          if (bound) pairs.push(bound[0], boundText);
          return this.options.addsTypeAndUnit ? withTypeAndUnit(pairs, this.type, this.unit) : pairs;
        },
        metric: this.name,
        value,
        timestampMs,
        exemplars,
        startMs: this.options.takesStartTimes ? startMs : null,
      };
    };
    switch (this.type) {
      case "histogram":
      case "gaugehistogram":
        yield* this.histogramSeries(readHistogram(histogram), emit);
        return;
      case "summary": {
        const { count, sum, quantiles, startMs } = readSummary(summary);
        yield emit("_count", count, null, [], startMs);
        yield emit("_sum", sum, null, [], startMs);
        for (const [quantile, value] of quantiles) yield emit("", value, ["quantile", quantile], [], startMs);
        return;
      }
      default: {
        const { value, exemplars, startMs } = readSimple(simple);
        yield emit("", value, null, exemplars, startMs);
      }
    }
  }

  private *histogramSeries(
    h: HistogramMessage,
    emit: (
      suffix: string,
      value: number | FloatHistogram,
      bound: readonly [string, number] | null,
      exemplars: readonly ParsedExemplar[],
      startMs: number | null,
    ) => ScrapedSeries,
  ): Generator<ScrapedSeries> {
    const { options } = this;
    const isGauge = this.type === "gaugehistogram";
    const isNative = options.scrapeNative && h.isNative;
    const isConverted = !isNative && options.convertClassic && h.buckets.length > 0;
    if (isNative || isConverted) {
      const own = h.exemplars.length > 0 ? h.exemplars : h.buckets.flatMap((bucket) => bucket.exemplars);
      const exemplars = own
        .filter(({ timestampMs }) => timestampMs !== null)
        .sort((a, b) => a.timestampMs! - b.timestampMs!);
      const histogram = isNative ? nativeHistogram(h, isGauge) : convertedHistogram(h, isGauge);
      yield emit("", histogram, null, exemplars, h.startMs);
      if (!options.alwaysClassic) return;
    }
    const count = h.isFloat ? h.countFloat : h.count;
    yield emit("_count", count, null, [], h.startMs);
    yield emit("_sum", h.sum, null, [], h.startMs);
    let hasInfinity = false;
    for (const bucket of h.buckets) {
      hasInfinity ||= bucket.bound === Infinity;
      const cumulative = h.isFloat ? bucket.countFloat : bucket.count;
      yield emit("_bucket", cumulative, ["le", bucket.bound], bucket.exemplars, h.startMs);
    }
    if (!hasInfinity) yield emit("_bucket", count, ["le", Infinity], [], h.startMs);
  }
}

interface BucketMessage {
  readonly bound: number;
  readonly count: number;
  readonly countFloat: number;
  readonly exemplars: ParsedExemplar[];
}

interface HistogramMessage {
  readonly isNative: boolean;
  readonly isFloat: boolean;
  readonly count: number;
  readonly countFloat: number;
  readonly sum: number;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly buckets: readonly BucketMessage[];
  readonly positive: Side;
  readonly negative: Side;
  readonly exemplars: readonly ParsedExemplar[];
  readonly startMs: number | null;
}

interface Side {
  readonly spans: Span[];
  /** Differences of whole counts, from the bucket before. */
  readonly deltas: number[];
  readonly counts: number[];
}

function readHistogram(reader: ProtobufReader | null): HistogramMessage {
  const positive: Side = { spans: [], deltas: [], counts: [] };
  const negative: Side = { spans: [], deltas: [], counts: [] };
  const buckets: BucketMessage[] = [];
  const exemplars: ParsedExemplar[] = [];
  let count = 0;
  let countFloat = 0;
  let sum = 0;
  let schema = 0;
  let zeroThreshold = 0;
  let zeroCount = 0;
  let zeroCountFloat = 0;
  let startMs: number | null = null;
  while (reader?.next()) {
    switch (reader.field) {
      case 1:
        count = reader.varint();
        break;
      case 2:
        sum = reader.double();
        break;
      case 3:
        buckets.push(readBucket(reader.message()));
        break;
      case 4:
        countFloat = reader.double();
        break;
      case 5:
        schema = reader.sint64();
        break;
      case 6:
        zeroThreshold = reader.double();
        break;
      case 7:
        zeroCount = reader.varint();
        break;
      case 8:
        zeroCountFloat = reader.double();
        break;
      case 9:
        negative.spans.push(readSpan(reader.message()));
        break;
      case 10:
        reader.repeated(negative.deltas, (r) => r.sint64());
        break;
      case 11:
        reader.repeated(negative.counts, (r) => r.double());
        break;
      case 12:
        positive.spans.push(readSpan(reader.message()));
        break;
      case 13:
        reader.repeated(positive.deltas, (r) => r.sint64());
        break;
      case 14:
        reader.repeated(positive.counts, (r) => r.double());
        break;
      case 15:
        startMs = readTimestamp(reader.message());
        break;
      case 16:
        exemplars.push(readExemplar(reader.message()));
        break;
      default:
        reader.skip();
    }
  }
  const isFloat = countFloat > 0 || zeroCountFloat > 0;
  return {
    isNative:
      positive.spans.length > 0 ||
      negative.spans.length > 0 ||
      zeroThreshold > 0 ||
      zeroCount > 0 ||
      zeroCountFloat > 0,
    isFloat,
    count,
    countFloat,
    sum,
    schema,
    zeroThreshold,
    zeroCount: isFloat ? zeroCountFloat : zeroCount,
    buckets,
    positive,
    negative,
    exemplars,
    startMs,
  };
}

function nativeHistogram(h: HistogramMessage, isGauge: boolean): FloatHistogram {
  return compactHistogram({
    isInteger: !h.isFloat,
    counterResetHint: isGauge ? "gauge" : "unknown",
    schema: h.schema,
    zeroThreshold: h.zeroThreshold,
    zeroCount: h.zeroCount,
    count: h.isFloat ? h.countFloat : h.count,
    sum: h.sum,
    isStale: false,
    positiveSpans: h.positive.spans,
    negativeSpans: h.negative.spans,
    positiveBuckets: bucketsOf(h.positive, h.isFloat, "positive"),
    negativeBuckets: bucketsOf(h.negative, h.isFloat, "negative"),
    customValues: new Float64Array(0),
  });
}

function bucketsOf({ spans, deltas, counts }: Side, isFloat: boolean, side: string): Float64Array {
  const buckets = Float64Array.from(isFloat ? counts : deltas);
  if (!isFloat) for (let i = 1; i < buckets.length; i++) buckets[i]! += buckets[i - 1]!;
  const spanned = spans.reduce((total, { length }) => total + length, 0);
  if (spanned !== buckets.length) {
    throw new ExpositionError(
      `${side} side: spans need ${spanned} buckets, have ${buckets.length} buckets: histogram spans specify different number of buckets than provided`,
    );
  }
  return buckets;
}

function convertedHistogram(h: HistogramMessage, isGauge: boolean): FloatHistogram {
  const custom = new CustomBuckets();
  for (const { bound, count, countFloat } of h.buckets)
    custom.setBucket(bound, h.isFloat ? countFloat : count);
  custom.setCount(h.isFloat ? h.countFloat : h.count);
  custom.setSum(h.sum);
  return custom.histogram(isGauge);
}

function readBucket(reader: ProtobufReader): BucketMessage {
  let bound = 0;
  let count = 0;
  let countFloat = 0;
  const exemplars: ParsedExemplar[] = [];
  while (reader.next()) {
    if (reader.field === 1) count = reader.varint();
    else if (reader.field === 2) bound = reader.double();
    else if (reader.field === 3) exemplars.push(readExemplar(reader.message()));
    else if (reader.field === 4) countFloat = reader.double();
    else reader.skip();
  }
  return { bound, count, countFloat, exemplars };
}

function readSpan(reader: ProtobufReader): Span {
  let offset = 0;
  let length = 0;
  while (reader.next()) {
    if (reader.field === 1) offset = reader.sint64();
    else if (reader.field === 2) length = reader.varint();
    else reader.skip();
  }
  return { offset, length };
}

function readSummary(reader: ProtobufReader | null): {
  count: number;
  sum: number;
  quantiles: [quantile: number, value: number][];
  startMs: number | null;
} {
  let count = 0;
  let sum = 0;
  const quantiles: [number, number][] = [];
  let startMs: number | null = null;
  while (reader?.next()) {
    if (reader.field === 1) count = reader.varint();
    else if (reader.field === 2) sum = reader.double();
    else if (reader.field === 3) {
      const message = reader.message();
      const pair: [number, number] = [0, 0];
      while (message.next()) {
        if (message.field === 1) pair[0] = message.double();
        else if (message.field === 2) pair[1] = message.double();
        else message.skip();
      }
      quantiles.push(pair);
    } else if (reader.field === 4) startMs = readTimestamp(reader.message());
    else reader.skip();
  }
  return { count, sum, quantiles, startMs };
}

/** Gauges, counters and untyped values alike. */
function readSimple(reader: ProtobufReader | null): {
  value: number;
  exemplars: ParsedExemplar[];
  startMs: number | null;
} {
  let value = 0;
  let startMs: number | null = null;
  const exemplars: ParsedExemplar[] = [];
  while (reader?.next()) {
    if (reader.field === 1) value = reader.double();
    else if (reader.field === 2) exemplars.push(readExemplar(reader.message()));
    else if (reader.field === 3) startMs = readTimestamp(reader.message());
    else reader.skip();
  }
  return { value, exemplars, startMs };
}

function readExemplar(reader: ProtobufReader): ParsedExemplar {
  const pairs: string[] = [];
  let value = 0;
  let timestampMs: number | null = null;
  while (reader.next()) {
    if (reader.field === 1) pairs.push(...labelPair(reader.message()));
    else if (reader.field === 2) value = reader.double();
    else if (reader.field === 3) timestampMs = readTimestamp(reader.message());
    else reader.skip();
  }
  return { pairs, value, timestampMs };
}

function readTimestamp(reader: ProtobufReader): number {
  let seconds = 0;
  let nanos = 0;
  while (reader.next()) {
    if (reader.field === 1) seconds = reader.int64();
    else if (reader.field === 2) nanos = reader.int64();
    else reader.skip();
  }
  return seconds * 1000 + Math.floor(nanos / 1e6);
}

function labelsOf(metric: ProtobufReader): string[] {
  const labels: string[] = [];
  while (metric.next()) {
    if (metric.field === 1) labels.push(...labelPair(metric.message()));
    else metric.skip();
  }
  return labels;
}

function labelPair(reader: ProtobufReader): [name: string, value: string] {
  const pair: [string, string] = ["", ""];
  while (reader.next()) {
    if (reader.field === 1) pair[0] = decodeUtf8(reader.latin1(), "label name");
    else if (reader.field === 2) pair[1] = decodeUtf8(reader.latin1(), "label value");
    else reader.skip();
  }
  return pair;
}
