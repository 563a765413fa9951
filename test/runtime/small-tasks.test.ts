import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { answerQueryTask } from "../../src/api/answer-query-task.ts";
import type { InstantQueryTask, QueryAnswer } from "../../src/api/query-tasks.ts";
import { QueryMemory } from "../../src/kernels/index.ts";
import { Labels } from "../../src/model/labels.ts";
import { PromqlEngine } from "../../src/promql/engine.ts";
import { defaultParserOptions } from "../../src/promql/parse/ast.ts";
import type { BlockSpan } from "../../src/runtime/query-messages.ts";
import { type SmallTask, SmallTasks } from "../../src/runtime/small-tasks.ts";
import { ExemplarStorage } from "../../src/tsdb/head/exemplars.ts";
import { Head } from "../../src/tsdb/head/head.ts";
import { HeadAppender } from "../../src/tsdb/head/head-appender.ts";
import { TsdbReader } from "../../src/tsdb/tsdb-reader.ts";

const STEP_MS = 15_000;
const SCRAPES = 60;
const NOW_MS = (SCRAPES - 1) * STEP_MS;
const JOBS = 40;

const engineOptions = {
  lookbackMs: 300_000,
  defaultSubqueryStepMs: 60_000,
  maxSamples: 1_000_000,
  parserOptions: defaultParserOptions,
  features: { delayedNameRemoval: false, useStartTimestamps: false, typeAndUnitLabels: false },
};

let head: Head;
let appender: HeadAppender;
let small: SmallTasks;
/** What the clock shows, and how far it goes each time it is looked at. */
let clockMs = 0;
let clockStepMs = 0;

/** `many` has a series for each of 40 jobs, `few` two for each of them. */
beforeEach(() => {
  head = new Head({ blockRangeMs: 7_200_000 });
  appender = new HeadAppender(head, null, { exemplars: new ExemplarStorage(0), logsMetadata: false });
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    appender.begin();
    for (let job = 0; job < JOBS; job++) {
      append({ __name__: "many", job: `job-${job}` }, scrape * STEP_MS, job);
      for (const code of ["200", "500"])
        append({ __name__: "few", job: `job-${job}`, code }, scrape * STEP_MS, scrape * job);
    }
    appender.commit();
  }
  clockMs = 0;
  clockStepMs = 0;
  small = new SmallTasks(
    {
      engine: { ...engineOptions, perStepStatistics: false, memoryBytes: 1 << 20 },
      control: head.control.buffer,
    },
    () => (clockMs += clockStepMs),
  );
  for (const { generation } of head.generations) {
    const { epoch, memory } = generation;
    small.tell({ type: "generationBorn", announcement: { epoch, memory } });
  }
});

function append(labels: Record<string, string>, timeMs: number, value: number): void {
  const words = new Uint32Array(Float64Array.of(value).buffer);
  appender.appendFloat(Labels.fromRecord(labels), timeMs, words[1]!, words[0]!);
}

function addSeries(labels: Record<string, string>): void {
  appender.begin();
  append(labels, NOW_MS, 1);
  appender.commit();
}

function useBlocks(blocks: readonly BlockSpan[], droppedGenerations: readonly number[] = []): void {
  small.tell({ type: "storageChanged", blocks, changed: [], droppedGenerations });
}

function instant(query: string, over: Partial<InstantQueryTask> = {}): InstantQueryTask {
  const common = { timeMs: NOW_MS, timeoutMs: null, limit: 0, lookbackMs: null, stats: "" };
  return { kind: "instant", query, ...common, ...over };
}

function ask(task: SmallTask, mayGzip = false): QueryAnswer | null {
  return small.answer(task, Infinity, mayGzip);
}

function bodyOf(answer: QueryAnswer | null): string | null {
  return answer && Buffer.concat(answer.parts).toString();
}

/** As a query thread would answer. */
function answerOfThread(task: InstantQueryTask): string {
  const memory = new QueryMemory(1 << 26);
  const queryable = new TsdbReader(head.control.buffer, memory);
  for (const { generation } of head.generations) queryable.attach(generation.memory);
  const engine = new PromqlEngine({ ...engineOptions, queryable, memory, now: () => Date.now() });
  const answer = answerQueryTask(task, {
    ...{ engine, queryable, parserOptions: engineOptions.parserOptions },
    limits: { deadlineMs: Infinity, isCancelled: () => false },
    ...{ perStepStatistics: false, queuedSeconds: 0, columns: () => memory.columns(1024) },
  });
  return bodyOf(answer)!;
}

