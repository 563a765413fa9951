import type { Labels } from "./labels.ts";

/** A sample that stands for others: usually a trace id. Labels together hold at most 128 UTF-8 characters. */
export interface Exemplar {
  readonly labels: Labels;
  readonly value: number;
  readonly timeMs: number;
  /** Whether the target gave the time, or the scrape did. */
  readonly hasTimestamp: boolean;
}
