import { quote } from "../model/quote.ts";
import type { Report } from "./schema/config-type.ts";
import {
  DEFAULT_SCRAPE_PROTOCOLS,
  ESCAPING_SCHEMES,
  PROTO_FIRST_SCRAPE_PROTOCOLS,
  scrapeProtocolFault,
  scrapeProtocolsFault,
  type GlobalConfig,
  type ScrapeProtocol,
} from "./schema/global.ts";
import { checkRelabelRule } from "./schema/relabel.ts";
import type { PrometheusConfig } from "./schema/prometheus.ts";
import type { ScrapeConfig } from "./schema/scrape.ts";

type Switches =
  | "scrapeNativeHistograms"
  | "convertClassicHistogramsToNhcb"
  | "alwaysScrapeClassicHistograms"
  | "extraScrapeMetrics";

type Settled = Readonly<Record<Switches, boolean>> & {
  readonly metricNameValidationScheme: "utf8" | "legacy";
  readonly metricNameEscapingScheme: string;
};

/** The global section with every default filled in. */
export type EffectiveGlobalConfig = Omit<GlobalConfig, keyof Settled> & Settled;

/** A job with what it takes from the global section filled in: intervals, limits, protocols, schemes. */
export type EffectiveScrapeConfig = Omit<
  ScrapeConfig,
  keyof Settled | "scrapeProtocols" | "fallbackScrapeProtocol"
> &
  Settled & {
    readonly scrapeProtocols: readonly ScrapeProtocol[];
    readonly fallbackScrapeProtocol: ScrapeProtocol | "";
  };

/** prometheus.yml as it takes effect: defaults filled in, paths joined to the file's folder, labels expanded. */
export type Config = Omit<PrometheusConfig, "global" | "scrapeConfigs"> & {
  readonly global: EffectiveGlobalConfig;
  /** The jobs of the file itself. */
  readonly scrapeConfigs: readonly EffectiveScrapeConfig[];
  /** The jobs of the files that `scrape_config_files` names. */
  readonly includedScrapeConfigs: readonly EffectiveScrapeConfig[];
};

/** What the command line changes in the defaults. */
export interface DefaultOverrides {
  /** Protobuf is asked for first where a job doesn't say. */
  readonly protobufFirst?: boolean;
  /** What `extra_scrape_metrics` is where nothing is said. */
  readonly extraScrapeMetrics?: boolean;
}

const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 10_000;

/** The global section with its defaults; faults are reported with paths from the file's root. */
export function effectiveGlobal(
  written: GlobalConfig,
  overrides: DefaultOverrides,
  report: Report,
): EffectiveGlobalConfig {
  const problem: Report = (message, path = []) => report(message, ["global", ...path]);
  const scrapeInterval = written.scrapeInterval || DEFAULT_INTERVAL_MS;
  if (written.scrapeTimeout > scrapeInterval) {
    problem("global scrape timeout greater than scrape interval", ["scrape_timeout"]);
  }
  const validation = written.metricNameValidationScheme || "utf8";
  const escaping = written.metricNameEscapingScheme || defaultEscaping(validation);
  checkEscaping(escaping, validation, "global name escaping method", (message) =>
    problem(message, ["metric_name_escaping_scheme"]),
  );
  if (written.scrapeProtocols !== undefined) {
    const fault =
      written.scrapeProtocols.length === 0
        ? "scrape_protocols cannot be empty"
        : scrapeProtocolsFault(written.scrapeProtocols);
    if (fault !== null) problem(`${fault} for global config`, ["scrape_protocols"]);
  }
  return {
    ...written,
    scrapeInterval,
    scrapeTimeout: written.scrapeTimeout || Math.min(DEFAULT_TIMEOUT_MS, scrapeInterval),
    evaluationInterval: written.evaluationInterval || DEFAULT_INTERVAL_MS,
    metricNameValidationScheme: validation,
    metricNameEscapingScheme: escaping,
    scrapeNativeHistograms: written.scrapeNativeHistograms ?? false,
    convertClassicHistogramsToNhcb: written.convertClassicHistogramsToNhcb ?? false,
    alwaysScrapeClassicHistograms: written.alwaysScrapeClassicHistograms ?? false,
    extraScrapeMetrics: written.extraScrapeMetrics ?? overrides.extraScrapeMetrics ?? false,
  };
}

