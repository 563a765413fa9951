import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { compareUtf8 } from "../model/labels.ts";

/** What a glob asks of a file system. */
export interface FileLister {
  /** Names in a folder; empty where it can't be read. */
  names(directory: string): readonly string[];
  exists(path: string): boolean;
}

const REAL_FILES: FileLister = {
  names: (directory) => {
    try {
      return readdirSync(directory === "" ? "." : directory);
    } catch {
      return [];
    }
  },
  exists: (path) => {
    try {
      lstatSync(path);
      return true;
    } catch {
      return false;
    }
  },
};

/**
 * The existing files that a shell pattern names, sorted: `*` any run within a name, `?` one character, `[a-z]` one of
 * some, a backslash takes the next character as it is. No match is no error.
 *
 * @throws Error for a pattern such as `[a`
 */
export function glob(pattern: string, files: FileLister = REAL_FILES): string[] {
  if (!hasWildcard(pattern)) return files.exists(pattern) ? [pattern] : [];
  const slash = pattern.lastIndexOf("/");
  const directory = pattern.slice(0, slash + 1);
  const parents = hasWildcard(directory) ? glob(directory.slice(0, -1), files) : [directory];
  const matches = compileName(pattern.slice(slash + 1));
  return parents
    .flatMap((parent) =>
      files
        .names(parent)
        .filter(matches)
        .map((name) => (parent === "" || parent.endsWith("/") ? parent + name : join(parent, name))),
    )
    .sort(compareUtf8);
}

/** Whether a pattern is well-formed, whatever files there are. */
export function isPattern(pattern: string): boolean {
  try {
    for (const part of pattern.split("/")) parseName(part);
    return true;
  } catch {
    return false;
  }
}

function hasWildcard(pattern: string): boolean {
  return /[*?[\\]/.test(pattern);
}

type Piece = "*" | ((character: string) => boolean);

/** Whether a name matches, by walking the pieces and going back to the last star: never worse than quadratic. */
function compileName(pattern: string): (name: string) => boolean {
  const pieces = parseName(pattern);
  return (name) => {
    const characters = [...name];
    let piece = 0;
    let position = 0;
    let starPiece = -1;
    let starPosition = 0;
    while (position < characters.length) {
      const current = pieces[piece];
      if (current === "*") {
        starPiece = piece++;
        starPosition = position;
      } else if (current?.(characters[position]!)) {
        piece++;
        position++;
      } else if (starPiece >= 0) {
        piece = starPiece + 1;
        position = ++starPosition;
      } else return false;
    }
    while (pieces[piece] === "*") piece++;
    return piece === pieces.length;
  };
}

function parseName(pattern: string): Piece[] {
  const bad = () => new Error(`syntax error in pattern: ${pattern}`);
  const characters = [...pattern];
  const pieces: Piece[] = [];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    if (character === "*") pieces.push("*");
    else if (character === "?") pieces.push(() => true);
    else if (character === "[") {
      const negated = characters[i + 1] === "^";
      if (negated) i++;
      const ranges: [string, string][] = [];
      const next = (): string => {
        if (characters[++i] === "\\") i++;
        const found = characters[i];
        if (found === undefined) throw bad();
        return found;
      };
      do {
        const first = next();
        const isRange = characters[i + 1] === "-";
        if (isRange) i++;
        ranges.push([first, isRange ? next() : first]);
      } while (characters[i + 1] !== "]" && i + 1 < characters.length);
      if (characters[++i] !== "]") throw bad();
      pieces.push((c) => ranges.some(([first, last]) => first <= c && c <= last) !== negated);
    } else {
      const literal = character === "\\" ? characters[++i] : character;
      if (literal === undefined) throw bad();
      pieces.push((c) => c === literal);
    }
  }
  return pieces;
}
