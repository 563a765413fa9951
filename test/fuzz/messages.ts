/** What the thread that runs inputs and the one that watches it say to each other. */
export interface ThreadTask {
  readonly names: readonly string[];
  readonly seed: string;
  /** Which inputs: from this number on, by subject. */
  readonly from: Readonly<Record<string, number>>;
  /** How many inputs of each subject; null for as many as the time allows. */
  readonly count: number | null;
  /** Of `progressOf`: where the thread says what it is at. */
  readonly progress: SharedArrayBuffer;
  /** One input to run and nothing else. */
  readonly only: Uint8Array | null;
}

/** Numbers in shared memory, which outlive a thread that is ended. */
export const Progress = {
  /** Position of the subject among the names, number of the input, and runs so far: of candidates too. */
  subject: 0,
  input: 1,
  runs: 2,
  /** From here on two numbers for each name: inputs tried, inputs accepted. */
  tallies: 3,
} as const;

export function newProgress(names: readonly string[]): SharedArrayBuffer {
  return new SharedArrayBuffer(8 * (Progress.tallies + 2 * names.length));
}

export interface Failure {
  readonly subject: string;
  readonly index: number;
  readonly what: string;
  readonly input: Uint8Array;
}

export interface Tally {
  readonly subject: string;
  readonly tried: number;
  readonly accepted: number;
}

export type ThreadMessage =
  | { readonly kind: "failure"; readonly failure: Failure }
  | { readonly kind: "live"; readonly liveBytes: number };