describe("small queries", () => {
  test("are answered as a query thread answers them", () => {
    const selector = fc.oneof(
      fc.integer({ min: 0, max: JOBS }).map((job) => `few{job="job-${job}"}`),
      fc.integer({ min: 0, max: JOBS }).map((job) => `many{job="job-${job}"}`),
      fc.constant('few{job="job-1",code!="200"}'),
    );
    const query = fc.oneof(
      selector,
      selector.map((text) => `sum by (code) (rate(${text}[2m]))`),
      selector.map((text) => `${text} offset 1m > 0`),
      fc.tuple(selector, selector).map(([a, b]) => `${a} * on (job) group_left () ${b}`),
      fc.double({ noNaN: true, min: 0, max: 1e6 }).map((value) => `${value} + 1`),
    );
    fc.assert(
      fc.property(query, fc.integer({ min: 0, max: 2 * NOW_MS }), (text, timeMs) => {
        const task = instant(text, { timeMs });
        const answer = ask(task);
        // Errors are left to query threads.
        if (answer === null) expect(answerOfThread(task)).toContain(`"status":"error"`);
        else expect(bodyOf(answer)).toBe(answerOfThread(task));
      }),
      { numRuns: 60 },
    );
  });

  test("say what they read, for the metrics and the log", () => {
    const report = ask(instant('few{job="job-3"}'))!.report!;
    expect(report.error).toBeNull();
    expect(report.statistics.samples).toMatchObject({ totalQueryableSamples: 2, samplesRead: 2 });
  });

  test.each([
    ["of many series", "many"],
    ["that look at many series to find few", '{__name__!="few", code=""}'],
    [
      "of many series, few at a time",
      Array.from({ length: 17 }, (_, i) => `few{job="job-${i}"}`).join(" or "),
    ],
    ["with a user's pattern", 'few{job=~"job-(1|2)+"}'],
    ["with a pattern for labels", 'label_replace(few{job="job-1"}, "a", "$1", "job", "(.*)")'],
    ["of long texts", `few{job="job-1"} + ${"0 + ".repeat(200)} 0`],
    ["of many steps", 'max_over_time(few{job="job-1"}[10m:10ms])'],
    ["with an error in them", 'few{job="job-1"'],
    ["that fail", 'few{job="job-1"} + on (job) few{job="job-1"}'],
  ])("are not those %s", (_, query) => {
    expect(ask(instant(query))).toBeNull();
    // The next one is small again.
    expect(ask(instant('few{job="job-1"}'))?.status).toBe(200);
  });

  test("are not those of many samples of few series", () => {
    expect(ask(instant('count_over_time(few{job="job-1"}[10m])'))?.status).toBe(200);
    for (let scrape = 0; scrape < 20_000; scrape++) {
      appender.begin();
      append({ __name__: "often", job: "job-1" }, NOW_MS + scrape * 10, scrape);
      appender.commit();
    }
    const timeMs = NOW_MS + 200_000;
    expect(ask(instant("count_over_time(often[10m])", { timeMs }))).toBeNull();
    expect(ask(instant("count_over_time(often[1s])", { timeMs }))?.status).toBe(200);
  });

  test("read the head alone: a time that lies in a block is not theirs", () => {
    useBlocks([{ directory: "a", minTime: 0, maxTime: NOW_MS - 400_000 }]);
    expect(ask(instant('few{job="job-1"}'))?.status).toBe(200);
    expect(ask(instant('few{job="job-1"}', { timeMs: NOW_MS - 400_000 }))).toBeNull();
    expect(ask(instant('few{job="job-1"} offset 5m'))).toBeNull();
    expect(ask(instant('few{job="job-1"}'))?.status).toBe(200);
  });

  test("see no generation that was dropped, but the block in its place, which is for others to read", () => {
    const [first] = [...head.generations];
    useBlocks([{ directory: "a", minTime: 0, maxTime: NOW_MS }], [first!.generation.epoch]);
    expect(ask(instant('few{job="job-1"}'))).toBeNull();
    expect(bodyOf(ask(instant('few{job="job-1"}', { timeMs: NOW_MS + 400_000 })))).toContain(`"result":[]`);
  });

  test("are given up when they take long, and tried again the next time", () => {
    clockStepMs = 60;
    expect(ask(instant('few{job="job-1"}'))).toBeNull();
    clockStepMs = 0;
    expect(ask(instant('few{job="job-1"}'))?.status).toBe(200);
  });

  test("come compressed where that is wanted and worth it", () => {
    const query =
      'few{job="job-1"} or few{job="job-2"} or few{job="job-3"} or few{job="job-4"} or many{job="job-5"}';
    expect(ask(instant(query), true)?.isGzipped ?? false).toBe(false);
    const wide = Array.from({ length: 12 }, (_, i) => `few{job="job-${i}"}`).join(" or ");
    expect(ask(instant(wide), true)?.isGzipped).toBe(true);
    expect(ask(instant(wide), false)?.isGzipped ?? false).toBe(false);
  });
});

