import { formatDecimal } from "../model/format-float.ts";
import { bucketsUpwards } from "../model/histogram-buckets.ts";
import type { FloatHistogram } from "../model/histogram.ts";
import type { MatrixSeries, QueryResult, QueryStatistics, QueryValue } from "../promql/value.ts";
import type { JsonBytes } from "./json-bytes.ts";
import { formatSampleValue } from "./json-bytes.ts";

/** The data of a query's answer, `{"resultType":…,"result":…,"stats"?:…}`, appended to `out`. */
export function writeQueryData(out: JsonBytes, result: QueryResult, withStatistics: boolean): void {
  out.ascii(`{"resultType":"${result.value.type}","result":`);
  writeValue(out, result.value);
  if (withStatistics) {
    out.ascii(`,"stats":`);
    writeStatistics(out, result.statistics);
  }
  out.ascii("}");
}

function writeValue(out: JsonBytes, value: QueryValue): void {
  switch (value.type) {
    // These two have a form of their own: the time as any JSON number, a scalar's digits without an exponent.
    case "scalar":
      out.json([value.timeMs / 1000, formatDecimal(value.value)]);
      return;
    case "string":
      out
        .ascii(`[${value.timeMs / 1000},`)
        .string(value.value)
        .ascii("]");
      return;
    case "vector":
      out.ascii("[");
      value.samples.forEach((sample, index) => {
        if (index > 0) out.ascii(",");
        out.ascii(`{"metric":`).labels(sample.labels);
        if (sample.histogram) {
          out.ascii(`,"histogram":[`).timestamp(value.timeMs).ascii(",");
          writeHistogram(out, sample.histogram);
          out.ascii("]}");
        } else {
          out.ascii(`,"value":`).point(value.timeMs, sample.value).ascii("}");
        }
      });
      out.ascii("]");
      return;
    case "matrix":
      out.ascii("[");
      writeSeries(out, value.series, null);
      out.ascii("]");
  }
}

/** Offsets a series: its start, the end of its labels, then its values and its histograms, from and to. */
export const MARKS_A_SERIES = 6;

/** The series of a matrix, with commas between them. @param marks where their offsets are left, if they are wanted */
export function writeSeries(
  out: JsonBytes,
  series: readonly MatrixSeries[],
  marks: Float64Array | null,
): void {
  series.forEach(({ labels, floatTimes, floats, histogramTimes, histograms }, index) => {
    if (index > 0) out.ascii(",");
    const start = out.sizeBytes;
    out.ascii(`{"metric":`).labels(labels);
    const labelsEnd = out.sizeBytes;
    let [valuesFrom, valuesTo, histogramsFrom, histogramsTo] = [0, 0, 0, 0];
    if (floatTimes.length > 0) {
      out.ascii(`,"values":[`);
      valuesFrom = out.sizeBytes;
      out.points(floatTimes, floats);
      valuesTo = out.sizeBytes;
      out.ascii("]");
    }
    if (histogramTimes.length > 0) {
      out.ascii(`,"histograms":[`);
      histogramsFrom = out.sizeBytes;
      for (let i = 0; i < histogramTimes.length; i++) {
        out
          .ascii(i > 0 ? ",[" : "[")
          .timestamp(histogramTimes[i]!)
          .ascii(",");
        writeHistogram(out, histograms[i]!);
        out.ascii("]");
      }
      histogramsTo = out.sizeBytes;
      out.ascii("]");
    }
    out.ascii("}");
    marks?.set(
      [start, labelsEnd, valuesFrom, valuesTo, histogramsFrom, histogramsTo],
      MARKS_A_SERIES * index,
    );
  });
}

/** Buckets as `[boundary rule, "low", "high", "count"]`; 0 = (low,high], 1 = [low,high), 2 = open, 3 = closed. */
function writeHistogram(out: JsonBytes, histogram: FloatHistogram): void {
  out.ascii(`{"count":`).sampleValue(histogram.count).ascii(`,"sum":`).sampleValue(histogram.sum);
  const buckets = bucketsUpwards(histogram).filter((bucket) => bucket.count !== 0);
  if (buckets.length > 0) {
    out.ascii(`,"buckets":[`);
    buckets.forEach((bucket, index) => {
      const rule = bucket.lowerInclusive ? (bucket.upperInclusive ? 3 : 1) : bucket.upperInclusive ? 0 : 2;
      out.ascii(index > 0 ? `,[${rule},` : `[${rule},`);
      out.sampleValue(bucket.lower).ascii(",").sampleValue(bucket.upper).ascii(",").sampleValue(bucket.count);
      out.ascii("]");
    });
    out.ascii("]");
  }
  out.ascii("}");
}

function writeStatistics(out: JsonBytes, statistics: QueryStatistics): void {
  const { timings, samples } = statistics;
  out.ascii(`{"timings":`).json(timings).ascii(`,"samples":{`);
  if (samples.totalQueryableSamplesPerStep) {
    out.ascii(`"totalQueryableSamplesPerStep":`);
    writeCounts(out, samples.totalQueryableSamplesPerStep);
    out.ascii(",");
  }
  out.ascii(`"totalQueryableSamples":${samples.totalQueryableSamples}`);
  if (samples.samplesReadPerStep) {
    out.ascii(`,"samplesReadPerStep":`);
    writeCounts(out, samples.samplesReadPerStep);
  }
  out.ascii(`,"samplesRead":${samples.samplesRead},"peakSamples":${samples.peakSamples}}}`);
}

function writeCounts(out: JsonBytes, counts: readonly (readonly [timeMs: number, samples: number])[]): void {
  out.ascii("[");
  counts.forEach(([timeMs, count], index) => {
    out
      .ascii(index > 0 ? ",[" : "[")
      .timestamp(timeMs)
      .ascii(`,${formatSampleValue(count)}]`);
  });
  out.ascii("]");
}
