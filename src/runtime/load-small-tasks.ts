import { setImmediate as nextTurn } from "node:timers/promises";
import { collectGarbageSoon } from "./collect-garbage.ts";
import type { SmallTaskOptions, SmallTasks } from "./small-tasks.ts";

/**
 * Loads what answers small tasks, which takes some tens of milliseconds of this thread, in steps between which others
 * have their turn.
 */
export async function loadSmallTasks(options: SmallTaskOptions): Promise<SmallTasks> {
  const { warmUpParser } = await import("../promql/parse/index.ts");
  await nextTurn();
  warmUpParser();
  await nextTurn();
  const { SmallTasks } = await import("./small-tasks.ts");
  await nextTurn();
  collectGarbageSoon();
  return new SmallTasks(options);
}
