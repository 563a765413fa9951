import * as fs from "node:fs";
import { join } from "node:path";
import { replaceFile } from "../block/file-writer.ts";
import { META_VERSION } from "../block/meta.ts";
import { INDEX_FILE, META_FILE } from "../file-names.ts";

/** What an early release of Prometheus wrote by mistake in meta.json, where it meant the index. */
const WRONG_VERSION = 2;
const INDEX_VERSION = 2;
const INDEX_VERSION_OFFSET = 4;

/**
 * Mends blocks whose meta.json has the number that belongs into their index, as Prometheus does at its start.
 * @param directories of blocks that cannot be read
 * @returns those that were mended
 */
export function repairOldBlocks(directories: readonly string[]): string[] {
  return directories.filter((directory) => {
    const path = join(directory, META_FILE);
    let meta: { version?: unknown } | null;
    try {
      meta = JSON.parse(fs.readFileSync(path, "utf8")) as { version?: unknown } | null;
    } catch {
      return false;
    }
    if (meta?.version !== WRONG_VERSION) return false;
    // The index first: while meta.json says what it says, a start that is cut short does it again.
    writeIndexVersion(join(directory, INDEX_FILE));
    const mended = JSON.stringify({ ...meta, version: META_VERSION }, null, "\t");
    replaceFile(path, new TextEncoder().encode(mended));
    return true;
  });
}

function writeIndexVersion(path: string): void {
  const descriptor = fs.openSync(path, "r+");
  try {
    fs.writeSync(descriptor, Uint8Array.of(INDEX_VERSION), 0, 1, INDEX_VERSION_OFFSET);
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
