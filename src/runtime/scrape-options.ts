import type { EffectiveScrapeConfig } from "../config/effective-config.ts";
import { httpClientOptions } from "../config/http-client-options.ts";
import type { EscapingScheme } from "../scrape/exposition/negotiate.ts";
import type { ScrapePoolOptions } from "../scrape/options.ts";

/** A job of the configuration as the scrape room takes it. */
export function scrapePoolOptions(job: EffectiveScrapeConfig, userAgent: string): ScrapePoolOptions {
  return {
    jobName: job.jobName,
    scrapeIntervalMs: job.scrapeInterval,
    scrapeTimeoutMs: job.scrapeTimeout,
    metricsPath: job.metricsPath,
    scheme: job.scheme,
    params: job.params,
    honorLabels: job.honorLabels,
    honorTimestamps: job.honorTimestamps,
    trackTimestampsStaleness: job.trackTimestampsStaleness,
    enableCompression: job.enableCompression,
    scrapeProtocols: job.scrapeProtocols,
    fallbackScrapeProtocol: job.fallbackScrapeProtocol === "" ? undefined : job.fallbackScrapeProtocol,
    scrapeNativeHistograms: job.scrapeNativeHistograms ?? false,
    alwaysScrapeClassicHistograms: job.alwaysScrapeClassicHistograms ?? false,
    convertClassicHistogramsToNhcb: job.convertClassicHistogramsToNhcb ?? false,
    extraScrapeMetrics: job.extraScrapeMetrics ?? false,
    nativeHistogramBucketLimit: job.nativeHistogramBucketLimit,
    nativeHistogramMinBucketFactor: job.nativeHistogramMinBucketFactor,
    bodySizeLimitBytes: job.bodySizeLimit,
    sampleLimit: job.sampleLimit,
    targetLimit: job.targetLimit,
    labelLimit: job.labelLimit,
    labelNameLengthLimit: job.labelNameLengthLimit,
    labelValueLengthLimit: job.labelValueLengthLimit,
    keepDroppedTargets: job.keepDroppedTargets,
    nameValidation: job.metricNameValidationScheme === "legacy" ? "legacy" : "utf8",
    escaping: job.metricNameEscapingScheme as EscapingScheme,
    relabelRules: job.relabelConfigs,
    metricRelabelRules: job.metricRelabelConfigs,
    httpClient: httpClientOptions(job, userAgent),
    scrapeFailureLogFile: job.scrapeFailureLogFile,
  };
}
