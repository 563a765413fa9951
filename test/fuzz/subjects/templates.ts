import { Labels } from "../../../src/model/labels.ts";
import { alertData, AlertTemplate } from "../../../src/rules/template/alert-template.ts";
import { renderConsole } from "../../../src/rules/template/console-template.ts";
import { QueryMemo } from "../../../src/rules/template/query-memo.ts";
import type { Random } from "../random.ts";
import { isProgrammersMistake, require, requireEqual, type Subject } from "../subject.ts";

const WORDS = [
  ...[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{/*",
    "*/}}",
    "$labels",
    "$value",
    ".",
    "|",
    ":=",
    "=",
    "(",
    ")",
    '"',
    "`",
    "'a'",
    ",",
  ],
  ...[
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "else if",
    "nil",
    "$x",
  ],
  ...[
    "printf",
    "%v",
    "%5.2f",
    "%#x",
    "%[2]*d",
    "humanize",
    "humanizeDuration",
    "query",
    "first",
    "value",
    "label",
  ],
  ...[
    "reReplaceAll",
    "match",
    "title",
    "toUpper",
    "index",
    "len",
    "slice",
    "eq",
    "lt",
    "and",
    "or",
    "not",
    "call",
    "html",
  ],
  ...[
    "js",
    "urlquery",
    "print",
    "println",
    "args",
    "tmpl",
    "safeHtml",
    "sortByLabel",
    "stripPort",
    "toTime",
    "now",
  ],
  ...[
    "1e400",
    "0x1F",
    "1i",
    "'\\x41'",
    "true",
    "-1",
    "\n",
    "<script>",
    "</script>",
    "<a href=",
    "<style>",
    'onclick="',
    ">",
  ],
];

function pipeline(random: Random, depth = 3): string {
  const operand = (): string =>
    depth > 0 && random.chance(0.2)
      ? `(${pipeline(random, depth - 1)})`
      : random.pick([
          "$value",
          "$labels.a",
          ".Labels",
          "$labels",
          '"text"',
          "5",
          "`x`",
          ".",
          "true",
          "$externalURL",
          random.number(),
        ]);
  const call = random.chance(0.6)
    ? `${random.pick([
        ...[
          "printf",
          "humanize",
          "humanize1024",
          "humanizeDuration",
          "humanizePercentage",
          "humanizeTimestamp",
        ],
        ...[
          "title",
          "toUpper",
          "reReplaceAll",
          "match",
          "index",
          "len",
          "slice",
          "eq",
          "lt",
          "and",
          "not",
          "query",
          "first",
        ],
        ...[
          "value",
          "label",
          "sortByLabel",
          "args",
          "parseDuration",
          "stripPort",
          "stripDomain",
          "graphLink",
          "toTime",
        ],
        ...["html", "js", "urlquery", "print", "safeHtml", "pathPrefix", "toDuration", "strvalue"],
      ])} ${Array.from({ length: random.below(4) }, operand).join(" ")}`
    : operand();
  return random.chance(0.3) && depth > 0 ? `${call} | ${pipeline(random, depth - 1)}` : call;
}

function templateOf(random: Random, depth = 3): string {
  const parts = random.list(5, () => {
    if (depth === 0) return random.text("ab <>&\"'\n", 8);
    const inner = () => templateOf(random, depth - 1);
    switch (random.below(9)) {
      case 0:
        return `{{ if ${pipeline(random)} }}${inner()}{{ else }}${inner()}{{ end }}`;
      case 1:
        return `{{ range $i, $e := ${pipeline(random)} }}${inner()}{{ $e }}{{ end }}`;
      case 2:
        return `{{ with ${pipeline(random)} }}${inner()}{{ end }}`;
      case 3:
        return `{{ define "t" }}${inner()}{{ end }}{{ template "t" . }}`;
      case 4:
        return `{{ $x := ${pipeline(random)} }}{{ $x }}`;
      case 5:
        return random.pick(['<a href="', "<script>", "</script>", "<p>", '">', "<style>a{", "<!-- ", "-->"]);
      case 6:
        return `{{ printf ${JSON.stringify(random.text("%vdxqs5.[]*#+- a", 8))} ${pipeline(random)} }}`;
      default:
        return `{{ ${pipeline(random)} }}`;
    }
  });
  return parts.join("");
}

const timeMs = 1_700_000_000_000;
const externalUrl = "http://host/path";
const labels = Labels.fromRecord({ a: "x<y>", instance: "host:9090" });
const data = alertData({ labels, externalLabels: labels, externalUrl, value: 12.5 });
const queries = (): QueryMemo =>
  new QueryMemo((text) =>
    text.includes("x")
      ? Promise.reject(new Error("no such query"))
      : Promise.resolve([{ labels, timeMs, value: 1 } as never]),
  );

const alert: Subject = {
  name: "alert-template",
  words: WORDS,
  make: (random) =>
    Buffer.from(
      random.chance(0.02) ? random.pick(["{{if 1}}", "{{(", "{{1|"]).repeat(3000) : templateOf(random),
    ),
  run: async (input) => {
    const template = new AlertTemplate("a", input.toString());
    const expand = () => template.expand(data, { timeMs, externalUrl, queries: queries() });
    const { text, error } = await expand();
    if (error !== null && isProgrammersMistake(error)) throw error;
    require(text.length <= 17 * 2 ** 20, () => `${text.length} characters`);
    if (!/now|toTime|humanizeTimestamp/.test(input.toString()))
      requireEqual((await expand()).text, text, "expansions");
    return error === null;
  },
};

const page: Subject = {
  name: "console-template",
  words: WORDS,
  make: (random) => Buffer.from(templateOf(random)),
  run: async (input) => {
    try {
      const params = new URLSearchParams("a=1&b=<x>");
      const text = await renderConsole(
        { name: "p", text: input.toString(), libraries: [], path: "p", params, externalLabels: labels },
        { timeMs, externalUrl, queries: queries() },
      );
      require(text.length <= 17 * 2 ** 20, () => `${text.length} characters`);
      return true;
    } catch (error) {
      if (isProgrammersMistake(error as Error)) throw error;
      return false;
    }
  },
};

export const templates: readonly Subject[] = [alert, page];
