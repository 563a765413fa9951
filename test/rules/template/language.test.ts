import { describe, expect, test } from "vitest";
import { executeTemplate } from "../../../src/rules/template/execute.ts";
import { templateFunctions } from "../../../src/rules/template/functions.ts";
import { parseTemplate } from "../../../src/rules/template/parse.ts";
import { ListValue, MapValue, type Value } from "../../../src/rules/template/value.ts";

// What Go's text/template makes of these, checked against Go itself with the same data.

const list = (...items: Value[]) => new ListValue(items, "[]interface {}");
const map = (record: Record<string, Value>) => MapValue.of(Object.entries(record), "map[string]interface {}");

const data = map({
  name: "World",
  list: list("a", "b", "c"),
  empty: list(),
  map: map({ k1: "v1", k2: "v2" }),
  nested: map({ a: map({ b: "deep" }) }),
  num: 3,
  float: 1.5,
  big: 1234567,
  bool: true,
  null: null,
});

function run(text: string): string {
  const trees = parseTemplate("tpl", text, (name) => templateFunctions.has(name));
  const context = {
    timeMs: 0,
    externalUrl: "",
    queries: {
      get(): never {
        throw new Error("no queries here");
      },
    },
  };
  return executeTemplate("tpl", data, { trees, functions: templateFunctions, context });
}

function errorOf(text: string): string {
  try {
    return `no error, but ${JSON.stringify(run(text))}`;
  } catch (error) {
    return (error as Error).message;
  }
}

describe("text and actions", () => {
  test.each([
    ["hello", "hello"],
    ["", ""],
    ["{{ .name }}", "World"],
    ["{{- .name -}}  x", "Worldx"],
    ["a {{- 1 }} b {{ 2 -}} c", "a1 b 2c"],
    ["{{/* c */}}x", "x"],
    [" {{- /* c */ -}} x", "x"],
    ['x\n {{- "a" }} \n y', "xa \n y"],
    ['{{- "a" -}} {{- "b" -}}', "ab"],
    ["{{-3}}", "-3"],
    ["{{.name|len}}", "5"],
    ["{{ `a\nb` }}", "a\nb"],
  ])("%j gives %j", (text, expected) => expect(run(text)).toBe(expected));
});

describe("constants", () => {
  test.each([
    [
      "{{ 1 }} {{ 1.0 }} {{ 1e6 }} {{ 0x1F }} {{ 'a' }} {{ 1_000 }} {{ -3 }} {{ 1e3 }}",
      "1 1 1e+06 31 97 1000 -3 1000",
    ],
    ["{{ 0b101 }} {{ 0o17 }} {{ 017 }} {{ 1.5e10 }} {{ 0x1p4 }}", "5 15 15 1.5e+10 16"],
    ["{{ 3.0 }} {{ 100000.0 }} {{ 2.50 }} {{ .5 }} {{ 1.}}", "3 100000 2.5 0.5 1"],
    [
      "{{ print 1e5 1e6 123456789.0 0.0001 0.00001 1e20 1e21 }}",
      "100000 1e+06 1.23456789e+08 0.0001 1e-05 1e+20 1e+21",
    ],
    ['{{ true }} {{ false }} {{ "q\\n\\"" }} {{ `raw\\n` }}', 'true false q\n" raw\\n'],
    ["{{ '\\n' }} {{ '\\x41' }} {{ '\\u00e9' }} {{ '\\'' }}", "10 65 233 39"],
    ['{{ "\\x41\\u00e9\\101" }}', "AéA"],
  ])("%j gives %j", (text, expected) => expect(run(text)).toBe(expected));
});

describe("variables", () => {
  test.each([
    ["{{ $x := 1 }}{{ $x }}{{ $x = 2 }}{{ $x }}", "12"],
    ["{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ end }}{{ $x }}", "2"],
    ['{{ range $x := .list }}{{ $x = "z" }}{{ $x }}{{ end }}', "zzz"],
    ['{{ $last := "" }}{{ range $last = .list }}{{ end }}{{ $last }}', "c"],
    ["{{ $.name }}{{ range .list }}{{ $.name }}{{ end }}", "WorldWorldWorldWorld"],
    ["{{ with $y := .name }}{{ $y }}{{ end }}", "World"],
    ["{{ $a := .map }}{{ $a.k1 }}", "v1"],
  ])("%j gives %j", (text, expected) => expect(run(text)).toBe(expected));
});

