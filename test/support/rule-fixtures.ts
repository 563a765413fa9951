import type { FloatHistogram } from "../../src/model/histogram.ts";
import { Labels } from "../../src/model/labels.ts";
import { isStaleMarker } from "../../src/model/sample.ts";
import { SampleOutcome } from "../../src/model/storage.ts";
import { parseExpr, printExpr } from "../../src/promql/parse/index.ts";
import type { QueryValue, VectorSample } from "../../src/promql/value.ts";
import type {
  ForStateSample,
  Log,
  ParsedExpression,
  RuleSampleBatch,
  RuleStorage,
} from "../../src/rules/ports.ts";
import type {
  AlertingRuleConfig,
  RecordingRuleConfig,
  RuleGroupConfig,
} from "../../src/rules/rule-config.ts";

export type LabelRecord = Readonly<Record<string, string>>;

export function parseExpression(text: string): ParsedExpression {
  const expr = parseExpr(text);
  return { text: printExpr(expr), expr };
}

export function vector(...samples: readonly (readonly [LabelRecord, number])[]): QueryValue {
  return { type: "vector", timeMs: 0, samples: samples.map(([labels, value]) => sample(labels, value)) };
}

export function sample(
  labels: LabelRecord,
  value: number,
  histogram: FloatHistogram | null = null,
): VectorSample {
  return { labels: Labels.fromRecord(labels), value, histogram };
}

export interface WrittenSample {
  readonly labels: LabelRecord;
  readonly timeMs: number;
  readonly value: number | "stale" | FloatHistogram;
}

/** A storage that answers queries as told and remembers what was asked and written. */
export class FakeRuleStorage implements RuleStorage {
  readonly asked: { readonly text: string; readonly timeMs: number }[] = [];
  readonly written: WrittenSample[] = [];
  readonly forStateRequests: {
    readonly alertName: string;
    readonly minTime: number;
    readonly maxTime: number;
  }[] = [];
  forStateSamples: readonly ForStateSample[] = [];
  /** What becomes of a sample; by default it is stored. */
  outcome: (sample: WrittenSample) => number = () => SampleOutcome.appended;
  appendError: Error | null = null;
  private readonly answers = new Map<string, (timeMs: number, signal: AbortSignal) => Promise<QueryValue>>();

  /** From now on the expression gives this; a function may give something else at each time. */
  answer(
    text: string,
    value: QueryValue | ((timeMs: number, signal: AbortSignal) => QueryValue | Promise<QueryValue>),
  ): this {
    this.answers.set(text, async (timeMs, signal) =>
      typeof value === "function" ? value(timeMs, signal) : value,
    );
    return this;
  }

  fail(text: string, error: Error): this {
    this.answers.set(text, () => Promise.reject(error));
    return this;
  }

  async query(text: string, timeMs: number, signal: AbortSignal): Promise<QueryValue> {
    this.asked.push({ text, timeMs });
    const answer = this.answers.get(text);
    return answer === undefined ? vector() : answer(timeMs, signal);
  }

  async appendSamples(batch: RuleSampleBatch): Promise<Uint8Array> {
    if (this.appendError !== null) throw this.appendError;
    const words = new Uint32Array(batch.values.buffer, batch.values.byteOffset, batch.values.length * 2);
    return Uint8Array.from(batch.series, (labels, i) => {
      const value = isStaleMarker(words, i) ? "stale" : (batch.histograms?.[i] ?? batch.values[i]!);
      const written: WrittenSample = { labels: labels.toRecord(), timeMs: batch.timeMs, value };
      const outcome = this.outcome(written);
      if (outcome === SampleOutcome.appended) this.written.push(written);
      return outcome;
    });
  }

  async lastForStateSamples(alertName: string, minTime: number, maxTime: number) {
    this.forStateRequests.push({ alertName, minTime, maxTime });
    return this.forStateSamples;
  }

  /** What was written to series of this name, as `time: labels value`. */
  lines(metricName: string): string[] {
    return this.written
      .filter(({ labels }) => labels["__name__"] === metricName)
      .map(({ labels, timeMs, value }) => {
        const pairs = Object.entries(labels).filter(([name]) => name !== "__name__");
        const texts = pairs.map(([name, text]) => `${name}=${text}`);
        return `${timeMs}: ${[...texts, typeof value === "object" ? "histogram" : value].join(" ")}`;
      });
  }
}

export class FakeLog implements Log {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: object }[] = [];
  readonly debug = (fields: object, message: string) => this.add("debug", fields, message);
  readonly info = (fields: object, message: string) => this.add("info", fields, message);
  readonly warn = (fields: object, message: string) => this.add("warn", fields, message);
  readonly error = (fields: object, message: string) => this.add("error", fields, message);

  private add(level: string, fields: object, message: string): void {
    this.lines.push({ level, message, fields });
  }

  get messages(): string[] {
    return this.lines.map(({ message }) => message);
  }
}

export function recording(record: string, expr: string, labels: LabelRecord = {}): RecordingRuleConfig {
  return { kind: "recording", record, expr, labels };
}

export function alerting(
  alert: string,
  expr: string,
  more: Partial<Omit<AlertingRuleConfig, "kind" | "alert" | "expr">> = {},
): AlertingRuleConfig {
  return {
    kind: "alerting",
    alert,
    expr,
    forMs: 0,
    keepFiringForMs: 0,
    labels: {},
    annotations: {},
    ...more,
  };
}

export function ruleGroup(
  rules: RuleGroupConfig["rules"],
  more: Partial<Omit<RuleGroupConfig, "rules">> = {},
): RuleGroupConfig {
  return {
    name: "group",
    file: "rules.yml",
    intervalMs: 60_000,
    queryOffsetMs: 0,
    limit: 0,
    labels: {},
    rules,
    ...more,
  };
}
