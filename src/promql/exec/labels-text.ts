import type { Labels } from "../../model/labels.ts";
import { quote } from "../../model/quote.ts";

/** A label set as messages show it: `{a="x", b="y"}`, names that are not plain identifiers in quotes. */
export function labelsText(labels: Labels): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.pairs.length; i += 2) {
    const name = labels.pairs[i]!;
    parts.push(`${PLAIN_NAME.test(name) ? name : quote(name)}=${quote(labels.pairs[i + 1]!)}`);
  }
  return `{${parts.join(", ")}}`;
}

const PLAIN_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
