import { Secret } from "./secret.ts";

/** Stands where a secret stood; no section has a field of such a name. */
interface PlainSecret {
  readonly "\u0000secret": string;
}

/**
 * A configuration as it may go to another thread: structured cloning would leave nothing of a secret. The opposite is
 * `fromPlain`.
 */
export function toPlain(value: unknown): unknown {
  if (value instanceof Secret) return { "\u0000secret": value.reveal() } satisfies PlainSecret;
  return mapInside(value, toPlain);
}

/** What `toPlain` was given. */
export function fromPlain(value: unknown): unknown {
  if (typeof value === "object" && value !== null && "\u0000secret" in value) {
    return new Secret((value as PlainSecret)["\u0000secret"]);
  }
  return mapInside(value, fromPlain);
}

function mapInside(value: unknown, map: (item: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(map);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, map(item)]));
}
