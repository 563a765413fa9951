import { memo } from "react";
import type { LabelsBody } from "../../api/types.ts";
import { labelNameText, quote } from "../text/selector.ts";

interface LabelSetProps {
  readonly labels: LabelsBody;
  /** Names of labels to set back, because every series beside this one has the same value. */
  readonly common?: ReadonlySet<string>;
}

/** A series as PromQL would select it, on one line that wraps: `up{job="node"}`. */
export const SeriesName = memo(function SeriesName({ labels, common }: LabelSetProps) {
  const { __name__: metricName, ...rest } = labels;
  const pairs = Object.entries(rest);
  return (
    <span className="series-name">
      {metricName !== undefined && <span className="metric-name">{metricName}</span>}
      {(pairs.length > 0 || metricName === undefined) && <span className="brace">{"{"}</span>}
      {pairs.map(([name, value], index) => (
        <span key={name} className={common?.has(name) ? "label-pair common" : "label-pair"}>
          <span className="label-name">{labelNameText(name)}</span>=
          <span className="label-value">{quote(value)}</span>
          {index < pairs.length - 1 && ", "}
        </span>
      ))}
      {(pairs.length > 0 || metricName === undefined) && <span className="brace">{"}"}</span>}
    </span>
  );
});

/** Labels as small tags, for targets, rules and alerts. */
export const LabelTags = memo(function LabelTags({ labels }: { labels: LabelsBody }) {
  const pairs = Object.entries(labels);
  if (pairs.length === 0) return <span className="dim">no labels</span>;
  return (
    <span className="label-tags">
      {pairs.map(([name, value]) => (
        <span key={name} className="label-tag">
          <span className="label-tag-name">{name}</span>
          <span className="label-tag-value">{value}</span>
        </span>
      ))}
    </span>
  );
});

/** The names of the labels which all of these have with the same value; none for a single one. */
export function commonLabelNames(labelSets: readonly LabelsBody[]): ReadonlySet<string> {
  const [first, ...rest] = labelSets;
  if (!first || rest.length === 0) return new Set();
  return new Set(
    Object.keys(first).filter(
      (name) => name !== "__name__" && rest.every((labels) => labels[name] === first[name]),
    ),
  );
}
