import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Labels } from "../../../src/model/labels.ts";
import { renderConsole } from "../../../src/rules/template/console-template.ts";
import { QueryMemo } from "../../../src/rules/template/query-memo.ts";
import { sample } from "../../support/rule-fixtures.ts";

const someParams = new URLSearchParams({
  x: "<b a='1'>\"&+ /\\é\n",
  u: "http://h/p?a=b c&d='e'",
  s: "red",
  h: "<i>x</i> & y",
  j: "javascript:alert(1)",
  p: "/path/a b",
  e: "",
});

const library = { name: "a.lib", text: '{{ define "lib" }}<u>{{ . }}</u>{{ end }}' };

function render(
  text: string,
  libraries: readonly { name: string; text: string }[] = [library],
  params = someParams,
): Promise<string> {
  const queries = new QueryMemo(async () => [sample({ instance: "<a>" }, 1)]);
  return renderConsole(
    {
      name: "/page.html",
      text,
      libraries,
      path: "page.html",
      params,
      externalLabels: Labels.fromRecord({ region: "eu" }),
    },
    { timeMs: 0, externalUrl: "http://prom.example", queries },
  );
}

// Checked against a Prometheus that serves the same pages.
describe("a value is escaped for the place where it stands", () => {
  test.each([
    ["<b>{{ .Params.x }}</b>", "<b>&lt;b a=&#39;1&#39;&gt;&#34;&amp;&#43; /\\é\n</b>"],
    ['<a href="{{ .Params.u }}">x</a>', '<a href="http://h/p?a=b%20c&amp;d=%27e%27">x</a>'],
    [
      "<a href='/q?a={{ .Params.x }}&b=2'>",
      "<a href='/q?a=%3cb%20a%3d%271%27%3e%22%26%2b%20%2f%5c%c3%a9%0a&b=2'>",
    ],
    ["<a href={{ .Params.x }}>", "<a href=%3cb%20a&#61;%271%27%3e%22&amp;&#43;%20/%5c%c3%a9%0a>"],
    [
      "<input value={{ .Params.x }} name='{{ .Params.x }}'>",
      "<input value=&lt;b&#32;a&#61;&#39;1&#39;&gt;&#34;&amp;&#43;&#32;/\\é&#10; name='&lt;b a=&#39;1&#39;&gt;&#34;&amp;&#43; /\\é\n'>",
    ],
    [
      '<script>/* c */ x = /a"{{ .Params.s }}/.test(y) / 2 / {{ 3 }};</script>',
      '<script>  x = /a"red/.test(y) / 2 /  3 ;</script>',
    ],
    [
      '<style>p { color: {{ .Params.s }}; width: {{ .Params.x }}; content: "{{ .Params.x }}" } /* c */</style>',
      '<style>p { color: red; width: ZgotmplZ; content: "\\3c b a=\\27 1\\27\\3e\\22\\26\\2b  \\2f\\\\é\\a " }  </style>',
    ],
    [
      "<div style=\"color: {{ .Params.s }}\" onclick=\"f('{{ .Params.x }}', {{ .Params.x }})\" data-url='{{ .Params.u }}'>",
      "<div style=\"color: red\" onclick=\"f('\\u003cb a=\\u00271\\u0027\\u003e\\u0022\\u0026\\u002b \\/\\\\é\\n', &#34;\\u003cb a=&#39;1&#39;\\u003e\\&#34;\\u0026&#43; /\\\\é\\n&#34;)\" data-url='http://h/p?a=b%20c&amp;d=%27e%27'>",
    ],
    ["<!-- c {{ .Params.x }} -->after", "after"],
    [
      "a < b {{ .Params.x }} </ c <!DOCTYPE html>",
      "a &lt; b &lt;b a=&#39;1&#39;&gt;&#34;&amp;&#43; /\\é\n &lt;/ c <!DOCTYPE html>",
    ],
    [
      '{{ safeHtml .Params.x }} <a title="{{ safeHtml .Params.h }}">',
      '<b a=\'1\'>"&+ /\\é\n <a title="x & y">',
    ],
    [
      "<textarea>{{ .Params.x }}</textarea><title>{{ .Params.x }}</title>",
      "<textarea>&lt;b a=&#39;1&#39;&gt;&#34;&amp;&#43; /\\é\n</textarea><title>&lt;b a=&#39;1&#39;&gt;&#34;&amp;&#43; /\\é\n</title>",
    ],
    ["<a {{ .Params.s }}=1 {{ .Params.x }}=2>", "<a red=1 ZgotmplZ=2>"],
    [
      "{{ .Params.x | html }} {{ html .Params.x }}",
      "&lt;b a=&#39;1&#39;&gt;&#34;&amp;+ /\\é\n &lt;b a=&#39;1&#39;&gt;&#34;&amp;+ /\\é\n",
    ],
    [
      "{{ $params.s }} {{ $path }} {{ $rawParams.x }} {{ .RawParams.nope }}|{{ .Params.nope }}",
      "red page.html [&lt;b a=&#39;1&#39;&gt;&#34;&amp;&#43; /\\é\n] []|",
    ],
    [
      '{{ tmpl "lib" .Params.x }} {{ template "lib" .Params.x }}',
      "<u>&lt;b a=&#39;1&#39;&gt;&#34;&amp;&#43; /\\é\n</u> <u>&lt;b a=&#39;1&#39;&gt;&#34;&amp;&#43; /\\é\n</u>",
    ],
    [
      '{{ define "own" }}<i>{{ . }}</i>{{ end }}{{ tmpl "own" .Params.x }}',
      "<i>&lt;b a=&#39;1&#39;&gt;&#34;&amp;&#43; /\\é\n</i>",
    ],
    [
      '<img src="{{ .Params.j }}"> <a href="mailto:{{ .Params.x }}"> <a href="{{ .Params.p }}?q={{ .Params.x }}#{{ .Params.x }}">',
      '<img src="#ZgotmplZ"> <a href="mailto:%3cb%20a=%271%27%3e%22&amp;&#43;%20/%5c%c3%a9%0a"> <a href="/path/a%20b?q=%3cb%20a%3d%271%27%3e%22%26%2b%20%2f%5c%c3%a9%0a#%3cb%20a%3d%271%27%3e%22%26%2b%20%2f%5c%c3%a9%0a">',
    ],
    [
      "{{ range $i, $e := args 1 \"<b>\" }}<p id='{{ $i }}'>{{ $e }}</p>{{ end }}",
      "<p id='arg0'>1</p><p id='arg1'>&lt;b&gt;</p>",
    ],
    [
      '<script>var x = {{ printf "%.1f" 2.25 }}; y = {{ len "ab" }} ; z={{ .Params.nope }}</script>',
      '<script>var x = "2.2"; y =  2  ; z=""</script>',
    ],
    [
      '{{ .Params.x | urlquery }} <a href="?a={{ .Params.x | urlquery }}">',
      '%3Cb&#43;a%3D%271%27%3E%22%26%2B&#43;%2F%5C%C3%A9%0A <a href="?a=%3Cb&#43;a%3D%271%27%3E%22%26%2B&#43;%2F%5C%C3%A9%0A">',
    ],
    ['<div class="a {{ .Params.s }} b" id={{ .Params.s }}>', '<div class="a red b" id=red>'],
    [
      '<script type="text/javascript">new PromConsole.Graph({ node: document.querySelector("#g"), expr: "sum(rate(x{instance=\'{{ .Params.x }}\'}[5m]))", name: "[[ x ]]" })</script>',
      '<script type="text/javascript">new PromConsole.Graph({ node: document.querySelector("#g"), expr: "sum(rate(x{instance=\'\\u003cb a=\\u00271\\u0027\\u003e\\u0022\\u0026\\u002b \\/\\\\é\\n\'}[5m]))", name: "[[ x ]]" })</script>',
    ],
    ['{{ humanize 1234567.0 }} {{ 1e6 }} {{ printf "%q" "a+b" }}', "1.235M 1e&#43;06 &#34;a&#43;b&#34;"],
    [
      '<a href="javascript:{{ .Params.x }}">',
      '<a href="javascript:%3cb%20a=%271%27%3e%22&amp;&#43;%20/%5c%c3%a9%0a">',
    ],
    ["<svg:a xlink:href='{{ .Params.j }}'>", "<svg:a xlink:href='#ZgotmplZ'>"],
  ])("%j", async (text, expected) => expect(await render(text)).toBe(expected));

  test.each<[string, string, RegExp]>([
    ["<p>", "</p>", /[<>]/],
    ["<p title='", "'>", /['<>]/],
    ['<p title="', '">', /["<>]/],
    ["<p title=", ">", /[ \t\n\f\r"'<>=`]/],
    ["<a href='", "'>", /['<> \n]|^javascript:/i],
    ["<a href=", ">", /[ \t\n\f\r"'<>=`]|^javascript:/i],
    ["<script>x = '", "'</script>", /[\n\r<'\u2028]/],
    ['<script>x = "', '"</script>', /[\n\r<"\u2028]/],
    ["<script>x = ", "</script>", /[\n\r<\u2028]/],
    ["<style>p { color: ", " }</style>", /[<;{}"'/\\]/],
    ["<style>p { content: '", "' }</style>", /[\n\r<'}]/],
    ['<b onclick="f(', ')">', /["<>\n]/],
    ["<textarea>", "</textarea>", /[<>]/],
  ])("between %s and %s it can't leave its place, whatever it is", async (before, after, forbidden) => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.string({ unit: fc.constantFrom(..."<>\"'`=/\\&;:{}()* \n\u2028ax-") }),
          fc.constantFrom("javascript:alert(1)", "JavaScript:x", "</script>", "<!--", "*/", "expression(x)"),
        ),
        async (value) => {
          const page = await render(
            `${before}{{ .Params.x }}${after}`,
            [],
            new URLSearchParams({ x: value }),
          );
          expect(page.startsWith(before) && page.endsWith(after)).toBe(true);
          expect(page.slice(before.length, page.length - after.length)).not.toMatch(forbidden);
        },
      ),
    );
  });

  test("an empty value without quotes is one that can't be mistaken", async () => {
    expect(await render("<p id={{ .Params.e }}>")).toBe("<p id=ZgotmplZ>");
  });
});

describe("a page that fails", () => {
  test.each([
    [
      "<script>var a = {{ .Params.x }}; var b = \"{{ .Params.x }}\"; var c='{{ .Params.x }}'; // c {{ .Params.x }}\nf({{ .Params }}, {{ 3 }}, {{ 1.5 }}, {{ true }}, {{ .RawParams.x }}, {{ nil | print }})</script>",
      'error executing template __console_/page.html: template: __console_/page.html:2:72: executing "__console_/page.html" at <nil>: nil is not a command',
    ],
    [
      "{{ .Foo }}",
      'error executing template __console_/page.html: template: __console_/page.html:1:110: executing "__console_/page.html" at <.Foo>: can\'t evaluate field Foo in type struct { RawParams url.Values; Params map[string]string; Path string; ExternalLabels map[string]string }',
    ],
    [
      "{{ $x }}",
      'error parsing template __console_/page.html: template: __console_/page.html:1: undefined variable "$x"',
    ],
    [
      '{{ tmpl "nope" . }}',
      'error executing template __console_/page.html: template: __console_/page.html:1:110: executing "__console_/page.html" at <tmpl "nope" .>: error calling tmpl: html/template: "nope" is undefined',
    ],
  ])("%j", async (text, expected) => {
    await expect(render(text)).rejects.toThrow(new Error(expected));
  });

  test("because of a library says so", async () => {
    await expect(render("x", [{ name: "bad.lib", text: "{{ nope }}" }])).rejects.toThrow(
      'error parsing template files for __console_/page.html: template: bad.lib:1: function "nope" not defined',
    );
  });

  test("when templates call each other without end", async () => {
    const text = '{{ define "r" }}{{ tmpl "r" . }}{{ end }}{{ tmpl "r" . }}';
    await expect(render(text)).rejects.toThrow("exceeded maximum template depth (50)");
  });
});

test("a page can query, and sees the external labels", async () => {
  expect(
    await render(
      '{{ range query "up" }}{{ .Labels.instance }}={{ .Value }}{{ end }} {{ $externalLabels.region }}',
    ),
  ).toBe("&lt;a&gt;=1 eu");
});

test("a library's template takes the place of an earlier one of that name, unless it is empty", async () => {
  const libraries = [
    { name: "a.lib", text: '{{ define "t" }}first{{ end }}' },
    { name: "b.lib", text: '{{ define "t" }}second{{ end }}' },
    { name: "c.lib", text: '{{ define "t" }} {{ end }}' },
  ];
  expect(await render('{{ template "t" }}', libraries)).toBe("second");
});
