/** Lower case character by character, without context and without growing, as Go's strings.ToLower maps runes. */
export function toLowerByRune(text: string): string {
  if (ASCII_ONLY.test(text)) return text.toLowerCase();
  let out = "";
  // The dotted capital I is the one letter whose lower case JavaScript makes two.
  for (const rune of text) out += rune === "\u0130" ? "i" : sameLength(rune, rune.toLowerCase());
  return out;
}

/** Upper case character by character: ß stays ß. */
export function toUpperByRune(text: string): string {
  if (ASCII_ONLY.test(text)) return text.toUpperCase();
  let out = "";
  for (const rune of text) {
    const titled = GREEK_WITH_IOTA.get(rune);
    out += titled ?? sameLength(rune, rune.toUpperCase());
  }
  return out;
}

const ASCII_ONLY = /^[\0-\x7f]*$/;

/** Where the full mapping is longer than one character there is no simple one, and the character stays. */
function sameLength(rune: string, mapped: string): string {
  return [...mapped].length === 1 ? mapped : rune;
}

/** Small Greek letters with iota subscript: JavaScript splits them, while their simple mapping is one letter. */
const GREEK_WITH_IOTA = new Map<string, string>();
for (const first of [0x1f80, 0x1f90, 0x1fa0]) {
  for (let i = 0; i < 8; i++) {
    GREEK_WITH_IOTA.set(String.fromCharCode(first + i), String.fromCharCode(first + 8 + i));
  }
}
for (const [small, capital] of [
  [0x1fb3, 0x1fbc],
  [0x1fc3, 0x1fcc],
  [0x1ff3, 0x1ffc],
] as const) {
  GREEK_WITH_IOTA.set(String.fromCharCode(small), String.fromCharCode(capital));
}
