import { ARITHMETIC, COMPARISONS, ELEMENTWISE, OVER_RANGE } from "./promql-generator.ts";

/**
 * Queries that put every operator, aggregation and function that Prometheus 2.42 knows together with every shape of
 * labels and range, over the series of `writeVariedWal`.
 */
export function systematicQueries(): string[] {
  return [
    ...new Set([
      ...selectors(),
      ...aggregations(),
      ...overRanges(),
      ...elementwise(),
      ...scalarOperations(),
      ...vectorOperations(),
      ...histogramFunctions(),
      ...labelFunctions(),
      ...subqueries(),
      ...compositions(),
    ]),
  ];
}

/** Every combination of one text from each list, joined. */
function cross(...lists: (readonly string[])[]): string[] {
  return lists.reduce<string[]>(
    (texts, list) => texts.flatMap((text) => list.map((part) => text + part)),
    [""],
  );
}

const FLOATS = ["queue_length", 'requests_total{job="api"}', "sparse", "ended", "odd", "irregular"];
const HISTOGRAMS = ["native_seconds", "native_gauge"];
const MODIFIERS = [
  "",
  " offset 7m",
  " offset -90s",
  " @ start()",
  " @ end()",
  " @ 1700010000.5",
  " @ end() offset 11m",
];

function selectors(): string[] {
  const matchers = [
    "",
    '{job="api"}',
    '{job!="api"}',
    '{job=~"a.*"}',
    '{job!~"a.*|x"}',
    '{instance=~"a|b",job="web"}',
    '{nothing=""}',
    '{instance!=""}',
    '{instance=""}',
    '{job="none"}',
    '{zone=~"x|"}',
    '{job=~".+",job!="web"}',
  ];
  return [
    ...cross(["queue_length", "sparse", "capacity", "native_gauge"], matchers),
    ...cross(['queue_length{job="api"}', "sparse", "ended", "once", "native_seconds"], MODIFIERS),
    '{__name__=~"queue.*|capacity"}',
    '{__name__!~"queue.*",job="api",instance="a"}',
    '{job="web",__name__="queue_length"}',
    "no_such_metric",
    "once",
  ];
}

const GROUPINGS = [
  "",
  "by () ",
  "by (job) ",
  "by (job, instance) ",
  "by (zone, kind, part) ",
  "by (missing) ",
  "by (__name__, job) ",
  "without () ",
  "without (instance) ",
  "without (job, missing, kind) ",
  "without (job, instance, code, kind, part, zone) ",
];

function aggregations(): string[] {
  const plain = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];
  const withParameter = [
    "topk (1, ",
    "topk (3, ",
    "bottomk (2, ",
    "bottomk (100, ",
    "topk (0, ",
    "quantile (0.5, ",
    "quantile (0.93, ",
    "quantile (0, ",
    "quantile (1, ",
    "quantile (-1, ",
    "quantile (2, ",
    "quantile (NaN, ",
    'count_values ("value", ',
  ];
  const inserted = withParameter.flatMap((text) => {
    const [name, parameter] = text.split(" (") as [string, string];
    return GROUPINGS.map((grouping) => `${name} ${grouping}(${parameter}`);
  });
  return [
    ...cross(plain, [" "], GROUPINGS, ["("], FLOATS, [")"]),
    ...cross(inserted, ["queue_length", "sparse", "odd"], [")"]),
    ...cross(["sum", "avg", "count", "group"], [" "], GROUPINGS, ["("], ["native_seconds"], [")"]),
    // The clause behind, and a parameter that moves.
    ...cross(
      ["sum", "max", "count"],
      ["(rate(requests_total[5m]))"],
      [" by (job)", " without (code, instance)"],
    ),
    "topk by (job) (scalar(count(queue_length)) / 3, queue_length)",
    "quantile by (job) (scalar(sum(queue_length)) / 1000, queue_length)",
    "topk(2, sum by (job, instance) (queue_length))",
    "count(count by (instance) (queue_length))",
  ];
}

const RANGES = ["10s", "40s", "5m", "17m", "1h5m"];