describe("control", () => {
  test.each([
    ["{{ if .name }}T{{ else }}F{{ end }}", "T"],
    ["{{ if .missing }}T{{ else if .name }}E{{ else }}F{{ end }}", "E"],
    ['{{ if .empty }}T{{ else }}F{{ end }}{{ if 0.0 }}T{{ end }}{{ if "" }}T{{ end }}', "F"],
    ["{{ with .map }}{{ .k1 }}{{ end }}", "v1"],
    ["{{ with .missing }}x{{ else }}y{{ end }}", "y"],
    ["{{ with .missing }}a{{ else with .name }}{{ . }}{{ end }}", "World"],
    ["{{ range .list }}{{ . }},{{ else }}none{{ end }}", "a,b,c,"],
    ["{{ range .empty }}{{ . }},{{ else }}none{{ end }}", "none"],
    ["{{ range .missing }}x{{ else }}none{{ end }}", "none"],
    ["{{ range $i, $e := .list }}{{ $i }}={{ $e }};{{ end }}", "0=a;1=b;2=c;"],
    ["{{ range $k, $v := .map }}{{ $k }}:{{ $v }} {{ end }}", "k1:v1 k2:v2 "],
    ['{{ range .list }}{{ if eq . "b" }}{{ continue }}{{ end }}{{ . }}{{ end }}', "ac"],
    ['{{ range .list }}{{ if eq . "b" }}{{ break }}{{ end }}{{ . }}{{ end }}', "a"],
    ["{{ range 3 }}{{ . }}{{ end }}{{ range $i := 2 }}{{ $i }}{{ end }}", "01201"],
  ])("%j gives %j", (text, expected) => expect(run(text)).toBe(expected));
});

describe("templates within templates", () => {
  test.each([
    ['{{ define "T" }}[{{ . }}]{{ end }}{{ template "T" .name }}', "[World]"],
    ['{{template "x" . }}{{define "x"}}{{.name}}{{$.name}}{{end}}', "WorldWorld"],
    ['{{ block "B" .name }}<{{ . }}>{{ end }}', "<World>"],
    ['{{ define "T" }}{{ . }}{{ end }}{{ template "T" }}', "<no value>"],
    ['{{ define "T" }}{{ end }}{{ define "T" }}late{{ end }}{{ template "T" }}', "late"],
  ])("%j gives %j", (text, expected) => expect(run(text)).toBe(expected));
});

describe("pipelines and fields", () => {
  test.each([
    ['{{ "x" | printf "%s-%s" "y" }} {{ 1 | print }} {{ .name | len | printf "%03d" }}', "y-x 1 005"],
    ["{{ true | not }} {{ .name | not | not }}", "false true"],
    ['{{ print (1) (len .list) (print "a" | len) }}', "1 3 1"],
    ["{{ .nested.a.b }} {{ (.nested).a.b }} {{ (.nested.a) }}", "deep deep map[b:deep]"],
    ["{{ .missing }}|{{ .missing.deeper }}|{{ .null }}", "<no value>|<no value>|<no value>"],
    [
      "{{ . }}",
      "map[big:1.234567e+06 bool:true empty:[] float:1.5 list:[a b c] map:map[k1:v1 k2:v2] name:World nested:map[a:map[b:deep]] null:<nil> num:3]",
    ],
  ])("%j gives %j", (text, expected) => expect(run(text)).toBe(expected));
});

describe("functions", () => {
  test.each([
    ['{{ len .name }} {{ len .list }} {{ len .map }} {{ len "é" }}', "5 3 2 2"],
    [
      '{{ index .list 1 }} {{ index .map "k1" }} {{ index "abc" 1 }} {{ index .nested "a" "b" }}',
      "b v1 98 deep",
    ],
    [
      "{{ slice .name 1 3 }} {{ slice .name 1 }} {{ slice .list 1 2 }} {{ slice .name }} {{ slice .list 0 1 2 }}",
      "or orld [b] World [a]",
    ],
    [
      "{{ eq 1 1 }} {{ eq 1 2 1 }} {{ ne 1 2 }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt 3 2 }} {{ ge 3 3 }}",
      "true true true true true true true",
    ],
    [
      '{{ eq "a" "a" }} {{ lt "a" "b" }} {{ eq true true }} {{ lt 1.5 2.5 }} {{ gt 1 2 }} {{ ne 2 2 }}',
      "true true true true false false",
    ],
    [
      '{{ eq nil nil }} {{ eq .missing nil }} {{ eq .missing 1 }} {{ ne .missing "a" }}',
      "true true false true",
    ],
    [
      '{{ or 0 "" "x" }} {{ or 0 "" }}| {{ not 0 }} {{ not 1 }} {{ and 1 2 3 }} {{ and 1 0 2 }}',
      "x | true false 3 0",
    ],
    ["{{ or true (index .list 9) }} {{ and false (index .list 9) }}", "true false"],
    ['{{ html "<a href=\'x\'>&\\"" }}', "&lt;a href=&#39;x&#39;&gt;&amp;&#34;"],
    ['{{ js "it\'s \\"<b>\\" & = \\n é" }}', 'it\\\'s \\"\\u003Cb\\u003E\\" \\u0026 \\u003D \\u000A é'],
    ['{{ urlquery "a b&c=d/é~*" }} {{ html 1 2 "a" }}', "a+b%26c%3Dd%2F%C3%A9~%2A 1 2a"],
    [
      '{{ print 1 2 "a" "b" 3 4.5 true nil }}|{{ println 1 "a" }}|{{ print .list .map }}',
      "1 2ab3 4.5 true <nil>|1 a\n|[a b c] map[k1:v1 k2:v2]",
    ],
    ["{{ html nil }} {{ print nil }}", "&lt;nil&gt; <nil>"],
  ])("%j gives %j", (text, expected) => expect(run(text)).toBe(expected));
});

