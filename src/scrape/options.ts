import type { HttpClientOptions } from "../http-client/index.ts";
import type { NameValidationScheme } from "../model/label-name.ts";
import type { RelabelRule } from "../model/relabel.ts";
import type { EscapingScheme, ScrapeProtocol } from "./exposition/negotiate.ts";

/**
 * Everything a job is scraped by. Plain data, all defaults filled in: it crosses a thread boundary, and two jobs are
 * the same when their JSON is.
 */
export interface ScrapePoolOptions {
  readonly jobName: string;
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs: number;
  readonly metricsPath: string;
  readonly scheme: string;
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  readonly trackTimestampsStaleness: boolean;
  readonly enableCompression: boolean;
  readonly scrapeProtocols: readonly ScrapeProtocol[];
  readonly fallbackScrapeProtocol?: ScrapeProtocol | undefined;
  readonly scrapeNativeHistograms: boolean;
  readonly alwaysScrapeClassicHistograms: boolean;
  readonly convertClassicHistogramsToNhcb: boolean;
  readonly extraScrapeMetrics: boolean;
  readonly nativeHistogramBucketLimit: number;
  readonly nativeHistogramMinBucketFactor: number;
  /** Limits: 0 is none. */
  readonly bodySizeLimitBytes: number;
  readonly sampleLimit: number;
  readonly targetLimit: number;
  readonly labelLimit: number;
  readonly labelNameLengthLimit: number;
  readonly labelValueLengthLimit: number;
  readonly keepDroppedTargets: number;
  readonly nameValidation: NameValidationScheme;
  readonly escaping: EscapingScheme;
  readonly relabelRules: readonly RelabelRule[];
  readonly metricRelabelRules: readonly RelabelRule[];
  readonly httpClient: HttpClientOptions;
  /** Where failed scrapes are logged; "" for nowhere. */
  readonly scrapeFailureLogFile: string;
}

/** What a job has where nothing is configured. */
export const DEFAULT_SCRAPE_POOL_OPTIONS: Omit<ScrapePoolOptions, "jobName"> = {
  scrapeIntervalMs: 60_000,
  scrapeTimeoutMs: 10_000,
  metricsPath: "/metrics",
  scheme: "http",
  params: {},
  honorLabels: false,
  honorTimestamps: true,
  trackTimestampsStaleness: false,
  enableCompression: true,
  scrapeProtocols: [
    "OpenMetricsText1.0.0",
    "OpenMetricsText0.0.1",
    "PrometheusText1.0.0",
    "PrometheusText0.0.4",
  ],
  scrapeNativeHistograms: false,
  alwaysScrapeClassicHistograms: false,
  convertClassicHistogramsToNhcb: false,
  extraScrapeMetrics: false,
  nativeHistogramBucketLimit: 0,
  nativeHistogramMinBucketFactor: 0,
  bodySizeLimitBytes: 0,
  sampleLimit: 0,
  targetLimit: 0,
  labelLimit: 0,
  labelNameLengthLimit: 0,
  labelValueLengthLimit: 0,
  keepDroppedTargets: 0,
  nameValidation: "utf8",
  escaping: "allow-utf-8",
  relabelRules: [],
  metricRelabelRules: [],
  httpClient: {},
  scrapeFailureLogFile: "",
};

/** Targets as discovery gives them. Per source the newest group stands for all before it. */
export interface TargetGroup {
  readonly source: string;
  readonly targets: readonly Readonly<Record<string, string>>[];
  readonly labels: Readonly<Record<string, string>>;
}
