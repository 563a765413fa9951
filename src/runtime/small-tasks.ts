import { LRUCache } from "lru-cache";
import { answerQueryTask } from "../api/answer-query-task.ts";
import { gzipAnswer } from "../api/gzip-answer.ts";
import type { InstantQueryTask, QueryAnswer } from "../api/query-tasks.ts";
import { QueryMemory } from "../kernels/index.ts";
import type { Matcher } from "../model/matcher.ts";
import type { Querier, Queryable, SeriesSet } from "../model/storage.ts";
import { PromqlEngine } from "../promql/engine.ts";
import { ReadBudgetError } from "../promql/statistics.ts";
import { TsdbReader } from "../tsdb/tsdb-reader.ts";
import { KnownLookUps, type LabelsTask } from "./known-look-ups.ts";
import type { BlockSpan, QueryThreadOptions, ToQueryThread } from "./query-messages.ts";

export type SmallTaskOptions = Pick<QueryThreadOptions, "engine" | "control">;

/** Tasks among which are small ones. */
export type SmallTask = InstantQueryTask | LabelsTask;

/** What a small query may be at most: with all of it at once it takes the main thread about a millisecond. */
const MOST_CHARACTERS = 500;
const MOST_SAMPLES = 2_000;
const MOST_SERIES = 32;
/** Series that are looked at to find those. */
const MOST_CANDIDATES = 512;
/** Whatever it is that takes longer is given up. */
const GIVE_UP_MS = 10;
/** Reserved, and hardly touched. */
const MEMORY_BYTES = 16 * 1024 * 1024;
const KEPT_MEMORY_BYTES = 2 * 1024 * 1024;
/** Texts of queries that turned out not to be small are not tried again for a while. */
const MOST_KNOWN_LARGE = 500;
const KNOWN_LARGE_MS = 60_000;
/** Where a user's pattern is run, or a subquery, or may be: neither is ever small. */
const PATTERN_OR_SUBQUERY = /=~|!~|label_replace|\[[^\]]*:/;

/**
 * What the main thread answers itself, since a query thread would take longer to be told: instant queries of a few series
 * of the head, and look-ups of labels whose answer is known.
 *
 * Nothing here may hold up the main thread, so nothing here waits for a disk, runs a user's pattern or reads more than
 * the bounds above; and whatever goes wrong, a query thread answers the task as if it had never been tried.
 */
export class SmallTasks {
  private readonly memory = new QueryMemory(MEMORY_BYTES);
  private readonly reader: TsdbReader;
  private readonly queryable: Queryable = {
    querier: (minTime, maxTime) => this.querier(minTime, maxTime),
  };
  private engine: PromqlEngine;
  private blocks: readonly BlockSpan[] = [];
  private newestBlockTime = -Infinity;
  /** How often there was news of the blocks. */
  private news = 0;
  private readonly lookUps = new KnownLookUps();
  private readonly knownLarge = new LRUCache<string, true>({ max: MOST_KNOWN_LARGE, ttl: KNOWN_LARGE_MS });

  /** @param clock milliseconds, by which is given up what takes long */
  constructor(
    private readonly options: SmallTaskOptions,
    private readonly clock = () => performance.now(),
  ) {
    this.reader = new TsdbReader(options.control, this.memory);
    this.engine = this.createEngine(options.engine.defaultSubqueryStepMs);
  }

  tell(message: ToQueryThread): void {
    switch (message.type) {
      case "generationBorn":
        this.reader.attach(message.announcement.memory);
        return;
      case "storageChanged":
        this.blocks = message.blocks;
        this.newestBlockTime = Math.max(-Infinity, ...message.blocks.map(({ maxTime }) => maxTime));
        this.news++;
        for (const epoch of message.droppedGenerations) this.reader.detach(epoch);
        return;
      case "settings":
        this.engine = this.createEngine(message.defaultSubqueryStepMs);
        return;
    }
  }

  /** Null where a query thread is to answer. */
  answer(task: SmallTask, deadlineMs: number, mayGzip: boolean): QueryAnswer | null {
    if (task.kind === "instant") return this.answerQuery(task, deadlineMs, mayGzip);
    return this.lookUps.find(task, mayGzip, this.stateOf(task));
  }

