import * as fs from "node:fs";
import { join } from "node:path";
import { CorruptionError } from "../corruption-error.ts";
import { META_FILE } from "../file-names.ts";
import { replaceFile } from "./file-writer.ts";

export const META_VERSION = 1;

/** What a block says of itself, as `meta.json` holds it. */
export interface BlockMeta {
  readonly ulid: string;
  /** The range of its samples: from `minTime`, included, to `maxTime`, excluded. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly stats: BlockStats;
  readonly compaction: BlockCompaction;
  readonly version: number;
}

export interface BlockStats {
  readonly numSamples?: number;
  readonly numFloatSamples?: number;
  readonly numHistogramSamples?: number;
  readonly numSeries?: number;
  readonly numChunks?: number;
  readonly numTombstones?: number;
}

export interface BlockCompaction {
  /** How many generations of compaction it has been through, counted from 1. */
  readonly level: number;
  /** The head blocks it was made from, in the end. */
  readonly sources?: readonly string[];
  /** A compaction has made it idle; it goes with the next clean-up. */
  readonly deletable?: boolean;
  /** The blocks it was made from directly: they go once it is there. */
  readonly parents?: readonly BlockParent[];
  /** A compaction of it failed. */
  readonly failed?: boolean;
  readonly hints?: readonly BlockHint[];
}

export interface BlockParent {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
}

export type BlockHint = "from-out-of-order" | "from-stale-series" | "from-selected-series";

/** @throws CorruptionError where it is missing, no JSON, or of another version */
export function readMeta(blockDirectory: string): BlockMeta {
  const path = join(blockDirectory, META_FILE);
  let meta: Partial<BlockMeta> | null;
  try {
    meta = JSON.parse(fs.readFileSync(path, "utf8")) as Partial<BlockMeta> | null;
  } catch (cause) {
    throw new CorruptionError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  if (meta === null || typeof meta !== "object")
    throw new CorruptionError(`cannot read ${path}: not an object`);
  if (meta.version !== META_VERSION) {
    throw new CorruptionError(`cannot read ${path}: version is ${meta.version}, expected ${META_VERSION}`);
  }
  if (typeof meta.ulid !== "string" || !Number.isFinite(meta.minTime) || !Number.isFinite(meta.maxTime)) {
    throw new CorruptionError(`cannot read ${path}: ulid, minTime or maxTime is missing`);
  }
  const fault = compactionFault(meta.compaction);
  if (fault !== null || !isObjectOrAbsent(meta.stats)) {
    throw new CorruptionError(`cannot read ${path}: ${fault ?? "stats is no object"}`);
  }
  return {
    ulid: meta.ulid,
    minTime: meta.minTime!,
    maxTime: meta.maxTime!,
    stats: meta.stats ?? {},
    compaction: { ...meta.compaction, level: meta.compaction?.level ?? 1 },
    version: META_VERSION,
  };
}

/** What is not as it should be in what the file calls `compaction`; null if nothing. */
function compactionFault(compaction: Partial<BlockCompaction> | null | undefined): string | null {
  if (!isObjectOrAbsent(compaction)) return "compaction is no object";
  const { level, sources, parents, hints } = compaction ?? {};
  if (level !== undefined && !Number.isInteger(level)) return `compaction.level is ${String(level)}`;
  if (!isListOf(sources, "string")) return "compaction.sources is no list of texts";
  if (!isListOf(hints, "string")) return "compaction.hints is no list of texts";
  return isListOf(parents, "object") ? null : "compaction.parents is no list of blocks";
}

function isObjectOrAbsent(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "object" && !Array.isArray(value));
}

function isListOf(value: unknown, kind: "string" | "object"): boolean {
  if (value === undefined || value === null) return true;
  return Array.isArray(value) && value.every((item) => typeof item === kind && item !== null);
}

export function writeMeta(blockDirectory: string, meta: BlockMeta): void {
  replaceFile(join(blockDirectory, META_FILE), new TextEncoder().encode(encodeMeta(meta)));
}

/** In the order and form of every other writer: zero counts and empty lists are left out. */
export function encodeMeta(meta: BlockMeta): string {
  const { stats, compaction } = meta;
  const ordered = {
    ulid: meta.ulid,
    minTime: meta.minTime,
    maxTime: meta.maxTime,
    stats: {
      numSamples: orAbsent(stats.numSamples),
      numFloatSamples: orAbsent(stats.numFloatSamples),
      numHistogramSamples: orAbsent(stats.numHistogramSamples),
      numSeries: orAbsent(stats.numSeries),
      numChunks: orAbsent(stats.numChunks),
      numTombstones: orAbsent(stats.numTombstones),
    },
    compaction: {
      level: compaction.level,
      sources: listOrAbsent(compaction.sources),
      deletable: compaction.deletable === true ? true : undefined,
      parents: listOrAbsent(
        compaction.parents?.map(({ ulid, minTime, maxTime }) => ({ ulid, minTime, maxTime })),
      ),
      failed: compaction.failed === true ? true : undefined,
      hints: listOrAbsent(compaction.hints?.toSorted()),
    },
    version: meta.version,
  };
  return JSON.stringify(ordered, null, "\t");
}

function orAbsent(count: number | undefined): number | undefined {
  return count ? count : undefined;
}

function listOrAbsent<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined;
}
