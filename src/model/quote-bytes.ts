import { quote } from "./quote.ts";

/** What came from outside in double quotes, for messages; `bytes` has one character a byte, and need not be UTF-8. */
export function quoteBytes(bytes: string): string {
  if (!HAS_HIGH_BYTE.test(bytes)) return quote(bytes);
  const text = bytes.replace(CHARACTER, (sequence) =>
    // What is no character is half a surrogate pair to `quote`.
    sequence.length === 1
      ? String.fromCharCode(0xdc00 + sequence.charCodeAt(0))
      : Buffer.from(sequence, "latin1").toString("utf8"),
  );
  return quote(text);
}

const HAS_HIGH_BYTE = /[\x80-\xff]/;

/** A character of several bytes in UTF-8, or else one byte that is no part of any. */
const CHARACTER =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;
