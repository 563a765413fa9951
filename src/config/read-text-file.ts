import { readFileSync } from "node:fs";

/** The text of a file. @throws Error in the words of Go: "open prometheus.yml: no such file or directory" */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw fileError(path, cause);
  }
}

/** Why a file cannot be opened or read, in the words of Go. */
export function fileError(path: string, cause: unknown): Error {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "EISDIR") return new Error(`read ${path}: is a directory`);
  const reason = REASONS.get(code ?? "") ?? (cause instanceof Error ? cause.message : String(cause));
  return new Error(`open ${path}: ${reason}`);
}

const REASONS = new Map([
  ["ENOENT", "no such file or directory"],
  ["ENOTDIR", "not a directory"],
  ["EACCES", "permission denied"],
  ["EMFILE", "too many open files"],
]);
