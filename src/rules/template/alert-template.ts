import type { FloatHistogram } from "../../model/histogram.ts";
import type { Labels } from "../../model/labels.ts";
import { executeTemplate } from "./execute.ts";
import { templateFunctions } from "./functions.ts";
import { parseTemplate, type Tree } from "./parse.ts";
import type { QueryMemo } from "./query-memo.ts";
import { HistogramValue, MapValue, StructValue, type Value } from "./value.ts";

/** What a template of an alert is about. */
export interface AlertTemplateData {
  /** Of the element of the expression, with its name. */
  readonly labels: Labels;
  readonly externalLabels: Labels;
  readonly externalUrl: string;
  readonly value: number | FloatHistogram;
}

export interface AlertTemplateContext {
  readonly timeMs: number;
  readonly externalUrl: string;
  /** Of the run this expansion is part of. */
  readonly queries: QueryMemo;
}

/** The text, which tells of the error when there is one. */
export interface Expansion {
  readonly text: string;
  readonly error: Error | null;
}

/** Short names for the data, in front of every template. */
const DEFINITIONS =
  "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}";

const DATA_TYPE =
  "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }";

/** The value of a label or an annotation of an alerting rule. */
export class AlertTemplate {
  /** The text itself, where nothing in it is to be expanded. */
  readonly constantText: string | null;
  private readonly name: string;
  private readonly trees: ReadonlyMap<string, Tree> | null = null;
  private readonly parseError: Error | null = null;

  /** Never throws: a template that can't be parsed expands to its error. */
  constructor(alertName: string, text: string) {
    this.name = `__alert_${alertName}`;
    this.constantText = text.includes("{{") ? null : text;
    if (this.constantText !== null) return;
    try {
      this.trees = parseAlertTemplate(this.name, text);
    } catch (cause) {
      this.parseError = new Error(`error parsing template ${this.name}: ${messageOf(cause)}`, { cause });
    }
  }

  /** @param data from `alertData` */
  async expand(data: Value, context: AlertTemplateContext): Promise<Expansion> {
    if (this.constantText !== null) return { text: this.constantText, error: null };
    try {
      if (this.parseError !== null) throw this.parseError;
      return { text: await this.execute(data, context), error: null };
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      return { text: `<error expanding template: ${error.message}>`, error };
    }
  }

  private async execute(data: Value, context: AlertTemplateContext): Promise<string> {
    const { timeMs, externalUrl } = context;
    try {
      return await context.queries.run((queries) =>
        executeTemplate(this.name, data, {
          trees: this.trees!,
          functions: templateFunctions,
          context: { timeMs, externalUrl, queries },
        }),
      );
    } catch (cause) {
      throw new Error(`error executing template ${this.name}: ${messageOf(cause)}`, { cause });
    }
  }
}

/**
 * What is wrong with a template of an alerting rule before it ever runs: Go's text, or null.
 * For whoever checks rule files.
 */
export function alertTemplateError(alertName: string, text: string): string | null {
  try {
    parseAlertTemplate(`__alert_${alertName}`, text);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

function parseAlertTemplate(name: string, text: string): ReadonlyMap<string, Tree> {
  return parseTemplate(name, DEFINITIONS + text, (functionName) => templateFunctions.has(functionName));
}

/** The data of one alert, for all its templates. */
export function alertData({ labels, externalLabels, externalUrl, value }: AlertTemplateData): Value {
  const fields = new Map<string, Value>([
    ["Labels", MapValue.ofLabels(labels)],
    ["ExternalLabels", MapValue.ofLabels(externalLabels)],
    ["ExternalURL", externalUrl],
    ["Value", typeof value === "number" ? value : new HistogramValue(value)],
  ]);
  return new StructValue(fields, DATA_TYPE, false);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
