import { quote } from "../../model/quote.ts";
import {
  boolean,
  duration,
  field,
  filePath,
  float,
  list,
  maybe,
  record,
  section,
  text,
  unsigned,
  type ValueOf,
} from "./config-type.ts";
import { discoveryFields } from "./discovery.ts";
import { limitFields, nameValidationScheme } from "./global.ts";
import { finishHttpClient, httpClientFields } from "./http-client.ts";
import { relabelRules } from "./relabel.ts";

/** A job. As written: what `global` gives defaults for is filled in once the whole file is read. */
export const scrapeConfig = section(
  "config.plain",
  {
    jobName: field(text, "", { printsEmpty: true }),
    honorLabels: field(boolean, false),
    honorTimestamps: field(boolean, true, { printsEmpty: true }),
    trackTimestampsStaleness: field(boolean, false, { printsEmpty: true }),
    params: field(record(list(text)), {}),
    scrapeInterval: field(duration, 0),
    scrapeTimeout: field(duration, 0),
    scrapeProtocols: maybe(list(text)),
    fallbackScrapeProtocol: field(text, ""),
    scrapeNativeHistograms: maybe(boolean),
    alwaysScrapeClassicHistograms: maybe(boolean),
    convertClassicHistogramsToNhcb: maybe(boolean),
    extraScrapeMetrics: maybe(boolean),
    scrapeFailureLogFile: field(filePath, ""),
    metricsPath: field(text, "/metrics"),
    scheme: field(text, "http"),
    enableCompression: field(boolean, true, { printsEmpty: true }),
    ...limitFields,
    nativeHistogramBucketLimit: field(unsigned, 0),
    nativeHistogramMinBucketFactor: field(float, 0),
    keepDroppedTargets: field(unsigned, 0),
    metricNameValidationScheme: field(nameValidationScheme, ""),
    metricNameEscapingScheme: field(text, ""),
    ...httpClientFields,
    relabelConfigs: field(relabelRules("empty or null target relabeling rule in scrape config"), []),
    metricRelabelConfigs: field(relabelRules("empty or null metric relabeling rule in scrape config"), []),
    ...discoveryFields,
  },
  (job, report) => {
    if (job.jobName === "") report("job_name is empty");
    if (job.relabelConfigs.length === 0) {
      for (const [i, { targets }] of job.staticConfigs.entries()) {
        for (const [j, target] of targets.entries()) {
          if (target.includes("/")) {
            report(`${quote(target)} is not a valid hostname`, ["static_configs", i, "targets", j]);
          }
        }
      }
    }
    return finishHttpClient(job, report);
  },
);

export type ScrapeConfig = ValueOf<typeof scrapeConfig>;

/** A file that `scrape_config_files` names: jobs and nothing else. */
export const scrapeConfigFile = section("config.ScrapeConfigs", {
  scrapeConfigs: field(list(scrapeConfig, "empty or null scrape config section"), []),
});
