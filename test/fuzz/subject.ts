import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";

/** A parser under fire: how its inputs are made, and what must hold for each of them. */
export interface Subject {
  readonly name: string;
  /** A valid input, or one that is nearly so. */
  readonly make: (random: Random) => Buffer;
  /** Words of its language, which mutations insert. */
  readonly words?: readonly string[];
  /** Mends what a mutation cannot hit by chance, such as checksums. */
  readonly mend?: (input: Buffer, random: Random) => Buffer;
  /**
   * Gives the input to the parser. Refusing it in the parser's own way is fine; whatever this throws is a failure.
   *
   * @returns whether it was accepted
   */
  readonly run: (input: Buffer) => boolean | Promise<boolean>;
}

/** The input of a number: half are valid ones changed, the others valid or noise. */
export function inputOf(subject: Subject, seed: string, index: number): Buffer {
  const random = new Random(`${seed}/${subject.name}/${index}`);
  const words = subject.words ?? [];
  if (random.chance(0.08)) return random.bytes(random.chance(0.1) ? 20_000 : 400);
  if (random.chance(0.05))
    return Buffer.from(random.list(60, () => random.pick([...words, " ", "\n"])).join(""));
  const made = subject.make(random);
  if (random.chance(0.35)) return made;
  const changed = mutate(made, random, words);
  return subject.mend ? subject.mend(changed, random) : changed;
}

/** Runs what may refuse its input with one of the errors it promises; anything else is a fault. */
export function refusedOr<T>(
  run: () => T,
  ...promised: readonly (abstract new (...args: never[]) => Error)[]
): { readonly result: T } | { readonly refusal: Error } {
  try {
    return { result: run() };
  } catch (error) {
    const isPromised =
      promised.some((kind) => error instanceof kind) && !isProgrammersMistake(error as Error);
    if (!isPromised) throw error;
    return { refusal: error as Error };
  }
}

/** What the language throws when we are wrong, which a parser that promises errors of its own must not let through. */
export function isProgrammersMistake(error: Error): boolean {
  // Errors of Node's own calls (a bad URL, a file that is missing) carry a code; bad JSON is a SyntaxError.
  const isMistake =
    !("code" in error) &&
    (error instanceof TypeError ||
      error instanceof RangeError ||
      error instanceof ReferenceError ||
      error.name === "RuntimeError");
  return isMistake || (error.cause instanceof Error && isProgrammersMistake(error.cause));
}

/** @throws Error saying what differs */
export function requireEqual(actual: unknown, expected: unknown, what: string): void {
  const got = printed(actual);
  const want = printed(expected);
  if (got === want) return;
  let from = 0;
  while (got[from] === want[from]) from++;
  const start = Math.max(0, from - 80);
  throw new Error(
    `${what} differ: got …${got.slice(start, from + 200)}…, expected …${want.slice(start, from + 200)}…`,
  );
}

export function require(condition: boolean, what: () => string): void {
  if (!condition) throw new Error(what());
}

function printed(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === "bigint") return `${part}n`;
    if (typeof part === "number" && !Number.isFinite(part)) return String(part);
    if (Object.is(part, -0)) return "-0";
    if (part instanceof Map) return { map: [...part] };
    return part;
  });
}
