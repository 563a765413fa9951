import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Labels } from "../../src/model/labels.ts";
import { NO_SERIES } from "../../src/model/storage.ts";
import { openMetricsSyntax } from "../../src/scrape/exposition/openmetrics.ts";
import { textSyntax } from "../../src/scrape/exposition/text.ts";
import { SeriesLabels, type SeriesLabelsOptions } from "../../src/scrape/series-labels.ts";
import { FakeAppender } from "../support/fake-appender.ts";

const EPOCH = 0;
const defaults: SeriesLabelsOptions = {
  targetLabels: Labels.fromRecord({ instance: "host:9100", job: "node" }),
  honorLabels: false,
  metricRelabelRules: [],
  nameValidation: "utf8",
  labelLimit: 0,
  labelNameLengthLimit: 0,
  labelValueLengthLimit: 0,
};

/** What the short way makes of lines one after the other; null where it leaves one to the long way. */
function shortWay(options: SeriesLabelsOptions, lines: readonly string[], bound: "le" | null = null) {
  const appender = new FakeAppender();
  appender.epochAt(EPOCH);
  const plain = new SeriesLabels(options).plainLines(appender.interner(EPOCH));
  return lines.map((line) => {
    const bytes = Uint8Array.from(Buffer.from(`before ${line}after`, "latin1"));
    const ref = plain?.resolve(bytes, 7, 7 + line.length, bound) ?? NO_SERIES;
    return ref === NO_SERIES ? null : appender.labelsOf(EPOCH, ref).toRecord();
  });
}

describe("a line as nearly all are", () => {
  test("becomes its series, with the target's labels in their order", () => {
    const lines = [
      'http_requests_total{method="GET",code="200",zone="a b\tc"}',
      'http_requests_total{method="PUT",code="200",zone="é"}',
      'http_requests_total{method="PUT",code="500",zone="="}',
      "up",
      'a:b{Z="1"}',
    ];
    const target = { instance: "host:9100", job: "node" };
    const requests = { __name__: "http_requests_total", ...target };
    expect(shortWay(defaults, lines)).toEqual([
      { ...requests, method: "GET", code: "200", zone: "a b\tc" },
      null,
      { ...requests, method: "PUT", code: "500", zone: "=" },
      { __name__: "up", ...target },
      { __name__: "a:b", ...target, Z: "1" },
    ]);
  });

  test("has its bucket bounds in their usual form, where bounds are what they are", () => {
    const lines = [
      'h_bucket{le="1"}',
      'h_bucket{le="5e-3"}',
      'h_bucket{le="+Inf"}',
      'h_bucket{quantile="1"}',
    ];
    const valuesOf = (bound: "le" | null) =>
      shortWay(defaults, lines, bound).map((labels) => labels?.["le"] ?? labels?.["quantile"]);
    expect(valuesOf("le")).toEqual(["1.0", "0.005", "+Inf", "1"]);
    expect(valuesOf(null)).toEqual(["1", "5e-3", "+Inf", "1"]);
  });

  test("is left to the long way when its bound is too long in the usual form", () => {
    const options = { ...defaults, targetLabels: Labels.empty, labelValueLengthLimit: 3 };
    expect(shortWay(options, ['b{le="12"}', 'b{le="1"}'], "le")).toEqual([
      null,
      { __name__: "b", le: "1.0" },
    ]);
  });

  test("is left to the long way when it may be anything else", () => {
    const lines = [
      'x{a="\\n"}',
      'x{a=""}',
      'x{a="1",a="2"}',
      'x{job="mine"}',
      'x{__name__="y"}',
      'x{a="1",} ',
      'x{ a="1"}',
      'x{a="1"} ',
      "x ",
      "x{}",
      '{"x"}',
      '1x{a="1"}',
      'x{1a="1"}',
      'x{a:b="1"}',
      "x{a='1'}",
      'x{a="1"}} ',
      'x{a="1"b="2"}',
    ];
    expect(shortWay(defaults, lines)).toEqual(lines.map(() => null));
    const line = ['xyz{ab="1234"}'];
    expect(shortWay(defaults, line)).not.toEqual([null]);
    for (const limit of [{ labelLimit: 3 }, { labelNameLengthLimit: 7 }, { labelValueLengthLimit: 8 }]) {
      expect(shortWay({ ...defaults, ...limit }, line)).toEqual([null]);
    }
    for (const limit of [{ labelLimit: 4 }, { labelNameLengthLimit: 8 }, { labelValueLengthLimit: 9 }]) {
      expect(shortWay({ ...defaults, ...limit }, line)).not.toEqual([null]);
    }
  });
});

const name = fc.constantFrom(
  "a",
  "b",
  "le",
  "job",
  "instance",
  "quantile",
  "__name__",
  "x9",
  "Z",
  "long_name",
  "1",
  "",
);
const value = fc.oneof(
  fc.constantFrom(
    "",
    "1",
    "12",
    "1e5",
    "0.5",
    "+Inf",
    "a b",
    "\\\\",
    "\\n",
    "ü",
    "{}",
    "x=y",
    "longer value",
  ),
  fc.string({ maxLength: 6 }),
);
const label = fc.tuple(name, value).map(([key, text]) => `${key}="${text}"`);
const line = fc
  .tuple(
    fc.constantFrom("up", "h_bucket", "a:b", "9x", "", " up"),
    fc.array(label, { maxLength: 4 }),
    fc.constantFrom(",", ", ", ""),
    fc.constantFrom("}", "}", ",}", " }", "} ", "}}"),
  )
  .map(([metric, labels, comma, end]) =>
    labels.length === 0 ? metric : `${metric}{${labels.join(comma === "" ? "," : comma)}${end}`,
  )
  .map((text) => Buffer.from(text, "utf8").toString("latin1"));

test("whatever the lines and limits, the short way gives the labels the long way gives, or nothing", () => {
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 6 }),
      fc.record({
        honorLabels: fc.boolean(),
        labelLimit: fc.constantFrom(0, 3, 4),
        labelNameLengthLimit: fc.constantFrom(0, 2, 8),
        labelValueLengthLimit: fc.constantFrom(0, 3, 9),
        targetLabels: fc.constantFrom(
          defaults.targetLabels,
          Labels.empty,
          Labels.fromRecord({ job: "j", "odd name": "x" }),
        ),
      }),
      fc.constantFrom("le" as const, null),
      (lines, options, bound) => {
        const all = { ...defaults, ...options };
        shortWay(all, lines, bound).forEach((found, i) => {
          if (found === null) return;
          for (const syntax of [textSyntax, openMetricsSyntax]) {
            const labels = new SeriesLabels(all).of(syntax.parseSeries(`${lines[i]!} `), bound);
            expect(found).toEqual(labels!.toRecord());
          }
        });
      },
    ),
    { numRuns: 2000 },
  );
});
