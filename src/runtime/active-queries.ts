import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../telemetry/logger.ts";

/**
 * The file `queries.active`: what runs now, so that the next start can tell which queries ran when the server died.
 *
 *   [ {"query":"…","timestamp_sec":N} NUL… ,  {"query":…} NUL… ,  NUL NUL NUL …
 *   0 1                                1000  1001                  free slots are all NUL
 *
 * Without the NULs, and with the last comma made a bracket, it is a JSON array.
 */
const SLOT_BYTES = 1000;
/** Of a file left behind no more is read. */
const MOST_LEFT_BYTES = 1 << 20;

export class ActiveQueries {
  private readonly slot = Buffer.alloc(SLOT_BYTES);
  private readonly noQuery = Buffer.alloc(SLOT_BYTES);

  private constructor(
    private readonly descriptor: number,
    private readonly nowMs: () => number,
  ) {}

  /** Logs what the last run left unfinished, then starts anew. Null, and logged, where the file cannot be had. */
  static open(options: {
    readonly dataDirectory: string;
    readonly slots: number;
    readonly nowMs: () => number;
    readonly log: Logger;
  }): ActiveQueries | null {
    const { dataDirectory, slots, nowMs, log } = options;
    const path = join(dataDirectory, "queries.active");
    const queries = unfinishedQueries(path);
    if (queries !== null) log.info({ queries }, "these queries didn't finish in the last run");
    try {
      const descriptor = openSync(path, "w", 0o666);
      ftruncateSync(descriptor, 1 + slots * SLOT_BYTES);
      writeSync(descriptor, "[", 0);
      return new ActiveQueries(descriptor, nowMs);
    } catch (err) {
      log.error({ err, file: path }, "cannot keep a file of the queries that run");
      return null;
    }
  }

  /** @throws Error when the file cannot be written */
  begin(slot: number, query: string): void {
    this.slot.fill(0);
    this.slot.write(entryText(query, Math.floor(this.nowMs() / 1000)));
    this.slot[SLOT_BYTES - 1] = 0x2c;
    writeSync(this.descriptor, this.slot, 0, SLOT_BYTES, 1 + slot * SLOT_BYTES);
  }

  /** @throws Error when the file cannot be written */
  end(slot: number): void {
    writeSync(this.descriptor, this.noQuery, 0, SLOT_BYTES, 1 + slot * SLOT_BYTES);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** The entry with as much of the query, in whole characters, as its slot takes beside the comma. */
function entryText(query: string, seconds: number): string {
  const characters = [...query.slice(0, SLOT_BYTES)];
  for (;;) {
    const text = JSON.stringify({ query: characters.join(""), timestamp_sec: seconds });
    const excess = Buffer.byteLength(text) - (SLOT_BYTES - 1);
    if (excess <= 0) return text;
    // No character takes more than six bytes, so this many at least are too many.
    characters.length -= Math.ceil(excess / 6);
  }
}

/** The JSON text of what a file that was left behind lists, null if nothing. */
function unfinishedQueries(path: string): string | null {
  const left = Buffer.alloc(MOST_LEFT_BYTES);
  let length: number;
  try {
    const descriptor = openSync(path, "r");
    length = readSync(descriptor, left, 0, MOST_LEFT_BYTES, 0);
    closeSync(descriptor);
  } catch {
    return null;
  }
  const text = left.subarray(0, length).toString().replaceAll("\0", "");
  return text.length > 1 ? `${text.slice(0, -1)}]` : null;
}
