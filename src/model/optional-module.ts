import { createRequire } from "node:module";

/**
 * Loads a native package if it is installed for this platform, else gives null: every one has a JavaScript stand-in.
 * The name never reaches the bundler, so a single-file build simply does not find it.
 */
export function loadOptionalModule(name: string): unknown {
  try {
    const here = typeof __filename === "string" ? __filename : import.meta.url;
    return createRequire(here)(name) as unknown;
  } catch {
    return null;
  }
}
