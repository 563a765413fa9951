import { join } from "node:path";
import { parseCheckpointName } from "../file-names.ts";
import { listFolder, listSegments, type WalSegment } from "./segment.ts";

/** What a log still needs of segments up to `lastSegment`, written anew as a little log of its own. */
export interface Checkpoint {
  readonly lastSegment: number;
  readonly path: string;
  readonly segments: readonly WalSegment[];
}

/** The newest finished checkpoint of a log, or null. Narthex reads checkpoints and never needs to write one. */
export function findCheckpoint(directory: string): Checkpoint | null {
  let lastSegment = -1;
  let name = "";
  for (const candidate of listFolder(directory)) {
    const index = parseCheckpointName(candidate);
    if (index !== null && index > lastSegment) {
      lastSegment = index;
      name = candidate;
    }
  }
  if (lastSegment < 0) return null;
  const path = join(directory, name);
  return { lastSegment, path, segments: listSegments(path) };
}
