import type { MetricFamilies } from "./merge.ts";

/** A metric family as protobuf's JSON has it: long integers and special floats are texts. */
export interface FamilyJson {
  readonly name: string;
  readonly help: string;
  readonly type: "COUNTER" | "GAUGE" | "SUMMARY" | "UNTYPED" | "HISTOGRAM";
  readonly metric: readonly MetricJson[];
}

type FloatJson = number | "NaN" | "Infinity" | "-Infinity";

interface MetricJson {
  readonly label: readonly { readonly name: string; readonly value: string }[];
  readonly counter?: { readonly value: FloatJson };
  readonly gauge?: { readonly value: FloatJson };
  readonly untyped?: { readonly value: FloatJson };
  readonly summary?: {
    sampleCount: string;
    sampleSum: FloatJson;
    readonly quantile: { readonly quantile: FloatJson; readonly value: FloatJson }[];
  };
  readonly histogram?: {
    sampleCount: string;
    sampleSum: FloatJson;
    readonly bucket: { readonly cumulativeCount: string; readonly upperBound: FloatJson }[];
  };
}

type Family = MetricFamilies[number];
type Sample = Family["values"][number] & { readonly metricName?: string };

/** The families of a registry in the shape in which Prometheus tells of its own metrics. */
export function familiesToJson(families: MetricFamilies): FamilyJson[] {
  return families.map((family) => {
    const { name, help } = family;
    const metric =
      kindOf(family) === "histogram" || kindOf(family) === "summary" ? joined(family) : singles(family);
    return { name, help, type: TYPES[kindOf(family)] ?? "UNTYPED", metric };
  });
}

const TYPES: Readonly<Record<string, FamilyJson["type"]>> = {
  counter: "COUNTER",
  gauge: "GAUGE",
  summary: "SUMMARY",
  histogram: "HISTOGRAM",
};

function kindOf({ type }: Family): string {
  return String(type);
}

function singles(family: Family): MetricJson[] {
  const kind = kindOf(family);
  return family.values.map(({ labels, value }) => {
    const point = { value: float(value) };
    const label = labelsOf(labels);
    if (kind === "counter") return { label, counter: point };
    return kind === "gauge" ? { label, gauge: point } : { label, untyped: point };
  });
}

/** Buckets or quantiles, sum and count of the same labels are one metric. */
function joined(family: Family): MetricJson[] {
  const isHistogram = kindOf(family) === "histogram";
  const bound = isHistogram ? "le" : "quantile";
  const metrics = new Map<string, MetricJson>();
  for (const { labels, value, metricName } of family.values as readonly Sample[]) {
    const label = labelsOf(labels).filter(({ name }) => name !== bound);
    const key = JSON.stringify(label);
    let metric = metrics.get(key);
    if (!metric) {
      const totals = { sampleCount: "0", sampleSum: 0 };
      metric = isHistogram
        ? { label, histogram: { ...totals, bucket: [] } }
        : { label, summary: { ...totals, quantile: [] } };
      metrics.set(key, metric);
    }
    const totals = (metric.histogram ?? metric.summary)!;
    const at = (labels as Readonly<Record<string, string | number | undefined>>)[bound];
    if (metricName === `${family.name}_count`) totals.sampleCount = String(value);
    else if (metricName === `${family.name}_sum`) totals.sampleSum = float(value);
    else if (metric.summary)
      metric.summary.quantile.push({ quantile: float(Number(at)), value: float(value) });
    // The last bucket is the count.
    else if (at !== "+Inf")
      metric.histogram!.bucket.push({ cumulativeCount: String(value), upperBound: float(Number(at)) });
  }
  return [...metrics.values()];
}

function labelsOf(labels: Readonly<Record<string, unknown>>): { name: string; value: string }[] {
  return Object.keys(labels)
    .sort()
    .map((name) => ({ name, value: String(labels[name]) }));
}

function float(value: number): FloatJson {
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "Infinity" : "-Infinity";
}