describe("look-ups of labels", () => {
  const names: SmallTask = { kind: "labelNames", matches: [], startMs: 0, endMs: NOW_MS, limit: 0 };
  const values: SmallTask = { ...names, kind: "labelValues", name: "job" };
  const answer: QueryAnswer = { status: 200, parts: [Buffer.from("[]")], report: null };

  function learn(task: SmallTask, what = answer, mayGzip = false): void {
    small.learner(task, mayGzip)!(what);
  }

  test("are known once a query thread has answered them, whatever times were asked for, while these mean the same", () => {
    expect(ask(names)).toBeNull();
    learn(names);
    expect(ask(names)).toBe(answer);
    expect(ask({ ...names, startMs: NOW_MS - 1, endMs: NOW_MS + 60_000 } as SmallTask)).toBe(answer);
    expect(ask({ ...names, startMs: NOW_MS + 1, endMs: NOW_MS + 60_000 } as SmallTask)).toBeNull();
  });

  test("are told apart by what is asked", () => {
    learn(names);
    for (const other of [
      values,
      { ...names, limit: 1 },
      { ...names, matches: ["few"] },
      { ...values, name: "code" },
    ] as SmallTask[])
      expect(ask(other)).toBeNull();
    expect(ask(names, true)).toBeNull();
  });

  test("are forgotten when a series comes, and not learned when one came meanwhile", () => {
    learn(values);
    addSeries({ __name__: "new", job: "job-new" });
    expect(ask(values)).toBeNull();
    const late = small.learner(values, false)!;
    addSeries({ __name__: "newer", job: "job-newer" });
    late(answer);
    expect(ask(values)).toBeNull();
    learn(values);
    expect(ask(values)).toBe(answer);
  });

  test("stay known when only samples come", () => {
    learn(values);
    appender.begin();
    append({ __name__: "many", job: "job-1" }, NOW_MS + STEP_MS, 1);
    appender.commit();
    expect(ask(values)).toBe(answer);
  });

  test("are forgotten when blocks come or go, and depend on which of them are looked through", () => {
    const block = { directory: "a", minTime: -100_000, maxTime: -1 };
    learn(values);
    useBlocks([block]);
    expect(ask(values)).toBeNull();
    learn(values);
    expect(ask(values)).toBe(answer);
    expect(ask({ ...values, startMs: -1 } as SmallTask)).toBeNull();
    useBlocks([]);
    expect(ask(values)).toBeNull();
  });

  test("that failed, or whose answers are long, are not kept", () => {
    learn(values, { ...answer, status: 400 });
    expect(ask(values)).toBeNull();
    learn(values, { ...answer, parts: [Buffer.alloc(200_000)] });
    expect(ask(values)).toBeNull();
  });

  test("are kept within a bound: the least recently asked one goes", () => {
    const numbered = (i: number): SmallTask => ({ ...values, name: `label_${i}` }) as SmallTask;
    for (let i = 0; i < 20; i++) learn(numbered(i), { ...answer, parts: [Buffer.alloc(100_000)] });
    expect(ask(numbered(0))).toBeNull();
    expect(ask(numbered(19))).not.toBeNull();
  });
});
