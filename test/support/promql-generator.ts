/** Makes PromQL queries at random, all of them valid and typed, for properties and for asking two engines the same. */
import * as fc from "fast-check";

export interface GeneratorOptions {
  readonly metrics: readonly string[];
  /** Labels with the values that occur. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** Only what engines before Prometheus 3 know: no experimental functions, no duration expressions, no fill. */
  readonly classic: boolean;
}

/** Functions of one vector that work sample by sample, or put it in order. */
export const ELEMENTWISE = [
  "abs",
  "ceil",
  "floor",
  "exp",
  "sqrt",
  "sgn",
  "deg",
  "rad",
  "ln",
  "log2",
  "log10",
  "sin",
  "cos",
  "tan",
  "asin",
  "acos",
  "atan",
  "sinh",
  "cosh",
  "tanh",
  "asinh",
  "acosh",
  "atanh",
  "round",
  "timestamp",
  "minute",
  "hour",
  "day_of_week",
  "day_of_month",
  "day_of_year",
  "days_in_month",
  "month",
  "year",
  "sort",
  "sort_desc",
];
/** Functions of one range of samples. */
export const OVER_RANGE = [
  "rate",
  "increase",
  "delta",
  "irate",
  "idelta",
  "deriv",
  "resets",
  "changes",
  "avg_over_time",
  "sum_over_time",
  "min_over_time",
  "max_over_time",
  "count_over_time",
  "stddev_over_time",
  "stdvar_over_time",
  "last_over_time",
  "present_over_time",
  "absent_over_time",
];
const AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];
export const ARITHMETIC = ["+", "-", "*", "/", "%", "^", "atan2"];
export const COMPARISONS = ["==", "!=", "<", "<=", ">", ">="];
const SET_OPERATORS = ["and", "or", "unless"];
const DURATIONS = ["30s", "1m", "90s", "5m", "10m", "1h30m"];

function isComparison(operator: string): boolean {
  return COMPARISONS.includes(operator);
}

