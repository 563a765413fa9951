import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { ScrapeMemory } from "../../src/kernels/index.ts";
import type { FloatHistogram } from "../../src/model/histogram.ts";
import { Labels } from "../../src/model/labels.ts";
import { compileRules, DEFAULT_RELABEL_RULE } from "../../src/model/relabel.ts";
import type { ExpositionFormat } from "../../src/scrape/exposition/negotiate.ts";
import type { FamilyOptions } from "../../src/scrape/exposition/scraped-series.ts";
import type { HistogramLimits } from "../../src/scrape/series-cache.ts";
import { SeriesLabels } from "../../src/scrape/series-labels.ts";
import { emptyCounts, type AppendOptions, type PageCounts } from "../../src/scrape/series-sequence.ts";
import { TargetSeries } from "../../src/scrape/target-series.ts";
import { FakeAppender } from "../support/fake-appender.ts";
import { FamilyType, family, label, message, page, type Field } from "../support/protobuf-page.ts";

let memory: ScrapeMemory;
beforeAll(() => {
  memory = new ScrapeMemory(2 ** 28, 7);
});

type Options = Partial<FamilyOptions & HistogramLimits & Omit<AppendOptions, "appender" | "labels">> & {
  dropped?: string;
  epochMs?: number;
};

class FakeTarget {
  readonly appender: FakeAppender;
  readonly series = new TargetSeries(memory);
  private timeMs = 0;

  constructor(readonly options: Options = {}) {
    this.appender = new FakeAppender(options.epochMs ?? Infinity);
  }

  says(body: string | Buffer, format: ExpositionFormat = "protobuf"): PageCounts {
    const { options, appender } = this;
    const bytes = Buffer.from(body);
    const counts = emptyCounts();
    this.timeMs += 1000;
    appender.begin();
    try {
      this.series.append(
        {
          chunks: bytes.length > 3 ? [bytes.subarray(0, 3), bytes.subarray(3)] : [bytes],
          sizeBytes: bytes.length,
          format,
        },
        {
          honorTimestamps: true,
          trackTimestampsStaleness: false,
          sampleLimit: 0,
          ...options,
          appender,
          timeMs: this.timeMs,
          labels: new SeriesLabels({
            targetLabels: Labels.empty,
            honorLabels: false,
            metricRelabelRules: compileRules(
              options.dropped
                ? [
                    {
                      ...DEFAULT_RELABEL_RULE,
                      sourceLabels: ["__name__"],
                      regex: options.dropped,
                      action: "drop",
                    },
                  ]
                : [],
            ),
            nameValidation: "utf8",
            labelLimit: 0,
            labelNameLengthLimit: 0,
            labelValueLengthLimit: 0,
          }),
        },
        {
          scrapeNative: true,
          alwaysClassic: false,
          convertClassic: false,
          takesStartTimes: false,
          addsTypeAndUnit: false,
          ...options,
        },
        { bucketLimit: 0, minBucketFactor: 0, ...options },
        counts,
      );
      appender.commit();
    } catch (error) {
      appender.rollback();
      this.lastCounts = counts;
      throw error;
    }
    return counts;
  }

  lastCounts = emptyCounts();

  /** What was counted of a page that does not go in. */
  stumblesOver(body: string, format: ExpositionFormat): PageCounts {
    expect(() => this.says(body, format)).toThrow();
    return this.lastCounts;
  }
}

const gauge = (value: number, ...labels: Field[]): Buffer =>
  message(...labels, [2, "bytes", message([1, "double", value])]);
const histogramMetric = (...fields: Field[]): Buffer => message([7, "bytes", message(...fields)]);
const span = (offset: number, length: number): Buffer => message([1, "sint", offset], [2, "varint", length]);
const bucket = (bound: number, count: number): Field => [
  3,
  "bytes",
  message([1, "varint", count], [2, "double", bound]),
];

/** Count 6, sum 3.5, zero bucket 1, positive 1 2 at indexes 0 1, negative 2 at index -1. */
const NATIVE: Field[] = [
  [1, "varint", 6],
  [2, "double", 3.5],
  [5, "sint", 1],
  [6, "double", 0.001],
  [7, "varint", 1],
  [9, "bytes", span(-1, 1)],
  [10, "sint", 2],
  [12, "bytes", span(0, 2)],
  [13, "packed-sint", [1, 1]],
];

