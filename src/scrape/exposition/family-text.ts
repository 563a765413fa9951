import { METRIC_NAME } from "../../model/labels.ts";
import type { MetricType } from "../../model/metadata.ts";
import {
  isOfFamily,
  withTypeAndUnit,
  type FamilyOptions,
  type ScrapedPage,
  type ScrapedSeries,
} from "./scraped-series.ts";
import { CustomBuckets } from "./custom-buckets.ts";
import { ExpositionError } from "./exposition-error.ts";
import { normalizeBound, parseGoFloat } from "./go-float.ts";
import {
  linesOf,
  missingValue,
  seriesTextLength,
  type LineSyntax,
  type ParsedExemplar,
} from "./line-syntax.ts";

/**
 * A text page read family by family, for what needs more than one line at a time: histograms to convert, start times,
 * types and units as labels. `body` has one character a byte.
 */
export function parseFamilyText(
  body: string,
  syntax: LineSyntax,
  isOpenMetrics: boolean,
  options: FamilyOptions,
): ScrapedPage {
  const reader = new FamilyReader(syntax, isOpenMetrics, options);
  return { series: reader.walk(body), metadata: reader.metadata };
}

/** The lines of one histogram that came so far. */
interface OpenHistogram {
  readonly metric: string;
  readonly groupKey: string;
  /** Without `le`. */
  readonly labels: readonly string[];
  readonly buckets: CustomBuckets;
  readonly exemplars: ParsedExemplar[];
  timestampMs: number | null;
  startMs: number | null;
}

class FamilyReader {
  readonly metadata = new Map<string, { type: MetricType; unit: string; help: string }>();
  private type: MetricType | null = null;
  private typedMetric = "";
  private open: OpenHistogram | null = null;
  /** Of the page's `_created` lines, by family and labels. */
  private readonly startTimes = new Map<string, number>();

  constructor(
    private readonly syntax: LineSyntax,
    private readonly isOpenMetrics: boolean,
    private readonly options: FamilyOptions,
  ) {}

  *walk(body: string): Generator<ScrapedSeries> {
    // The line with the start time may come after those it speaks of.
    if (this.options.takesStartTimes && this.isOpenMetrics) this.collectStartTimes(body);
    let hasEnded = !this.isOpenMetrics || body === "";
    for (const line of linesOf(body)) {
      if (hasEnded && this.isOpenMetrics) throw new ExpositionError("unexpected data after # EOF");
      if (this.syntax.isEmptyLine(line)) continue;
      if (line.startsWith("#")) {
        if (this.readComment(line)) hasEnded = true;
        continue;
      }
      yield* this.readSample(line);
    }
    yield* this.close();
    if (!hasEnded) throw new ExpositionError("data does not end with # EOF");
  }

  private collectStartTimes(body: string): void {
    for (const line of linesOf(body)) {
      if (line.startsWith("#")) {
        this.readComment(line);
        continue;
      }
      const length = this.textLengthOf(line);
      const pairs = this.syntax.parseSeries(line.slice(0, length));
      if (!this.isStartTime(pairs)) continue;
      const startMs = Math.trunc(this.syntax.parseRest(line.slice(length)).value * 1000);
      this.startTimes.set(this.familyKey(pairs), startMs);
    }
    this.type = null;
    this.typedMetric = "";
    this.metadata.clear();
  }

  /** How much of a sample's line comes before its value. @throws ExpositionError where there is none */
  private textLengthOf(line: string): number {
    const length = seriesTextLength(line);
    if (length > 0) return length;
    // Whatever is wrong before the value is said best by who reads it.
    this.syntax.parseSeries(line);
    throw missingValue(line);
  }

  private isStartTime(pairs: readonly string[]): boolean {
    const hasStart = this.type === "counter" || this.type === "summary" || this.type === "histogram";
    return hasStart && valueOf(pairs, METRIC_NAME) === `${this.typedMetric}_created`;
  }

  private familyKey(pairs: readonly string[]): string {
    return `${this.typedMetric}\n${groupKeyOf(labelsWithoutBound(pairs))}`;
  }

  /** @returns whether it was the end of the page */
  private readComment(line: string): boolean {
    const comment = this.syntax.parseComment(line);
    if (comment.kind === "remark") return false;
    if (comment.kind === "eof") return true;
    let entry = this.metadata.get(comment.metric);
    if (!entry) this.metadata.set(comment.metric, (entry = { type: "unknown", unit: "", help: "" }));
    if (comment.kind === "type") {
      entry.type = comment.type;
      this.type = comment.type;
      this.typedMetric = comment.metric;
    } else entry[comment.kind] = comment.text;
    return false;
  }

