/**
 * A string in double quotes as Go's %q prints it, which is how messages and expressions show values: printable
 * characters stay, control characters become escapes.
 */
export function quote(text: string): string {
  let out = '"';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const short = SHORT_ESCAPES.get(character);
    if (short !== undefined) out += short;
    else if (code < 0x20 || code === 0x7f) out += "\\x" + hex(code, 2);
    // A byte that is no UTF-8, kept as half a surrogate pair.
    else if (code >= 0xdc80 && code <= 0xdcff) out += "\\x" + hex(code - 0xdc00, 2);
    else if (code >= 0xd800 && code <= 0xdfff) out += "\\ufffd";
    else if (code < 0x7f || PRINTABLE.test(character)) out += character;
    else out += code <= 0xffff ? "\\u" + hex(code, 4) : "\\U" + hex(code, 8);
  }
  return out + '"';
}

const SHORT_ESCAPES = new Map([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
]);

// Letters, marks, numbers, punctuation, symbols; of the spaces only U+0020 counts as printable.
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, "0");
}
