/** What the main thread and a query thread say to each other. Answers' bytes are transferred, nothing else is large. */
import type { QueryAnswer, QueryTask } from "../api/query-tasks.ts";
import type { ExecutionFeatures } from "../promql/exec/operator.ts";
import type { Division } from "../promql/plan/division.ts";
import type { ParserOptions } from "../promql/parse/ast.ts";
import type { ListedBlock } from "../tsdb/compaction/block-directory.ts";
import type { GenerationAnnouncement } from "../tsdb/tsdb.ts";

/**
 * A query starts on a light thread, which looks how much there is to read and hands back what is heavy; heavy
 * threads then run those one by one. So a small query waits for small ones only.
 */
export type Lane = "light" | "heavy";

/** About how much a heavy query reads, and how it can be divided among threads. */
export interface HeavyWork {
  readonly estimatedSamples: number;
  readonly division: Division | null;
}

export interface QueryThreadOptions {
  readonly lane: Lane;
  readonly engine: {
    readonly lookbackMs: number;
    readonly defaultSubqueryStepMs: number;
    readonly maxSamples: number;
    readonly memoryBytes: number;
    readonly parserOptions: ParserOptions;
    readonly features: ExecutionFeatures;
    readonly perStepStatistics: boolean;
  };
  /** Samples from which on a query is heavy. */
  readonly heavySamples: number;
  /** How much each thread may keep of what it has decoded. */
  readonly decodedBytes: number;
  /** One 32-bit flag per slot; not 0 means that the query in it is to stop. */
  readonly cancelFlags: SharedArrayBuffer;
  /** By which commits are followed: `Head.control` of the ingest thread. */
  readonly control: SharedArrayBuffer;
  readonly dataDirectory: string;
  readonly logLevel: string;
  readonly logFormat: "logfmt" | "json";
}

export interface RunTask {
  readonly type: "run";
  readonly id: number;
  readonly task: QueryTask;
  /** Whether the answer may come compressed. */
  readonly mayGzip: boolean;
  /** Milliseconds since the epoch. */
  readonly deadlineMs: number;
  /** Index into the cancel flags. */
  readonly slot: number;
  /** How long it had to wait until now. */
  readonly queuedMs: number;
}

/** A generation of the head that was born, to be read from now on. */
export interface GenerationBorn {
  readonly type: "generationBorn";
  readonly announcement: GenerationAnnouncement;
}

/** A block, and when its samples lie; both ends included. */
export type BlockSpan = ListedBlock;

/** Generations written to blocks and blocks that came or went: what is on disk has to be looked at again. */
export interface StorageChanged {
  readonly type: "storageChanged";
  readonly droppedGenerations: readonly number[];
  readonly blocks: readonly BlockSpan[];
  /** Blocks whose tombstones changed. */
  readonly changed: readonly string[];
}

/** Where exemplars are to be read from now on; null where none are kept. */
export interface ExemplarBuffer {
  readonly type: "exemplars";
  readonly buffer: SharedArrayBuffer | null;
}

/** Answered once everything said before was taken in. */
export interface Sync {
  readonly type: "sync";
  readonly id: number;
}

/** What a reload of the configuration changes for queries. */
export interface QuerySettings {
  readonly type: "settings";
  readonly defaultSubqueryStepMs: number;
}

export type ToQueryThread = RunTask | GenerationBorn | StorageChanged | QuerySettings | ExemplarBuffer | Sync;

export type FromQueryThread =
  | { readonly type: "ready" }
  | { readonly type: "synced"; readonly id: number }
  | { readonly type: "answer"; readonly id: number; readonly answer: QueryAnswer }
  /** Too much to read for the light lane: nothing was run. */
  | ({ readonly type: "heavy"; readonly id: number } & HeavyWork);
