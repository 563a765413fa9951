import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../telemetry/logger.ts";

/**
 * The file `queries.active`: what runs now, so that the next start can tell which queries ran when the server died.
 *
 *   [ {"query":"…","timestamp_sec":N} NUL… ,  {"query":…} NUL… ,  NUL NUL NUL …
 *   0 1                                1000  1001                  free slots are all NUL
 *
 * Without the NULs, and with the last comma made a bracket, it is a JSON array. With a delay only those queries are
 * written that take longer: of what is over within milliseconds there are thousands, and none is what a server died of.
 */
const SLOT_BYTES = 1000;
/** Of a file left behind no more is read. */
const MOST_LEFT_BYTES = 1 << 20;

export class ActiveQueries {
  private readonly slot = Buffer.alloc(SLOT_BYTES);
  private readonly noQuery = Buffer.alloc(SLOT_BYTES);
  /** Queries that run and are not written down yet, by slot. */
  private readonly young = new Map<number, { readonly query: string; readonly seconds: number }>();
  private timer: NodeJS.Timeout | null = null;

  private constructor(
    private readonly descriptor: number,
    private readonly nowMs: () => number,
    private readonly delayMs: number,
    private readonly log: Logger,
  ) {}

  /** Logs what the last run left unfinished, then starts anew. Null, and logged, where the file cannot be had. */
  static open(options: {
    readonly dataDirectory: string;
    readonly slots: number;
    readonly nowMs: () => number;
    readonly log: Logger;
    /** How long a query may have run, at most, when it is written down. Default: 0, every query at once. */
    readonly delayMs?: number;
  }): ActiveQueries | null {
    const { dataDirectory, slots, nowMs, log, delayMs = 0 } = options;
    const path = join(dataDirectory, "queries.active");
    const queries = unfinishedQueries(path);
    if (queries !== null) log.info({ queries }, "these queries didn't finish in the last run");
    try {
      const descriptor = openSync(path, "w", 0o666);
      ftruncateSync(descriptor, 1 + slots * SLOT_BYTES);
      writeSync(descriptor, "[", 0);
      return new ActiveQueries(descriptor, nowMs, delayMs, log);
    } catch (err) {
      log.error({ err, file: path }, "cannot keep a file of the queries that run");
      return null;
    }
  }

  /** @throws Error when the file cannot be written */
  begin(slot: number, query: string): void {
    const seconds = Math.floor(this.nowMs() / 1000);
    if (this.delayMs === 0) {
      this.write(slot, query, seconds);
      return;
    }
    this.young.set(slot, { query, seconds });
    this.timer ??= setTimeout(() => this.writeYoung(), this.delayMs).unref();
  }

  /** @throws Error when the file cannot be written */
  end(slot: number): void {
    if (this.young.delete(slot)) return;
    writeSync(this.descriptor, this.noQuery, 0, SLOT_BYTES, 1 + slot * SLOT_BYTES);
  }

  /** All of them, also those that have just begun: one timer for all is what makes it cheap. */
  private writeYoung(): void {
    this.timer = null;
    try {
      for (const [slot, { query, seconds }] of this.young) this.write(slot, query, seconds);
    } catch (err) {
      this.log.error({ err }, "cannot write down which queries run");
    }
    this.young.clear();
  }

  private write(slot: number, query: string, seconds: number): void {
    this.slot.fill(0);
    this.slot.write(entryText(query, seconds));
    this.slot[SLOT_BYTES - 1] = 0x2c;
    writeSync(this.descriptor, this.slot, 0, SLOT_BYTES, 1 + slot * SLOT_BYTES);
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer);
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
  let left: Buffer;
  let length: number;
  try {
    const descriptor = openSync(path, "r");
    try {
      left = Buffer.alloc(Math.min(fstatSync(descriptor).size, MOST_LEFT_BYTES));
      length = readSync(descriptor, left, 0, left.length, 0);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return null;
  }
  const text = left.subarray(0, length).toString().replaceAll("\0", "");
  return text.length > 1 ? `${text.slice(0, -1)}]` : null;
}