/** A job with what it takes from the global section; faults are reported with paths from the job. */
export function effectiveScrapeConfig(
  job: ScrapeConfig,
  global: EffectiveGlobalConfig,
  overrides: DefaultOverrides,
  report: Report,
): EffectiveScrapeConfig {
  const forJob = `for scrape config with job name ${quote(job.jobName)}`;
  const scrapeInterval = job.scrapeInterval || global.scrapeInterval;
  if (job.scrapeTimeout > scrapeInterval) {
    report(`scrape timeout greater than scrape interval ${forJob}`, ["scrape_timeout"]);
  }
  const scrapeNativeHistograms = job.scrapeNativeHistograms ?? global.scrapeNativeHistograms;
  const protobufFirst = scrapeNativeHistograms || (overrides.protobufFirst ?? false);
  const scrapeProtocols =
    job.scrapeProtocols ??
    global.scrapeProtocols ??
    (protobufFirst ? PROTO_FIRST_SCRAPE_PROTOCOLS : DEFAULT_SCRAPE_PROTOCOLS);
  const protocolsFault =
    scrapeProtocols.length === 0 ? "scrape_protocols cannot be empty" : scrapeProtocolsFault(scrapeProtocols);
  if (job.scrapeProtocols !== undefined && protocolsFault !== null) {
    report(`${protocolsFault} ${forJob}`, ["scrape_protocols"]);
  }
  if (job.fallbackScrapeProtocol !== "") {
    const fault = scrapeProtocolFault(job.fallbackScrapeProtocol);
    if (fault !== null) {
      report(`invalid fallback_scrape_protocol ${forJob}: ${fault}`, ["fallback_scrape_protocol"]);
    }
  }
  const ownValidation = job.metricNameValidationScheme;
  const validation = ownValidation || global.metricNameValidationScheme;
  const inherited = ownValidation === "" ? global.metricNameEscapingScheme : defaultEscaping(ownValidation);
  const escaping = job.metricNameEscapingScheme || inherited;
  checkEscaping(escaping, validation, "scrape config name escaping method", (message) =>
    report(message, ["metric_name_escaping_scheme"]),
  );
  if (validation === "legacy") {
    for (const key of ["relabelConfigs", "metricRelabelConfigs"] as const) {
      const yamlKey = key === "relabelConfigs" ? "relabel_configs" : "metric_relabel_configs";
      for (const [i, rule] of job[key].entries()) {
        checkRelabelRule(rule, "legacy", (message) => report(message, [yamlKey, i]));
      }
    }
  }
  return {
    ...job,
    scrapeInterval,
    scrapeTimeout: job.scrapeTimeout || Math.min(global.scrapeTimeout, scrapeInterval),
    scrapeProtocols: scrapeProtocols as readonly ScrapeProtocol[],
    fallbackScrapeProtocol: job.fallbackScrapeProtocol as ScrapeProtocol | "",
    scrapeNativeHistograms,
    alwaysScrapeClassicHistograms: job.alwaysScrapeClassicHistograms ?? global.alwaysScrapeClassicHistograms,
    convertClassicHistogramsToNhcb:
      job.convertClassicHistogramsToNhcb ?? global.convertClassicHistogramsToNhcb,
    extraScrapeMetrics: job.extraScrapeMetrics ?? global.extraScrapeMetrics,
    scrapeFailureLogFile: job.scrapeFailureLogFile || global.scrapeFailureLogFile,
    bodySizeLimit: job.bodySizeLimit || global.bodySizeLimit,
    sampleLimit: job.sampleLimit || global.sampleLimit,
    targetLimit: job.targetLimit || global.targetLimit,
    labelLimit: job.labelLimit || global.labelLimit,
    labelNameLengthLimit: job.labelNameLengthLimit || global.labelNameLengthLimit,
    labelValueLengthLimit: job.labelValueLengthLimit || global.labelValueLengthLimit,
    keepDroppedTargets: job.keepDroppedTargets || global.keepDroppedTargets,
    metricNameValidationScheme: validation,
    metricNameEscapingScheme: escaping,
  };
}

function defaultEscaping(validation: "utf8" | "legacy"): string {
  return validation === "legacy" ? "underscores" : "allow-utf-8";
}

function checkEscaping(
  scheme: string,
  validation: string,
  what: string,
  report: (message: string) => void,
): void {
  if (!ESCAPING_SCHEMES.includes(scheme)) {
    report(
      `unknown ${what} specified, must be one of 'allow-utf-8', 'underscores', 'dots', or 'values', got ${quote(scheme)}`,
    );
  } else if (scheme === "allow-utf-8" && validation === "legacy") {
    report("utf8 metric names requested but validation scheme is not set to UTF8");
  }
}
