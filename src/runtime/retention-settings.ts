import type { Config } from "../config/effective-config.ts";
import type { FlagValues } from "../config/flags.ts";
import { formatDuration, formatSize } from "../model/duration.ts";
import type { RetentionLimits } from "../tsdb/compaction/retention.ts";

const DAY_MS = 24 * 3_600_000;
const DEFAULT_RETENTION_MS = 15 * DAY_MS;
const LONGEST_BLOCK_MS = 31 * DAY_MS;
const DEFAULT_MAX_EXEMPLARS = 100_000;

/** How much is kept: the configuration's word, else the flags'; 15 days where neither says anything. */
export function retentionLimits({ storage }: Pick<Config, "storage">, values: FlagValues): RetentionLimits {
  const configured = storage.tsdb?.retention;
  const sizeBytes = configured?.size ?? values["storage.tsdb.retention.size"];
  const percentage = configured?.percentage ?? 0;
  const given = configured?.time ?? values["storage.tsdb.retention.time"];
  const timeMs = given > 0 || sizeBytes > 0 || percentage > 0 ? given : DEFAULT_RETENTION_MS;
  return { timeMs, sizeBytes, percentage };
}

/** The limits as people read them: `15d or 10GiB`. */
export function retentionText({ timeMs, sizeBytes, percentage }: RetentionLimits): string {
  const limits: string[] = [];
  if (timeMs > 0) limits.push(formatDuration(timeMs));
  if (sizeBytes > 0) limits.push(formatSize(sizeBytes));
  if (percentage > 0) limits.push(`${percentage}%`);
  return limits.join(" or ");
}

/** How long a block may become: a tenth of what is kept, at most 31 days. */
export function maxBlockMs(config: Config, values: FlagValues): number {
  const given = values["storage.tsdb.max-block-duration"];
  if (given > 0) return given;
  const { timeMs } = retentionLimits(config, values);
  return timeMs > 0 ? Math.min(LONGEST_BLOCK_MS, timeMs / 10) : LONGEST_BLOCK_MS;
}

/** What of the storage a reload may change. */
export function storageSettings({ storage }: Config, features: readonly string[]) {
  const keepsExemplars = features.includes("exemplar-storage");
  return {
    outOfOrderWindowMs: storage.tsdb?.outOfOrderTimeWindow ?? 0,
    staleThreshold: Math.max(0, storage.tsdb?.staleSeriesCompactionThreshold ?? 0),
    maxExemplars: keepsExemplars ? (storage.exemplars?.maxExemplars ?? DEFAULT_MAX_EXEMPLARS) : 0,
  };
}

/**
 * How float chunks of new blocks are written.
 * @throws Error where the configuration asks for an encoding that has no room for what a feature stores
 */
export function floatEncoding(
  { storage }: Pick<Config, "storage">,
  features: readonly string[],
): "xor" | "xor2" {
  const asked = storage.tsdb?.chunkEncoding?.floats;
  if (asked === "xor" && features.includes("st-storage")) {
    throw new Error(
      "'storage.tsdb.chunk_encoding.floats' must not be 'xor' with the feature st-storage: it has no room for start timestamps",
    );
  }
  if (asked !== undefined) return asked;
  return features.includes("xor2-encoding") || features.includes("st-storage") ? "xor2" : "xor";
}
