/** Scraping: from targets to an Appender. Enter by the manager. */
export { ScrapeManager, type ScrapeSnapshot, type TargetMetadataSnapshot } from "./scrape-manager.ts";
export { type PoolStatistics } from "./scrape-pool.ts";
export { LargePages } from "./large-pages.ts";
export { type TargetStatus } from "./scrape-loop.ts";
export { DEFAULT_SCRAPE_POOL_OPTIONS, type ScrapePoolOptions, type TargetGroup } from "./options.ts";
export {
  systemClock,
  zeroCounters,
  type Clock,
  type ScrapeCounters,
  type ScrapeFailure,
  type ScrapeLog,
  type ScrapeObserver,
  type ScrapeSurroundings,
} from "./surroundings.ts";
export { type EscapingScheme, type ScrapeProtocol } from "./exposition/negotiate.ts";
