/**
 * Takes parts out of an input for as long as it still fails and time is left: halves first, single bytes at last.
 *
 * @param deadlineMs as `Date.now` counts
 */
export async function minimise(
  input: Buffer,
  stillFails: (candidate: Buffer) => Promise<boolean>,
  deadlineMs: number,
): Promise<Buffer> {
  let smallest = input;
  for (let size = Math.ceil(smallest.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < smallest.length;) {
      if (Date.now() > deadlineMs) return smallest;
      const candidate = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]);
      if (await stillFails(candidate)) smallest = candidate;
      else at += size;
    }
  }
  return smallest;
}

/** What two failures of the same kind have in common: the message without its values. */
export function kindOf(error: unknown): string {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return `${name}: ${message.replace(/[0-9"'`].*/s, "").slice(0, 60)}`;
}
