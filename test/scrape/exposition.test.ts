import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatBound, parseGoFloat } from "../../src/scrape/exposition/go-float.ts";
import { linesOf, seriesTextLength } from "../../src/scrape/exposition/line-syntax.ts";
import { acceptHeader, chooseFormat } from "../../src/scrape/exposition/negotiate.ts";

describe("a bucket's bound", () => {
  test.each([
    [1, "1.0"],
    [0, "0.0"],
    [-0, "0.0"],
    [-1, "-1.0"],
    [0.5, "0.5"],
    [100, "100.0"],
    [100_000, "100000.0"],
    [1_000_000, "1e+06"],
    [123_456_789, "1.23456789e+08"],
    [123_456.5, "123456.5"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [1e100, "1e+100"],
    [Infinity, "+Inf"],
    [-Infinity, "-Inf"],
    [NaN, "NaN"],
  ])("%d is written %s", (value, text) => expect(formatBound(value)).toBe(text));

  test("reads back as the same number", () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        expect(parseGoFloat(formatBound(value))).toBe(value === 0 ? 0 : value);
      }),
    );
  });
});

describe("content negotiation", () => {
  test("prefers protocols in order and asks the newer ones for a way of escaping", () => {
    expect(
      acceptHeader(["PrometheusProto", "OpenMetricsText1.0.0", "PrometheusText0.0.4"], "underscores"),
    ).toBe(
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6," +
        "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3",
    );
    const all = [
      "PrometheusProto",
      "OpenMetricsText1.0.0",
      "OpenMetricsText0.0.1",
      "PrometheusText1.0.0",
      "PrometheusText0.0.4",
    ] as const;
    expect(acceptHeader(all, "allow-utf-8")).toMatch(/text\/plain;version=0\.0\.4;q=0\.2,\*\/\*;q=0\.1$/);
  });

  test.each([
    ["text/plain; version=0.0.4; charset=utf-8", "text"],
    ["Text/Plain", "text"],
    ["application/openmetrics-text; version=1.0.0; escaping=values", "openmetrics"],
    ["application/vnd.google.protobuf; proto=x; encoding=delimited", "protobuf"],
  ])("%s is %s", (contentType, format) => expect(chooseFormat(contentType, undefined)).toBe(format));

  test.each(["", undefined, "text/html", "???", "text/plain; charset"])(
    "%j needs a fallback",
    (contentType) => {
      expect(() => chooseFormat(contentType, undefined)).toThrow("no fallback_scrape_protocol");
      expect(chooseFormat(contentType, "OpenMetricsText0.0.1")).toBe("openmetrics");
    },
  );
});

describe("lines", () => {
  test("end at line feeds that are not within quotes", () => {
    expect([...linesOf('a{b="x\ny"} 1\n# it\'s "so\n\nc 2')]).toEqual([
      'a{b="x\ny"} 1',
      "# it's \"so",
      "",
      "c 2",
    ]);
  });

  test.each([
    ["a 1", 2],
    ['  a\t{ b="}" } 1', 14],
    ["a{}1", 3],
    ["a", 0],
    ["a{ 1", 0],
    ['a{b="} 1', 0],
  ])("%j has %i characters before its value", (line, length) => expect(seriesTextLength(line)).toBe(length));
});
