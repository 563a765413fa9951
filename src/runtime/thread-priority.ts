import { readlinkSync } from "node:fs";
import { constants, setPriority } from "node:os";
import type { Logger } from "../telemetry/logger.ts";

/** First: scraping and small queries. Ahead: what brings their answers out. Normal: compaction. Behind: heavy queries. */
export type ThreadRank = "first" | "ahead" | "normal" | "behind";

const NICE_VALUES: Record<ThreadRank, number> = {
  first: constants.priority.PRIORITY_HIGH,
  ahead: constants.priority.PRIORITY_ABOVE_NORMAL,
  normal: constants.priority.PRIORITY_NORMAL,
  // Not last: other programs on a full machine would otherwise leave heavy queries next to nothing.
  behind: constants.priority.PRIORITY_BELOW_NORMAL,
};

/**
 * Has this thread step behind the others, or ahead of them, where the machine is full: heavy queries yield to
 * scraping and to small queries. On Linux each thread has its own nice value, and those it starts begin with it; to
 * step ahead takes a privilege that not every user has, and without it all stays as it is.
 */
export function setThreadPriority(rank: ThreadRank, log?: Logger): void {
  try {
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    setPriority(thread, NICE_VALUES[rank]);
  } catch (err) {
    log?.debug({ err, rank }, "the thread keeps its priority");
  }
}
