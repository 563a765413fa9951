import type { Position } from "./parse/ast.ts";

/** A note that is the same for many series or steps is kept once; how the copies combine into one text. */
export interface MergedNote {
  merge(other: MergedNote): MergedNote;
  text(): string;
}

/** The part of the query an annotation speaks of. */
export interface NotePosition extends Position {
  /** The byte it points at, where that is not the start of the part that has found something to say. */
  readonly shownAt?: number;
}

/**
 * The warnings and infos of one query, each kept once by its text. Of several places for one text that counts which is
 * evaluated last where operands come before their operation, and the left one before the right one, whatever order
 * the notes come in.
 */
export class Annotations {
  private readonly warnings = new Map<string, Note>();
  private readonly infos = new Map<string, Note>();

  /** @param text without the prefix and without the position */
  warn(text: string, position: NotePosition): void {
    put(this.warnings, text, text, position);
  }

  info(text: string, position: NotePosition): void {
    put(this.infos, text, text, position);
  }

  /** Like `warn` for notes that count: those with the same `key` become one. */
  warnMerged(key: string, note: MergedNote, position: NotePosition): void {
    mergeInto(this.warnings, key, note, position);
  }

  infoMerged(key: string, note: MergedNote, position: NotePosition): void {
    mergeInto(this.infos, key, note, position);
  }

  get isEmpty(): boolean {
    return this.warnings.size === 0 && this.infos.size === 0;
  }

  /** The texts as Prometheus prints them, with the line and column where the expression starts in `query`. */
  render(query: string): { warnings: string[]; infos: string[] } {
    if (this.isEmpty) return { warnings: [], infos: [] };
    const bytes = Buffer.from(query);
    const texts = (prefix: string, notes: Map<string, Note>) =>
      [...notes.values()].map(
        ({ note, position }) =>
          `${prefix}: ${typeof note === "string" ? note : note.text()} (${lineAndColumn(bytes, position.shownAt ?? position.start)})`,
      );
    return { warnings: texts("PromQL warning", this.warnings), infos: texts("PromQL info", this.infos) };
  }
}

interface Note {
  readonly note: string | MergedNote;
  readonly position: NotePosition;
}

function mergeInto(notes: Map<string, Note>, key: string, note: MergedNote, position: NotePosition): void {
  const earlier = notes.get(key)?.note;
  put(
    notes,
    key,
    earlier === undefined || typeof earlier === "string" ? note : earlier.merge(note),
    position,
  );
}

function put(notes: Map<string, Note>, key: string, note: string | MergedNote, position: NotePosition): void {
  const earlier = notes.get(key);
  const isLast = earlier === undefined || isEvaluatedLater(position, earlier.position);
  notes.set(key, { note, position: isLast ? position : earlier.position });
}

/** Whether what stands at `a` is evaluated after what stands at `b`, or with it. */
function isEvaluatedLater(a: Position, b: Position): boolean {
  return (a.start <= b.start && a.end >= b.end) || (a.start > b.start && a.end > b.end);
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
