import type { Config, EffectiveScrapeConfig } from "./effective-config.ts";

/** Every job, those of the main file first. */
export function allScrapeConfigs(config: Config): readonly EffectiveScrapeConfig[] {
  return [...config.scrapeConfigs, ...config.includedScrapeConfigs];
}
