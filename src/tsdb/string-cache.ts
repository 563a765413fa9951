const SLOTS = 1 << 14;

/** Longer strings are rarely repeated and are not worth the comparing. */
const MAX_CACHED_BYTES = 128;

/**
 * Turns UTF-8 bytes into strings, giving the same string object for bytes seen lately: label names and values repeat
 * by the thousand, and a decoded string costs more than comparing with the one already there.
 * A direct-mapped table: bounded, and a collision only costs a decoding.
 */
export class StringCache {
  private readonly slots: (string | undefined)[] = new Array<string | undefined>(SLOTS).fill(undefined);

  decode(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length > MAX_CACHED_BYTES) return decodeUtf8(bytes, start, end);
    let hash = length;
    let seen = 0;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      seen |= byte;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    if (seen >= 0x80) return decodeUtf8(bytes, start, end);
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const candidate = this.slots[slot];
    if (candidate !== undefined && isSameAscii(candidate, bytes, start, length)) return candidate;
    const text = decodeUtf8(bytes, start, end);
    this.slots[slot] = text;
    return text;
  }
}

function isSameAscii(text: string, bytes: Uint8Array, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

const decoder = new TextDecoder();

/** UTF-8 to string; bytes that are not UTF-8 become U+FFFD. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (bytes instanceof Buffer) return bytes.toString("utf8", start, end);
  if (bytes.buffer instanceof SharedArrayBuffer) return decoder.decode(bytes.slice(start, end));
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
}
