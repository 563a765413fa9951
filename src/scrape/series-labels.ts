import { isValidLabelName, isValidMetricName, type NameValidationScheme } from "../model/label-name.ts";
import { compareUtf8, Labels, LabelsBuilder, METRIC_NAME } from "../model/labels.ts";
import { quote } from "../model/quote.ts";
import { relabelInPlace, type CompiledRelabelRules } from "../model/relabel.ts";
import type { SeriesInterner } from "../model/storage.ts";
import { normalizeBound } from "./exposition/go-float.ts";
import { PlainLines } from "./plain-lines.ts";

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

  /** The short way for plain lines, where there is one. */
  plainLines(interner: SeriesInterner): PlainLines | null {
    return PlainLines.of(this.options, interner);
  }

  /**
   * @param pairs names and values in turn as exposed; becomes ours
   * @returns null where metric relabelling drops the series
   * @throws SampleError for labels that are missing, invalid or beyond a limit
   */
  of(pairs: string[], bound: BoundLabel = null): Labels | null {
    const { options } = this;
    refuseRepeatedNames(pairs);
    const boundIndex = bound === null ? -1 : indexOfName(pairs, bound);
    if (boundIndex >= 0) pairs[boundIndex + 1] = normalizeBound(pairs[boundIndex + 1]!);
    if (options.honorLabels) this.fillGaps(pairs);
    else this.overrule(pairs);
    let labels = sortedLabels(pairs);
    if (options.metricRelabelRules.length > 0) {
      const builder = this.builder.reset(labels);
      if (!relabelInPlace(builder, options.metricRelabelRules)) return null;
      labels = builder.labels();
    }
    this.check(labels);
    return labels;
  }

  /** An exposed label wins, even an empty one, which leaves the series without the label. */
  private fillGaps(pairs: string[]): void {
    const { target } = this;
    for (let i = 0; i < target.length; i += 2) {
      if (indexOfName(pairs, target[i]!) < 0) pairs.push(target[i]!, target[i + 1]!);
    }
  }

  /** The target's label wins; the exposed one moves to the first free `exported_` name, shorter names first. */
  private overrule(pairs: string[]): void {
    const { target } = this;
    let displaced: [name: string, value: string][] | null = null;
    for (let i = 0; i < target.length; i += 2) {
      const exposed = indexOfName(pairs, target[i]!);
      if (exposed < 0) {
        pairs.push(target[i]!, target[i + 1]!);
        continue;
      }
      if (pairs[exposed + 1] !== "") (displaced ??= []).push([target[i]!, pairs[exposed + 1]!]);
      pairs[exposed + 1] = target[i + 1]!;
    }
    if (displaced === null) return;
    displaced.sort(([a], [b]) => a.length - b.length);
    for (const [name, value] of displaced) {
      let free = `exported_${name}`;
      for (let taken = indexOfName(pairs, free); taken >= 0; taken = indexOfName(pairs, free)) {
        if (pairs[taken + 1] === "") pairs.splice(taken, 2);
        else free = `exported_${free}`;
      }
      pairs.push(free, value);
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

function indexOfName(pairs: readonly string[], name: string): number {
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return i;
  return -1;
}

function refuseRepeatedNames(pairs: readonly string[]): void {
  const met = pairs.length > MANY_WORDS ? new Set<string>() : null;
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!;
    const isRepeated = met ? met.size === met.add(name).size : indexOfName(pairs, name) !== i;
    if (isRepeated) throw new SampleError(`label name ${quote(name)} is not unique: invalid sample`);
  }
}

/** Beyond this, what is quick for a few labels would take a hostile target's many for ever. */
const MANY_WORDS = 128;

/** Sorts in place, by insertion: there are few labels and most come sorted. Empty values are left out. */
function sortedLabels(pairs: string[]): Labels {
  if (pairs.length > MANY_WORDS) {
    const builder = new LabelsBuilder();
    for (let i = 0; i < pairs.length; i += 2) builder.set(pairs[i]!, pairs[i + 1]!);
    return builder.labels();
  }
  let count = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!;
    const value = pairs[i + 1]!;
    if (value === "") continue;
    let place = count;
    while (place > 0 && compareUtf8(pairs[place - 2]!, name) > 0) {
      pairs[place] = pairs[place - 2]!;
      pairs[place + 1] = pairs[place - 1]!;
      place -= 2;
    }
    pairs[place] = name;
    pairs[place + 1] = value;
    count += 2;
  }
  pairs.length = count;
  return Labels.fromSortedPairs(pairs);
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
