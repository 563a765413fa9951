/** The real time, for the rooms that take a clock. Timers do not keep a stopping server alive. */
export const systemClock = {
  now: (): number => performance.timeOrigin + performance.now(),

  setTimer(callback: () => void, delayMs: number): () => void {
    const timer = setTimeout(callback, Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
} as const;
