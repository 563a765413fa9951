import {
  choice,
  duration,
  field,
  filePath,
  list,
  maybe,
  boolean,
  section,
  size,
  text,
  unsigned,
  type ValueOf,
} from "./config-type.ts";
import { labelMap } from "./discovery.ts";
import { quote } from "../../model/quote.ts";

const MINUTE = 60_000;

export const SCRAPE_PROTOCOLS = [
  "OpenMetricsText0.0.1",
  "OpenMetricsText1.0.0",
  "PrometheusProto",
  "PrometheusText0.0.4",
  "PrometheusText1.0.0",
] as const;
export type ScrapeProtocol = (typeof SCRAPE_PROTOCOLS)[number];

/** What a job asks for where nothing is configured, best first. */
export const DEFAULT_SCRAPE_PROTOCOLS: readonly ScrapeProtocol[] = [
  "OpenMetricsText1.0.0",
  "OpenMetricsText0.0.1",
  "PrometheusText1.0.0",
  "PrometheusText0.0.4",
];

/** The same with protobuf first, for native histograms. */
export const PROTO_FIRST_SCRAPE_PROTOCOLS: readonly ScrapeProtocol[] = [
  "PrometheusProto",
  ...DEFAULT_SCRAPE_PROTOCOLS,
];

/** What is wrong with a list of protocols, or null. */
export function scrapeProtocolsFault(protocols: readonly string[]): string | null {
  if (new Set(protocols).size < protocols.length) {
    return `duplicated protocol in scrape_protocols, got [${protocols.join(" ")}]`;
  }
  const unknown = protocols.map(scrapeProtocolFault).find((fault) => fault !== null);
  return unknown === undefined ? null : `scrape_protocols: ${unknown}`;
}

/** What is wrong with a protocol's name, or null. */
export function scrapeProtocolFault(protocol: string): string | null {
  const isKnown = SCRAPE_PROTOCOLS.some((known) => known === protocol);
  return isKnown ? null : `unknown scrape protocol ${protocol}, supported: [${SCRAPE_PROTOCOLS.join(" ")}]`;
}

export const nameValidationScheme = choice(
  ["", "utf8", "legacy"],
  (value) => `unrecognized ValidationScheme: ${quote(value)}`,
);

export const ESCAPING_SCHEMES: readonly string[] = ["allow-utf-8", "underscores", "dots", "values"];

/** Limits of a scrape; 0 is none. */
export const limitFields = {
  bodySizeLimit: field(size, 0),
  sampleLimit: field(unsigned, 0),
  targetLimit: field(unsigned, 0),
  labelLimit: field(unsigned, 0),
  labelNameLengthLimit: field(unsigned, 0),
  labelValueLengthLimit: field(unsigned, 0),
};

/** As written: intervals of 0 and lists and schemes left out take their defaults once the whole file is read. */
export const globalConfig = section("config.plain", {
  scrapeInterval: field(duration, MINUTE),
  scrapeTimeout: field(duration, 0),
  scrapeProtocols: maybe(list(text)),
  evaluationInterval: field(duration, MINUTE),
  ruleQueryOffset: field(duration, 0),
  queryLogFile: field(filePath, ""),
  scrapeFailureLogFile: field(filePath, ""),
  externalLabels: field(labelMap, {}),
  ...limitFields,
  keepDroppedTargets: field(unsigned, 0),
  metricNameValidationScheme: field(nameValidationScheme, ""),
  metricNameEscapingScheme: field(text, ""),
  scrapeNativeHistograms: maybe(boolean),
  convertClassicHistogramsToNhcb: maybe(boolean),
  alwaysScrapeClassicHistograms: maybe(boolean),
  extraScrapeMetrics: maybe(boolean),
});

export type GlobalConfig = ValueOf<typeof globalConfig>;