function overRanges(): string[] {
  const brackets = RANGES.map((range) => `[${range}]`);
  return [
    ...cross(OVER_RANGE, ["("], FLOATS, brackets, [")"]),
    ...cross(OVER_RANGE, ["("], ["queue_length", "sparse"], ["[6m]"], MODIFIERS.slice(1), [")"]),
    ...cross(
      ["rate", "increase", "delta", "count_over_time", "last_over_time", "present_over_time"],
      ["("],
      HISTOGRAMS,
      brackets,
      [")"],
    ),
    ...cross(
      ["quantile_over_time("],
      ["0", "0.25", "0.5", "1", "-0.5", "1.5", "NaN"],
      [", "],
      ["queue_length", "sparse", "odd"],
      brackets,
      [")"],
    ),
    ...cross(["predict_linear("], FLOATS, brackets, [", "], ["0", "600", "-600.5"], [")"]),
    ...cross(
      ["double_exponential_smoothing("],
      ["queue_length", "irregular"],
      brackets,
      [", "],
      ["0.1, 0.9", "0.5, 0.5"],
      [")"],
    ),
    ...cross(FLOATS, ["[2m]", "[6m] offset 3m", "[50s] @ end()"]),
  ];
}

const OF_A_VECTOR = [...ELEMENTWISE, "absent", "scalar", "-", "+"];
const ARGUMENTS = [
  "queue_length",
  "odd",
  "sparse",
  "ended",
  "queue_length / 100",
  "queue_length * 1e6",
  "vector(time())",
  "native_seconds",
  "no_such_metric",
];

function elementwise(): string[] {
  return [
    ...cross(OF_A_VECTOR, ["("], ARGUMENTS, [")"]),
    ...cross(
      ["round("],
      ["queue_length", "odd", "irregular"],
      [", "],
      ["1", "0.1", "5", "-3", "0", "Inf"],
      [")"],
    ),
    ...cross(
      ["clamp("],
      ["queue_length", "odd", "sparse"],
      [", "],
      ["-1, 1", "0, NaN", "5, 2", "-Inf, Inf"],
      [")"],
    ),
    ...cross(
      ["clamp_min(", "clamp_max("],
      ["queue_length", "odd"],
      [", "],
      ["0", "NaN", "-Inf", "2.5"],
      [")"],
    ),
    ...cross(["minute", "hour", "day_of_week", "day_of_year", "days_in_month", "month", "year"], ["()"]),
    "time()",
    "pi()",
    "pi() * 2",
    "vector(pi())",
    "vector(NaN)",
    "timestamp(queue_length offset 5m)",
    "timestamp(timestamp(queue_length))",
    "timestamp(queue_length + 1)",
    'scalar(capacity{job="api"})',
    "scalar(capacity)",
    "vector(scalar(once))",
    ...cross(["year(vector("], ["0", "-1", "1e9", "951782400", "4102444799", "-6e10"], ["))"]),
    ...cross(["days_in_month(vector("], ["951782400", "983404800", "4107542400", "1e11"], ["))"]),
    ...cross(["day_of_year(vector("], ["0", "-1", "951868800", "978220800", "1e12"], ["))"]),
  ];
}

const BOOL_COMPARISONS = COMPARISONS.map((operator) => `${operator} bool`);

function spaced(operators: readonly string[]): string[] {
  return operators.map((operator) => ` ${operator} `);
}

function scalarOperations(): string[] {
  const scalars = ["0", "3", "-2.5", "NaN", "Inf", "time()"];
  return [
    ...cross(["7", "-0", "1e308", "-Inf"], spaced([...ARITHMETIC, ...BOOL_COMPARISONS]), scalars),
    ...cross(["queue_length", "odd"], spaced([...ARITHMETIC, ...COMPARISONS, ...BOOL_COMPARISONS]), [
      ...scalars,
      'scalar(capacity{job="web"})',
    ]),
    ...cross(scalars, spaced([...ARITHMETIC, ...COMPARISONS, ...BOOL_COMPARISONS]), ["queue_length", "odd"]),
    ...cross(["native_seconds"], [" * ", " / "], ["2", "0.5"]),
    "-2 ^ 2",
    "2 ^ 3 ^ 2",
    "2 ^ -1",
    "-queue_length ^ 2",
    "1 + 2 * 3 - 4 / 5 % 6",
    "queue_length > 1 < 3",
    "queue_length > bool 1 == bool 1",
    "1 - queue_length * 2 + queue_length / 4",
  ];
}