  private *readSample(line: string): Generator<ScrapedSeries> {
    const length = this.textLengthOf(line);
    const text = line.slice(0, length);
    const pairs = this.syntax.parseSeries(text);
    const rest = this.syntax.parseRest(line.slice(length));
    const { value, timestampMs, exemplar } = rest;
    if (this.startTimes.size > 0 && this.isStartTime(pairs)) return;
    const name = valueOf(pairs, METRIC_NAME);
    const isMember = this.type !== null && isOfFamily(name, this.typedMetric);
    const startMs =
      isMember && this.startTimes.size > 0 ? (this.startTimes.get(this.familyKey(pairs)) ?? null) : null;
    const exemplars = exemplar ? [exemplar] : [];
    const part =
      this.options.convertClassic && this.type === "histogram" ? partOf(pairs, this.typedMetric) : null;
    if (part === null) {
      yield* this.close();
    } else {
      const labels = labelsWithoutBound(pairs);
      const groupKey = groupKeyOf(labels);
      if (this.open && (this.open.metric !== this.typedMetric || this.open.groupKey !== groupKey))
        yield* this.close();
      this.open ??= {
        metric: this.typedMetric,
        groupKey,
        labels,
        buckets: new CustomBuckets(),
        exemplars: [],
        timestampMs: null,
        startMs,
      };
      const { buckets } = this.open;
      if (part.kind === "count") buckets.setCount(value);
      else if (part.kind === "sum") buckets.setSum(value);
      else buckets.setBucket(part.bound, value);
      this.open.exemplars.push(...exemplars);
      this.open.timestampMs = timestampMs;
      if (!this.options.alwaysClassic) return;
    }
    const bound = this.type === "histogram" ? "le" : this.type === "summary" ? "quantile" : null;
    const described = isMember ? this.described() : null;
    yield {
      key: described ? `${text}\n${described.type}\n${described.unit}` : text,
      pairs: () => {
        const labels = pairs.map((word, i) =>
          i % 2 === 1 && pairs[i - 1] === bound ? normalizeBound(word) : word,
        );
        return described ? withTypeAndUnit(labels, described.type, described.unit) : labels;
      },
      metric: isMember ? this.typedMetric : name,
      value,
      timestampMs,
      exemplars,
      startMs,
    };
  }

  /** Type and unit of the family at hand, where they are to be labels. */
  private described(): { readonly type: MetricType; readonly unit: string } | null {
    return this.options.addsTypeAndUnit ? (this.metadata.get(this.typedMetric) ?? null) : null;
  }

  /** Gives the histogram whose lines are through; one that cannot be is left out, as its lines were. */
  private *close(): Generator<ScrapedSeries> {
    const { open } = this;
    this.open = null;
    if (!open) return;
    try {
      const value = open.buckets.histogram();
      const unit = this.metadata.get(open.metric)?.unit ?? "";
      const pairs = [METRIC_NAME, open.metric, ...open.labels];
      yield {
        key: `${open.metric}\n${open.groupKey}`,
        pairs: () => (this.options.addsTypeAndUnit ? withTypeAndUnit(pairs, "histogram", unit) : pairs),
        metric: open.metric,
        value,
        timestampMs: open.timestampMs,
        exemplars: open.exemplars
          .filter(({ timestampMs }) => timestampMs !== null)
          .sort((a, b) => a.timestampMs! - b.timestampMs!),
        startMs: open.startMs,
      };
    } catch (error) {
      if (!(error instanceof ExpositionError)) throw error;
    }
  }
}

type HistogramPart =
  | { readonly kind: "count" }
  | { readonly kind: "sum" }
  | { readonly kind: "bucket"; readonly bound: number }
  | null;

/** Which line of the histogram `metric` this is, if it is one. */
function partOf(pairs: readonly string[], metric: string): HistogramPart {
  const name = valueOf(pairs, METRIC_NAME);
  if (name === `${metric}_count`) return { kind: "count" };
  if (name === `${metric}_sum`) return { kind: "sum" };
  if (name !== `${metric}_bucket`) return null;
  try {
    return { kind: "bucket", bound: parseGoFloat(valueOf(pairs, "le")) };
  } catch {
    return null;
  }
}

function valueOf(pairs: readonly string[], name: string): string {
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i] === name) return pairs[i + 1]!;
  return "";
}

/** What the lines of one histogram or summary have in common. */
function labelsWithoutBound(pairs: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] !== METRIC_NAME && pairs[i] !== "le" && pairs[i] !== "quantile")
      kept.push(pairs[i]!, pairs[i + 1]!);
  }
  return kept;
}

function groupKeyOf(labels: readonly string[]): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.length; i += 2)
    parts.push(`${labels[i]!.length}:${labels[i]}${labels[i + 1]!.length}:${labels[i + 1]}`);
  return parts.sort().join("");
}
