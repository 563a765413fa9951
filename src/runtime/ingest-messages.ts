/** What the main thread and the ingest thread say to each other. All of it is plain data. */
import type { FloatHistogram } from "../model/histogram.ts";
import type { TsdbStatusData } from "../api/types.ts";
import type {
  ScrapePoolOptions,
  ScrapeSnapshot,
  TargetGroup,
  TargetMetadataSnapshot,
} from "../scrape/index.ts";
import type { MetricFamilies } from "../telemetry/merge.ts";
import type { PlainMatcher } from "./compaction-messages.ts";
import type { KeptStartTimes } from "../tsdb/head/start-times.ts";
import type { GenerationAnnouncement, ReplayProgress } from "../tsdb/tsdb.ts";

export interface IngestThreadOptions {
  readonly dataDirectory: string;
  readonly noLockfile: boolean;
  readonly blockRangeMs: number;
  readonly walSegmentBytes: number;
  readonly walCompression: "none" | "snappy" | "zstd";
  readonly outOfOrderWindowMs: number;
  readonly staleThreshold: number;
  readonly maxExemplars: number;
  /** How much later than at the earliest generations are sealed. */
  readonly sealDelayMs: number;
  readonly logsMetadata: boolean;
  /** Whether a stop writes a snapshot of the head, for the next start. */
  readonly snapshotsHead: boolean;
  /** Whether the number of the last series is kept beside the log. */
  readonly keepsSeriesState: boolean;
  /** Start times of the targets become samples of 0. */
  readonly zerosAtStart: boolean;
  /** Of which samples start times are stored. */
  readonly startTimes: KeptStartTimes;
  /** Types and units become labels. */
  readonly addsTypeAndUnit: boolean;
  readonly timestampToleranceMs: number;
  /** How often targets that discovery found are taken up. */
  readonly syncIntervalMs: number;
  /** Spreads the targets of different servers differently over the interval. */
  readonly offsetSeed: string;
  readonly userAgent: string;
  readonly logLevel: string;
  readonly logFormat: "logfmt" | "json";
}

/** What the ingest thread does when the main thread calls it. */
export interface IngestCalls {
  /** Replaces the jobs; those that stay as they were go on without a gap. */
  applyJobs(jobs: readonly ScrapePoolOptions[]): void;
  /** Replaces what discovery found, by job. */
  updateTargets(groups: ReadonlyMap<string, readonly TargetGroup[]>): void;
  appendRuleSamples(message: RuleSamplesMessage): Uint8Array;
  targets(): ScrapeSnapshot;
  metadata(): readonly TargetMetadataSnapshot[];
  tsdbStatus(limit: number): TsdbStatusData;
  metrics(): Promise<MetricFamilies>;
  /** What of the storage can be changed while it runs. */
  applyStorage(
    settings: Pick<IngestThreadOptions, "outOfOrderWindowMs" | "staleThreshold" | "maxExemplars">,
  ): void;
  /** Hides samples of the head. */
  deleteSeries(selectors: readonly (readonly PlainMatcher[])[], minTime: number, maxTime: number): void;
  /** Seals what takes no more samples; each generation is given once, to be written as a block. */
  sealGenerations(): readonly GenerationAnnouncement[];
  /** Generations that still take samples. */
  openGenerations(): readonly GenerationAnnouncement[];
  /** What both logs take of the disk. */
  logBytes(): number;
  /** The least sample time there is, Infinity for an empty head. */
  headMinTime(): number;
  /** A generation is in a block now, or held nothing. */
  generationStored(epoch: number): void;
  stop(): Promise<void>;
  [name: string]: (...args: never[]) => unknown;
}

/** Results of one rule at one time, on their way into the head. */
export interface RuleSamplesMessage {
  readonly timeMs: number;
  /** Each label set as a flat array of names and values, sorted. */
  readonly series: readonly (readonly string[])[];
  /** Values as bits: staleness markers keep theirs. */
  readonly values: Float64Array;
  readonly histograms: readonly (FloatHistogram | null)[] | null;
}

/** What the ingest thread says by itself. */
export type FromIngestThread =
  | {
      readonly type: "opened";
      readonly control: SharedArrayBuffer;
      readonly replaySeconds: number;
      /** Damaged logs that were found and repaired. */
      readonly corruptions: number;
    }
  | { readonly type: "replaying"; readonly progress: ReplayProgress }
  | { readonly type: "failed"; readonly error: string }
  | { readonly type: "exemplarBuffer"; readonly buffer: SharedArrayBuffer | null }
  | { readonly type: "generationBorn"; readonly announcement: GenerationAnnouncement };
