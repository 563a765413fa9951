import { Labels } from "../model/labels.ts";
import {
  QueryCanceledError,
  type ForStateSample,
  type RuleGroupName,
  type RuleSampleBatch,
  type RuleStorage,
} from "../rules/ports.ts";
import type { QueryAnswer, QueryTask } from "../api/query-tasks.ts";
import type { QueryValue } from "../promql/value.ts";
import type { RuleSamplesMessage } from "./ingest-messages.ts";
import type { QueryPool } from "./query-pool.ts";

/** The rules' way to the other threads: queries to the query threads, results to the ingest thread. */
export function createRuleStorage(
  pool: QueryPool,
  append: (message: RuleSamplesMessage) => Promise<Uint8Array>,
  onQuery: (task: QueryTask, answer: QueryAnswer, group: RuleGroupName | null) => void,
): RuleStorage {
  async function run(
    task: QueryTask,
    signal: AbortSignal,
    group: RuleGroupName | null = null,
  ): Promise<QueryAnswer> {
    const answer = await pool.run(task, signal);
    onQuery(task, answer, group);
    if (answer.value) return answer;
    if (signal.aborted) throw new QueryCanceledError("query was canceled");
    throw new Error(answer.report?.error ?? errorText(answer));
  }

  return {
    async query(text, timeMs, signal, group): Promise<QueryValue> {
      const { value } = await run({ kind: "rule", query: text, timeMs }, signal, group);
      if (value!.type === "vector") {
        const samples = value!.samples.map(({ pairs, value, histogram }) => ({
          labels: Labels.fromSortedPairs(pairs),
          value,
          histogram,
        }));
        return { type: "vector", timeMs: value!.timeMs, samples };
      }
      if (value!.type === "lastSamples") throw new Error("a rule's query was answered with something else");
      return value!;
    },

    appendSamples({ timeMs, series, values, histograms }: RuleSampleBatch): Promise<Uint8Array> {
      return append({ timeMs, series: series.map((labels) => labels.pairs), values, histograms });
    },

    async lastForStateSamples(
      alertName: string,
      startMs: number,
      endMs: number,
    ): Promise<readonly ForStateSample[]> {
      const { value } = await run(
        { kind: "forState", alertName, startMs, endMs },
        new AbortController().signal,
      );
      if (value!.type !== "lastSamples")
        throw new Error("a look-up of alert states was answered with something else");
      return value!.samples.map(({ pairs, timeMs, value }) => ({
        labels: Labels.fromSortedPairs(pairs),
        timeMs,
        value,
      }));
    },
  };
}

/** The text in an error answer that never reached the engine. */
function errorText(answer: QueryAnswer): string {
  const body = JSON.parse(Buffer.concat(answer.parts).toString("utf8")) as { error?: string };
  return body.error ?? `query was answered with status ${answer.status}`;
}