function plain(h: FloatHistogram): object {
  return {
    ...h,
    positiveBuckets: [...h.positiveBuckets],
    negativeBuckets: [...h.negativeBuckets],
    customValues: [...h.customValues],
  };
}

describe("protobuf", () => {
  test("gives counters, gauges, untyped values and summaries", () => {
    const target = new FakeTarget();
    const body = (n: number): Buffer =>
      page(
        family(
          "requests_total",
          FamilyType.counter,
          message(label("code", "200"), [3, "bytes", message([1, "double", n])]),
        ),
        family("temperature", FamilyType.gauge, gauge(-n)),
        family("odd", FamilyType.untyped, message([5, "bytes", message([1, "double", NaN])])),
        family(
          "latency",
          FamilyType.summary,
          message([
            4,
            "bytes",
            message(
              [1, "varint", 10],
              [2, "double", 2.5],
              [3, "bytes", message([1, "double", 0.5], [2, "double", 0.25])],
            ),
          ]),
        ),
      );
    expect(target.says(body(1))).toMatchObject({ scraped: 6, postRelabel: 6, seriesAdded: 6 });
    expect(target.says(body(2))).toMatchObject({ scraped: 6, seriesAdded: 0 });
    expect(target.appender.stored).toEqual({
      'requests_total{code="200"}': ["1000 1", "2000 2"],
      temperature: ["1000 -1", "2000 -2"],
      odd: ["1000 NaN", "2000 NaN"],
      latency_count: ["1000 10", "2000 10"],
      latency_sum: ["1000 2.5", "2000 2.5"],
      'latency{quantile="0.5"}': ["1000 0.25", "2000 0.25"],
    });
    expect(
      [...target.appender.samples.values()].flat().find(({ value }) => Number.isNaN(value)),
    ).toMatchObject({ high: 0x7ff80000, low: 1 });
    expect(target.series.metadata().get("latency")).toEqual({
      type: "summary",
      unit: "",
      help: "help of latency",
    });
  });

  test("gives classic histograms, with the last bucket where it is missing", () => {
    const target = new FakeTarget();
    target.says(
      page(
        family(
          "h",
          FamilyType.histogram,
          histogramMetric([1, "varint", 5], [2, "double", 7], bucket(0.1, 1), bucket(100, 4)),
        ),
      ),
    );
    expect(target.appender.stored).toEqual({
      h_count: ["1000 5"],
      h_sum: ["1000 7"],
      'h_bucket{le="0.1"}': ["1000 1"],
      'h_bucket{le="100.0"}': ["1000 4"],
      'h_bucket{le="+Inf"}': ["1000 5"],
    });
  });

  test("gives native histograms, whole numbers and floats", () => {
    const target = new FakeTarget();
    target.says(
      page(
        family("int", FamilyType.histogram, histogramMetric(...NATIVE)),
        family(
          "float",
          FamilyType.gaugeHistogram,
          histogramMetric(
            [4, "double", 2.5],
            [2, "double", 1],
            [5, "sint", -2],
            [12, "bytes", span(3, 3)],
            [14, "packed-double", [1.5, 0, 1]],
          ),
        ),
        family("empty", FamilyType.histogram, histogramMetric([12, "bytes", span(0, 0)])),
      ),
    );
    expect(plain(target.appender.histograms("int")[0]!)).toEqual({
      isInteger: true,
      counterResetHint: "unknown",
      schema: 1,
      zeroThreshold: 0.001,
      zeroCount: 1,
      count: 6,
      sum: 3.5,
      isStale: false,
      positiveSpans: [{ offset: 0, length: 2 }],
      negativeSpans: [{ offset: -1, length: 1 }],
      positiveBuckets: [1, 2],
      negativeBuckets: [2],
      customValues: [],
    });
    expect(plain(target.appender.histograms("float")[0]!)).toMatchObject({
      isInteger: false,
      counterResetHint: "gauge",
      schema: -2,
      count: 2.5,
      positiveSpans: [
        { offset: 3, length: 1 },
        { offset: 1, length: 1 },
      ],
      positiveBuckets: [1.5, 1],
    });
    expect(target.appender.histograms("empty")[0]).toMatchObject({ count: 0, positiveSpans: [] });
  });

  test("drops the classic side of a native histogram unless both are wanted, or native ones are not", () => {
    const body = page(family("h", FamilyType.histogram, histogramMetric(...NATIVE, bucket(1, 6))));
    const names = (options: Options): string[] => {
      const target = new FakeTarget(options);
      target.says(body);
      return Object.keys(target.appender.stored).sort();
    };
    const classic = ['h_bucket{le="+Inf"}', 'h_bucket{le="1.0"}', "h_count", "h_sum"];
    expect(names({})).toEqual(["h"]);
    expect(names({ alwaysClassic: true })).toEqual(["h", ...classic]);
    expect(names({ scrapeNative: false })).toEqual(classic);
    expect(names({ scrapeNative: false, convertClassic: true })).toEqual(["h"]);
  });

  test("gives exemplars: of counters, of buckets, and of native histograms when they have a time", () => {
    const exemplar = (id: string, seconds: number | null): Buffer =>
      message(
        label("id", id),
        [2, "double", 1],
        ...(seconds === null
          ? []
          : [[3, "bytes", message([1, "int64", seconds], [2, "varint", 5_999_999])] as Field]),
      );
    const target = new FakeTarget();
    target.says(
      page(
        family(
          "c",
          FamilyType.counter,
          message([3, "bytes", message([1, "double", 1], [2, "bytes", exemplar("c", null)])]),
        ),
        family(
          "n",
          FamilyType.histogram,
          histogramMetric(
            ...NATIVE,
            [16, "bytes", exemplar("late", 9)],
            [16, "bytes", exemplar("none", null)],
            [16, "bytes", exemplar("early", 8)],
          ),
        ),
      ),
    );
    expect(target.appender.exemplars.map(({ exemplar: e }) => [e.labels.get("id"), e.timeMs])).toEqual([
      ["c", 1000],
      ["early", 8005],
      ["late", 9005],
    ]);
  });

  test("ends series that vanish, and takes timestamps", () => {
    const target = new FakeTarget();
    target.says(
      page(
        family("a", FamilyType.gauge, gauge(1)),
        family("h", FamilyType.histogram, histogramMetric(...NATIVE)),
      ),
    );
    target.says(
      page(
        family("t", FamilyType.gauge, message([2, "bytes", message([1, "double", 7])], [6, "int64", 1500])),
      ),
    );
    target.says("");
    expect(target.appender.stored).toEqual({
      a: ["1000 1", "2000 stale"],
      h: ["1000 histogram", "2000 stale"],
      t: ["1500 7"],
    });
  });

  test("refuses broken pages whole", () => {
    const good = page(family("a", FamilyType.gauge, gauge(1)));
    const target = new FakeTarget();
    expect(() => target.says(Buffer.concat([good, good.subarray(0, 5)]))).toThrow("unexpected EOF");
    const mismatch = histogramMetric([12, "bytes", span(0, 3)], [13, "packed-sint", [1]]);
    expect(() => target.says(page(family("h", FamilyType.histogram, mismatch)))).toThrow(
      "spans need 3 buckets, have 1 buckets",
    );
    const miscounted = histogramMetric([1, "varint", 9], ...NATIVE.slice(1));
    expect(() => target.says(page(family("h", FamilyType.histogram, miscounted)))).toThrow(
      "the Count field is 9",
    );
    expect(target.appender.stored).toEqual({});
    target.says(good);
    expect(target.appender.stored).toEqual({ a: ["4000 1"] });
  });

  test("of any bytes is read or refused, never more", () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(bytes, (body) => {
        const target = new FakeTarget();
        try {
          target.says(Buffer.from(body));
        } catch (error) {
          expect((error as Error).name).toMatch(/^(ExpositionError|SampleError)$/);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("goes on in the storage's next epoch", () => {
    const target = new FakeTarget({ epochMs: 1500, dropped: "z" });
    for (let i = 1; i <= 3; i++)
      target.says(page(family("a", FamilyType.gauge, gauge(i)), family("z", FamilyType.gauge, gauge(1))));
    expect(target.appender.stored).toEqual({ a: ["1000 1", "2000 2", "3000 3"] });
  });
});

test("a limit on samples keeps a flood of new series out of storage", () => {
  const target = new FakeTarget({ sampleLimit: 5 });
  const flood = Array.from({ length: 1000 }, (_, i) => gauge(i, label("n", String(i))));
  expect(() => target.says(page(family("a", FamilyType.gauge, ...flood)))).toThrow("sample limit exceeded");
  expect(target.appender.seriesCount()).toBe(5);
});

describe("a limit on buckets", () => {
  test("halves the resolution until the histogram fits", () => {
    const target = new FakeTarget({ bucketLimit: 2 });
    target.says(
      page(
        family(
          "h",
          FamilyType.histogram,
          histogramMetric(
            ...NATIVE.map((field): Field => (field[0] === 12 ? [12, "bytes", span(1, 2)] : field)),
          ),
        ),
      ),
    );
    const [h] = target.appender.histograms("h");
    expect(h!.schema).toBeLessThan(1);
    expect(h!.positiveBuckets.length + h!.negativeBuckets.length).toBeLessThanOrEqual(2);
    expect(h!.count).toBe(6);
  });

  test("fails the scrape where nothing helps, after counting all", () => {
    const target = new FakeTarget({ bucketLimit: 1 });
    const body = page(
      family("h", FamilyType.histogram, histogramMetric(...NATIVE)),
      family("a", FamilyType.gauge, gauge(1)),
    );
    const counts = emptyCounts();
    expect(() => Object.assign(counts, target.says(body))).toThrow("histogram bucket limit exceeded");
    expect(target.appender.stored).toEqual({});
  });

  test("on growth chooses the schema", () => {
    for (const [minBucketFactor, schema] of [
      [1.1, 1],
      [2, 0],
      [4, -1],
      [1e9, -4],
    ] as const) {
      const target = new FakeTarget({ minBucketFactor });
      target.says(page(family("h", FamilyType.histogram, histogramMetric(...NATIVE))));
      expect(target.appender.histograms("h")[0]!.schema).toBe(schema);
    }
  });
});

describe("classic histograms converted to custom buckets", () => {
  const text = (scale = 1, extra = ""): string =>
    `# TYPE other gauge\nother 1\n# HELP h Helps.\n# TYPE h histogram\n` +
    `h_bucket{l="x",le="0.5"} ${scale}\nh_bucket{l="x",le="1"} ${3 * scale}\nh_bucket{l="x",le="+Inf"} ${4 * scale}\nh_sum{l="x"} 2.5\nh_count{l="x"} ${4 * scale}\n` +
    `h_bucket{l="y",le="+Inf"} 0\nh_sum{l="y"} 0\nh_count{l="y"} 0\n${extra}`;
  const convert = { convertClassic: true };

  test("stand for the lines they come from", () => {
    const target = new FakeTarget(convert);
    expect(target.says(text(), "text")).toMatchObject({ scraped: 3, postRelabel: 3, seriesAdded: 3 });
    expect(target.says(text(2), "text")).toMatchObject({ seriesAdded: 0 });
    expect(target.appender.stored).toEqual({
      other: ["1000 1", "2000 1"],
      'h{l="x"}': ["1000 histogram", "2000 histogram"],
      'h{l="y"}': ["1000 histogram", "2000 histogram"],
    });
    expect(plain(target.appender.histograms('h{l="x"}')[0]!)).toMatchObject({
      isInteger: true,
      schema: -53,
      count: 4,
      sum: 2.5,
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveBuckets: [1, 2, 1],
      customValues: [0.5, 1],
    });
    expect(target.series.metadata().get("h")).toEqual({ type: "histogram", unit: "", help: "Helps." });
  });

  test("keep their lines beside them when asked to", () => {
    const target = new FakeTarget({ ...convert, alwaysClassic: true });
    target.says(text(), "text");
    expect(Object.keys(target.appender.stored).length).toBe(1 + 2 + 8);
    expect(target.appender.series('h_bucket{l="x",le="1.0"}')).toEqual(["1000 3"]);
  });

  test("are float histograms where a count is no whole number", () => {
    const target = new FakeTarget(convert);
    target.says(text(0.5), "text");
    expect(target.appender.histograms('h{l="x"}')[0]).toMatchObject({ isInteger: false, count: 2 });
  });

  test("are lost where the counts make no sense", () => {
    const target = new FakeTarget(convert);
    target.says(
      '# TYPE h histogram\nh_bucket{le="1"} 5\nh_bucket{le="+Inf"} 3\nh_count 3\nh_sum 1\n# TYPE g histogram\ng_bucket{le="+Inf"} 3\ng_count 4\nok 1\n',
      "text",
    );
    expect(target.appender.stored).toEqual({ ok: ["1000 1"] });
  });

  test("come out of OpenMetrics too, with their exemplars", () => {
    const target = new FakeTarget(convert);
    target.says(
      '# TYPE h histogram\nh_bucket{le="1.0"} 1 # {id="e"} 0.5 0.25\nh_bucket{le="+Inf"} 1\nh_count 1\nh_sum 0.5\n# EOF\n',
      "openmetrics",
    );
    expect(target.appender.series("h")).toEqual(["1000 histogram"]);
    expect(target.appender.exemplars[0]!.exemplar.timeMs).toBe(250);
    expect(() => target.says("h_count 1\n", "openmetrics")).toThrow("data does not end with # EOF");
    expect(() => target.says("# EOF\na 1\n", "openmetrics")).toThrow("unexpected data after # EOF");
  });

  test("do not hide a line without a value", () => {
    const target = new FakeTarget(convert);
    expect(() => target.says("Inf\n", "text")).toThrow("expected value after metric");
    expect(() => target.says("# EOF\n".replace("#", "NaN\n#"), "openmetrics")).toThrow(
      "expected value after metric",
    );
  });

  test("leave the samples of one series in the order of the page", () => {
    const target = new FakeTarget({ ...convert, trackTimestampsStaleness: true });
    expect(target.says("a 1\na 2 900\na 3 1100\n", "text")).toMatchObject({ outOfOrder: 1, seriesAdded: 1 });
    expect(target.appender.series("a")).toEqual(["1000 1", "1100 3"]);
  });

  test("end with markers", () => {
    const target = new FakeTarget(convert);
    target.says(text(), "text");
    target.says("other 1\n", "text");
    expect(target.appender.series('h{l="x"}')).toEqual(["1000 histogram", "2000 stale"]);
  });
});

describe.each([
  ["line by line", {}],
  ["family by family", { convertClassic: true }],
])("series added, where text goes in %s,", (_way, options: Options) => {
  test("are those before the fault of a page that fails, each once", () => {
    const target = new FakeTarget(options);
    expect(target.stumblesOver("a 1\nb 1\n!\nc 1\n", "text")).toMatchObject({ scraped: 2, seriesAdded: 2 });
    expect(target.stumblesOver("a 1\nc 1\nb 1\n!", "text")).toMatchObject({ scraped: 3, seriesAdded: 1 });
    expect(target.says("a 1\nb 1\nc 1\nd 1\n", "text")).toMatchObject({ scraped: 4, seriesAdded: 1 });
    expect(target.stumblesOver("a 2\nd 2\n!", "text")).toMatchObject({ scraped: 2, seriesAdded: 0 });
  });

  test("are those within the limit of a page that goes beyond it", () => {
    const target = new FakeTarget({ ...options, sampleLimit: 2 });
    expect(target.stumblesOver("a 1\nb 1\nc 1\n", "text")).toMatchObject({ postRelabel: 3, seriesAdded: 2 });
    expect(target.says("a 1\nc 1\n", "text")).toMatchObject({ seriesAdded: 1 });
    expect(target.appender.stored).toEqual({ a: ["2000 1"], c: ["2000 1"] });
  });

  test("are also those with times of their own", () => {
    const target = new FakeTarget(options);
    expect(target.says("a 1 500\nb 1\na 2 600\n", "text")).toMatchObject({ scraped: 3, seriesAdded: 2 });
    expect(target.says("a 1 1500\nb 1\n", "text")).toMatchObject({ scraped: 2, seriesAdded: 0 });
  });

  test("are counted once where their times and a fault came on the same page", () => {
    const target = new FakeTarget(options);
    expect(target.stumblesOver("a 1 500\n!", "text")).toMatchObject({ scraped: 1, seriesAdded: 1 });
    expect(target.says("a 2 600\nb 2 600\n", "text")).toMatchObject({ scraped: 2, seriesAdded: 1 });
  });

  test("are none that come back after an empty page", () => {
    const target = new FakeTarget(options);
    target.says("# HELP a Help.\na 1\nb 1\n", "text");
    expect(target.says("", "text")).toMatchObject({ scraped: 0, seriesAdded: 0 });
    expect([...target.series.metadata().keys()]).toEqual(["a"]);
    expect(target.says("a 3\n", "text")).toMatchObject({ seriesAdded: 0 });
    expect(target.appender.stored).toEqual({
      a: ["1000 1", "2000 stale", "3000 3"],
      b: ["1000 1", "2000 stale"],
    });
  });

  test("stand on lines, and lines of blanks say nothing", () => {
    const target = new FakeTarget(options);
    expect(target.says("a 1\n  \t\n\nb 1\n   ", "text")).toMatchObject({ scraped: 2, seriesAdded: 2 });
    expect(() => target.says("a 1\n \n# EOF\n", "openmetrics")).toThrow("expected a valid start token");
  });
});

describe("start times, when they are taken", () => {
  const taken = { takesStartTimes: true };

  test("put a zero where a series of OpenMetrics began, in place of its own line", () => {
    const target = new FakeTarget(taken);
    const body = (created: string): string =>
      `# TYPE c counter\nc_total{l="x"} 5\nc_created{l="x"} ${created}\n# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_count 1\nh_created 0.25\n# TYPE g gauge\ng_created 7\n# EOF\n`;
    target.says(body("0.5"), "openmetrics");
    target.says(body("0.5"), "openmetrics");
    target.says(body("2.5"), "openmetrics");
    expect(target.appender.stored).toEqual({
      'c_total{l="x"}': ["500 0", "1000 5", "2000 5", "2500 0", "3000 5"],
      'h_bucket{le="+Inf"}': ["250 0", "1000 1", "2000 1", "3000 1"],
      h_count: ["250 0", "1000 1", "2000 1", "3000 1"],
      g_created: ["1000 7", "2000 7", "3000 7"],
    });
  });

  test("come out of protobuf too", () => {
    const target = new FakeTarget(taken);
    const start: Buffer = message([1, "int64", 0], [2, "varint", 400_999_999]);
    target.says(
      page(
        family(
          "c",
          FamilyType.counter,
          message([3, "bytes", message([1, "double", 2], [3, "bytes", start])]),
        ),
        family("h", FamilyType.histogram, histogramMetric(...NATIVE, [15, "bytes", start])),
      ),
    );
    expect(target.appender.stored).toEqual({
      c: ["400 0", "1000 2"],
      h: ["400 histogram", "1000 histogram"],
    });
    expect(target.appender.histograms("h")[0]!.count).toBe(0);
  });

  test("are lines like any other when they are not", () => {
    const target = new FakeTarget();
    target.says("# TYPE c counter\nc_total 5\nc_created 0.5\n# EOF\n", "openmetrics");
    expect(target.appender.stored).toEqual({ c_total: ["1000 5"], c_created: ["1000 0.5"] });
  });
});

test("types and units become labels when asked to, in place of exposed ones", () => {
  const target = new FakeTarget({ addsTypeAndUnit: true });
  target.says(
    '# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total{__type__="x",l="y"} 1\n# TYPE b unknown\nb 1\n# EOF\n',
    "openmetrics",
  );
  target.says(page(family("g", FamilyType.gauge, gauge(1))));
  expect(Object.keys(target.appender.stored)).toEqual([
    'a_seconds_total{__type__="counter",__unit__="seconds",l="y"}',
    "b",
    'g{__type__="gauge"}',
  ]);
});

describe("metadata, where storage takes it", () => {
  const options = { appendsMetadata: true };
  const counter = (help: string): object => ({ type: "counter", unit: "", help });

  test("is told of new series, and of all when the words change", () => {
    const target = new FakeTarget(options);
    const text = (help: string, more = ""): string =>
      `# HELP c ${help}\n# TYPE c counter\nc_total{l="1"} 1\n${more}# TYPE h histogram\nh_sum 1\nother 1\n`;
    target.says(text("Helps."), "text");
    const histogram = { type: "histogram", unit: "", help: "" };
    expect(target.appender.described).toEqual({ 'c_total{l="1"}': counter("Helps."), h_sum: histogram });
    target.appender.metadata.clear();
    target.says(text("Helps."), "text");
    expect(target.appender.described).toEqual({});
    target.says(text("Helps.", 'c_total{l="2"} 1\n'), "text");
    expect(target.appender.described).toEqual({ 'c_total{l="2"}': counter("Helps.") });
    target.says(text("Says more.", 'c_total{l="2"} 1\n'), "text");
    expect(target.appender.described).toEqual({
      'c_total{l="1"}': counter("Says more."),
      'c_total{l="2"}': counter("Says more."),
    });
  });

  test("comes out of protobuf too", () => {
    const target = new FakeTarget(options);
    const body = page(family("g", FamilyType.gauge, gauge(1)));
    target.says(body);
    expect(target.appender.described).toEqual({ g: { type: "gauge", unit: "", help: "help of g" } });
    target.appender.metadata.clear();
    target.says(body);
    expect(target.appender.described).toEqual({});
  });

  test("is not told otherwise", () => {
    const target = new FakeTarget();
    target.says("# TYPE c counter\nc_total 1\n", "text");
    expect(target.appender.described).toEqual({});
  });
});

test("a target that changes its format keeps the series it has in both, and ends the others", () => {
  const target = new FakeTarget();
  target.says("a 1\nb 1\n", "text");
  target.says(page(family("a", FamilyType.gauge, gauge(2)), family("c", FamilyType.gauge, gauge(2))));
  target.says("a 3\n", "text");
  expect(target.appender.stored).toEqual({
    a: ["1000 1", "2000 2", "3000 3"],
    b: ["1000 1", "2000 stale"],
    c: ["2000 2", "3000 stale"],
  });
});

describe("metadata of a target", () => {
  const about = (metric: string): string =>
    `# HELP ${metric} Helps.\n# TYPE ${metric} counter\n${metric} 1\n`;

  test.each([
    ["line by line", {}],
    ["family by family", { convertClassic: true }],
  ])("read %s outlives a metric that is left out of ten pages, not of eleven", (_how, options) => {
    const target = new FakeTarget(options);
    target.says(about("a") + about("b"), "text");
    const before = target.series.metadataSize();
    for (let page = 1; page <= 10; page++) target.says(about("b"), "text");
    expect([...target.series.metadata().keys()].sort()).toEqual(["a", "b"]);
    expect(target.series.metadata().get("a")).toEqual({ type: "counter", unit: "", help: "Helps." });
    expect(target.series.metadataSize()).toEqual(before);
    target.says(about("b"), "text");
    expect([...target.series.metadata().keys()]).toEqual(["b"]);
    expect(target.series.metadataSize().entries).toBe(1);
  });

  test("is that of the newest page where a metric comes back, and empty pages count for nothing", () => {
    const target = new FakeTarget();
    target.says(about("a"), "text");
    for (let page = 0; page < 20; page++) target.says("", "text");
    expect(target.series.metadata().get("a")?.help).toBe("Helps.");
    target.says("# TYPE b gauge\nb 1\n", "text");
    target.says("# HELP a Other words.\na 1\n", "text");
    expect(target.series.metadata().get("a")).toEqual({ type: "unknown", unit: "", help: "Other words." });
    expect(target.series.metadata().get("b")?.type).toBe("gauge");
  });

  test("is kept when the target changes its format", () => {
    const target = new FakeTarget();
    target.says(about("a"), "text");
    target.says(page(family("b", FamilyType.gauge, gauge(1))));
    expect([...target.series.metadata().keys()].sort()).toEqual(["a", "b"]);
  });
});

describe("exemplars that come late", () => {
  test("are counted where all of a sample's are late", () => {
    const target = new FakeTarget();
    const says = (timeSeconds: number) =>
      target.says(`a 1 # {id="x"} 1 ${timeSeconds}\n# EOF\n`, "openmetrics");
    expect(says(100)).toMatchObject({ exemplarsOutOfOrder: 0 });
    expect(says(99)).toMatchObject({ exemplarsOutOfOrder: 1 });
    expect(says(101)).toMatchObject({ exemplarsOutOfOrder: 0 });
    expect(target.appender.exemplars.map(({ exemplar }) => exemplar.timeMs)).toEqual([100_000, 101_000]);
  });
});