/** Queries that give an instant vector or a scalar. */
export function promqlQueries(options: GeneratorOptions): fc.Arbitrary<string> {
  const { metrics, labels, classic } = options;
  const labelNames = Object.keys(labels);
  const oneOf = (texts: readonly string[]) => fc.constantFrom(...texts);
  const number = fc.oneof(
    fc.integer({ min: -3, max: 100 }).map(String),
    oneOf(["0.5", "1e3", ".25", "2.", "0x1F", "Inf", "NaN"]),
  );
  const labelList = fc.subarray(labelNames).map((names) => `(${names.join(", ")})`);

  const matcher = fc.oneof(
    fc
      .constantFrom(...labelNames)
      .chain((name) =>
        fc
          .tuple(oneOf(["=", "!=", "=~", "!~"]), fc.constantFrom(...labels[name]!, ""))
          .map(([op, value]) => `${name}${op}"${value}"`),
      ),
    fc.constantFrom(...labelNames).map((name) => `${name}=~".+"`),
  );
  const selector = fc
    .tuple(oneOf(metrics), fc.array(matcher, { maxLength: 2 }))
    .map(([name, matchers]) => (matchers.length === 0 ? name : `${name}{${matchers.join(",")}}`));
  const offset = fc.option(
    fc.tuple(fc.constantFrom("", "-"), oneOf(DURATIONS)).map((parts) => ` offset ${parts.join("")}`),
    { nil: "", freq: 4 },
  );
  const at = fc.option(oneOf([" @ start()", " @ end()"]), { nil: "", freq: 6 });
  const instant = fc.tuple(selector, at, offset).map((parts) => parts.join(""));
  const duration = classic
    ? oneOf(DURATIONS)
    : fc.oneof(
        { weight: 4, arbitrary: oneOf(DURATIONS) },
        {
          weight: 1,
          arbitrary: oneOf(["300", "step() + 1m", "min_of(5m, 1h)", "2 * (1m + 30s)", "max_of(step(), 1m)"]),
        },
      );

  const { vector } = fc.letrec<{ vector: string; scalar: string; range: string }>((tie) => ({
    range: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc
        .tuple(selector, duration, at, offset)
        .map(([text, range, when, shift]) => `${text}[${range}]${when}${shift}`),
      fc
        .tuple(tie("vector"), oneOf(DURATIONS), fc.constantFrom("", "30s", "1m"), offset)
        .map(([text, range, step, shift]) => `(${text})[${range}:${step}]${shift}`),
    ),
    scalar: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      number,
      fc.tuple(tie("scalar"), oneOf(ARITHMETIC), tie("scalar")).map(([a, op, b]) => `(${a} ${op} ${b})`),
      fc
        .tuple(tie("scalar"), oneOf(COMPARISONS), tie("scalar"))
        .map(([a, op, b]) => `(${a} ${op} bool ${b})`),
      tie("vector").map((text) => `scalar(${text})`),
      fc.constant("time()"),
    ),
    vector: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      instant,
      fc.tuple(oneOf(OVER_RANGE), tie("range")).map(([name, range]) => `${name}(${range})`),
      fc.tuple(oneOf(ELEMENTWISE), tie("vector")).map(([name, arg]) => `${name}(${arg})`),
      fc
        .tuple(oneOf(AGGREGATIONS), oneOf(["by", "without", ""]), labelList, tie("vector"), fc.boolean())
        .map(([op, clause, list, arg, behind]) => {
          if (clause === "") return `${op}(${arg})`;
          return behind ? `${op}(${arg}) ${clause} ${list}` : `${op} ${clause} ${list} (${arg})`;
        }),
      fc
        .tuple(oneOf(["topk", "bottomk"]), fc.integer({ min: 1, max: 4 }), tie("vector"))
        .map(([op, count, arg]) => `${op}(${count}, ${arg})`),
      fc
        .tuple(fc.constantFrom("0.5", "0.9", "0"), labelList, tie("vector"))
        .map(([q, list, arg]) => `quantile by ${list} (${q}, ${arg})`),
      fc
        .tuple(fc.constantFrom("0.5", "0.9"), tie("range"))
        .map(([q, arg]) => `quantile_over_time(${q}, ${arg})`),
      fc.tuple(tie("vector"), oneOf(ARITHMETIC), tie("scalar")).map(([a, op, b]) => `(${a} ${op} ${b})`),
      fc.tuple(tie("scalar"), oneOf(ARITHMETIC), tie("vector")).map(([a, op, b]) => `(${a} ${op} ${b})`),
      fc
        .tuple(tie("vector"), oneOf(COMPARISONS), oneOf(["", " bool"]), tie("scalar"))
        .map(([a, op, bool, b]) => `(${a} ${op}${bool} ${b})`),
      fc
        .tuple(
          tie("vector"),
          oneOf([...ARITHMETIC, ...COMPARISONS]),
          oneOf(["on", "ignoring"]),
          labelList,
          tie("vector"),
        )
        .map(([a, op, word, list, b]) => `(${a} ${op} ${word} ${list} ${b})`),
      fc
        .tuple(
          tie("vector"),
          oneOf(SET_OPERATORS),
          oneOf(["", " on (job)", " ignoring (instance)"]),
          tie("vector"),
        )
        .map(([a, op, matching, b]) => `(${a} ${op}${matching} ${b})`),
      // One side's series for several of the other: what is joined has each label set once.
      fc
        .tuple(
          tie("vector"),
          oneOf([...ARITHMETIC, ...COMPARISONS]),
          oneOf(["", "bool "]),
          oneOf(["()", "(zone)", "(instance, zone)"]),
          oneOf(AGGREGATIONS),
          tie("vector"),
          fc.boolean(),
        )
        .map(([many, op, bool, included, aggregation, one, manyIsLeft]) => {
          const few = `${aggregation} by (job) (${one})`;
          const word = isComparison(op) ? bool : "";
          return manyIsLeft
            ? `(${many} ${op} ${word}on (job) group_left ${included} ${few})`
            : `(${few} ${op} ${word}on (job) group_right ${included} ${many})`;
        }),
      fc
        .tuple(oneOf(["", "by (job) ", "without (instance) "]), tie("vector"))
        .map(([grouping, arg]) => `count_values ${grouping}("value", ${arg})`),
      fc
        .tuple(tie("scalar"), labelList, tie("vector"))
        .map(([q, list, arg]) => `quantile without ${list} (${q}, ${arg})`),
      fc.tuple(tie("scalar"), tie("range")).map(([q, arg]) => `quantile_over_time(${q}, ${arg})`),
      fc.tuple(tie("range"), tie("scalar")).map(([arg, ahead]) => `predict_linear(${arg}, ${ahead})`),
      fc.tuple(tie("vector"), tie("scalar")).map(([text, to]) => `round(${text}, ${to})`),
      fc
        .tuple(tie("vector"), tie("scalar"), tie("scalar"))
        .map(([text, least, most]) => `clamp(${text}, ${least}, ${most})`),
      fc.tuple(tie("vector"), tie("scalar")).map(([text, bound]) => `clamp_min(${text}, ${bound})`),
      tie("vector").map((text) => `-${text}`),
      tie("vector").map((text) => `absent(${text})`),
      fc.tuple(tie("vector"), tie("scalar")).map(([text, bound]) => `clamp_max(${text}, ${bound})`),
      tie("vector").map((text) => `label_replace(${text}, "copy", "$1-x", "job", "(.+)")`),
      tie("vector").map((text) => `label_join(${text}, "joined", "/", "job", "instance")`),
      tie("scalar").map((text) => `vector(${text})`),
    ),
  }));
  return vector;
}

/** What the tests of the parser need: names that are keywords too, names with colons. */
export const awkwardNames: GeneratorOptions = {
  metrics: ["up", "http_requests_total", "job:errors:rate5m", "sum", "offset", "start", "by", "and", "fill"],
  labels: { job: ["api", "web"], instance: ["a", "b.c"], on: ["x"], without_: ["y"] },
  classic: false,
};
