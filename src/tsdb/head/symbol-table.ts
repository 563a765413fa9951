import { StorageError } from "../../model/storage.ts";
import { Header, type Arena } from "./arena.ts";
import { HashTable } from "./hash-table.ts";

/** Strings kept decoded, per thread and generation. */
const MAX_CACHED_TEXTS = 2 ** 18;

/**
 * The label names and values of a generation, each once: number ↔ text. Numbers count from 1; 0 is no symbol.
 * A symbol's bytes lie in a run: its length as u32, then UTF-8.
 */
export class SymbolTable {
  private readonly table: HashTable;
  private texts: (string | undefined)[] = [];
  private cached = 0;
  private encoded = new Uint8Array(256);
  private encodedLength = 0;
  private readonly hashOf = (id: number) => {
    const { pointer, length } = this.place(id);
    return hashBytes(this.arena.bytes, pointer, pointer + length);
  };

  constructor(private readonly arena: Arena) {
    this.table = new HashTable(arena, Header.symbolTable);
  }

  get count(): number {
    return this.arena.header(Header.symbolCount);
  }

  /** @returns the symbol's number, or 0 */
  find(text: string): number {
    this.encode(text);
    return this.findBytes(this.encoded, 0, this.encodedLength);
  }

  /** The number of the symbol with the UTF-8 in `bytes` from `start` to `end`, which is excluded; or 0. */
  findBytes(bytes: Uint8Array, start: number, end: number): number {
    return this.findHashed(hashBytes(bytes, start, end), bytes, start, end);
  }

  /** The symbol's number, new if need be. Writer only. */
  intern(text: string): number {
    this.encode(text);
    return this.internBytes(this.encoded, 0, this.encodedLength);
  }

  /** As `intern`, for UTF-8 from `start` to `end`, which is excluded. Writer only. */
  internBytes(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashBytes(bytes, start, end);
    const found = this.findHashed(hash, bytes, start, end);
    if (found !== 0) return found;
    const id = this.count + 1;
    if (id > this.arena.maxSymbols) {
      throw new StorageError(`cannot take another label name or value: the generation has ${id - 1} of them`);
    }
    const length = end - start;
    const pointer = this.arena.allocateRun(4 + length);
    this.arena.words[pointer / 4] = length;
    for (let i = 0; i < length; i++) this.arena.bytes[pointer + 4 + i] = bytes[start + i]!;
    this.arena.words[this.arena.symbols / 4 + id] = pointer;
    this.arena.setHeader(Header.symbolCount, id);
    this.table.add(hash, id, this.hashOf);
    return id;
  }

  text(id: number): string {
    const known = this.texts[id];
    if (known !== undefined) return known;
    const { pointer, length } = this.place(id);
    const text = this.arena.buffer.toString("utf8", pointer, pointer + length);
    if (++this.cached > MAX_CACHED_TEXTS) {
      this.texts = [];
      this.cached = 0;
    }
    this.texts[id] = text;
    return text;
  }

  /** Where the symbol's UTF-8 bytes lie. */
  place(id: number): { readonly pointer: number; readonly length: number } {
    const pointer = this.arena.words[this.arena.symbols / 4 + id]!;
    return { pointer: pointer + 4, length: this.arena.words[pointer / 4]! };
  }

  private findHashed(hash: number, text: Uint8Array, start: number, end: number): number {
    const { table } = this;
    const { words, bytes, symbols } = this.arena;
    const length = end - start;
    let id: number;
    for (let slot = table.slotOf(hash); (id = table.at(slot)) !== 0; slot = table.next(slot)) {
      const pointer = words[symbols / 4 + id]!;
      if (words[pointer / 4] !== length) continue;
      let i = 0;
      while (i < length && bytes[pointer + 4 + i] === text[start + i]) i++;
      if (i === length) return id;
    }
    return 0;
  }

  private encode(text: string): void {
    if (this.encoded.length < 3 * text.length) this.encoded = new Uint8Array(6 * text.length);
    const encoded = this.encoded;
    let i = 0;
    for (; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 127) break;
      encoded[i] = unit;
    }
    this.encodedLength = i === text.length ? i : encoder.encodeInto(text, encoded).written;
  }
}

const encoder = new TextEncoder();

function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return mixHash(hash, end - start);
}

/** Stirs a number into a hash; all 32 bits of the result are good. */
export function mixHash(hash: number, value: number): number {
  let mixed = Math.imul(hash ^ value, 0x9e3779b1);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}
