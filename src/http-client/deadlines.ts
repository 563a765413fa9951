/** Passing is told once, and not at all once it was taken out. */
export interface Deadline {
  /** By the clock of `performance.now`. */
  readonly atMs: number;
  pass(): void;
}

/** The timer may be this late: were every deadline to pass, each would else have all the others looked at. */
const GRANULARITY_MS = 5;

/**
 * Deadlines of things that mostly end before theirs, with one timer for all. It is not set anew as they come and go:
 * when it wakes for one that was met, it goes on to the next. It keeps no process alive.
 */
export class Deadlines {
  private readonly open = new Set<Deadline>();
  private timer: NodeJS.Timeout | null = null;
  private wakesAtMs = Infinity;

  add(deadline: Deadline): void {
    this.open.add(deadline);
    if (deadline.atMs < this.wakesAtMs) this.wakeAt(deadline.atMs);
  }

  /** Without effect where it has passed, or was never added. */
  remove(deadline: Deadline): void {
    this.open.delete(deadline);
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
    const passed = [...this.open].filter(({ atMs }) => atMs <= nowMs);
    for (const deadline of passed) if (this.open.delete(deadline)) deadline.pass();
    let next = Infinity;
    for (const { atMs } of this.open) next = Math.min(next, atMs);
    if (next < this.wakesAtMs) this.wakeAt(Math.max(next, nowMs + GRANULARITY_MS));
  }
}
