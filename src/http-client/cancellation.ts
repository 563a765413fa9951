/**
 * A way to call off what may be under way. Like an `AbortController`, for one listener at a time: registering with an
 * `AbortSignal` at each of many short exchanges costs more than the rest of them.
 */
export class Cancellation {
  isCancelled = false;
  private listener: (() => void) | null = null;

  cancel(): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    this.listener?.();
  }

  /** Tells `listener`, at once if it is cancelled already; the one before is forgotten. */
  whenCancelled(listener: (() => void) | null): void {
    this.listener = listener;
    if (this.isCancelled) listener?.();
  }
}
