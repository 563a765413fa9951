import { answerQueryTask, type QueryServices } from "../api/answer-query-task.ts";
import type { QueryTask } from "../api/query-tasks.ts";
import type { QueryMemory } from "../kernels/index.ts";
import { Labels } from "../model/labels.ts";
import type { Queryable } from "../model/storage.ts";
import { ExemplarStorage } from "../tsdb/head/exemplars.ts";
import { Head } from "../tsdb/head/head.ts";
import { HeadAppender } from "../tsdb/head/head-appender.ts";
import { TsdbReader } from "../tsdb/tsdb-reader.ts";

const SERIES = 120;
const SCRAPES = 240;
const STEP_MS = 15_000;
const BLOCK_RANGE_MS = 7_200_000;
/** Enough for V8 to compile what queries spend their time in, little enough to go unnoticed at a start. */
const ROUNDS = 12;

const common = { timeoutMs: null, limit: 0, lookbackMs: null, stats: "" };
const queries = [
  "warm_up_total",
  "sum by (code) (rate(warm_up_total[5m]))",
  "topk(3, avg_over_time(warm_up_total[10m]))",
  "histogram_quantile(0.9, sum by (le) (rate(warm_up_total[5m])))",
  "sum by (code) (rate(warm_up_total[5m])) / on (code) sum by (code) (warm_up_total) > 0",
];

/**
 * Runs the common kinds of query a few times over a small head of its own, so that the first ones of a user don't pay
 * for compiling the code they run on. A step takes some milliseconds; between two of them others' queries may be
 * answered.
 */
export function* warmUp(
  servicesFor: (queryable: Queryable) => QueryServices,
  memory: QueryMemory,
): Generator<void, void, void> {
  const head = new Head({ blockRangeMs: BLOCK_RANGE_MS });
  yield* fill(head);
  const reader = new TsdbReader(head.control.buffer, memory);
  for (const { generation } of head.generations) reader.attach(generation.memory);
  const services = servicesFor(reader);
  const endMs = SCRAPES * STEP_MS;
  for (let round = 0; round < ROUNDS; round++) {
    for (const query of queries) {
      const range: QueryTask = { kind: "range", query, startMs: 0, endMs, stepMs: 60_000, ...common };
      const instant: QueryTask = { kind: "instant", query, timeMs: endMs, ...common };
      for (const task of [range, instant, instant]) {
        const mark = memory.mark();
        answerQueryTask(task, services);
        memory.release(mark);
        yield;
      }
    }
  }
}

function* fill(head: Head): Generator<void, void, void> {
  const appender = new HeadAppender(head, null, { exemplars: new ExemplarStorage(0), logsMetadata: false });
  const refs = new Uint32Array(SERIES);
  const values = new Float64Array(SERIES);
  const outcomes = new Uint8Array(SERIES);
  const epoch = appender.epochAt(0)!;
  for (let i = 0; i < SERIES; i++) {
    const labels = Labels.fromRecord({
      __name__: "warm_up_total",
      code: String(i % 5),
      instance: `host-${i % 12}`,
      le: i % 10 === 9 ? "+Inf" : String(i % 10),
    });
    refs[i] = appender.resolve(epoch, labels).ref;
  }
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    for (let i = 0; i < SERIES; i++) values[i] = scrape * (i + 1) + (i % 3) / 7;
    appender.begin();
    appender.appendFloats(epoch, refs, values, SERIES, scrape * STEP_MS, outcomes);
    appender.commit();
    if (scrape % 20 === 0) yield;
  }
}