function vectorOperations(): string[] {
  const operators = spaced([...ARITHMETIC, ...COMPARISONS, ...BOOL_COMPARISONS]);
  const pair = (left: string, matching: string, right: string) =>
    operators.map((operator) => `${left}${operator}${matching}${right}`);
  const sets = spaced(["and", "or", "unless"]);
  const matchings = ["", "on (job) ", "on (job, instance) ", "on () ", "ignoring (zone) ", "ignoring () "];
  return [
    ...pair("queue_length", "", "queue_length"),
    ...pair("queue_length", "", "sparse"),
    ...pair("queue_length", "ignoring (zone) ", "sparse"),
    ...pair("sparse", "on (job, instance) ", "irregular"),
    ...pair("queue_length", "on (job) group_left ", "capacity"),
    ...pair("queue_length", "on (job) group_left (owner) ", "capacity"),
    ...pair("capacity", "on (job) group_right (owner) ", "queue_length"),
    ...pair("requests_total", "on (job, instance) group_left (version, missing) ", "build_info"),
    ...pair("requests_total", "ignoring (code) group_left ", "queue_length"),
    ...pair("build_info", "ignoring (code, version) group_right ", "requests_total"),
    ...pair("sum by (job) (queue_length)", "", "max by (job) (sparse)"),
    ...pair("sum(queue_length)", "on () ", "sum(sparse)"),
    ...pair("odd", "", "odd offset 15s"),
    ...pair("odd", "on (kind) ", "odd offset 1h"),
    // Many on both sides, and several on the one side: errors.
    ...cross(["queue_length"], spaced(["+", ">"]), ["on (job) "], ["sparse", "capacity", "build_info"]),
    ...cross(["capacity"], spaced(["*"]), ["on (job) group_left "], ["queue_length"]),
    ...cross(["queue_length"], sets, matchings, ["sparse", "capacity", "queue_length > 2", "no_such_metric"]),
    ...cross(["no_such_metric", "ended", "odd"], sets, matchings, ["queue_length"]),
    ...cross(["native_seconds"], sets, ["on (job) "], ["queue_length"]),
    ...cross(["native_seconds"], spaced(["+"]), ["native_seconds"]),
    "queue_length and sparse or capacity unless once",
    "queue_length or on (job) (capacity and capacity)",
  ];
}

function histogramFunctions(): string[] {
  const quantiles = ["-0.1", "0", "0.01", "0.5", "0.9", "0.99", "1", "1.1", "NaN"];
  return [
    ...cross(
      ["histogram_quantile("],
      quantiles,
      [", "],
      [
        "latency_seconds_bucket",
        "rate(latency_seconds_bucket[5m])",
        'sum by (le) (rate(latency_seconds_bucket{job=~"api|web"}[5m]))',
        'latency_seconds_bucket{le!="+Inf"}',
        "queue_length",
        "native_seconds",
        "rate(native_seconds[6m])",
        "native_gauge",
      ],
      [")"],
    ),
    ...cross(
      ["histogram_fraction("],
      ["-Inf, Inf", "0, 1", "0.5, 2", "-2, 0.2", "2, 1", "-0.0005, 0.0005", "NaN, 1", "0.1, NaN"],
      [", "],
      ["native_seconds", "native_gauge", "rate(native_seconds[6m])"],
      [")"],
    ),
    ...cross(
      ["histogram_count(", "histogram_sum("],
      [...HISTOGRAMS, "rate(native_seconds[6m])", "increase(native_seconds[6m])", "queue_length"],
      [")"],
    ),
  ];
}

