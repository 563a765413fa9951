/**
 * In what Prometheus 2.42 answers otherwise than 3.x, whose answers ours are. docs/differences.md tells each with the
 * reason, under the same title.
 */
export interface VersionDifference {
  readonly title: string;
  /** Whether a query over the series of `writeVariedWal` may be answered otherwise because of it. */
  readonly concerns: RegExp;
}

const NATIVE = String.raw`\(?(?:rate\()?native_`;

export const versionDifferences: readonly VersionDifference[] = [
  { title: "Deviation of NaN and infinity", concerns: /^std(?:dev|var) .*\(odd\)/ },
  { title: "Deviation beyond the largest float", concerns: /^std(?:dev|var)_over_time\(odd/ },
  { title: "Mean of native histograms", concerns: new RegExp(`^avg .*${NATIVE}`) },
  { title: "Native histograms in functions of floats", concerns: floatFunctionOf(NATIVE) },
  { title: "Native histograms scaled", concerns: new RegExp(`^-${NATIVE}|^native_seconds [*/]`) },
  { title: "Last of native histograms", concerns: new RegExp(`^last_over_time${NATIVE}`) },
  { title: "Labels of native histograms", concerns: new RegExp(`^label_(?:replace|join)${NATIVE}`) },
  { title: "Quantiles of native histograms", concerns: new RegExp(`^histogram_quantile\\([^-N]*${NATIVE}`) },
  { title: "Extrapolation to zero", concerns: /^(?:rate|increase)\(irregular\[1h5m\]\)/ },
  { title: "atan2", concerns: / atan2 / },
  { title: "Matches that a comparison filters out", concerns: /^queue_length > on \(job\) capacity/ },
  { title: "Labels lost by count_values", concerns: /^count_values by \(zone, kind, part\)/ },
];

function floatFunctionOf(argument: string): RegExp {
  const names =
    "abs ceil floor exp sqrt sgn deg rad ln log2 log10 sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh " +
    "round minute hour day_of_week day_of_month day_of_year days_in_month month year sort sort_desc";
  return new RegExp(`^(?:${names.replaceAll(" ", "|")})${argument}`);
}
