import type { BlockMeta } from "../block/meta.ts";
import { Generation } from "../head/generation.ts";
import { sealedSeries } from "../head/sealed-series.ts";
import type { GenerationAnnouncement } from "../tsdb.ts";
import { type KnownBlocks, takeInventory } from "./block-directory.ts";
import { type CompactionOptions, writeHeadBlock } from "./compact.ts";

/**
 * Writes a sealed generation as a block. The block says that the head need not hold its range any more, unless others
 * of the range are still to come, or another block said it before: then its samples came late.
 * @param known blocks that were looked at before
 * @returns null if it held nothing
 * @throws StorageError where the disk refuses; the generation must be kept
 */
export function writeGeneration(
  dataDirectory: string,
  { memory, isPartial = false }: GenerationAnnouncement,
  options: CompactionOptions,
  known?: KnownBlocks,
): BlockMeta | null {
  const generation = Generation.attach(memory);
  if (!generation.hasSamples) return null;
  const { startTime: minTime, endTime: maxTime } = generation;
  const isKnown = takeInventory(dataDirectory, known).blocks.some(
    ({ meta }) =>
      meta.minTime < maxTime &&
      meta.maxTime > minTime &&
      !meta.compaction.hints?.includes("from-out-of-order"),
  );
  const range = { minTime, maxTime, isOutOfOrder: isPartial || isKnown };
  return writeHeadBlock(dataDirectory, sealedSeries(generation), range, options);
}
