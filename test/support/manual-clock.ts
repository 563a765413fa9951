/** Time that stands still until a test moves it. */
export class ManualClock {
  private timers: { readonly atMs: number; readonly run: () => void }[] = [];

  constructor(private nowMs = 1_000_000_000_000) {}

  now(): number {
    return this.nowMs;
  }

  elapsedMs(): number {
    return this.nowMs;
  }

  setTimer(run: () => void, delayMs: number): () => void {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  get pendingTimers(): number {
    return this.timers.length;
  }

  /** Runs what comes due, each at its time; `settle` after every one, for work that is not on the clock. */
  async advance(byMs: number, settle: () => Promise<void> = async () => {}): Promise<void> {
    const untilMs = this.nowMs + byMs;
    for (;;) {
      const due = this.timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (!due) break;
      this.nowMs = Math.max(this.nowMs, due.atMs);
      this.timers = this.timers.filter((other) => other !== due);
      due.run();
      await settle();
    }
    this.nowMs = untilMs;
  }
}
