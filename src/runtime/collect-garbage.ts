import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | null = null;

/**
 * Collects this thread's garbage now. After a burst (a hundred thousand new series, a large answer) the heap is full
 * of what is dead already, and with little allocation to follow V8 would keep it for hours.
 */
export function collectGarbage(): void {
  if (collect === null) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  // Compacting takes the pages of holes that are left, a few megabytes in a thread, for some milliseconds. Code that
  // was not run since the collection before goes too: most of what started a thread is never run again.
  setFlagsFromString("--compact-on-every-full-gc");
  setFlagsFromString("--bytecode-old-age=1");
  collect();
  collect();
  setFlagsFromString("--bytecode-old-age=5");
  setFlagsFromString("--no-compact-on-every-full-gc");
}

const SOON_MS = 3000;
let timer: NodeJS.Timeout | null = null;

/**
 * Collects once nobody has asked for it for a while. After a long log was replayed generations go one after the other,
 * and one collection gives back the memory of all of them.
 */
export function collectGarbageSoon(): void {
  if (timer) {
    timer.refresh();
    return;
  }
  timer = setTimeout(() => {
    timer = null;
    collectGarbage();
  }, SOON_MS);
  timer.unref();
}
