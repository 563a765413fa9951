const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
  ["\\", "\\"],
]);

/**
 * The text of a Go string or character literal, quotes included in `literal`; null when an escape is wrong. Escapes
 * that name single bytes are taken together as UTF-8.
 */
export function unquote(literal: string): string | null {
  const mark = literal[0]!;
  const inner = literal.slice(1, -1);
  // Go leaves carriage returns out of raw strings.
  if (mark === "`") return inner.replaceAll("\r", "");
  const parts: Buffer[] = [];
  let position = 0;
  while (position < inner.length) {
    const backslash = inner.indexOf("\\", position);
    const plainEnd = backslash < 0 ? inner.length : backslash;
    parts.push(Buffer.from(inner.slice(position, plainEnd)));
    if (backslash < 0) break;
    const escape = readEscape(inner, backslash + 1, mark);
    if (escape === null) return null;
    parts.push(escape.bytes);
    position = escape.end;
  }
  return Buffer.concat(parts).toString();
}

function readEscape(text: string, position: number, mark: string): { bytes: Buffer; end: number } | null {
  const letter = text[position] ?? "";
  const simple = letter === mark ? mark : SIMPLE_ESCAPES.get(letter);
  if (simple !== undefined) return { bytes: Buffer.from(simple), end: position + 1 };
  const numeric = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})/y;
  numeric.lastIndex = position;
  const match = numeric.exec(text);
  if (match === null) return null;
  const end = numeric.lastIndex;
  const byte =
    match[1] !== undefined ? parseInt(match[1], 16) : match[4] !== undefined ? parseInt(match[4], 8) : -1;
  if (byte > 255) return null;
  // In a character constant a byte escape is a code point.
  if (byte >= 0)
    return { bytes: mark === "'" ? Buffer.from(String.fromCodePoint(byte)) : Buffer.from([byte]), end };
  const code = parseInt(match[2] ?? match[3]!, 16);
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return null;
  return { bytes: Buffer.from(String.fromCodePoint(code)), end };
}
