import { setImmediate } from "node:timers/promises";

/** A clock that moves only when told to, and after every timer lets all promises that are ready run to their end. */
export class SettlingClock {
  private timers: { readonly dueMs: number; readonly callback: () => void }[] = [];

  constructor(private nowMs: number) {}

  readonly now = (): number => this.nowMs;

  readonly setTimer = (callback: () => void, delayMs: number): (() => void) => {
    // The timers of Node would call at once.
    if (delayMs > 2 ** 31 - 1) throw new Error(`cannot set timer: ${delayMs} ms take more than 31 bits`);
    const timer = { dueMs: this.nowMs + Math.max(0, delayMs), callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  };

  get timerCount(): number {
    return this.timers.length;
  }

  /** Moves on to a time, calling what is due on the way in order. */
  async advanceTo(timeMs: number): Promise<void> {
    await settle();
    for (;;) {
      const [next] = this.timers.toSorted((a, b) => a.dueMs - b.dueMs);
      if (next === undefined || next.dueMs > timeMs) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      next.callback();
      await settle();
    }
    this.nowMs = Math.max(this.nowMs, timeMs);
    await settle();
  }

  async advance(durationMs: number): Promise<void> {
    await this.advanceTo(this.nowMs + durationMs);
  }

  /** Sets the time without a word to anybody, as when the machine sleeps or its clock is set. */
  jumpTo(timeMs: number): void {
    this.nowMs = timeMs;
  }
}

/** Lets promises that are ready run to their end. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await setImmediate();
}
