import { spawnSync } from "node:child_process";

/**
 * Whether a program the tests compare with is installed. Where it is not, tests are skipped on a developer's
 * machine and fail in CI, so that they cannot go missing unseen.
 */
export function hasProgram(name: string): boolean {
  const isThere = spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
  if (!isThere && process.env["CI"] === "true") throw new Error(`cannot test against ${name}: not installed`);
  return isThere;
}
