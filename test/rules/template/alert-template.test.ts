import { describe, expect, test } from "vitest";
import { Labels } from "../../../src/model/labels.ts";
import type { FloatHistogram } from "../../../src/model/histogram.ts";
import type { VectorSample } from "../../../src/promql/value.ts";
import { AlertTemplate, alertData, alertTemplateError } from "../../../src/rules/template/alert-template.ts";
import { QueryMemo } from "../../../src/rules/template/query-memo.ts";
import { sample } from "../../support/rule-fixtures.ts";

const labels = { __name__: "up", instance: "host.example.com:9090", job: "a" };
const results: Record<string, readonly VectorSample[]> = {
  up: [sample(labels, 42.5), sample({ __name__: "up", instance: "b", job: "z" }, 7)],
  none: [],
};

async function expand(text: string, value: number | FloatHistogram = 42.5) {
  const asked: string[] = [];
  const queries = new QueryMemo(async (query) => {
    asked.push(query);
    const found = results[query];
    if (found === undefined) throw new Error(`1:1: parse error: cannot understand ${query}`);
    return found;
  });
  const { text: expanded, error } = await new AlertTemplate("Down", text).expand(
    alertData({
      labels: Labels.fromRecord(labels),
      externalLabels: Labels.fromRecord({ region: "eu" }),
      externalUrl: "http://prom.example/sub/path",
      value,
    }),
    { timeMs: 300_500, externalUrl: "http://prom.example/sub/path", queries },
  );
  return { text: expanded, error, asked };
}

async function textOf(text: string, value?: number): Promise<string> {
  return (await expand(text, value)).text;
}

describe("the data of an alert", () => {
  test.each([
    ["no template", "no template"],
    ["{{ $value }} {{ .Value }}", "42.5 42.5"],
    ["{{ $labels.instance }} {{ .Labels.job }} {{ $labels.missing }}|", "host.example.com:9090 a |"],
    ["{{ $externalLabels.region }} {{ .ExternalLabels.region }}", "eu eu"],
    [
      "{{ $externalURL }} {{ externalURL }} {{ pathPrefix }}",
      "http://prom.example/sub/path http://prom.example/sub/path /sub/path",
    ],
    [
      "{{ range $k, $v := $labels }}{{ $k }}={{ $v }},{{ end }}",
      "__name__=up,instance=host.example.com:9090,job=a,",
    ],
    ['{{ len $labels }} {{ index $labels "job" }}|{{ index $labels "nope" }}|', "3 a||"],
    ['{{ if gt $value 5.0 }}big{{ end }} {{ printf "%.2f %s" $value $labels.job }}', "big 42.50 a"],
    ["{{ now }}", "300.5"],
  ])("%j gives %j", async (text, expected) => expect(await textOf(text)).toBe(expected));

  test.each([
    [1, "1"],
    [0.1, "0.1"],
    [1e6, "1e+06"],
    [123456789, "1.23456789e+08"],
    [0.00001, "1e-05"],
    [NaN, "NaN"],
    [-Infinity, "-Inf"],
  ])("the value %d prints as %s", async (value, expected) =>
    expect(await textOf("{{ $value }}", value)).toBe(expected),
  );

  test("a native histogram prints with its buckets", async () => {
    const histogram: FloatHistogram = {
      isInteger: false,
      counterResetHint: "unknown",
      schema: 0,
      zeroThreshold: 0.001,
      zeroCount: 2,
      count: 9,
      sum: 18.4,
      isStale: false,
      positiveSpans: [
        { offset: 0, length: 2 },
        { offset: 1, length: 1 },
      ],
      negativeSpans: [{ offset: 0, length: 1 }],
      positiveBuckets: Float64Array.of(1, 2, 3),
      negativeBuckets: Float64Array.of(1),
      customValues: new Float64Array(),
    };
    const { text } = await expand("{{ $value }}", histogram);
    expect(text).toBe("{count:9, sum:18.4, [-1,-0.5):1, [-0.001,0.001]:2, (0.5,1]:1, (1,2]:2, (4,8]:3}");
  });
});

