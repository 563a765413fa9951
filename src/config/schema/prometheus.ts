import { field, filePath, integer, list, maybe, section, type Report, type ValueOf } from "./config-type.ts";
import { alertingConfig } from "./alerting.ts";
import { isPattern } from "../glob.ts";
import { globalConfig } from "./global.ts";
import { otlpConfig } from "./otlp.ts";
import { remoteReadConfig, remoteWriteConfig } from "./remote.ts";
import { scrapeConfig } from "./scrape.ts";
import { storageConfig } from "./storage.ts";
import { tracingConfig } from "./tracing.ts";
import { quote } from "../../model/quote.ts";

/** The whole of prometheus.yml, as written. */
export const prometheusConfig = section(
  "config.plain",
  {
    global: field(globalConfig, globalConfig.schema.parse({})),
    runtime: field(section("config.RuntimeConfig", { gogc: field(integer, 75) }), { gogc: 75 }),
    alerting: field(alertingConfig, { alertRelabelConfigs: [], alertmanagers: [] }),
    ruleFiles: field(list(filePath), []),
    scrapeConfigFiles: field(list(filePath), []),
    scrapeConfigs: field(list(scrapeConfig, "empty or null scrape config section"), []),
    storage: field(storageConfig, { tsdb: undefined, exemplars: undefined }),
    tracing: maybe(tracingConfig),
    remoteWrite: field(list(remoteWriteConfig, "empty or null remote write config section"), []),
    remoteRead: field(list(remoteReadConfig, "empty or null remote read config section"), []),
    otlp: field(otlpConfig, otlpConfig.schema.parse({})),
  },
  (config, report) => {
    checkPatterns("rule_files", "rule file", config.ruleFiles, report);
    checkPatterns("scrape_config_files", "scrape config file", config.scrapeConfigFiles, report);
  },
);

/** A star may stand in the last element of the path only, and brackets are to be closed. */
function checkPatterns(key: string, what: string, paths: readonly string[], report: Report): void {
  for (const [i, path] of paths.entries()) {
    if (!/^[^*]*(?:\*[^/]*)?$/.test(path)) report(`invalid ${what} path ${quote(path)}`, [key, i]);
    else if (!isPattern(path)) {
      report(`error retrieving ${what}s for ${path}: syntax error in pattern`, [key, i]);
    }
  }
}

export type PrometheusConfig = ValueOf<typeof prometheusConfig>;
