import { Worker } from "node:worker_threads";
import { LRUCache } from "lru-cache";
import { ApiError } from "../api/api-error.ts";
import { errorEnvelope } from "../api/envelope.ts";
import { mergeFragments } from "../api/merge-fragments.ts";
import { isQuery, type QueryAnswer, type QueryTask, type RangeQueryTask } from "../api/query-tasks.ts";
import type { Division } from "../promql/plan/division.ts";
import { statisticsOfFailure, type QueryStatistics } from "../promql/value.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { ActiveQueries } from "./active-queries.ts";
import type { SmallTask, SmallTaskOptions, SmallTasks } from "./small-tasks.ts";
import type {
  FromQueryThread,
  HeavyWork,
  Lane,
  QueryThreadOptions,
  ToQueryThread,
} from "./query-messages.ts";

/** How long past its deadline a thread may go on before it is taken for stuck and replaced. */
const DEADLINE_GRACE_MS = 500;
/** Requests that may wait for a slot, beyond those that run. */
const MAX_WAITING = 2_000;
/** How long a thread may go on with a query that nobody waits for any more. */
const CANCEL_GRACE_MS = 1_000;
/** Threads come with the first query of their lane and go when there was none for so long: each holds some 15 MiB. */
const IDLE_MS = 5 * 60_000;
/** A query is divided into parts of so many samples at least, and so many parts at most. */
const LEAST_PART_SAMPLES = 150_000;
const MOST_PARTS = 8;
/** So many heavy queries are known, none of them long, for so long. */
const MOST_KNOWN_HEAVY = 500;
const MOST_KNOWN_CHARACTERS = 4_000;
const KNOWN_HEAVY_MS = 60_000;
/** So many tasks that may be small in so short a time, and they are answered on this thread; what that takes, it keeps. */
const ASKED_OFTEN = 20;
const ASKED_OFTEN_MS = 60_000;
/** A thread that could not even start is tried again after this. */
const RESTART_DELAY_MS = 1_000;

export interface QueryPoolOptions {
  readonly threadFile: URL;
  readonly thread: Omit<QueryThreadOptions, "lane" | "cancelFlags">;
  readonly heavyThreads: number;
  /** Queries that may be under way at once; more wait. */
  readonly maxConcurrency: number;
  readonly timeoutMs: number;
  /** Of V8's heap in each thread; beyond it the thread ends, its query fails, and a new thread takes its place. */
  readonly heapLimitMiB: number;
  /** Where the queries that run are written down; null if nowhere. */
  readonly activeQueries: ActiveQueries | null;
  /** What answers small tasks on this thread, loaded when it is worth it; null for nothing of the kind. */
  readonly loadSmallTasks: ((options: SmallTaskOptions) => Promise<SmallTasks>) | null;
  /** A thread died or overstayed and was replaced. */
  readonly onReplaced: () => void;
  readonly logger: Logger;
}

interface Request {
  readonly id: number;
  /** The query this is a part of; parts have its slot and share its cancel flag. */
  readonly whole: Request | null;
  /** The parts it was divided into, if it was. */
  parts: readonly Request[];
  readonly task: QueryTask;
  readonly mayGzip: boolean;
  readonly deadlineMs: number;
  readonly arrivedMs: number;
  readonly resolve: (answer: QueryAnswer) => void;
  readonly signal: AbortSignal;
  slot: number;
  /** When a thread took it (the last one, if it was handed on); null while it waits. */
  begunMs: number | null;
  /** Goes off at the deadline. */
  timer: NodeJS.Timeout | null;
  isSettled: boolean;
}

/**
 * The threads that answer queries, and who is on which. Queries are admitted up to the concurrency limit, start on
 * the light lane, and move to the heavy lane when they turn out to be large. A thread that dies or overstays takes
 * only its own query along.
 */
export class QueryPool {
  private readonly lanes: Record<Lane, LaneThreads>;
  private readonly cancelFlags: Int32Array;
  private readonly freeSlots: number[];
  private readonly waiting: Request[] = [];
  private readonly sticky = new Map<string, ToQueryThread>();
  /** Range queries that were heavy lately: asked again, they go to the heavy lane at once. */
  private readonly knownHeavy = new LRUCache<string, HeavyWork>({
    max: MOST_KNOWN_HEAVY,
    ttl: KNOWN_HEAVY_MS,
  });
  private small: SmallTasks | null = null;
  /** Tasks that may be small, since when, and how many. */
  private askedSinceMs = 0;
  private asked = 0;
  private nextId = 1;
  private isClosed = false;

