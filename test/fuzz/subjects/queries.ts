import { createApp } from "../../../src/api/app.ts";
import { Params, parseDurationParam, parseTime } from "../../../src/api/params.ts";
import { defaultParserOptions, parseExpr, parseMetricSelector } from "../../../src/promql/parse/index.ts";
import { ParseError } from "../../../src/promql/parse/parse-error.ts";
import { prettyExpr, printExpr } from "../../../src/promql/parse/print.ts";
import { parseScript } from "../../../src/promql/script/parse-script.ts";
import { parseSeriesLine } from "../../../src/promql/script/series-notation.ts";
import { apiOptions, fakePorts } from "../../support/fake-ports.ts";
import type { Random } from "../random.ts";
import { refusedOr, require, requireEqual, type Subject } from "../subject.ts";

const WORDS = [
  ...[
    "sum",
    "rate",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    "and",
    "or",
  ],
  ...[
    "unless",
    "atan2",
    "inf",
    "nan",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "=~",
    "!~",
    "!=",
    "==",
    "=",
    "<=",
    "@",
  ],
  ...[
    "start()",
    "end()",
    "5m",
    "1h30m",
    "0x1f",
    "1e3",
    '"a"',
    "'b'",
    "`c`",
    "\\",
    "+",
    "-",
    "*",
    "/",
    "^",
    "%",
    " ",
    "#",
  ],
  ...[
    "topk",
    "quantile",
    "count_values",
    "histogram_quantile",
    "label_replace",
    "vector",
    "time()",
    "up",
    "smoothed",
  ],
];

function queryOf(random: Random, depth = 4): string {
  if (depth === 0 || random.chance(0.2)) {
    const matchers = random.list(
      3,
      () => `l${random.pick(["=", "!=", "=~", "!~"])}"${random.text("ab.*(", 4)}"`,
    );
    return random.chance(0.3) ? random.number() : `up{${matchers.join(",")}}`;
  }
  const inner = () => queryOf(random, depth - 1);
  switch (random.below(8)) {
    case 0:
      return `${random.pick(["rate", "avg_over_time", "increase"])}(${inner()}[${random.below(9) + 1}m])`;
    case 1:
      return `${random.pick(["sum", "max", "count"])} by (l) (${inner()})`;
    case 2:
      return `(${inner()})`;
    case 3:
      return `-${inner()}`;
    case 4:
      return `${inner()} offset ${random.pick(["", "-"])}${random.below(9)}m`;
    case 5:
      return `${random.pick(["abs", "ln", "histogram_quantile", "label_join"])}(${inner()}, ${inner()})`;
    case 6:
      return `max_over_time((${inner()})[1h:${random.pick(["", "5m"])}])`;
    default:
      return `${inner()} ${random.pick(["+", "-", "/", "^", "and", "or", "> bool", "on(l)"])} ${inner()}`;
  }
}

/** In brief: what queries give is proved elsewhere. */
export const promql: Subject = {
  name: "promql",
  words: WORDS,
  make: (random) =>
    Buffer.from(
      random.chance(0.02)
        ? random.pick(["(", "-", "a+", "sum(", "a offset 1m "]).repeat(5000)
        : queryOf(random),
    ),
  run: (input) => {
    const text = input.toString();
    refusedOr(() => parseMetricSelector(text), ParseError);
    const options =
      text.length % 2 ? defaultParserOptions : { ...defaultParserOptions, experimentalFunctions: true };
    const parsed = refusedOr(() => parseExpr(text, options), ParseError);
    if ("refusal" in parsed) {
      const { offset } = parsed.refusal as ParseError;
      require(offset >= 0 && offset <= Buffer.byteLength(text), () => `a parse error at ${offset}`);
      return false;
    }
    const printed = printExpr(parsed.result);
    // Infinity prints with its sign, which reads as one more sign before a power, as in Prometheus.
    if (printed.includes("+Inf")) return true;
    requireEqual(printExpr(parseExpr(printed, options)), printed, "printed queries");
    requireEqual(
      printExpr(parseExpr(prettyExpr(parsed.result), options)),
      printed,
      "prettily printed queries",
    );
    return true;
  },
};

