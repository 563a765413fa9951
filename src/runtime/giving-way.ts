/** In a row; then those who wait have to wait until a piece of work is done, or nothing ever would be. */
const MAX_INTERRUPTIONS = 3;

/** Has a thread's long work give way to what someone waits for: it is left off, to be begun anew afterwards. */
export class GivingWay {
  /** Shared with the thread: not 0 while its work is to be left off. */
  readonly flag = new Int32Array(new SharedArrayBuffer(4));
  private waiting = 0;
  private interruptions = 0;

  /** Whether someone waits, and work may be left off for that. */
  get isWanted(): boolean {
    return this.waiting > 0 && this.interruptions < MAX_INTERRUPTIONS;
  }

  /** Does something that goes first. */
  async first<T>(work: () => Promise<T>): Promise<T> {
    this.waiting++;
    this.tell();
    try {
      return await work();
    } finally {
      this.waiting--;
      this.tell();
    }
  }

  /** A piece of work was left off, or came to its end. */
  note(outcome: "interrupted" | "done"): void {
    this.interruptions = outcome === "done" ? 0 : this.interruptions + 1;
    this.tell();
  }

  private tell(): void {
    Atomics.store(this.flag, 0, Number(this.isWanted));
  }
}