describe("a text that can't be parsed", () => {
  test.each([
    ["{{ foo }}", 'function "foo" not defined'],
    ["{{ $x }}", 'undefined variable "$x"'],
    ['{{ define "T" }}{{ $x }}{{ end }}', 'undefined variable "$x"'],
    ["{{ with $x := 3 }}{{ $x }}{{ end }}{{ $x }}", 'undefined variable "$x"'],
    ["{{ .name", "unclosed action"],
    ['{{ "abc }}', "unterminated quoted string"],
    ["{{ `abc }}", "unterminated raw quoted string"],
    ["{{ 'a }}", "unterminated character constant"],
    ["{{ 'ab' }}", "malformed character constant: 'ab'"],
    ["{{ 1a }}", 'bad number syntax: "1a"'],
    ["{{ 99999999999999999999 }}", 'integer overflow: "99999999999999999999"'],
    ["{{ if }}x{{ end }}", "missing value for if"],
    ["{{ if .name }}x", "unexpected EOF"],
    ["{{ end }}", "unexpected {{end}}"],
    ["{{ else }}", "unexpected {{else}}"],
    ["{{ range }}{{ end }}", "missing value for range"],
    ["{{ if .name }}x{{ else }}y{{ else }}z{{ end }}", "expected end; found {{else}}"],
    ["{{ break }}", "{{break}} outside {{range}}"],
    ["{{ template 3 }}", 'unexpected "3" in template clause'],
    ["{{ define }}", 'unexpected "}}" in define clause'],
    ['{{ define "a" }}', "unexpected EOF"],
    ['{{ define "a" }}x{{ end }}{{ define "a" }}y{{ end }}', 'template: multiple definition of template "a"'],
    ["{{ }}", "missing value for command"],
    ["{{ | }}", 'unexpected "|" in command'],
    ["{{ 1 | 2 }}", "non executable command in pipeline stage 2"],
    ["{{ ) }}", "unexpected right paren"],
    ["{{ (1 }}", "unclosed left paren"],
    ["{{ @ }}", 'unexpected "@" in command'],
    ["{{ .a@ }}", "bad character U+0040 '@'"],
    ["{{ é }}", 'function "é" not defined'],
    ["{{ $a, $b := .list }}", "too many declarations in command"],
    ["{{ range $a, $b, $c := .list }}{{ end }}", "too many declarations in range"],
    ["{{ range $a, 1 := .list }}{{ end }}", "range can only initialize variables"],
    ["{{ $x : 1 }}", 'undefined variable "$x"'],
    ["{{ range $x : 1 }}{{ end }}", 'undefined variable "$x"'],
    ["{{ $x := }}", "missing value for command"],
    ["{{/* a }}", "unclosed comment"],
    ["{{/* a */ }}", "comment ends before closing delimiter"],
    ["{{ 1.foo }}", 'bad number syntax: "1.f"'],
    ['{{ "a".b }}', 'unexpected . after term "\\"a\\""'],
    ['{{ "\\z" }}', "invalid syntax"],
  ])("%j is refused: %s", (text, expected) => expect(errorOf(text)).toBe(`template: tpl:1: ${expected}`));

  test.each([
    ["line1\n{{ foo }}", 'template: tpl:2: function "foo" not defined'],
    ["{{\n  foo\n}}", 'template: tpl:2: function "foo" not defined'],
    ["{{ .name\n\n", "template: tpl:3: unclosed action started at tpl:1"],
    ["{{if .x}}\n{{range .y}}\n", "template: tpl:3: unexpected EOF"],
  ])("%j names the line", (text, expected) => expect(errorOf(text)).toBe(expected));

  test("may nest deeply, but not without end", () => {
    expect(run("{{if true}}".repeat(400) + "x" + "{{end}}".repeat(400))).toBe("x");
    expect(errorOf("{{if true}}".repeat(600) + "x" + "{{end}}".repeat(600))).toBe(
      "template: tpl:1: more than 500 levels of nesting",
    );
    expect(errorOf(`{{ ${"(".repeat(100_000)} }}`)).toBe("template: tpl:1: more than 500 levels of nesting");
  });
});