// Checked against promtool's rule tests.
describe("Prometheus's functions", () => {
  test.each([
    [
      '{{ humanize 1234567.0 }} {{ humanize 0.0012345 }} {{ humanize 0 }} {{ humanize 999 }} {{ humanize 1000 }} {{ humanize -1234 }} {{ humanize "12" }} {{ humanize 1e30 }} {{ humanize 1e-30 }}',
      "1.235M 1.234m 0 999 1k -1.234k 12 1e+06Y 1e-06y",
    ],
    [
      "{{ humanize1024 1048576 }} {{ humanize1024 1 }} {{ humanize1024 0.5 }} {{ humanize1024 1500 }} {{ humanize1024 -2048 }}",
      "1Mi 1 0.5 1.465ki -2ki",
    ],
    [
      "{{ humanizeDuration 0 }} {{ humanizeDuration 1 }} {{ humanizeDuration 59.5 }} {{ humanizeDuration 60 }} {{ humanizeDuration 3600 }} {{ humanizeDuration 86400 }}",
      "0s 1s 59.5s 1m 0s 1h 0m 0s 1d 0h 0m 0s",
    ],
    [
      "{{ humanizeDuration 90061.5 }} {{ humanizeDuration -3661 }} {{ humanizeDuration 0.1 }} {{ humanizeDuration 0.00001 }} {{ humanizeDuration -0.5 }}",
      "1d 1h 1m 1s -1h 1m 1s 100ms 10us -500ms",
    ],
    [
      "{{ humanizePercentage 0.12345 }} {{ humanizePercentage 1 }} {{ humanizePercentage 0.000001 }} {{ humanizePercentage 123.456 }}",
      "12.35% 100% 0.0001% 1.235e+04%",
    ],
    [
      "{{ humanizeTimestamp 1435065584.128 }}; {{ humanizeTimestamp 0 }}; {{ humanizeTimestamp -1.5 }}",
      "2015-06-23 13:19:44.128 +0000 UTC; 1970-01-01 00:00:00 +0000 UTC; 1969-12-31 23:59:58.5 +0000 UTC",
    ],
    [
      "{{ toTime 1435065584.128 }} {{ (toTime 1435065584.0).Year }} {{ (toTime 1435065584.0).Weekday }}",
      "2015-06-23 13:19:44.128 +0000 UTC 2015 Tuesday",
    ],
    [
      '{{ (toTime 1435065584.0).Format "Mon Jan _2 15:04:05 2006 PM 3:04 -07:00 MST .000" }}',
      "Tue Jun 23 13:19:44 2015 PM 1:19 +00:00 UTC .000",
    ],
    [
      "{{ (toTime 1435065584.0).Unix }} {{ (toTime 1435065584.0).YearDay }} {{ (toTime 1435065584.5).Month }}",
      "1435065584 174 June",
    ],
    [
      "{{ toDuration 3661.5 }} {{ (toDuration 90).Minutes }} {{ toDuration 0.0005 }} {{ toDuration 0 }} {{ humanizeDuration (toDuration 90) }}",
      "1h1m1.5s 1.5 500µs 0s 1m 30s",
    ],
    [
      '{{ parseDuration "1h30m" }} {{ parseDuration "5s" | humanizeDuration }} {{ parseDuration "-1d" }}',
      "5400 5s -86400",
    ],
    [
      '{{ title "hello wORLD foo-bar" }} {{ toUpper "straße" }} {{ toLower "ABC" }}',
      "Hello WORLD Foo-Bar STRAßE abc",
    ],
    ['{{ match "a.*c" "xabcx" }} {{ match "^b" "abc" }}', "true false"],
    [
      '{{ reReplaceAll "(.*):(.*)" "$2-$1" $labels.instance }} {{ reReplaceAll "a" "" "banana" }}',
      "9090-host.example.com bnn",
    ],
    ['{{ graphLink "up{job=\\"a\\"} > 1" }}', "/graph?g0.expr=up%7Bjob%3D%22a%22%7D+%3E+1&g0.tab=0"],
    ['{{ tableLink "a b+c*(d)!~\'" }}', "/graph?g0.expr=a+b%2Bc%2A%28d%29%21~%27&g0.tab=1"],
    [
      '{{ stripPort $labels.instance }} {{ stripPort "host" }} {{ stripPort "[::1]:90" }} {{ stripPort "::1" }} {{ stripPort "a:b:c" }}',
      "host.example.com host ::1 ::1 a:b:c",
    ],
    [
      '{{ stripDomain $labels.instance }} {{ stripDomain "10.0.0.1:90" }} {{ stripDomain "10.0.0.1" }} {{ stripDomain "a.b.c" }} {{ stripDomain "[::1]:9" }} {{ stripDomain "a.b:" }}',
      "host:9090 10.0.0.1:90 10.0.0.1 a [::1]:9 a",
    ],
    ['{{ args 1 "a" }} {{ (args 1 2).arg1 }}|{{ (args 1 2).arg7 }}', "map[arg0:1 arg1:a] 2|<no value>"],
    ['{{ safeHtml "<b>" }} {{ urlQueryEscape "a b&c" }}', "<b> a+b%26c"],
  ])("%j gives %j", async (text, expected) => expect(await textOf(text)).toBe(expected));
});

