import type { FunctionSignature, ValueType } from "../parse/ast.ts";

/** A function's signature and, in a line, what it gives: the table behind the parser, the editor and the docs. */
export interface DocumentedSignature extends FunctionSignature {
  readonly doc: string;
}

/** Every function of PromQL by its name. */
export const FUNCTION_SIGNATURES: ReadonlyMap<string, DocumentedSignature> = new Map(
  [
    vectorFunction("abs", "The absolute value of each element."),
    vectorFunction("absent", "One element 1 if the vector is empty, else nothing."),
    vectorFunction("acos", "The arccosine of each element, in radians."),
    vectorFunction("acosh", "The inverse hyperbolic cosine of each element."),
    vectorFunction("asin", "The arcsine of each element, in radians."),
    vectorFunction("asinh", "The inverse hyperbolic sine of each element."),
    vectorFunction("atan", "The arctangent of each element, in radians."),
    vectorFunction("atanh", "The inverse hyperbolic tangent of each element."),
    vectorFunction("ceil", "Each element rounded up to a whole number."),
    vectorFunction("cos", "The cosine of each element, taken as radians."),
    vectorFunction("cosh", "The hyperbolic cosine of each element."),
    vectorFunction("deg", "Each element turned from radians to degrees."),
    vectorFunction("exp", "e to the power of each element."),
    vectorFunction("floor", "Each element rounded down to a whole number."),
    vectorFunction("histogram_avg", "The average of the observations in each native histogram."),
    vectorFunction("histogram_count", "The number of observations in each native histogram."),
    vectorFunction(
      "histogram_stddev",
      "The estimated standard deviation of the observations in each native histogram.",
    ),
    vectorFunction(
      "histogram_stdvar",
      "The estimated variance of the observations in each native histogram.",
    ),
    vectorFunction("histogram_sum", "The sum of the observations in each native histogram."),
    vectorFunction("ln", "The natural logarithm of each element."),
    vectorFunction("log10", "The decimal logarithm of each element."),
    vectorFunction("log2", "The binary logarithm of each element."),
    vectorFunction("rad", "Each element turned from degrees to radians."),
    vectorFunction("sgn", "The sign of each element: -1, 0 or 1."),
    vectorFunction("sin", "The sine of each element, taken as radians."),
    vectorFunction("sinh", "The hyperbolic sine of each element."),
    vectorFunction("sort", "The elements by ascending value."),
    vectorFunction("sort_desc", "The elements by descending value."),
    vectorFunction("sqrt", "The square root of each element."),
    experimental(vectorFunction("start_timestamp", "When each sample's counter started, in seconds.")),
    vectorFunction("tan", "The tangent of each element, taken as radians."),
    vectorFunction("tanh", "The hyperbolic tangent of each element."),
    vectorFunction("timestamp", "When each sample was taken, in seconds since the epoch."),

    dateFunction(
      "days_in_month",
      "The number of days of the month each element, in seconds since the epoch, lies in.",
    ),
    dateFunction(
      "day_of_month",
      "The day of the month, 1 to 31, of each element in seconds since the epoch.",
    ),
    dateFunction(
      "day_of_week",
      "The day of the week, 0 for Sunday, of each element in seconds since the epoch.",
    ),
    dateFunction("day_of_year", "The day of the year, 1 to 366, of each element in seconds since the epoch."),
    dateFunction("hour", "The hour of the day, 0 to 23, of each element in seconds since the epoch."),
    dateFunction("minute", "The minute of the hour, 0 to 59, of each element in seconds since the epoch."),
    dateFunction("month", "The month, 1 to 12, of each element in seconds since the epoch."),
    dateFunction("year", "The year of each element in seconds since the epoch."),

    rangeFunction("absent_over_time", "One element 1 if no series has a sample in the range, else nothing."),
    rangeFunction("avg_over_time", "The average of each series over the range."),
    rangeFunction("changes", "How often each series changed its value within the range."),
    rangeFunction("count_over_time", "How many samples each series has in the range."),
    rangeFunction("delta", "The difference between the ends of the range, extrapolated; for gauges."),
    rangeFunction("deriv", "The slope per second of each series, by linear regression; for gauges."),
    rangeFunction("first_over_time", "The oldest sample of each series in the range."),
    rangeFunction("idelta", "The difference between the last two samples in the range."),
    rangeFunction("increase", "How much each counter grew over the range, extrapolated to its ends."),
    rangeFunction("irate", "The growth per second of each counter between the last two samples."),
    rangeFunction("last_over_time", "The newest sample of each series in the range."),
    experimental(
      rangeFunction("mad_over_time", "The median absolute deviation of each series over the range."),
    ),
    rangeFunction("max_over_time", "The largest value of each series in the range."),
    rangeFunction("min_over_time", "The smallest value of each series in the range."),
    rangeFunction("present_over_time", "1 for each series with a sample in the range."),
    rangeFunction("rate", "The growth per second of each counter over the range, extrapolated to its ends."),
    rangeFunction("resets", "How often each counter started anew within the range."),
    rangeFunction("stddev_over_time", "The standard deviation of each series over the range."),
    rangeFunction("stdvar_over_time", "The variance of each series over the range."),
    rangeFunction("sum_over_time", "The sum of the samples of each series in the range."),
    experimental(
      rangeFunction("ts_of_first_over_time", "When the oldest sample in the range was taken, in seconds."),
    ),
    experimental(
      rangeFunction("ts_of_last_over_time", "When the newest sample in the range was taken, in seconds."),
    ),
    experimental(
      rangeFunction(
        "ts_of_max_over_time",
        "When the last of the largest samples in the range was taken, in seconds.",
      ),
    ),
    experimental(
      rangeFunction(
        "ts_of_min_over_time",
        "When the last of the smallest samples in the range was taken, in seconds.",
      ),
    ),

    signature(
      "clamp",
      ["vector", "scalar", "scalar"],
      0,
      "vector",
      "Each element held between a minimum and a maximum.",
    ),
    signature("clamp_max", ["vector", "scalar"], 0, "vector", "Each element held at or below a maximum."),
    signature("clamp_min", ["vector", "scalar"], 0, "vector", "Each element held at or above a minimum."),
    experimental(
      signature(
        "double_exponential_smoothing",
        ["matrix", "scalar", "scalar"],
        0,
        "vector",
        "Each series smoothed over the range with a smoothing and a trend factor.",
      ),
    ),
    experimental(signature("end", [], 0, "scalar", "When the query ends, in seconds since the epoch.")),
    signature(
      "histogram_fraction",
      ["scalar", "scalar", "vector"],
      0,
      "vector",
      "The estimated fraction of observations between two bounds.",
    ),
    signature(
      "histogram_quantile",
      ["scalar", "vector"],
      0,
      "vector",
      "The estimated quantile of the observations in histograms, classic or native.",
    ),
    experimental(
      signature(
        "histogram_quantiles",
        ["vector", "string", "scalar", "scalar"],
        9,
        "vector",
        "Several estimated quantiles of histograms at once, told apart by a label.",
      ),
    ),
    experimental(
      signature(
        "info",
        ["vector", "vector"],
        1,
        "vector",
        "Each series with the labels of the info metrics that belong to it.",
      ),
    ),
    signature(
      "label_join",
      ["vector", "string", "string", "string"],
      -1,
      "vector",
      "Each series with a label joined from the values of other labels.",
    ),
    signature(
      "label_replace",
      ["vector", "string", "string", "string", "string"],
      0,
      "vector",
      "Each series with a label made from another by a regular expression.",
    ),
    experimental(signature("max_of", ["scalar", "scalar"], 0, "scalar", "The larger of two scalars.")),
    experimental(signature("min_of", ["scalar", "scalar"], 0, "scalar", "The smaller of two scalars.")),
    signature("pi", [], 0, "scalar", "The number pi."),
    signature(
      "predict_linear",
      ["matrix", "scalar"],
      0,
      "vector",
      "What each series will be in so many seconds, by linear regression; for gauges.",
    ),
    signature(
      "quantile_over_time",
      ["scalar", "matrix"],
      0,
      "vector",
      "A quantile of the samples of each series in the range.",
    ),
    experimental(signature("range", [], 0, "scalar", "How long the query's range is, in seconds.")),
    signature(
      "round",
      ["vector", "scalar"],
      1,
      "vector",
      "Each element rounded to the nearest multiple, of 1 unless given.",
    ),
    signature("scalar", ["vector"], 0, "scalar", "The value of a vector's only element, or NaN."),
    experimental(
      signature(
        "sort_by_label",
        ["vector", "string"],
        -1,
        "vector",
        "The elements in the natural order of their labels' values.",
      ),
    ),
    experimental(
      signature(
        "sort_by_label_desc",
        ["vector", "string"],
        -1,
        "vector",
        "The elements in the reverse natural order of their labels' values.",
      ),
    ),
    experimental(signature("start", [], 0, "scalar", "When the query starts, in seconds since the epoch.")),
    experimental(signature("step", [], 0, "scalar", "How long the query's step is, in seconds.")),
    signature("time", [], 0, "scalar", "The time of the evaluation, in seconds since the epoch."),
    signature("vector", ["scalar"], 0, "vector", "A scalar as a vector with one element without labels."),
  ].map((entry) => [entry.name, entry]),
);

function signature(
  name: string,
  argTypes: readonly ValueType[],
  variadic: number,
  returnType: ValueType,
  doc: string,
): DocumentedSignature {
  return { name, argTypes, variadic, returnType, isExperimental: false, doc };
}

function vectorFunction(name: string, doc: string): DocumentedSignature {
  return signature(name, ["vector"], 0, "vector", doc);
}

/** Takes the time of the evaluation where no vector is given. */
function dateFunction(name: string, doc: string): DocumentedSignature {
  return signature(name, ["vector"], 1, "vector", doc);
}

function rangeFunction(name: string, doc: string): DocumentedSignature {
  return signature(name, ["matrix"], 0, "vector", doc);
}

function experimental(entry: DocumentedSignature): DocumentedSignature {
  return { ...entry, isExperimental: true };
}
