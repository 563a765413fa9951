import { expect, test } from "vitest";
import type { QueryValue } from "../../src/promql/value.ts";
import { RecordingRule } from "../../src/rules/recording-rule.ts";
import {
  FakeRuleStorage,
  parseExpression,
  recording,
  vector,
  type LabelRecord,
} from "../support/rule-fixtures.ts";

async function record(
  value: QueryValue,
  options: {
    readonly labels?: LabelRecord;
    readonly groupLabels?: LabelRecord;
    readonly limit?: number;
  } = {},
) {
  const storage = new FakeRuleStorage().answer("sum(x)", value);
  const rule = new RecordingRule(
    recording("job:x:sum", "sum(x)", options.labels),
    options.groupLabels ?? {},
    parseExpression("sum(x)"),
  );
  const signal = new AbortController().signal;
  const evaluation = { timeMs: 1000, queryTimeMs: 900, limit: options.limit ?? 0, signal, group: null };
  const samples = await rule.evaluate(evaluation, storage);
  return samples.map(({ labels, value }) => ({ ...labels.toRecord(), value }));
}

test("results bear the rule's name, and its labels over their own and over those of the group", async () => {
  const value = vector([{ __name__: "x", job: "a", env: "dev" }, 1]);
  expect(await record(value, { labels: { env: "prod" }, groupLabels: { env: "test", team: "sre" } })).toEqual(
    [{ __name__: "job:x:sum", job: "a", env: "prod", team: "sre", value: 1 }],
  );
});

test("an empty label of the rule takes the label away", async () => {
  expect(await record(vector([{ job: "a", env: "dev" }, 1]), { labels: { env: "" } })).toEqual([
    { __name__: "job:x:sum", job: "a", value: 1 },
  ]);
});

test("a scalar is recorded without labels", async () => {
  expect(await record({ type: "scalar", timeMs: 0, value: 5 })).toEqual([
    { __name__: "job:x:sum", value: 5 },
  ]);
});

test("a range is refused", async () => {
  await expect(record({ type: "matrix", series: [] })).rejects.toThrow(
    "rule result is not a vector or scalar",
  );
});

test("two results under one label set are an error", async () => {
  const value = vector([{ job: "a" }, 1], [{ job: "b" }, 2]);
  await expect(record(value, { labels: { job: "" } })).rejects.toThrow(
    "vector contains metrics with the same labelset after applying rule labels",
  );
});

test("more results than the limit are an error, as many are not", async () => {
  const value = vector([{ job: "a" }, 1], [{ job: "b" }, 2]);
  expect(await record(value, { limit: 2 })).toHaveLength(2);
  await expect(record(value, { limit: 1 })).rejects.toThrow("exceeded limit of 1 with 2 series");
});
