import type { NotificationBody } from "./types.ts";

/** Called with each change of the board. */
export type NotificationListener = (notification: NotificationBody) => void;

/**
 * What the server wants its operator to know just now: a configuration that doesn't load, a start or an end under
 * way. Few texts, known beforehand, each on the board once.
 */
export class NotificationBoard {
  private readonly active = new Map<string, NotificationBody>();
  private readonly listeners = new Set<NotificationListener>();

  constructor(
    private readonly now: () => number,
    private readonly maxListeners: number,
  ) {}

  /** Puts a text on the board; one that is there already only gets a new date. */
  add(text: string): void {
    const notification = { text, date: new Date(this.now()).toISOString(), active: true };
    this.active.set(text, notification);
    for (const listener of this.listeners) listener(notification);
  }

  /** Takes a text off the board, if it is there. */
  remove(text: string): void {
    const notification = this.active.get(text);
    if (!notification) return;
    this.active.delete(text);
    for (const listener of this.listeners) listener({ ...notification, active: false });
  }

  /** What is on the board, the oldest first. */
  current(): readonly NotificationBody[] {
    return [...this.active.values()];
  }

  /** @returns how to stop following, or null when too many follow already */
  follow(listener: NotificationListener): (() => void) | null {
    if (this.listeners.size >= this.maxListeners) return null;
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