function labelFunctions(): string[] {
  const replaced = [
    '"copy", "$1", "instance", "(.*)"',
    '"copy", "x-${1}-$1y-$0", "instance", "(a|b)"',
    '"copy", "$named", "instance", "(?P<named>.).*"',
    '"instance", "", "instance", "a"',
    '"job", "both", "missing", ""',
    '"copy", "$2$$", "instance", "(.)"',
    '"instance", "same", "job", "none"',
    '"instance", "same", "job", "api"',
    '"copy", "all", "instance", ".*"',
  ];
  return [
    ...cross(["label_replace("], ["queue_length", "native_gauge", "sparse"], [", "], replaced, [")"]),
    ...cross(
      ["label_join("],
      ["queue_length", "capacity", "native_gauge"],
      [", "],
      [
        '"joined", "-", "job", "instance"',
        '"joined", "", "missing"',
        '"job", "/", "job", "job"',
        '"joined", ","',
      ],
      [")"],
    ),
    ...cross(
      ["absent("],
      [
        'no_such_metric{job="x"}',
        'no_such_metric{job="x",job="y"}',
        'no_such_metric{job=~"x",kind="z"}',
        "queue_length > 1e9",
        "sum(no_such_metric)",
        'ended{part="early"}',
      ],
      [")"],
    ),
    ...cross(
      ["absent_over_time("],
      ['no_such_metric{job="x"}[5m]', 'ended{part="early"}[5m]', "once[10m]"],
      [")"],
    ),
  ];
}

function subqueries(): string[] {
  const inner = [
    "queue_length",
    "rate(requests_total[5m])",
    "sum by (job) (sparse)",
    "queue_length > 2",
    "vector(time())",
  ];
  return [
    ...cross(
      [
        "avg_over_time",
        "max_over_time",
        "sum_over_time",
        "count_over_time",
        "last_over_time",
        "deriv",
        "changes",
      ],
      ["(("],
      inner,
      [")"],
      ["[10m:1m]", "[6m:]", "[20m:90s] offset 5m", "[5m:15s] @ end()", "[9m:2m] @ 1700010003 offset 1m"],
      [")"],
    ),
    ...cross(["queue_length", "(queue_length + 1)"], ["[5m:1m]", "[3m:20s] offset 1m"]),
    "max_over_time(deriv(queue_length[5m])[10m:1m])",
    "absent_over_time((queue_length > 1e9)[5m:1m])",
    "quantile_over_time(0.3, (queue_length)[10m:30s])",
    "predict_linear((queue_length)[10m:1m], 600)",
  ];
}

/** What dashboards and rules ask. */
function compositions(): string[] {
  return [
    'sum by (job) (rate(requests_total{code="500"}[5m])) / sum by (job) (rate(requests_total[5m]))',
    "sum without (code) (rate(requests_total[5m])) > on (job, instance) group_left queue_length",
    "100 * (1 - avg by (job) (rate(requests_total[5m])) / 10)",
    "topk(2, max_over_time(queue_length[30m]) - min_over_time(queue_length[30m]))",
    "sort_desc(sum by (job, instance) (increase(requests_total[1h])))",
    "avg by (job) (queue_length) / on (job) capacity",
    "sum(queue_length) by (job) or vector(0)",
    "count by (job) (queue_length > 2) or on (job) 0 * capacity",
    "time() - timestamp(sparse) > 5",
    "changes(build_info[1h]) + on (job, instance) group_left (version) 0 * build_info",
    "(queue_length - avg_over_time(queue_length[1h])) / stddev_over_time(queue_length[1h])",
    'label_replace(sum by (instance) (queue_length), "host", "$1", "instance", "(.)") * on (host) group_left sum by (host) (label_replace(sparse, "host", "$1", "instance", "(.)"))',
    "histogram_quantile(0.9, sum by (job, le) (rate(latency_seconds_bucket[10m]))) > 0.2",
    "-sum(-queue_length)",
    "sum(queue_length) ^ 0.5 % 2",
    "((queue_length))",
    "sum(sum by (job) (sum by (job, instance) (queue_length)))",
    "absent(queue_length) or absent(no_such_metric)",
    "rate(requests_total[5m] offset 5m) / rate(requests_total[5m])",
    "queue_length @ end() - queue_length @ start()",
  ];
}
