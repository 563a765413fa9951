import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { QueryAnswer, QueryTask } from "../../src/api/query-tasks.ts";
import type { ActiveQueries } from "../../src/runtime/active-queries.ts";
import type { ToQueryThread } from "../../src/runtime/query-messages.ts";
import type { SmallTask, SmallTasks } from "../../src/runtime/small-tasks.ts";
import { QueryPool, type QueryPoolOptions } from "../../src/runtime/query-pool.ts";

const threadFile = pathToFileURL(join(import.meta.dirname, "../support/fake-query-thread.mjs"));
let pool: QueryPool;
let replaced = 0;

function start(over: Partial<QueryPoolOptions> = {}): QueryPool {
  replaced = 0;
  pool = new QueryPool({
    threadFile,
    thread: { engine: { maxSamples: 100 } } as QueryPoolOptions["thread"],
    heavyThreads: 1,
    maxConcurrency: 4,
    timeoutMs: 5_000,
    heapLimitMiB: 64,
    activeQueries: null,
    loadSmallTasks: null,
    onReplaced: () => replaced++,
    logger: pino({ level: "silent" }),
    ...over,
  });
  return pool;
}

/** One that has answered a query: with its first thread, which comes with it. */
async function started(over: Partial<QueryPoolOptions> = {}): Promise<void> {
  await start(over).run(task("small"), new AbortController().signal);
}

afterEach(() => pool.close());

function task(query: string, timeoutMs: number | null = null): QueryTask {
  return { kind: "instant", query, timeMs: 0, timeoutMs, limit: 0, lookbackMs: null, stats: "" };
}

function run(query: string, timeoutMs: number | null = null, signal = new AbortController().signal) {
  return pool.run(task(query, timeoutMs), signal);
}

function bodyOf(answer: QueryAnswer) {
  return JSON.parse(Buffer.concat(answer.parts).toString()) as Record<string, unknown>;
}

