import { METRIC_NAME, LabelsBuilder } from "../model/labels.ts";
import type { VectorSample } from "../promql/value.ts";
import type { ParsedExpression, RuleStorage } from "./ports.ts";
import { Rule, mergeRuleLabels, type Evaluation } from "./rule.ts";
import type { RecordingRuleConfig } from "./rule-config.ts";
import { vectorOf } from "./sample-vector.ts";

/** Writes what an expression gives under a name of its own. */
export class RecordingRule extends Rule {
  override readonly kind = "recording";

  constructor(
    config: RecordingRuleConfig,
    groupLabels: Readonly<Record<string, string>>,
    expression: ParsedExpression,
  ) {
    super(config.record, expression, mergeRuleLabels(groupLabels, config.labels));
  }

  override get definition(): string {
    return JSON.stringify([this.identity, this.query]);
  }

  override async evaluate(evaluation: Evaluation, storage: RuleStorage): Promise<readonly VectorSample[]> {
    const { queryTimeMs, limit, signal, group } = evaluation;
    const vector = vectorOf(await storage.query(this.query, queryTimeMs, signal, group));
    const builder = new LabelsBuilder();
    const results = vector.map((sample) => {
      builder.reset(sample.labels).set(METRIC_NAME, this.name);
      for (const [name, value] of this.labels) builder.set(name, value);
      return { labels: builder.labels(), value: sample.value, histogram: sample.histogram };
    });
    if (new Set(results.map(({ labels }) => labels.key)).size < results.length) {
      throw new Error("vector contains metrics with the same labelset after applying rule labels");
    }
    if (limit > 0 && results.length > limit) {
      throw new Error(`exceeded limit of ${limit} with ${results.length} series`);
    }
    return results;
  }
}
