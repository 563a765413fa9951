import type { LabelsBody } from "../../api/types.ts";

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** A PromQL string literal. */
export function quote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

/** Whether PromQL takes the name as it stands; other names go into the braces, in quotes. */
export function isPlainMetricName(name: string): boolean {
  return METRIC_NAME.test(name);
}

export function labelNameText(name: string): string {
  return LABEL_NAME.test(name) ? name : quote(name);
}

/** Selector text from a metric name and the texts of its matchers. */
export function selectorText(metricName: string, matchers: readonly string[]): string {
  if (metricName === "" || isPlainMetricName(metricName)) {
    return metricName !== "" && matchers.length === 0 ? metricName : `${metricName}{${matchers.join(", ")}}`;
  }
  return `{${[quote(metricName), ...matchers].join(", ")}}`;
}

/** The selector of exactly the series with these labels: `up{job="node"}`. */
export function seriesSelector(labels: LabelsBody): string {
  const { __name__: metricName = "", ...rest } = labels;
  return selectorText(
    metricName,
    Object.entries(rest).map(([name, value]) => `${labelNameText(name)}=${quote(value)}`),
  );
}