describe("queries", () => {
  test.each([
    ['{{ query "up" | len }} {{ with query "up" }}{{ . | first | value }}{{ end }}', "2 42.5"],
    ['{{ query "up" | first | label "job" }} {{ query "up" | first | strvalue }}|', "a |"],
    [
      '{{ range query "up" | sortByLabel "instance" }}{{ .Labels.instance }}={{ .Value }};{{ end }}',
      "b=7;host.example.com:9090=42.5;",
    ],
    ['{{ query "up" | sortByLabel "instance" | first }}', "{map[__name__:up instance:b job:z] 7}"],
    ['{{ if query "none" }}some{{ else }}none{{ end }}', "none"],
    ['{{ printf "%T %T" (query "up") (query "up" | first) }}', "template.queryResult *template.sample"],
  ])("%j gives %j", async (text, expected) => expect(await textOf(text)).toBe(expected));

  test("are asked once each, however often the template names them", async () => {
    const { asked } = await expand('{{ range 5 }}{{ query "up" | len }}{{ query "none" | len }}{{ end }}');
    expect(asked).toEqual(["up", "none"]);
  });

  test("that the template doesn't come to are not asked", async () => {
    expect((await expand('{{ if false }}{{ query "up" }}{{ end }}')).asked).toEqual([]);
  });

  test("have a bound in number", async () => {
    for (let i = 0; i < 2_000; i++) results[`q${i}`] = [];
    const { text } = await expand('{{ range $i := 2000 }}{{ query (printf "q%d" $i) | len }}{{ end }}');
    expect(text).toMatch(/^<error expanding template: .*more than 1000 queries>$/);
  });
});

const inTemplate = (place: string, node: string, what: string) =>
  `<error expanding template: error executing template __alert_Down: template: __alert_Down:${place}: executing "__alert_Down" at <${node}>: ${what}>`;

describe("a template that fails becomes the text of its error", () => {
  test.each([
    [
      '{{ parseDuration "x" }}',
      inTemplate(
        "1:115",
        'parseDuration "x"',
        'error calling parseDuration: not a valid duration string: "x"',
      ),
    ],
    [
      '{{ match "(" "a" }}',
      inTemplate(
        "1:115",
        'match "(" "a"',
        "error calling match: error parsing regexp: missing closing ): `(`",
      ),
    ],
    [
      '{{ reReplaceAll "(" "" "a" }}',
      inTemplate(
        "1:115",
        'reReplaceAll "(" "" "a"',
        "error calling reReplaceAll: regexp: Compile(`(`): error parsing regexp: missing closing ): `(`",
      ),
    ],
    [
      '{{ query "none" | first }}',
      inTemplate("1:130", "first", "error calling first: first() called on vector with no elements"),
    ],
    [
      '{{ query "up{" }}',
      inTemplate("1:115", 'query "up{"', "error calling query: 1:1: parse error: cannot understand up{"),
    ],
    [
      '{{ (query "up" | first).Foo }}',
      inTemplate("1:129", "first", "can't evaluate field Foo in type *template.sample"),
    ],
    [
      "{{ humanize nil }}",
      inTemplate("1:115", "humanize nil", "error calling humanize: can't convert <nil> to float"),
    ],
    [
      '{{ humanize "abc" }}',
      inTemplate(
        "1:115",
        'humanize "abc"',
        'error calling humanize: strconv.ParseFloat: parsing "abc": invalid syntax',
      ),
    ],
    [
      "{{ humanize $labels }}",
      inTemplate(
        "1:115",
        "humanize $labels",
        "error calling humanize: can't convert map[string]string to float",
      ),
    ],
    [
      "{{ $labels.foo.bar }}",
      inTemplate("1:122", "$labels.foo.bar", "can't evaluate field bar in type string"),
    ],
    ["{{ $value.foo }}", inTemplate("1:121", "$value.foo", "can't evaluate field foo in type float64")],
    ["{{ .Value.foo }}", inTemplate("1:121", ".Value.foo", "can't evaluate field foo in type interface {}")],
    [
      "{{ .Foo }}",
      inTemplate(
        "1:115",
        ".Foo",
        "can't evaluate field Foo in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }",
      ),
    ],
    ['{{ label "a" 3 }}', inTemplate("1:125", "3", "can't handle 3 for arg of type *template.sample")],
    [
      "{{ title .Value }}",
      inTemplate("1:121", ".Value", "wrong type for value; expected string; got float64"),
    ],
    [
      "{{ value nil }}",
      inTemplate(
        "1:115",
        "value nil",
        "error calling value: runtime error: invalid memory address or nil pointer dereference",
      ),
    ],
    [
      "multi\nline {{ $labels.x.y }}",
      inTemplate("2:15", "$labels.x.y", "can't evaluate field y in type string"),
    ],
    [
      "{{ toTime 1e30 }}",
      inTemplate(
        "1:115",
        "toTime 1e30",
        "error calling toTime: 1e+30 cannot be represented as a nanoseconds timestamp since it overflows int64",
      ),
    ],
    [
      "{{ $foo }}",
      '<error expanding template: error parsing template __alert_Down: template: __alert_Down:1: undefined variable "$foo">',
    ],
  ])("%j", async (text, expected) => {
    const { text: expanded, error } = await expand(text);
    expect(expanded).toBe(expected);
    expect(error).not.toBeNull();
  });
});

test("a check tells of a template that can't be parsed, and only of such", () => {
  expect(alertTemplateError("Down", "{{ $labels.x }} {{ query }}")).toBeNull();
  expect(alertTemplateError("Down", "a\n{{ $foo }}")).toBe(
    'template: __alert_Down:2: undefined variable "$foo"',
  );
});
