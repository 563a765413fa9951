import { readlinkSync } from "node:fs";
import { constants, setPriority } from "node:os";
import type { Logger } from "../telemetry/logger.ts";

/**
 * Has this thread step behind the others, or ahead of them, where the machine is full: heavy queries yield to
 * scraping and to small queries. On Linux each thread has its own nice value; to step ahead takes a privilege that
 * not every user has, and without it all stays as it is. Behind is not last: other programs on a full machine would
 * otherwise leave heavy queries next to nothing.
 */
export function setThreadPriority(where: "ahead" | "behind", log: Logger): void {
  const { PRIORITY_HIGH, PRIORITY_BELOW_NORMAL } = constants.priority;
  try {
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    setPriority(thread, where === "behind" ? PRIORITY_BELOW_NORMAL : PRIORITY_HIGH);
  } catch (err) {
    log.debug({ err, where }, "the thread keeps its priority");
  }
}