  /** To be called before another thread answers a task: what to do with its answer, null for nothing. */
  learner(task: SmallTask, mayGzip: boolean): ((answer: QueryAnswer) => void) | null {
    if (task.kind === "instant") return null;
    const before = this.stateOf(task);
    return (answer) => {
      if (this.stateOf(task) === before) this.lookUps.keep(task, mayGzip, before, answer);
    };
  }

  private answerQuery(task: InstantQueryTask, deadlineMs: number, mayGzip: boolean): QueryAnswer | null {
    const { memory, knownLarge } = this;
    const { query } = task;
    if (query.length > MOST_CHARACTERS || knownLarge.has(query) || PATTERN_OR_SUBQUERY.test(query))
      return null;
    const mark = memory.mark();
    try {
      const answer = answerQueryTask(task, this.services(deadlineMs));
      // An error may be one of having too little here.
      if (answer.status !== 200) return null;
      return mayGzip ? gzipAnswer(answer) : answer;
    } catch (error) {
      if (!(error instanceof ReadBudgetError)) throw error;
      if (!(error instanceof NotNowError)) knownLarge.set(query, true);
      return null;
    } finally {
      memory.release(mark);
      if (memory.peakBytes > KEPT_MEMORY_BYTES) memory.renew();
    }
  }

  private services(deadlineMs: number) {
    const { engine, queryable, memory } = this;
    const { parserOptions, perStepStatistics } = this.options.engine;
    const giveUpAt = this.clock() + GIVE_UP_MS;
    const isCancelled = () => {
      if (this.clock() > giveUpAt) throw new NotNowError(MOST_SAMPLES);
      return false;
    };
    return {
      engine,
      queryable,
      parserOptions,
      perStepStatistics,
      limits: { deadlineMs, isCancelled, readBudget: MOST_SAMPLES },
      queuedSeconds: 0,
      columns: () => memory.columns(1024),
    };
  }

  private querier(minTime: number, maxTime: number): Querier {
    // Blocks are on disk.
    if (minTime <= this.newestBlockTime) throw new NotNowError(MOST_SAMPLES);
    return new SmallQuerier(this.reader, this.reader.querier(minTime, maxTime));
  }

  /** Changes whenever a label may have come to, or gone from, what a task looks through. */
  private stateOf({ startMs, endMs }: LabelsTask): string {
    let state = `${this.news}:${this.reader.labelsState(startMs, endMs)}:`;
    this.blocks.forEach(({ minTime, maxTime }, index) => {
      if (minTime <= endMs && maxTime >= startMs) state += `${index},`;
    });
    return state;
  }

  private createEngine(defaultSubqueryStepMs: number): PromqlEngine {
    const { lookbackMs, maxSamples, parserOptions, features } = this.options.engine;
    return new PromqlEngine({
      queryable: this.queryable,
      memory: this.memory,
      parserOptions,
      lookbackMs,
      defaultSubqueryStepMs,
      maxSamples,
      features,
      now: () => Date.now(),
    });
  }
}

/** The query may be small all the same: the machine was slow, or its time lies where blocks are. */
class NotNowError extends ReadBudgetError {}

/** Selects what is small; the rest ends the query with a `ReadBudgetError`, before it is looked for where that can be. */
class SmallQuerier implements Querier {
  private candidates = 0;
  private series = 0;
  private samples = 0;

  constructor(
    private readonly reader: TsdbReader,
    private readonly querier: Querier,
  ) {}

  select(matchers: readonly Matcher[], minTime: number, maxTime: number): SeriesSet {
    this.candidates += this.reader.mostSelected(matchers, minTime, maxTime);
    if (this.candidates > MOST_CANDIDATES) throw new ReadBudgetError(MOST_SAMPLES);
    const set = this.querier.select(matchers, minTime, maxTime);
    this.series += set.count;
    if (this.series > MOST_SERIES) throw new ReadBudgetError(MOST_SAMPLES);
    this.samples += set.estimateSamples(minTime, maxTime);
    if (this.samples > MOST_SAMPLES) throw new ReadBudgetError(MOST_SAMPLES);
    return set;
  }

  labelNames(): never {
    throw new ReadBudgetError(MOST_SAMPLES);
  }

  labelValues(): never {
    throw new ReadBudgetError(MOST_SAMPLES);
  }

  exemplars(): never {
    throw new ReadBudgetError(MOST_SAMPLES);
  }

  close(): void {
    this.querier.close();
  }
}
