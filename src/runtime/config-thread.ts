/** The configuration thread: reads the configuration once, hands it over, and ends. */
import { parentPort, workerData } from "node:worker_threads";
import { allScrapeConfigs } from "../config/all-scrape-configs.ts";
import { ConfigError } from "../config/config-error.ts";
import { configToYaml, loadConfigFile, scrapeConfigToYaml } from "../config/load.ts";
import { toPlain } from "../config/plain-config.ts";
import type { ConfigRequest, ConfigWarning, FromConfigThread } from "./config-messages.ts";

parentPort!.postMessage(answer());

function answer(): FromConfigThread {
  const warnings: ConfigWarning[] = [];
  try {
    const config = loadConfigFile({
      ...(workerData as ConfigRequest),
      environment: process.env,
      onWarning: (message, fields) => warnings.push({ message, fields }),
    });
    return {
      type: "loaded",
      warnings,
      plainConfig: toPlain(config),
      text: configToYaml(config),
      jobTexts: new Map(allScrapeConfigs(config).map((job) => [job.jobName, scrapeConfigToYaml(job)])),
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { type: "faulty", warnings, problems: error.problems };
  }
}