const scripts: Subject = {
  name: "promql-scripts",
  words: [
    ...WORDS,
    "load 5m\n  ",
    "eval instant at 1m ",
    "clear\n",
    "x100",
    "0+1x5",
    "_",
    "stale",
    "{{schema:0 sum:5}}",
  ],
  make: (random) =>
    Buffer.from(
      `load 5m\n  m{a="${random.text("ab", 3)}"} ${random.number()}+${random.below(9)}x${random.below(20)} _ stale\n\neval instant at 5m ${queryOf(random)}\n  m ${random.number()}\n`,
    ),
  run: (input) => {
    const text = input.toString();
    refusedOr(() => parseSeriesLine(text.slice(0, 200)), Error);
    return "result" in refusedOr(() => parseScript(text), Error);
  },
};

const PATHS = [
  ...[
    "query",
    "query_range",
    "query_exemplars",
    "series",
    "labels",
    "label/a/values",
    "label/U__a_2e_b/values",
    "targets",
  ],
  ...[
    "targets/metadata",
    "metadata",
    "rules",
    "alerts",
    "alertmanagers",
    "format_query",
    "parse_query",
    "scrape_pools",
  ],
  ...[
    "status/config",
    "status/flags",
    "status/walreplay",
    "status/tsdb/blocks",
    "admin/tsdb/delete_series",
    "features",
  ],
  ...["targets/relabel_steps", "notifications", "label//values", "..", "%00"],
];
const NAMES = [
  "query",
  "time",
  "start",
  "end",
  "step",
  "timeout",
  "limit",
  "match[]",
  "lookback_delta",
  "stats",
  "type",
];
const VALUES = [
  ...[
    "up",
    "sum(",
    "1",
    "-1",
    "1e400",
    "NaN",
    "2001-09-09T01:46:40Z",
    "2001-13-99T99:99:99Z",
    "5m",
    "0",
    "{a=~",
    "all",
  ],
  ...["9223372036854775807", "292277026596", "%", "%zz", "%00", "%ff", "a;b", "é", "x".repeat(3000), "true"],
];

let app: ReturnType<typeof createApp> | null = null;

/** The HTTP surface: any request has an answer that is no fault of ours. */
const api: Subject = {
  name: "api",
  words: [...NAMES, ...VALUES, ...PATHS, "&", "=", "?", "/", "+"],
  make: (random) => {
    const pairs = (): string =>
      random.list(6, () => `${random.pick(NAMES)}=${random.pick(VALUES)}`).join("&");
    return Buffer.from(
      `${random.pick(["G", "P"])}${random.pick(PATHS)}?${pairs()}\n${random.chance(0.3) ? pairs() : ""}`,
    );
  },
  run: async (input) => {
    const text = input.toString("latin1");
    const [line = "", body = ""] = text.slice(1).split("\n");
    const params = Params.read(`/?${line}`, body);
    for (const name of NAMES) {
      params.getAll(name);
      const time = refusedOr(() => parseTime(params.get(name)), Error);
      if ("result" in time) require(!Number.isNaN(time.result), () => `${params.get(name)} is no time`);
      const duration = refusedOr(() => parseDurationParam(params.get(name)), Error);
      if ("result" in duration)
        require(Number.isFinite(duration.result), () => `${params.get(name)} is no duration`);
    }
    const isPost = text.startsWith("P");
    const url = `/api/v1/${line.replace(/[^\x21-\x7e]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, "0")}`)}`;
    const response = await (
      await (app ??= createApp(fakePorts({}).ports, apiOptions))
    ).inject({
      method: isPost ? "POST" : "GET",
      url,
      ...(isPost ? { payload: body, headers: { "content-type": "application/x-www-form-urlencoded" } } : {}),
    });
    require(response.statusCode < 500, () => `${url}: ${response.statusCode} ${response.body.slice(0, 300)}`);
    return response.statusCode < 300;
  },
};

export const queries: readonly Subject[] = [scripts, api];