describe("the query pool", () => {
  test("answers small queries on the light lane and moves large ones to the heavy lane", async () => {
    await started();
    expect(bodyOf(await run("small"))).toMatchObject({ lane: "light" });
    expect(bodyOf(await run("heavy"))).toMatchObject({ lane: "heavy" });
  });

  test("has no threads until a query comes, and tells them then what was said before", async () => {
    await start().ready();
    pool.tellAll("generation 1", { type: "generationBorn", announcement: { epoch: 1 } as never });
    await pool.synced();
    expect(pool.threadCount).toBe(0);
    const answers = await Promise.all([run("told"), run("small")]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(JSON.stringify(bodyOf(answers[0]))).toContain("generationBorn");
    expect(pool.threadCount).toBe(1);
  });

  describe("when small tasks are asked for often", () => {
    const answer: QueryAnswer = { status: 200, parts: [Buffer.from('"at once"')], report: null };
    let told: string[];
    let learned: QueryAnswer[];
    const smallTasks = {
      tell: ({ type }: ToQueryThread) => told.push(type),
      answer: (asked: SmallTask) => ("query" in asked && asked.query === "small" ? answer : null),
      learner: () => (found: QueryAnswer) => learned.push(found),
    } as unknown as SmallTasks;
    const names: QueryTask = { kind: "labelNames", matches: [], startMs: 0, endMs: 1, limit: 0 };

    async function askOften(): Promise<void> {
      for (let i = 0; i < 30; i++) pool.answerAtOnce(task("small"), false);
      await new Promise((resolve) => setImmediate(resolve));
    }

    beforeEach(() => {
      told = [];
      learned = [];
    });

    test("answers them at once, and leaves the others to its threads", async () => {
      start({ loadSmallTasks: async () => smallTasks });
      pool.tellAll("settings", { type: "settings", defaultSubqueryStepMs: 1 });
      expect(pool.answerAtOnce(task("small"), false)).toBeNull();
      expect(pool.answerAtOnce(names, false)).toBeNull();
      await askOften();
      pool.tellAll("exemplars", { type: "exemplars", buffer: null });
      expect(told).toEqual(["settings", "exemplars"]);
      expect(pool.answerAtOnce(task("small"), false)).toBe(answer);
      expect(pool.answerAtOnce(task("another"), false)).toBeNull();
      expect(pool.answerAtOnce({ kind: "format", query: "small" }, false)).toBeNull();
      expect(pool.threadCount).toBe(0);
    });

    test("has it learn what the threads answer", async () => {
      start({ loadSmallTasks: async () => smallTasks });
      await askOften();
      const found = await run("another");
      expect(learned).toEqual([found]);
    });

    test("goes on without where it cannot be loaded", async () => {
      start({ loadSmallTasks: () => Promise.reject(new Error("no such file")) });
      await askOften();
      expect(pool.answerAtOnce(task("small"), false)).toBeNull();
      expect((await run("small")).status).toBe(200);
    });

    test("answers nothing any more once it is closed", async () => {
      start({ loadSmallTasks: async () => smallTasks });
      await askOften();
      await pool.close();
      expect(pool.answerAtOnce(task("small"), false)).toBeNull();
    });
  });

  describe("with two heavy threads at rest", () => {
    const options = { timeoutMs: null, limit: 0, lookbackMs: null, stats: "" };
    const range = (query: string): QueryTask => ({
      ...{ kind: "range", query, startMs: 0, endMs: 60_000, stepMs: 1_000, ...options },
    });
    const answerTo = async (query: string) =>
      bodyOf(await pool.run(range(query), new AbortController().signal));

    async function startTwo(): Promise<void> {
      await started({ heavyThreads: 2 });
      // Each finds too few, and has one more come.
      while (pool.threadCount < 3) await answerTo("heavy, divided, to begin with");
      await pool.ready();
    }

    test("divides a query between them, also when it is known already", async () => {
      await startTwo();
      for (let i = 0; i < 3; i++) {
        expect(await answerTo("heavy, divided")).toEqual({
          status: "success",
          data: { resultType: "matrix", result: [] },
          infos: ["a part"],
        });
      }
    });

    test("runs a query whole where its parts say so", async () => {
      await startTwo();
      expect(await answerTo("heavy, divided, but whole")).toMatchObject({ lane: "heavy" });
    });

    test("answers with the error of a part that failed, and goes on", async () => {
      await startTwo();
      expect(await answerTo("heavy, divided, second part dies")).toMatchObject({ errorType: "execution" });
      expect(pool.activeCount).toBe(0);
      expect(await answerTo("small")).toMatchObject({ lane: "light" });
    });
  });

  test("answers small queries while heavy ones run", async () => {
    await started();
    const heavy = run("heavy, never ends", 1_500);
    for (let i = 0; i < 20; i++) expect((await run("small")).status).toBe(200);
    expect((await heavy).status).toBe(503);
  });

  test("ends a query that overstays its deadline, and its thread with it; others go on", async () => {
    await started();
    const answer = await run("never ends", 300);
    expect(answer.status).toBe(503);
    expect(bodyOf(answer)).toMatchObject({
      errorType: "timeout",
      error: "query timed out in query execution",
    });
    expect((await run("small")).status).toBe(200);
    expect(replaced).toBe(1);
  });

  test("answers for a thread that died, and replaces it", async () => {
    await started();
    const answer = await run("dies");
    expect(bodyOf(answer)).toMatchObject({
      errorType: "execution",
      error: "query ended its thread: out of everything",
    });
    expect((await run("small")).status).toBe(200);
  });

  test("tells a new thread what the others were told, the newest word under each key, unless taken back", async () => {
    await started();
    pool.tellAll("generation 1", { type: "generationBorn", announcement: null as never });
    pool.tellAll("settings", { type: "settings", defaultSubqueryStepMs: 1 });
    pool.tellAll("settings", { type: "settings", defaultSubqueryStepMs: 2 });
    await run("dies");
    expect(bodyOf(await run("small"))["told"]).toEqual(["generationBorn", "settings"]);
    pool.tellAll("generation 1", null);
    await run("dies");
    expect(bodyOf(await run("small"))["told"]).toEqual(["settings"]);
  });

  test("lets a query know that its client went away", async () => {
    await started();
    const gone = new AbortController();
    const answer = run("until cancelled", null, gone.signal);
    setTimeout(() => gone.abort(), 100);
    expect((await answer).status).toBe(200);
    expect(replaced).toBe(0);
  });

  test("replaces a thread that does not listen when the client went away", async () => {
    await started();
    const gone = new AbortController();
    const answer = run("never ends", null, gone.signal);
    setTimeout(() => gone.abort(), 100);
    expect((await answer).status).toBe(499);
    expect((await run("small")).status).toBe(200);
  });

  test("keeps those beyond the concurrency limit waiting, and tells those whose time runs out there", async () => {
    await started({ maxConcurrency: 1 });
    const first = run("never ends", 1_000);
    const second = await run("small", 200);
    expect(bodyOf(second)).toMatchObject({ errorType: "execution", error: "context deadline exceeded" });
    const third = run("small");
    expect((await first).status).toBe(503);
    expect((await third).status).toBe(200);
  });

  test("answers one that waits for a thread when its time runs out or its client goes, whatever the thread does", async () => {
    await started();
    const order: string[] = [];
    const noted = async (name: string, answer: Promise<QueryAnswer>) => {
      order.push(`${name} ${(await answer).status}`);
    };
    const gone = new AbortController();
    const all = [
      noted("first", run("never ends", 1_500)),
      noted("second", run("small", 200)),
      noted("third", run("small", null, gone.signal)),
      noted("fourth", run("small")),
    ];
    setTimeout(() => gone.abort(), 400);
    await Promise.all(all);
    expect(order).toEqual(["second 503", "third 499", "first 503", "fourth 200"]);
  });

  test("knows when all threads have taken in what they were told", async () => {
    await started();
    pool.tellAll("settings", { type: "settings", defaultSubqueryStepMs: 1 });
    await pool.synced();
    expect(bodyOf(await run("small"))["told"]).toEqual(["settings"]);
  });

  test("tells of a query that ended in the queue how long it waited", async () => {
    await started({ maxConcurrency: 1 });
    const running = run("never ends", 400);
    const { report } = await run("small", 100);
    expect(report?.error).toBe("context deadline exceeded");
    const { timings } = report!.statistics;
    expect(timings.execQueueTime).toBeGreaterThan(0);
    expect(timings.execTotalTime).toBe(timings.execQueueTime);
    expect((await running).report?.error).toBe("query timed out in query execution");
  });

  test("writes down which queries run, each in its slot", async () => {
    const written: string[] = [];
    const activeQueries = {
      begin: (slot: number, query: string) => void written.push(`begin ${slot} ${query}`),
      end: (slot: number) => void written.push(`end ${slot}`),
    } as unknown as ActiveQueries;
    start({ maxConcurrency: 1, activeQueries });
    await Promise.all([
      run("one"),
      run("two"),
      pool.run({ kind: "parse", query: "no" }, new AbortController().signal),
    ]);
    expect(written).toEqual(["begin 0 one", "end 0", "begin 0 two", "end 0"]);
  });
});