  constructor(private readonly options: QueryPoolOptions) {
    const buffer = new SharedArrayBuffer(4 * options.maxConcurrency);
    this.cancelFlags = new Int32Array(buffer);
    this.freeSlots = Array.from({ length: options.maxConcurrency }, (_, slot) => slot);
    const lane = (name: Lane, most: number) =>
      new LaneThreads(name, most, options, buffer, () => [...this.sticky.values()], {
        onHeavy: (request, work) => this.runHeavy(request, work),
        onSettled: (request, answer) => this.settle(request, answer),
      });
    this.lanes = { light: lane("light", 1), heavy: lane("heavy", options.heavyThreads) };
  }

  /** Resolves when every thread there is can take queries. */
  async ready(): Promise<void> {
    await Promise.all(Object.values(this.lanes).map((lane) => lane.ready()));
  }

  get threadCount(): number {
    return this.lanes.light.size + this.lanes.heavy.size;
  }

  /** Queries that run or wait. */
  get activeCount(): number {
    return this.options.maxConcurrency - this.freeSlots.length + this.waiting.length;
  }

  /**
   * Tells every thread, and those that will replace them. Of several messages with the same key only the newest is
   * repeated to a new thread; null takes the key back.
   */
  tellAll(key: string, message: ToQueryThread | null): void {
    if (message === null) {
      this.sticky.delete(key);
      return;
    }
    this.sticky.set(key, message);
    for (const lane of Object.values(this.lanes)) lane.tellAll(message);
    this.small?.tell(message);
  }

  /** Resolves when every thread has taken in what it was told so far; threads that die meanwhile need not. */
  async synced(): Promise<void> {
    await Promise.all(Object.values(this.lanes).map((lane) => lane.synced(this.nextId++)));
  }

  /** The answer to a task that takes less than handing it to a thread; null where it is to be `run`. */
  answerAtOnce(task: QueryTask, mayGzip: boolean): QueryAnswer | null {
    if (this.isClosed || !mayBeSmall(task)) return null;
    const now = Date.now();
    if (this.small !== null) return this.small.answer(task, now + this.timeoutMsOf(task), mayGzip);
    if (now - this.askedSinceMs > ASKED_OFTEN_MS) {
      this.askedSinceMs = now;
      this.asked = 0;
    }
    if (++this.asked === ASKED_OFTEN) void this.loadSmallTasks();
    return null;
  }

  private async loadSmallTasks(): Promise<void> {
    const { loadSmallTasks, thread, logger } = this.options;
    try {
      const small = (await loadSmallTasks?.(thread)) ?? null;
      for (const message of this.sticky.values()) small?.tell(message);
      this.small = small;
    } catch (err) {
      logger.error({ err }, "cannot answer small queries on the main thread; query threads go on doing it");
    }
  }

  private timeoutMsOf(task: QueryTask): number {
    const asked = "timeoutMs" in task ? task.timeoutMs : null;
    return asked === null ? this.options.timeoutMs : Math.min(Math.max(asked, 0), this.options.timeoutMs);
  }

  /** Never rejects. @param mayGzip whether the answer may come compressed */
  run(task: QueryTask, signal: AbortSignal, mayGzip = false): Promise<QueryAnswer> {
    const now = Date.now();
    const timeoutMs = this.timeoutMsOf(task);
    const learn = mayBeSmall(task) ? (this.small?.learner(task, mayGzip) ?? null) : null;
    return new Promise((resolve) => {
      if (this.isClosed) return resolve(failure("unavailable", "the server is stopping", null));
      const request: Request = {
        id: this.nextId++,
        whole: null,
        parts: [],
        task,
        mayGzip,
        deadlineMs: now + timeoutMs,
        arrivedMs: now,
        resolve: (answer) => {
          learn?.(answer);
          resolve(answer);
        },
        signal,
        slot: -1,
        begunMs: null,
        timer: null,
        isSettled: false,
      };
      const full = this.freeSlots.length === 0;
      if (full && this.waiting.length >= MAX_WAITING) {
        return resolve(failure("execution", `too many queries: ${MAX_WAITING} are waiting already`, null));
      }
      request.timer = setTimeout(() => this.runOutOfTime(request), timeoutMs).unref();
      signal.addEventListener("abort", () => this.cancel(request), { once: true });
      if (full) this.waiting.push(request);
      else this.admit(request);
      if (signal.aborted) this.cancel(request);
      return undefined;
    });
  }

