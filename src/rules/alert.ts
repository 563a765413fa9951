import type { Labels } from "../model/labels.ts";

/** An alert on its way to the Alertmanagers. */
export interface Alert {
  readonly labels: Labels;
  /** Sorted by name; values may be empty. */
  readonly annotations: ReadonlyMap<string, string>;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  /** A link to the expression in the server's own UI. */
  readonly generatorUrl: string;
}
