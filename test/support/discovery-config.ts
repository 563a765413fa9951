import { loadConfig } from "../../src/config/load.ts";
import type { DiscoveryConfigs } from "../../src/config/schema/discovery.ts";

/** The lists of a job written in YAML, such as `http_sd_configs: [{url: …}]`. */
export function discoveryLists(yaml: string, fileName = "p.yml"): DiscoveryConfigs {
  return loadConfig(`scrape_configs: [{job_name: j, ${yaml}}]`, { fileName, environment: {} })
    .scrapeConfigs[0]!;
}