  private admit(request: Request): void {
    request.slot = this.freeSlots.pop()!;
    Atomics.store(this.cancelFlags, request.slot, 0);
    this.writeDown(request, (file, query) => file.begin(request.slot, query));
    const known = this.knownHeavy.get(keyOf(request.task));
    if (known) this.runHeavy(request, known);
    else this.lanes.light.submit(request);
  }

  /** Runs a query on the heavy lane, divided among the threads that have nothing to do. */
  private runHeavy(request: Request, work: HeavyWork): void {
    const { heavy } = this.lanes;
    const { task } = request;
    if (Date.now() > request.deadlineMs) {
      this.settle(request, timedOut(request));
      return;
    }
    const key = keyOf(task);
    if (key !== "") this.knownHeavy.set(key, work);
    const { division, estimatedSamples } = work;
    const isDividable = division !== null && task.kind === "range" && task.limit === 0 && task.stats === "";
    const worthwhile = isDividable ? Math.floor(estimatedSamples / LEAST_PART_SAMPLES) : 1;
    const count = Math.min(worthwhile, heavy.idleCount, MOST_PARTS);
    const tasks = isDividable && count > 1 ? divide(task, division, count) : [];
    if (tasks.length < 2) {
      heavy.submit(request);
      // The next one like it may find more threads.
      if (worthwhile > 1) heavy.grow();
      return;
    }
    const answers: QueryAnswer[] = [];
    let missing = tasks.length;
    request.parts = tasks.map((part, index) => ({
      ...request,
      id: this.nextId++,
      whole: request,
      task: part,
      timer: null,
      resolve: (answer) => {
        answers[index] = answer;
        if (--missing === 0) this.putTogether(request, answers, division!);
      },
    }));
    for (const part of request.parts) heavy.submit(part);
  }

  private putTogether(request: Request, answers: readonly QueryAnswer[], division: Division): void {
    request.parts = [];
    // Of several errors the one at the earliest steps.
    const failed = answers.find(({ fragment }) => fragment === undefined);
    const { maxSamples } = this.options.thread.engine;
    const answer = failed ?? mergeFragments(answers, division, maxSamples);
    if (answer !== null) this.settle(request, answer);
    else this.lanes.heavy.submit(request);
  }

  /** One that waits is not to wait any longer; one that runs is ended by its thread, or with it. */
  private runOutOfTime(request: Request): void {
    if (request.slot < 0) this.settle(request, failure("execution", "context deadline exceeded", request));
    else if (request.begunMs === null) this.settle(request, timedOut(request));
  }

  private cancel(request: Request): void {
    if (request.isSettled) return;
    if (request.begunMs === null && request.parts.length === 0) {
      this.settle(request, canceled(request));
      return;
    }
    Atomics.store(this.cancelFlags, request.slot, 1);
    setTimeout(() => {
      if (request.isSettled) return;
      for (const lane of Object.values(this.lanes)) {
        for (const one of [request, ...request.parts]) lane.endRunning(one);
      }
    }, CANCEL_GRACE_MS).unref();
  }

  private writeDown({ task }: Request, write: (file: ActiveQueries, query: string) => void): void {
    const { activeQueries, logger } = this.options;
    if (activeQueries === null || !isQuery(task)) return;
    try {
      write(activeQueries, task.query);
    } catch (err) {
      logger.error({ err }, "cannot write down which queries run");
    }
  }

  private settle(request: Request, answer: QueryAnswer): void {
    if (request.isSettled) return;
    request.isSettled = true;
    if (request.timer) clearTimeout(request.timer);
    request.resolve(answer);
    if (request.whole !== null) return;
    if (request.slot < 0) {
      this.waiting.splice(this.waiting.indexOf(request), 1);
      return;
    }
    this.writeDown(request, (file) => file.end(request.slot));
    this.freeSlots.push(request.slot);
    const next = this.waiting.shift();
    if (next) this.admit(next);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    for (const request of [...this.waiting])
      this.settle(request, failure("unavailable", "the server is stopping", null));
    await Promise.all(Object.values(this.lanes).map((lane) => lane.close()));
  }
}

function mayBeSmall(task: QueryTask): task is SmallTask {
  return task.kind === "instant" || task.kind === "labelNames" || task.kind === "labelValues";
}

/** What is answered in place of a query thread. `request` is null for one that was not even taken. */
function failure(
  errorType: "execution" | "timeout" | "unavailable" | "canceled",
  message: string,
  request: Request | null,
): QueryAnswer {
  const error = new ApiError(errorType, message);
  const report = request && isQuery(request.task) ? { statistics: timesOf(request), error: message } : null;
  return { status: error.status, parts: errorEnvelope(error), report };
}

