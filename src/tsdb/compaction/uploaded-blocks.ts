import * as fs from "node:fs";
import type { BlockMeta } from "../block/meta.ts";
import type { BlockFilter } from "./compactor.ts";

/**
 * Holds back blocks of the first level until whoever uploads them (a Thanos sidecar) says in its file that it did:
 * `{"version":1,"uploaded":["<ULID>",…]}`. While the file cannot be read nothing is known to be uploaded.
 */
export function untilUploaded(path: string): BlockFilter {
  const uploaded = readUploaded(path);
  return ({ ulid, compaction }: BlockMeta) => compaction.level <= 1 && !uploaded.has(ulid);
}

function readUploaded(path: string): ReadonlySet<string> {
  try {
    const { uploaded } = JSON.parse(fs.readFileSync(path, "utf8")) as { uploaded?: unknown };
    return new Set(Array.isArray(uploaded) ? (uploaded as string[]) : []);
  } catch {
    return new Set();
  }
}
