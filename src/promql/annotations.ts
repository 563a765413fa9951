import type { Position } from "./parse/ast.ts";

/** A note that is the same for many series or steps is kept once; how the copies combine into one text. */
export interface MergedNote {
  merge(other: MergedNote): MergedNote;
  text(): string;
}

/**
 * The warnings and infos of one query, each kept once by its text; a later one with the same text replaces the
 * earlier, so its position wins.
 */
export class Annotations {
  private readonly warnings = new Map<string, Note>();
  private readonly infos = new Map<string, Note>();

  /** @param text without the prefix and without the position */
  warn(text: string, position: Position): void {
    this.warnings.set(text, { note: text, position });
  }

  info(text: string, position: Position): void {
    this.infos.set(text, { note: text, position });
  }

  /** Like `warn` for notes that count: those with the same `key` become one. */
  warnMerged(key: string, note: MergedNote, position: Position): void {
    mergeInto(this.warnings, key, note, position);
  }

  infoMerged(key: string, note: MergedNote, position: Position): void {
    mergeInto(this.infos, key, note, position);
  }

  get isEmpty(): boolean {
    return this.warnings.size === 0 && this.infos.size === 0;
  }

  /** The texts as Prometheus prints them, with the line and column where the expression starts in `query`. */
  render(query: string): { warnings: string[]; infos: string[] } {
    const bytes = Buffer.from(query);
    const texts = (prefix: string, notes: Map<string, Note>) =>
      [...notes.values()].map(
        ({ note, position }) =>
          `${prefix}: ${typeof note === "string" ? note : note.text()} (${lineAndColumn(bytes, position.start)})`,
      );
    return { warnings: texts("PromQL warning", this.warnings), infos: texts("PromQL info", this.infos) };
  }
}

interface Note {
  readonly note: string | MergedNote;
  readonly position: Position;
}

function mergeInto(notes: Map<string, Note>, key: string, note: MergedNote, position: Position): void {
  const earlier = notes.get(key)?.note;
  const merged = earlier === undefined || typeof earlier === "string" ? note : earlier.merge(note);
  notes.set(key, { note: merged, position });
}

function lineAndColumn(bytes: Uint8Array, offset: number): string {
  let line = 1;
  let lineStart = 0;
  for (let i = 0; i < offset && i < bytes.length; i++) {
    if (bytes[i] === 0x0a) {
      line++;
      lineStart = i + 1;
    }
  }
  return `${line}:${offset - lineStart + 1}`;
}