function timedOut(request: Request): QueryAnswer {
  return failure("timeout", "query timed out in query execution", request);
}

function canceled(request: Request): QueryAnswer {
  return failure("canceled", "query was canceled in query execution", request);
}

/** Until it was begun a query waited, since then it was evaluated. */
function timesOf({ arrivedMs, begunMs }: Request): QueryStatistics {
  const now = Date.now();
  const queuedMs = (begunMs ?? now) - arrivedMs;
  return statisticsOfFailure(queuedMs / 1000, (now - arrivedMs - queuedMs) / 1000);
}

/** By what a range query is known again: its text, and how much it asks for; "" for other tasks. */
function keyOf(task: QueryTask): string {
  if (task.kind !== "range" || task.query.length > MOST_KNOWN_CHARACTERS) return "";
  return `${task.endMs - task.startMs} ${task.stepMs} ${task.query}`;
}

/** The tasks of the parts; fewer than two where there are too few steps. */
function divide(task: RangeQueryTask, division: Division, count: number): RangeQueryTask[] {
  if (division === "series") {
    return Array.from({ length: count }, (_, index) => ({ ...task, part: { division, index, count } }));
  }
  const { startMs, endMs, stepMs } = task;
  const steps = Math.floor((endMs - startMs) / stepMs) + 1;
  if (steps < 2 * count) return [];
  const timeOf = (index: number) => startMs + Math.floor((steps * index) / count) * stepMs;
  return Array.from({ length: count }, (_, index) => ({
    ...task,
    startMs: timeOf(index),
    endMs: index === count - 1 ? endMs : timeOf(index + 1) - stepMs,
    part: { division },
  }));
}

/** What to answer for a query whose thread is gone. */
function fateOf(request: Request, cause: string): QueryAnswer {
  if (request.signal.aborted) return canceled(request);
  if (Date.now() >= request.deadlineMs) return timedOut(request);
  return failure("execution", `query ended its thread: ${cause}`, request);
}

interface Thread {
  worker: Worker;
  isReady: boolean;
  running: Request | null;
  watchdog: NodeJS.Timeout | null;
  idleSinceMs: number;
}

/** The threads of one lane and the requests that wait for them, first come, first served. */
class LaneThreads {
  private readonly threads: Thread[] = [];
  private readonly queue: Request[] = [];
  private readonly readyWaiters: (() => void)[] = [];
  private readonly idleTimer: NodeJS.Timeout;
  private isClosed = false;

  constructor(
    private readonly lane: Lane,
    /** So many threads at most. */
    private readonly most: number,
    private readonly options: QueryPoolOptions,
    private readonly cancelFlags: SharedArrayBuffer,
    private readonly history: () => readonly ToQueryThread[],
    private readonly on: {
      onHeavy(request: Request, work: HeavyWork): void;
      onSettled(request: Request, answer: QueryAnswer): void;
    },
  ) {
    this.idleTimer = setInterval(() => this.endIdle(), IDLE_MS / 5);
    this.idleTimer.unref();
  }

  get size(): number {
    return this.threads.length;
  }

  /** Threads that would begin at once with what is submitted now. */
  get idleCount(): number {
    const idle = this.threads.filter(({ isReady, running }) => isReady && running === null).length;
    return Math.max(0, idle - this.queue.length);
  }

  /** Has one more thread come, if there may be more. */
  grow(): void {
    const isComing = this.threads.some(({ isReady }) => !isReady);
    if (!isComing && this.threads.length < this.most) this.threads.push(this.start());
  }

  private endIdle(): void {
    for (const thread of [...this.threads]) {
      if (thread.running || !thread.isReady || Date.now() - thread.idleSinceMs < IDLE_MS) continue;
      this.threads.splice(this.threads.indexOf(thread), 1);
      void thread.worker.terminate();
    }
  }

  /** Ends the thread that runs this request, if one does. */
  endRunning(request: Request): void {
    const thread = this.threads.find(({ running }) => running === request);
    void thread?.worker.terminate();
  }

  ready(): Promise<void> {
    if (this.threads.every((thread) => thread.isReady)) return Promise.resolve();
    return new Promise((resolve) => this.readyWaiters.push(resolve));
  }

  tellAll(message: ToQueryThread): void {
    for (const thread of this.threads) thread.worker.postMessage(message);
  }