describe("an error while executing", () => {
  test.each([
    ["{{ nil }}", "1:3", "nil", "nil is not a command"],
    ['{{ template "none" }}', "1:12", '{{template "none"}}', 'template "none" not defined'],
    ["{{ len 3 }}", "1:3", "len 3", "error calling len: len of type int"],
    [
      "{{ len nil }}",
      "1:3",
      "len nil",
      "error calling len: reflect: call of reflect.Value.Type on zero Value",
    ],
    ["{{ index .list 3 }}", "1:3", "index .list 3", "error calling index: reflect: slice index out of range"],
    ["{{ index .list 4 }}", "1:3", "index .list 4", "error calling index: index out of range: 4"],
    ["{{ index .list -1 }}", "1:3", "index .list -1", "error calling index: index out of range: -1"],
    [
      '{{ index .list "a" }}',
      "1:3",
      'index .list "a"',
      "error calling index: cannot index slice/array with type string",
    ],
    [
      "{{ index .map 1 }}",
      "1:3",
      "index .map 1",
      "error calling index: value has type int; should be string",
    ],
    ["{{ index 3 1 }}", "1:3", "index 3 1", "error calling index: can't index item of type int"],
    ["{{ index nil 1 }}", "1:3", "index nil 1", "error calling index: index of untyped nil"],
    ["{{ slice .name 3 1 }}", "1:3", "slice .name 3 1", "error calling slice: invalid slice index: 3 > 1"],
    [
      "{{ slice .name 1 2 3 }}",
      "1:3",
      "slice .name 1 2 3",
      "error calling slice: cannot 3-index slice a string",
    ],
    [
      "{{ eq 1 1.0 }}",
      "1:3",
      "eq 1 1.0",
      "error calling eq: incompatible types for comparison: int and float64",
    ],
    ["{{ lt true false }}", "1:3", "lt true false", "error calling lt: invalid type for comparison"],
    ["{{ eq 1 }}", "1:3", "eq 1", "error calling eq: missing argument for comparison"],
    ["{{ eq }}", "1:3", "eq", "wrong number of args for eq: want at least 1 got 0"],
    ["{{ not 1 2 }}", "1:3", "not", "wrong number of args for not: want 1 got 2"],
    ["{{ printf 3 }}", "1:10", "3", "expected string; found 3"],
    ["{{ .name 3 }}", "1:3", ".name", "name is not a method but has arguments"],
    ["{{ 3 4 }}", "1:3", "3", "can't give argument to non-function 3"],
    ["{{ .name.foo }}", "1:8", ".name.foo", "can't evaluate field foo in type interface {}"],
    ["a\n  é{{ .name.x }}", "2:12", ".name.x", "can't evaluate field x in type interface {}"],
    ["{{ range 1.5 }}{{ . }}{{ end }}", "1:9", "1.5", "range can't iterate over 1.5"],
    ["{{ range $i, $j := 3 }}{{ end }}", "1:19", "3", "can't use 3 to iterate over more than one variable"],
    ["{{ call .name }}", "1:3", "call .name", "error calling call: non-function .name of type string"],
  ])("%j is told with its place", (text, place, node, expected) =>
    expect(errorOf(text)).toBe(`template: tpl:${place}: executing "tpl" at <${node}>: ${expected}`),
  );
});

describe("execution is bounded", () => {
  test("in steps", () => {
    expect(errorOf("{{ range 1000000000 }}{{ end }}")).toMatch(/more than \d+ steps$/);
  });

  test("in output", () => {
    expect(errorOf('{{ range 1000000 }}{{ printf "%1000d" 1 }}{{ end }}')).toMatch(
      /output is longer than \d+ characters$/,
    );
  });

  test("in the size of values", () => {
    expect(errorOf('{{ $x := "xxxxxxxx" }}{{ range 40 }}{{ $x = print $x $x }}{{ end }}')).toMatch(
      /text is longer than \d+ characters$/,
    );
    expect(errorOf('{{ $x := "x" }}{{ range 60 }}{{ $x = args $x $x }}{{ end }}{{ $x }}')).toMatch(
      /cannot print value: more than \d+ characters$/,
    );
    expect(errorOf('{{ $x := "x" }}{{ range 20000 }}{{ $x = args $x }}{{ end }}{{ $x }}')).toMatch(
      /levels deep$/,
    );
  });

  test("in the depth of templates that call themselves", () => {
    expect(errorOf('{{ define "r" }}{{ template "r" }}{{ end }}{{ template "r" }}')).toMatch(
      /exceeded maximum template depth \(\d+\)$/,
    );
  });
});
