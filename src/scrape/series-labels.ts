import { isValidLabelName, isValidMetricName, type NameValidationScheme } from "../model/label-name.ts";
import type { Labels } from "../model/labels.ts";
import { LabelsBuilder, METRIC_NAME } from "../model/labels.ts";
import { quote } from "../model/quote.ts";
import { relabelInPlace, type CompiledRelabelRules } from "../model/relabel.ts";
import { normalizeBound } from "./exposition/go-float.ts";

/** A sample that cannot be stored as it is: the whole scrape fails. */
export class SampleError extends Error {
  override readonly name: string = "SampleError";
}

/** A label set beyond a configured limit. */
export class LabelLimitError extends SampleError {
  override readonly name = "LabelLimitError";
}

export interface SeriesLabelsOptions {
  readonly targetLabels: Labels;
  readonly honorLabels: boolean;
  readonly metricRelabelRules: CompiledRelabelRules;
  readonly nameValidation: NameValidationScheme;
  /** 0 for none; lengths in bytes. */
  readonly labelLimit: number;
  readonly labelNameLengthLimit: number;
  readonly labelValueLengthLimit: number;
}

/** Which label is written anew in the one way storage knows: bucket bounds and quantiles. */
export type BoundLabel = "le" | "quantile" | null;

/** Turns what a target exposes into the labels of a stored series. */
export class SeriesLabels {
  private readonly builder = new LabelsBuilder();
  private readonly target: readonly string[];

  constructor(private readonly options: SeriesLabelsOptions) {
    this.target = options.targetLabels.pairs;
  }

  /**
   * @param pairs names and values in turn as exposed; not changed
   * @returns null where metric relabelling drops the series
   * @throws SampleError for labels that are missing, invalid or beyond a limit
   */
  of(pairs: readonly string[], bound: BoundLabel = null): Labels | null {
    const { builder, options } = this;
    const exposed = new Map<string, string>();
    for (let i = 0; i < pairs.length; i += 2) {
      const name = pairs[i]!;
      if (exposed.has(name)) throw new SampleError(`label name ${quote(name)} is not unique: invalid sample`);
      exposed.set(name, name === bound ? normalizeBound(pairs[i + 1]!) : pairs[i + 1]!);
    }
    builder.reset();
    for (const [name, value] of exposed) builder.set(name, value);
    if (options.honorLabels) this.fillGaps(exposed);
    else this.overrule(exposed);
    if (!relabelInPlace(builder, options.metricRelabelRules)) return null;
    const labels = builder.labels();
    this.check(labels);
    return labels;
  }

  /** An exposed label wins, even an empty one, which leaves the series without the label. */
  private fillGaps(exposed: ReadonlyMap<string, string>): void {
    for (let i = 0; i < this.target.length; i += 2) {
      if (!exposed.has(this.target[i]!)) this.builder.set(this.target[i]!, this.target[i + 1]!);
    }
  }

  /** The target's label wins; the exposed one moves to the first free `exported_` name, shorter names first. */
  private overrule(exposed: ReadonlyMap<string, string>): void {
    const displaced: string[] = [];
    for (let i = 0; i < this.target.length; i += 2) {
      const name = this.target[i]!;
      if (exposed.get(name)) displaced.push(name);
      this.builder.set(name, this.target[i + 1]!);
    }
    displaced.sort((a, b) => a.length - b.length);
    for (const name of displaced) {
      let free = `exported_${name}`;
      while (this.builder.get(free) !== "") free = `exported_${free}`;
      this.builder.set(free, exposed.get(name)!);
    }
  }

  private check(labels: Labels): void {
    const { nameValidation, labelLimit, labelNameLengthLimit, labelValueLengthLimit } = this.options;
    const metric = labels.metricName;
    if (metric === "") throw new SampleError("missing metric name (__name__ label)");
    let isValid = isValidMetricName(metric, nameValidation);
    for (let i = 0; isValid && i < labels.pairs.length; i += 2) {
      const name = labels.pairs[i]!;
      isValid = name === METRIC_NAME || isValidLabelName(name, nameValidation);
    }
    if (!isValid) throw new SampleError(`invalid metric name or label names: ${describeLabels(labels)}`);

    if (labelLimit > 0 && labels.size > labelLimit) {
      throw new LabelLimitError(
        `label_limit exceeded (metric: ${shorten(metric)}, number of labels: ${labels.size}, limit: ${labelLimit})`,
      );
    }
    if (labelNameLengthLimit === 0 && labelValueLengthLimit === 0) return;
    for (let i = 0; i < labels.pairs.length; i += 2) {
      const name = labels.pairs[i]!;
      const value = labels.pairs[i + 1]!;
      const nameLength = Buffer.byteLength(name);
      const valueLength = Buffer.byteLength(value);
      if (labelNameLengthLimit > 0 && nameLength > labelNameLengthLimit) {
        throw new LabelLimitError(
          `label_name_length_limit exceeded (metric: ${shorten(metric)}, label name: ${shorten(name)}, length: ${nameLength}, limit: ${labelNameLengthLimit})`,
        );
      }
      if (labelValueLengthLimit > 0 && valueLength > labelValueLengthLimit) {
        throw new LabelLimitError(
          `label_value_length_limit exceeded (metric: ${shorten(metric)}, label name: ${shorten(name)}, value: ${quote(shorten(value))}, length: ${valueLength}, limit: ${labelValueLengthLimit})`,
        );
      }
    }
  }
}

/** `{a="b", c="d"}` */
export function describeLabels(labels: Labels): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.pairs.length; i += 2) {
    const name = labels.pairs[i]!;
    parts.push(`${isValidLabelName(name, "legacy") ? name : quote(name)}=${quote(labels.pairs[i + 1]!)}`);
  }
  return `{${parts.join(", ")}}`;
}

const SHORT_LENGTH = 50;

function shorten(text: string): string {
  return text.length > SHORT_LENGTH ? text.slice(0, SHORT_LENGTH) : text;
}