  async synced(id: number): Promise<void> {
    await Promise.all(
      this.threads.map(
        ({ worker }) =>
          new Promise<void>((resolve) => {
            const receive = (message: FromQueryThread) => {
              if (message.type === "synced" && message.id === id) done();
            };
            const done = () => {
              worker.off("message", receive);
              worker.off("exit", done);
              resolve();
            };
            worker.on("message", receive);
            worker.on("exit", done);
            worker.postMessage({ type: "sync", id } satisfies ToQueryThread);
          }),
      ),
    );
  }

  submit(request: Request): void {
    this.queue.push(request);
    this.assign();
  }

  private start(): Thread {
    const workerData: QueryThreadOptions = {
      ...this.options.thread,
      lane: this.lane,
      cancelFlags: this.cancelFlags,
    };
    const worker = new Worker(this.options.threadFile, {
      workerData,
      name: `query-${this.lane}`,
      resourceLimits: {
        maxOldGenerationSizeMb: this.options.heapLimitMiB,
        maxYoungGenerationSizeMb: this.lane === "light" ? 2 : 4,
      },
    });
    const thread: Thread = { worker, isReady: false, running: null, watchdog: null, idleSinceMs: Date.now() };
    for (const message of this.history()) worker.postMessage(message);
    worker.on("message", (message: FromQueryThread) => this.receive(thread, message));
    let cause = "it ended";
    worker.on("error", (error) => (cause = error.message));
    worker.on("exit", () => this.replace(thread, cause));
    return thread;
  }

  private receive(thread: Thread, message: FromQueryThread): void {
    if (message.type === "ready") {
      thread.isReady = true;
      if (this.threads.every((one) => one.isReady)) {
        for (const resolve of this.readyWaiters.splice(0)) resolve();
      }
      this.assign();
      return;
    }
    if (message.type === "synced") return;
    const request = this.release(thread);
    if (request && request.id === message.id) {
      if (message.type === "heavy") {
        request.begunMs = null;
        this.on.onHeavy(request, message);
      } else this.on.onSettled(request, message.answer);
    }
    this.assign();
  }

  private release(thread: Thread): Request | null {
    const request = thread.running;
    thread.running = null;
    thread.idleSinceMs = Date.now();
    if (thread.watchdog) clearTimeout(thread.watchdog);
    thread.watchdog = null;
    return request;
  }

  private assign(): void {
    for (const thread of this.threads) {
      if (!thread.isReady || thread.running) continue;
      const request = this.nextRequest();
      if (!request) break;
      thread.running = request;
      request.begunMs = Date.now();
      const message: ToQueryThread = {
        type: "run",
        id: request.id,
        task: request.task,
        mayGzip: request.mayGzip,
        deadlineMs: request.deadlineMs,
        slot: request.slot,
        queuedMs: request.begunMs - request.arrivedMs,
      };
      thread.worker.postMessage(message);
      const overtimeMs = Math.max(request.deadlineMs - Date.now(), 0) + DEADLINE_GRACE_MS;
      thread.watchdog = setTimeout(() => void thread.worker.terminate(), overtimeMs);
    }
    const coming = this.threads.filter(({ isReady }) => !isReady).length;
    if (this.queue.length > coming && this.threads.length < this.most) this.threads.push(this.start());
  }

  /** The next one that is still wanted. */
  private nextRequest(): Request | null {
    for (;;) {
      const request = this.queue.shift();
      if (!request) return null;
      if (request.isSettled) continue;
      if (request.signal.aborted) this.on.onSettled(request, canceled(request));
      else if (Date.now() > request.deadlineMs) this.on.onSettled(request, timedOut(request));
      else return request;
    }
  }

  /** A dead thread: its query fails with the reason, everything else goes on with a new one. */
  private replace(thread: Thread, cause: string): void {
    const request = this.release(thread);
    const index = this.threads.indexOf(thread);
    if (this.isClosed || index < 0) return;
    this.options.logger.warn({ lane: this.lane, cause }, "query thread was replaced");
    this.options.onReplaced();
    // First out of the list: settling its request may admit another, which must not go to a dead thread.
    this.threads.splice(index, 1);
    const restart = () => {
      if (!this.isClosed) this.threads.push(this.start());
    };
    if (thread.isReady) restart();
    else setTimeout(restart, RESTART_DELAY_MS);
    if (request) this.on.onSettled(request, fateOf(request, cause));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.idleTimer);
    for (const request of this.queue.splice(0)) {
      this.on.onSettled(request, failure("unavailable", "the server is stopping", null));
    }
    const threads = this.threads.splice(0);
    for (const thread of threads) {
      const request = this.release(thread);
      if (request) this.on.onSettled(request, failure("unavailable", "the server is stopping", null));
    }
    await Promise.all(threads.map((thread) => thread.worker.terminate()));
  }
}
