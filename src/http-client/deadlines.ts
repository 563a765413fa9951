/** Passing is told once, and not at all once it was taken out. */
export interface Deadline {
  /** From when it is added; not to be changed while it is open. */
  readonly lastsMs: number;
  /** When it passes, by the clock of `performance.now`; for `Deadlines` to set. */
  atMs: number;
  pass(): void;
}

/** The timer may be this late: were every deadline to pass, each would else have a timer of its own. */
const GRANULARITY_MS = 5;

/**
 * Deadlines of things that mostly end before theirs, with one timer for all. It is not set anew as they come and go:
 * when it wakes for one that was met, it goes on to the next. It keeps no process alive.
 */
export class Deadlines {
  /** By how long they last; there are few such times. What was added first passes first. */
  private readonly queues = new Map<number, Set<Deadline>>();
  private timer: NodeJS.Timeout | null = null;
  private wakesAtMs = Infinity;

  add(deadline: Deadline): void {
    const { lastsMs } = deadline;
    deadline.atMs = performance.now() + lastsMs;
    const queue = this.queues.get(lastsMs);
    if (queue) queue.add(deadline);
    else this.queues.set(lastsMs, new Set([deadline]));
    if (deadline.atMs < this.wakesAtMs) this.wakeAt(deadline.atMs);
  }

  /** Without effect where it has passed, or was never added. */
  remove(deadline: Deadline): void {
    this.queues.get(deadline.lastsMs)?.delete(deadline);
  }

  private wakeAt(atMs: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.wakesAtMs = atMs;
    this.timer = setTimeout(() => this.wake(), Math.max(0, atMs - performance.now()));
    this.timer.unref();
  }

  private wake(): void {
    const nowMs = performance.now();
    this.timer = null;
    this.wakesAtMs = Infinity;
    for (const queue of [...this.queues.values()]) {
      for (const deadline of queue) {
        if (deadline.atMs > nowMs) break;
        queue.delete(deadline);
        deadline.pass();
      }
    }
    let next = Infinity;
    for (const [lastsMs, queue] of this.queues) {
      const first = queue.values().next();
      if (first.done) this.queues.delete(lastsMs);
      else next = Math.min(next, first.value.atMs);
    }
    if (next < this.wakesAtMs) this.wakeAt(Math.max(next, nowMs + GRANULARITY_MS));
  }
}
