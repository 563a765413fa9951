/**
 * Turns indices into a JavaScript string (UTF-16 units) into offsets of the same place in its UTF-8 form, which is
 * what positions in messages count. Text of ASCII alone needs no table.
 */
export class ByteOffsets {
  private readonly table: Uint32Array | null;

  constructor(text: string) {
    this.table = isAscii(text) ? null : offsetTable(text);
  }

  /** @param index from 0 up to and including the length of the text */
  at(index: number): number {
    return this.table === null ? index : this.table[index]!;
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function offsetTable(text: string): Uint32Array {
  const table = new Uint32Array(text.length + 1);
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    table[i] = bytes;
    const unit = text.charCodeAt(i);
    const isHighSurrogate = unit >= 0xd800 && unit <= 0xdbff;
    const next = isHighSurrogate ? text.charCodeAt(i + 1) : 0;
    if (next >= 0xdc00 && next <= 0xdfff) {
      table[++i] = bytes;
      bytes += 4;
    } else bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
  }
  table[text.length] = bytes;
  return table;
}
