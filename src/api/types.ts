// The bodies of the HTTP API, as JSON sees them: what the routes write and what the web page reads.
// This is the one file the page shares with the server, so it holds types and nothing else.
// Times named `…Time`, `activeAt` and `last…` are RFC 3339 strings; plain numbers say their unit.

/** Why a request failed; the status code follows from it. */
export type ErrorType =
  | "bad_data"
  | "execution"
  | "canceled"
  | "timeout"
  | "internal"
  | "unavailable"
  | "not_found"
  | "not_acceptable";

/** The envelope of an answer that worked. At most ten warnings and ten infos, then a line that counts the rest. */
export interface SuccessBody<Data> {
  readonly status: "success";
  readonly data: Data;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

/** The envelope of an answer that didn't work. */
export interface ErrorBody {
  readonly status: "error";
  readonly errorType: ErrorType;
  readonly error: string;
}

export type ResponseBody<Data> = SuccessBody<Data> | ErrorBody;

/** A label set: names to values, the metric name under `__name__`. Sorted by name on the wire. */
export type LabelsBody = Readonly<Record<string, string>>;

// Queries

/** Unix seconds (at most three decimals) and the value as text: shortest round trip, `NaN`, `+Inf` or `-Inf`. */
export type SamplePair = readonly [timestampSeconds: number, value: string];

/** How a bucket's bounds close: 0 `(lo,hi]`, 1 `[lo,hi)`, 2 both open, 3 both closed. */
export type BucketBoundaries = 0 | 1 | 2 | 3;

export type HistogramBucketBody = readonly [
  boundaries: BucketBoundaries,
  lower: string,
  upper: string,
  count: string,
];

/** A native histogram; empty buckets are left out, the rest run from the most negative to the most positive. */
export interface HistogramBody {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly HistogramBucketBody[];
}

export type HistogramPair = readonly [timestampSeconds: number, histogram: HistogramBody];

/** One series at one time: either `value` or `histogram`. */
export interface VectorItem {
  readonly metric: LabelsBody;
  readonly value?: SamplePair;
  readonly histogram?: HistogramPair;
}

/** One series over a range, floats and histograms each in time order. */
export interface MatrixItem {
  readonly metric: LabelsBody;
  readonly values?: readonly SamplePair[];
  readonly histograms?: readonly HistogramPair[];
}

/** What a query cost; times in seconds. The per-step arrays need the feature `promql-per-step-stats`. */
export interface QueryStatsBody {
  readonly timings: {
    readonly evalTotalTime: number;
    readonly resultSortTime: number;
    readonly queryPreparationTime: number;
    readonly innerEvalTime: number;
    readonly execQueueTime: number;
    readonly execTotalTime: number;
  };
  readonly samples: {
    readonly totalQueryableSamplesPerStep?: readonly (readonly [timestampSeconds: number, count: number])[];
    readonly totalQueryableSamples: number;
    readonly samplesReadPerStep?: readonly (readonly [timestampSeconds: number, count: number])[];
    readonly samplesRead?: number;
    readonly peakSamples: number;
  };
}

export type QueryResult =
  | { readonly resultType: "vector"; readonly result: readonly VectorItem[] }
  | { readonly resultType: "matrix"; readonly result: readonly MatrixItem[] }
  | { readonly resultType: "scalar"; readonly result: SamplePair }
  | { readonly resultType: "string"; readonly result: SamplePair };

export type QueryData = QueryResult & { readonly stats?: QueryStatsBody };

export interface ExemplarBody {
  readonly labels: LabelsBody;
  readonly value: string;
  readonly timestamp: number;
}

export interface SeriesExemplars {
  readonly seriesLabels: LabelsBody;
  readonly exemplars: readonly ExemplarBody[];
}

// The syntax tree of `parse_query`: every key always present, durations in milliseconds

export type MatchOperator = "=" | "!=" | "=~" | "!~";

export interface MatcherBody {
  readonly name: string;
  readonly value: string;
  readonly type: MatchOperator;
}

export type ValueTypeName = "none" | "scalar" | "vector" | "matrix" | "string";

interface TimeShiftBody {
  readonly offset: number;
  readonly offsetExpr: SyntaxNode | null;
  readonly timestamp: number | null;
  readonly startOrEnd: "start" | "end" | null;
}

interface SelectorBody extends TimeShiftBody {
  readonly name: string;
  readonly matchers: readonly MatcherBody[];
  readonly anchored: boolean;
  readonly smoothed: boolean;
}

export interface VectorSelectorNode extends SelectorBody {
  readonly type: "vectorSelector";
}

export interface MatrixSelectorNode extends SelectorBody {
  readonly type: "matrixSelector";
  readonly range: number;
  readonly rangeExpr: SyntaxNode | null;
}

export interface SubqueryNode extends TimeShiftBody {
  readonly type: "subquery";
  readonly expr: SyntaxNode;
  readonly range: number;
  readonly rangeExpr: SyntaxNode | null;
  readonly step: number;
  readonly stepExpr: SyntaxNode | null;
}

export interface AggregationNode {
  readonly type: "aggregation";
  readonly op: string;
  readonly expr: SyntaxNode;
  readonly param: SyntaxNode | null;
  readonly grouping: readonly string[];
  readonly without: boolean;
}

export type MatchCardinalityName = "one-to-one" | "many-to-one" | "one-to-many" | "many-to-many";

export interface VectorMatchingBody {
  readonly card: MatchCardinalityName;
  readonly labels: readonly string[];
  readonly on: boolean;
  readonly include: readonly string[];
  readonly fillValues: { readonly lhs: number | null; readonly rhs: number | null };
}

export interface BinaryNode {
  readonly type: "binaryExpr";
  readonly op: string;
  readonly lhs: SyntaxNode;
  readonly rhs: SyntaxNode;
  readonly bool: boolean;
  readonly matching: VectorMatchingBody | null;
}

export interface CallNode {
  readonly type: "call";
  readonly func: {
    readonly name: string;
    readonly argTypes: readonly ValueTypeName[];
    readonly variadic: number;
    readonly returnType: ValueTypeName;
  };
  readonly args: readonly SyntaxNode[];
}

/** One node of the answer of `parse_query`. */
export type SyntaxNode =
  | AggregationNode
  | BinaryNode
  | CallNode
  | MatrixSelectorNode
  | VectorSelectorNode
  | SubqueryNode
  | { readonly type: "numberLiteral"; readonly val: string; readonly duration?: boolean }
  | { readonly type: "stringLiteral"; readonly val: string }
  | { readonly type: "parenExpr"; readonly expr: SyntaxNode }
  | { readonly type: "unaryExpr"; readonly op: string; readonly expr: SyntaxNode }
  | {
      readonly type: "durationExpr";
      readonly op: string;
      readonly lhs: SyntaxNode | null;
      readonly rhs: SyntaxNode | null;
      readonly wrapped: boolean;
    };

// Targets and metadata

export type TargetHealth = "unknown" | "up" | "down";

export interface ActiveTargetBody {
  readonly discoveredLabels: LabelsBody;
  readonly labels: LabelsBody;
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly globalUrl: string;
  readonly lastError: string;
  readonly lastScrape: string;
  /** Seconds. */
  readonly lastScrapeDuration: number;
  readonly health: TargetHealth;
  readonly scrapeInterval: string;
  readonly scrapeTimeout: string;
}

export interface DroppedTargetBody {
  readonly discoveredLabels: LabelsBody;
  readonly scrapePool?: string;
}

export interface TargetsData {
  readonly activeTargets: readonly ActiveTargetBody[];
  readonly droppedTargets: readonly DroppedTargetBody[];
  /** Pool to count, also of those not kept; null when dropped targets weren't asked for. */
  readonly droppedTargetCounts: Readonly<Record<string, number>> | null;
}

export interface ScrapePoolsData {
  readonly scrapePools: readonly string[];
}

export interface YamlData {
  readonly yaml: string;
}

export type MetricTypeName =
  "counter" | "gauge" | "histogram" | "gaugehistogram" | "summary" | "info" | "stateset" | "unknown";

export interface MetadataBody {
  readonly type: MetricTypeName;
  readonly unit: string;
  readonly help: string;
}

/** Metric name to the distinct metadata its targets give. */
export type MetadataData = Readonly<Record<string, readonly MetadataBody[]>>;

export interface TargetMetadataBody extends MetadataBody {
  readonly target: LabelsBody;
  readonly metric?: string;
}

export interface RelabelRuleBody {
  readonly source_labels?: readonly string[];
  readonly separator: string;
  readonly regex?: string;
  readonly modulus?: number;
  readonly target_label?: string;
  readonly replacement: string;
  readonly action?: string;
}

export interface RelabelStepsData {
  readonly steps: readonly {
    readonly rule: RelabelRuleBody;
    readonly output: LabelsBody;
    readonly keep: boolean;
  }[];
}

export interface AlertmanagersData {
  readonly activeAlertmanagers: readonly { readonly url: string }[];
  readonly droppedAlertmanagers: readonly { readonly url: string }[];
}

// Rules and alerts

export type AlertState = "unknown" | "inactive" | "pending" | "firing";
export type RuleHealth = "unknown" | "ok" | "err";

export interface AlertBody {
  readonly labels: LabelsBody;
  readonly annotations: LabelsBody;
  readonly state: "pending" | "firing";
  readonly activeAt: string;
  readonly keepFiringSince?: string;
  /** Shortest digits with an exponent: `1e+00`. */
  readonly value: string;
}

interface RuleBase {
  readonly name: string;
  readonly query: string;
  readonly labels: LabelsBody;
  readonly health: RuleHealth;
  readonly lastError?: string;
  /** Seconds. */
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
}

export interface AlertingRuleBody extends RuleBase {
  readonly type: "alerting";
  readonly state: AlertState;
  /** Seconds. */
  readonly duration: number;
  /** Seconds. */
  readonly keepFiringFor: number;
  readonly annotations: LabelsBody;
  /** Null when the request excluded alerts. */
  readonly alerts: readonly AlertBody[] | null;
}

export interface RecordingRuleBody extends RuleBase {
  readonly type: "recording";
}

export type RuleBody = AlertingRuleBody | RecordingRuleBody;

export interface RuleGroupBody {
  readonly name: string;
  readonly file: string;
  readonly rules: readonly RuleBody[];
  /** Seconds. */
  readonly interval: number;
  readonly limit: number;
  /** Seconds. */
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
}

export interface RulesData {
  readonly groups: readonly RuleGroupBody[];
  readonly groupNextToken?: string;
}

export interface AlertsData {
  readonly alerts: readonly AlertBody[];
}

// Status

export interface RuntimeInfoData {
  readonly startTime: string;
  readonly CWD: string;
  readonly hostname: string;
  readonly serverTime: string;
  readonly reloadConfigSuccess: boolean;
  readonly lastConfigTime: string;
  readonly corruptionCount: number;
  readonly goroutineCount: number;
  readonly GOMAXPROCS: number;
  readonly GOMEMLIMIT: number;
  readonly GOGC: string;
  readonly GODEBUG: string;
  /** The limits in force, joined by ` or `: `15d or 10GiB`. */
  readonly storageRetention: string;
}

export interface BuildInfoData {
  readonly version: string;
  readonly revision: string;
  readonly branch: string;
  readonly buildUser: string;
  readonly buildDate: string;
  readonly goVersion: string;
}

/** Flag name, without dashes, to its value as text. */
export type FlagsData = Readonly<Record<string, string>>;

export interface NamedCount {
  readonly name: string;
  readonly value: number;
}

export interface TsdbStatusData {
  readonly headStats: {
    readonly numSeries: number;
    readonly numLabelPairs: number;
    readonly chunkCount: number;
    /** Milliseconds; the extremes of an int64 the wrong way round when the head is empty. */
    readonly minTime: number;
    readonly maxTime: number;
  };
  readonly seriesCountByMetricName: readonly NamedCount[];
  readonly labelValueCountByLabelName: readonly NamedCount[];
  readonly memoryInBytesByLabelName: readonly NamedCount[];
  readonly seriesCountByLabelValuePair: readonly NamedCount[];
}

export interface BlockBody {
  readonly ulid: string;
  /** Milliseconds. */
  readonly minTime: number;
  /** Milliseconds. */
  readonly maxTime: number;
  readonly stats: {
    readonly numSamples?: number;
    readonly numFloatSamples?: number;
    readonly numHistogramSamples?: number;
    readonly numSeries?: number;
    readonly numChunks?: number;
    readonly numTombstones?: number;
  };
  readonly compaction: {
    readonly level: number;
    readonly sources?: readonly string[];
    readonly deletable?: boolean;
    readonly parents?: readonly {
      readonly ulid: string;
      readonly minTime: number;
      readonly maxTime: number;
    }[];
    readonly failed?: boolean;
    readonly hints?: readonly string[];
  };
  readonly version: number;
}

export interface BlocksData {
  readonly blocks: readonly BlockBody[];
}

/** Segment numbers; all zero before the replay starts. */
export interface WalReplayData {
  readonly min: number;
  readonly max: number;
  readonly current: number;
}

/** Category to feature to whether it is on. */
export type FeaturesData = Readonly<Record<string, Readonly<Record<string, boolean>>>>;

export interface NotificationBody {
  readonly text: string;
  readonly date: string;
  /** False on the live stream when a notification is taken back. */
  readonly active: boolean;
}

/** The name of the folder a snapshot went to. */
export interface SnapshotData {
  readonly name: string;
}
