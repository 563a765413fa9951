import { describe, expect, test } from "vitest";
import {
  parseItems,
  parseSeriesLine,
  parseStartTimesLine,
  type SeriesItem,
} from "../../../src/promql/script/series-notation.ts";

/** Items in short: numbers as they are, "_" for gaps, histograms by their count. */
function short(items: readonly SeriesItem[]): (number | string)[] {
  return items.map((item) => {
    if (item === null) return "_";
    if (item.kind === "stale") return "stale";
    return item.kind === "float" ? item.value : `h${item.histogram.count}`;
  });
}

const items = (text: string) => short(parseItems(text));

describe("the values of a series", () => {
  test("stand one after the other, with gaps and staleness markers", () => {
    expect(items("1 -2 3e2 .5 _ stale Inf -Inf NaN")).toEqual([
      1,
      -2,
      300,
      0.5,
      "_",
      "stale",
      Infinity,
      -Infinity,
      NaN,
    ]);
  });

  test("repeat a value N times more, or a gap N times", () => {
    expect(items("5x2 _x3 1x0")).toEqual([5, 5, 5, "_", "_", "_", 1]);
  });

  test("grow or shrink N times", () => {
    expect(items("0+10x3 1-1x2 -1-2x1 0.1+0.2x2")).toEqual([
      0,
      10,
      20,
      30,
      1,
      0,
      -1,
      -1,
      -3,
      0.1,
      0.1 + 0.2,
      0.1 + 0.2 + 0.2,
    ]);
  });

  test("may be histograms, repeated and added up", () => {
    expect(
      items("{{count:3}} {{count:1}}x1 {{count:1 sum:2}}+{{count:2}}x2 {{count:5}}-{{count:2}}x1"),
    ).toEqual(["h3", "h1", "h1", "h1", "h3", "h5", "h5", "h3"]);
  });

  test("that can't be read are refused", () => {
    for (const text of [
      "x",
      "1x",
      "0x10+1x2",
      "NaNx3",
      "stalex2",
      "1+x3",
      "{{count:1}",
      "{{bad:1}}",
      "{{count:1}}+{{count:1}}",
      "1x9999999",
    ]) {
      expect(() => parseItems(text), text).toThrow();
    }
  });

  test("refuse a step of a coarser schema than the base has", () => {
    expect(() => parseItems("{{schema:1}}+{{schema:0}}x2")).toThrow(
      "error combining histograms: cannot merge from schema 0 to 1",
    );
  });
});

describe("a histogram", () => {
  const histogram = (text: string) => {
    const [item] = parseItems(text);
    if (item?.kind !== "histogram") throw new Error("no histogram");
    return item;
  };

  test("has all its fields by name", () => {
    expect(
      histogram(
        "{{schema:1 sum:-0.3 count:7.1 z_bucket:7.1 z_bucket_w:0.05 buckets:[5 10 -7] offset:-3 n_buckets:[4 5] n_offset:5 counter_reset_hint:gauge}}",
      ),
    ).toMatchObject({
      hintIsWritten: true,
      histogram: {
        schema: 1,
        sum: -0.3,
        count: 7.1,
        zeroCount: 7.1,
        zeroThreshold: 0.05,
        positiveSpans: [{ offset: -3, length: 3 }],
        positiveBuckets: Float64Array.of(5, 10, -7),
        negativeSpans: [{ offset: 5, length: 2 }],
        negativeBuckets: Float64Array.of(4, 5),
        counterResetHint: "gauge",
      },
    });
  });

  test("may have custom buckets, or nothing at all", () => {
    expect(histogram("{{schema:-53 custom_values:[1 2.5] buckets:[1 2 3]}}").histogram.customValues).toEqual(
      Float64Array.of(1, 2.5),
    );
    expect(histogram("{{}}")).toMatchObject({
      hintIsWritten: false,
      histogram: { schema: 0, count: 0, positiveSpans: [] },
    });
  });

  test("with a field twice or an unknown schema is refused", () => {
    expect(() => parseItems("{{count:1 count:2}}")).toThrow("duplicate key count");
    expect(() => parseItems("{{schema:9}}")).toThrow("unknown schema 9");
  });
});

describe("a series line", () => {
  test("begins with a metric, braces in quotes and all", () => {
    const line = parseSeriesLine('up{job="a}b", "odd name"="x"} 1 2');
    expect(line.labels.toRecord()).toEqual({ __name__: "up", job: "a}b", "odd name": "x" });
    expect(short(line.items)).toEqual([1, 2]);
    expect(parseSeriesLine("{} 1").labels.size).toBe(0);
    expect(parseSeriesLine('{"odd metric"} 1').labels.metricName).toBe("odd metric");
    expect(parseSeriesLine("up {{count:1}}").labels.metricName).toBe("up");
  });

  test("takes only equalities", () => {
    expect(() => parseSeriesLine('up{job=~"a"} 1')).toThrow("only = is allowed");
  });
});

describe("a line of start timestamps", () => {
  test("gives offsets from each sample's time", () => {
    const line = parseStartTimesLine('up{a="b"}@st _ -1m _x2 -30sx1 -1m+1sx2 0 -1m-1sx1');
    expect(line?.labels.toRecord()).toEqual({ __name__: "up", a: "b" });
    expect(line?.offsetsMs).toEqual([
      null,
      -60_000,
      null,
      null,
      -30_000,
      -30_000,
      -60_000,
      -59_000,
      -58_000,
      0,
      -60_000,
      -61_000,
    ]);
  });

  test("is no line of values", () => {
    expect(parseStartTimesLine("up 1 2")).toBeNull();
  });
});
