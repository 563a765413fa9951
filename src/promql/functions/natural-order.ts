import { compareUtf8 } from "../../model/labels.ts";

/**
 * Whether `a` comes before `b` where runs of digits count as numbers: "a2" before "a10". Runs that do not fit a signed
 * 64-bit integer are text.
 */
export function compareNatural(a: string, b: string): boolean {
  const left = runsOf(a);
  const right = runsOf(b);
  for (let i = 0; i < left.length; i++) {
    if (i >= right.length) return false;
    const x = left[i]!;
    const y = right[i]!;
    const m = integerOf(x);
    const n = integerOf(y);
    if (m !== null && n !== null) {
      if (m !== n) return m < n;
    } else if (x !== y) return compareUtf8(x, y) < 0;
    if (i === left.length - 1) return true;
    if (i === right.length - 1) return false;
  }
  return false;
}

function runsOf(text: string): string[] {
  return text.match(/[0-9]+|[^0-9]+/g) ?? [];
}

const MAX_INT64 = 2n ** 63n - 1n;

function integerOf(run: string): bigint | null {
  const first = run.charCodeAt(0);
  if (first < 0x30 || first > 0x39) return null;
  const value = BigInt(run);
  return value <= MAX_INT64 ? value : null;
}
